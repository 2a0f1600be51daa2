// The system calls that a confined process does not have.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <vector>

namespace gabbro::sandbox {

/// A program of the kernel's packet filter, and the instructions whose values are the id of the process and
/// its negative.
struct FilterProgram {
  std::vector<sock_filter> code;
  std::vector<std::size_t> own_id, own_group;
};

/// Whether there is one for this processor.
bool has_filter();

/// Refused with EPERM: sockets (but those of one machine, with `local_sockets`), other processes (ptrace,
/// their memory, their limits, signals to them), leaving the process group, mounts, namespaces, kernel
/// modules, BPF, keys, io_uring, memory that no limit counts (memfd, System V), modes and owners of files,
/// links, devices.
FilterProgram outer_filter(bool local_sockets);

/// Refused: new processes (threads are not) and other programs.
FilterProgram sealing_filter();

}  // namespace gabbro::sandbox
