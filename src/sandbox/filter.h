// The filter of system calls for a confined process.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gabbro::sandbox {

/// A program for the kernel's packet filter (BPF). A process may send signals to itself and its group,
/// whose ids are known only after the fork: `own_id` and `own_group` are the indices of the instructions
/// whose values must then be set to the process id and its negative.
struct FilterProgram {
  std::vector<sock_filter> code;
  std::vector<std::size_t> own_id, own_group;
};

/// Returns true if there is a filter for this processor.
bool has_filter();

/// The sockets that a process may have: none; pairs, which are connected to each other for good; or also TCP
/// in its own network namespace, in which there is only a loopback. No process has local sockets that can be
/// given an address: every server that listens at a path of the file system would be in reach.
enum class Sockets : std::uint8_t { kNone, kPairs, kLoopback };

/// Returns the filter of a confined process. It refuses, with EPERM: other sockets, other processes (ptrace,
/// their memory, their limits, their processors, signals to them), leaving the process group, mounts,
/// namespaces, kernel modules, BPF, keys, io_uring, memory that no limit counts (memfd, System V), changes of
/// modes and owners of files, links, and device files.
FilterProgram outer_filter(Sockets sockets);

/// Returns a filter that refuses new processes (threads are allowed) and other programs. It is installed in
/// addition (sandbox::seal).
FilterProgram sealing_filter();

}  // namespace gabbro::sandbox
