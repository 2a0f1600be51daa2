// A sandbox for a process that runs an untrusted program. The process may compute, read what it was given,
// and write into its own folder.
//
// Several independent borders of the kernel confine it, as far as the machine supports them: no new
// privileges and no capabilities; a filter of system calls (seccomp); Landlock on files, sockets and signals;
// its own network and IPC namespace, and with a GPU its own mounts. `machine` finds out by trying which are
// available. `Machine::missing` reports every border that is missing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gabbro::sandbox {

/// The borders that this machine supports.
struct Machine {
  bool filter = false;        // seccomp, on this processor
  int landlock = 0;           // version of the Landlock interface; 0: none
  bool network = false;       // A process can have its own network namespace ...
  bool needs_user = false;    // ... but only inside of its own user namespace.
  bool mounts = false;        // A process can also have its own mounts, and thus a /dev/shm.
  bool switched_off = false;  // by GABBRO_SANDBOX=off

  /// Lists the borders in use: "no new privileges, no capabilities, system calls filtered, files by Landlock
  /// 7, no network"; "none" if they are switched off.
  [[nodiscard]] std::string text() const;
  /// Lists the missing borders and the consequences; "" if nothing is missing.
  [[nodiscard]] std::string missing() const;
};

/// Returns the borders of this machine. They are tried once, in separate processes; later calls return the
/// same result.
const Machine& machine();

/// The files that a process may access, in addition to the system's libraries and the files that describe the
/// machine. Paths that do not exist are ignored.
struct Rules {
  std::vector<std::string> programs;  // files and folders to read and execute
  std::vector<std::string> reads;     // files and folders; symbolic links directly in a folder are followed
  std::vector<std::string> writes;    // folders in which files may be created, written, renamed and removed
  std::uint64_t file_bytes = 0;       // maximum size of any file that it writes; 0: no limit
  std::uint64_t address_bytes = 0;    // maximum size of its address space; 0: no limit
  // Allows GPUs, pairs of sockets, and a /dev/shm of its own, which ends with its last process. A machine
  // without mount namespaces has none for it.
  bool devices = false;
  std::uint64_t shared_bytes = 0;  // maximum size of that /dev/shm; 0: half of the machine's memory
  bool loopback = false;  // Allows TCP between its own processes, in a network namespace of their own.
};

/// A sandbox is prepared before the fork and entered after it. Entering uses only system calls.
class Sandbox {
 public:
  /// Prepares a sandbox with the borders in `borders`. Errors: "sandbox" (the kernel refuses a border; a
  /// loopback needs a network namespace that is missing, or, together with GPUs, a mount namespace).
  static Result<Sandbox> prepare(const Rules& rules, const Machine& borders);
  Sandbox(Sandbox&& other) noexcept;
  Sandbox& operator=(Sandbox&&) = delete;
  ~Sandbox();

  /// Confines the calling process and all its future descendants. Must be called by a single-threaded process
  /// before exec. Returns null, or the name of the step that failed (a literal); the process must then end.
  /// `parent_death_signal` is the signal that the process gets when its parent ends (0: none).
  /// Async-signal-safe.
  [[nodiscard]] const char* enter(int parent_death_signal);

 private:
  struct Instruction {  // An instruction of the filter, equivalent to a struct sock_filter.
    std::uint16_t code;
    std::uint8_t when, unless;
    std::uint32_t value;
  };
  Sandbox() = default;

  Machine borders_;
  bool loopback_ = false;
  std::uint64_t file_bytes_ = 0, address_bytes_ = 0;
  int ruleset_ = -1;
  std::vector<Instruction> filter_;
  // Indices of the instructions that compare with the id of the process, and with its negative.
  std::vector<std::size_t> own_id_, own_group_;
  std::string users_, groups_;  // id maps of the user namespace
  std::string shared_;          // mount options of its /dev/shm; empty: it has none
};

/// From here on, prevents this process from starting processes and executing programs; threads are allowed.
/// Returns false if there is no filter.
bool seal();

/// Returns the folders of the shared libraries that `program` is linked with, as the loader finds them. Empty
/// for scripts and static programs.
std::vector<std::string> library_folders(const std::string& program);

/// Returns true if an environment variable is passed on to a confined process. These are variables read by
/// numerical libraries, the loader and the language settings. Keys and all unknown variables are withheld.
bool passes(std::string_view variable);

}  // namespace gabbro::sandbox
