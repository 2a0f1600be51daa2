// What a process that runs a stranger's program may do: compute, read what it was given, write into its own
// folder.
//
// Several borders of the kernel stand around it, each where the machine has it: no new privileges and no
// capabilities; a filter of system calls (seccomp); Landlock on files, sockets and signals; a network and an
// IPC namespace of its own. `machine` finds out by trying. What is missing is said by `Machine::missing`,
// never passed over.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gabbro::sandbox {

/// What a sandbox can be made of here.
struct Machine {
  bool filter = false;        // seccomp, for this processor
  int landlock = 0;           // the version of its interface; 0: none
  bool network = false;       // a network namespace of its own
  bool needs_user = false;    // ... inside a user namespace of its own
  bool switched_off = false;  // by GABBRO_SANDBOX=off

  /// What stands, in a few words: "no capabilities, system calls filtered, files by Landlock 7, no network";
  /// "none" when it is switched off.
  [[nodiscard]] std::string text() const;
  /// What is missing and what follows from it; empty: nothing.
  [[nodiscard]] std::string missing() const;
};

/// This machine, tried once in a process of its own; later calls return what was found then.
const Machine& machine();

/// What the process may touch besides the system's libraries and the files that describe the machine. Paths
/// that do not exist are left out.
struct Rules {
  std::vector<std::string> programs;  // files and folders to read and execute
  std::vector<std::string> reads;     // files and folders; symbolic links in a folder are followed one level
  std::vector<std::string> writes;    // folders: files in them may be made, written, renamed, removed
  std::uint64_t file_bytes = 0;       // no file that it writes grows beyond; 0: no limit
  std::uint64_t address_bytes = 0;    // of address space; 0: no limit
  bool devices = false;               // GPUs, with the sockets that their drivers need
};

/// Made before the fork and entered after it: entering is system calls alone.
class Sandbox {
 public:
  /// Errors: "sandbox" (the kernel refuses what it did for `machine`).
  static Result<Sandbox> prepare(const Rules& rules, const Machine& on);
  Sandbox(Sandbox&& other) noexcept;
  Sandbox& operator=(Sandbox&&) = delete;
  ~Sandbox();

  /// Confines the calling process and all that it will start; for a single thread, before exec. Null, or the
  /// step that failed (a literal): then the process must end. `on_death`: the signal (0: none) that the
  /// process gets when its parent ends. Async-signal-safe.
  [[nodiscard]] const char* enter(int on_death);

 private:
  struct Instruction {  // of the filter: a struct sock_filter
    std::uint16_t code;
    std::uint8_t when, unless;
    std::uint32_t value;
  };
  Sandbox() = default;

  Machine on_;
  std::uint64_t file_bytes_ = 0, address_bytes_ = 0;
  int ruleset_ = -1;
  std::vector<Instruction> filter_;
  std::vector<std::size_t> own_id_,
      own_group_;               // instructions that compare with the id of the process, and its negative
  std::string users_, groups_;  // maps of the user namespace
};

/// For a program that starts no others: from here on this process makes none, and executes none. False: there
/// is no filter here.
bool seal();

/// Folders of the shared libraries that `program` is linked with, as the loader finds them; empty for scripts
/// and static programs.
std::vector<std::string> library_folders(const std::string& program);

/// Whether a variable of the environment reaches a confined process: those that libraries of numbers, the
/// loader and the language settings read. Keys and everything unknown stay outside.
bool passes(std::string_view variable);

}  // namespace gabbro::sandbox
