// Processes of this machine, with all that they start: begun, measured, killed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace gabbro::jobs {

struct Process {
  pid_t id = 0;
  int out = -1;      // reads its standard output; the owner closes it
  int in = -1;       // writes its standard input, where it has one; the owner closes it
  std::string mark;  // in the environment of the process, and so of its descendants, wherever they went
};

/// How a process is started.
struct Launch {
  std::vector<std::string> command;      // the program's path first
  std::string log;                       // standard error goes to its end; empty: where this program's goes
  std::vector<std::string> hidden = {};  // variables that it does not get, of those that sandbox::passes
  std::vector<std::string> variables = {};  // "NAME=value", in addition
  sandbox::Sandbox* sandbox = nullptr;      // entered before the program begins; null: none
  bool has_input = false;                   // standard input is a pipe; else it is empty
  int on_death = 15;  // the signal (SIGTERM) that it gets when the thread that starts it ends; 0: none
};

/// Starts a process in a process group of its own, with standard output as a pipe. Threads that wait for each
/// other do not spin (OMP_WAIT_POLICY=PASSIVE, unless set): where cores are shared, spinning costs more than
/// all else. Of this program's environment it gets what sandbox::passes. Errors, "jobs": no such program, no
/// log or one that is a link, no pipe, no process. A sandbox that cannot be entered ends the process with
/// code 125 and a line in its log.
Result<Process> start_process(const Launch& launch);

/// What a process and its descendants have now. Pages that two of them share count twice. Without processes,
/// it is gone.
struct Usage {
  std::uint64_t bytes = 0;  // resident
  int processes = 0;
};
Usage usage_of(pid_t id);
/// Processes in the group of `id`, also those whose parents are gone. Reads all processes of the machine.
int group_size(pid_t id);
/// Seconds of processor time that a process took itself; negative: it is gone.
double processor_seconds(pid_t id);

/// Whether the process has ended; it stays a zombie, so that its id and its group's remain its own until
/// `reap`.
bool has_ended(pid_t id);
/// Kills the process, its group, and every process that carries its mark: also those that left the group, or
/// whose parents are gone. Reads the environment of every process of this user; what hides its environment is
/// not found.
void kill_tree(const Process& process);
/// Waits for the end; the status is that of waitpid.
int reap(pid_t id);
/// "ended by signal 9 (Killed)", "ended with code 3".
std::string describe_status(int status);

}  // namespace gabbro::jobs
