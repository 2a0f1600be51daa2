// Processes of this machine, with all that they start: begun, measured, killed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::jobs {

struct Process {
  pid_t id = 0;
  int out = -1;      // reads its standard output; the owner closes it
  std::string mark;  // in the environment of the process, and so of its descendants, wherever they went
};

/// Starts `command` (the program's path first) in a process group of its own: standard input is empty, standard output a pipe, standard
/// error goes to the end of `log`, or where this program's goes if that is "". Threads that wait for each other do not spin
/// (OMP_WAIT_POLICY=PASSIVE, unless set): where cores are shared, spinning costs more than all else. SIGTERM reaches it when this process dies.
/// Of this program's environment it does not get the variables named in `hidden`.
/// Errors, "jobs": no such program, no log, no pipe, no process.
Result<Process> start_process(const std::vector<std::string>& command, const std::string& log,
                              const std::vector<std::string>& hidden = {});

/// Bytes that a process and its descendants keep resident; pages that two of them share count twice. 0: it is gone.
std::uint64_t resident_bytes(pid_t id);

/// Whether the process has ended; it stays a zombie, so that its id and its group's remain its own until `reap`.
bool has_ended(pid_t id);
/// Kills the process, its group, and every process that carries its mark: also those that left the group, or whose parents are gone. Reads
/// the environment of every process of this user; what hides its environment is not found.
void kill_tree(const Process& process);
/// Waits for the end; the status is that of waitpid.
int reap(pid_t id);
/// "ended by signal 9 (Killed)", "ended with code 3".
std::string describe_status(int status);

}  // namespace gabbro::jobs
