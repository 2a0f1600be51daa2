// Starts, measures and kills processes of this machine with their descendants.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace gabbro::jobs {

struct Process {
  pid_t id = 0;
  int out = -1;  // Descriptor that reads its standard output. The owner closes it.
  int in = -1;   // Descriptor that writes its standard input, if it has one. The owner closes it.
  // A variable in the environment of the process. Its descendants inherit it, so they can be found wherever
  // they are.
  std::string mark;
};

/// The settings with which a process is started.
struct Launch {
  std::vector<std::string> command;  // path of the program, then its arguments
  std::string log;  // Standard error is appended to this file. Empty: standard error is that of this program.
  std::vector<std::string> hidden = {};  // Variables that are withheld although sandbox::passes allows them.
  std::vector<std::string> variables = {};  // additional variables, as "NAME=value"
  sandbox::Sandbox* sandbox = nullptr;      // Entered before the program begins. Null: none.
  bool has_input = false;                   // Standard input is a pipe; otherwise it is empty.
  // The signal that the process gets when the thread that started it ends. 0: none.
  int parent_death_signal = SIGTERM;
};

/// Starts a process in its own process group, with standard output as a pipe. Its threads do not spin while
/// they wait for each other (OMP_WAIT_POLICY=PASSIVE, unless set): where cores are shared, spinning costs
/// more than anything else. It inherits the environment variables that sandbox::passes allows. Errors: "jobs"
/// (no such program, the log cannot be opened or is a link, no pipe, no process). If the sandbox cannot be
/// entered, the process ends with code 125 and a line in its log.
Result<Process> start_process(const Launch& launch);

/// The current resource usage of a process and its descendants. Pages shared by two of them count twice. If a
/// process is gone, `processes` is 0.
struct ProcessUsage {
  std::uint64_t bytes = 0;  // resident memory
  int processes = 0;
};
ProcessUsage usage_of(pid_t id);
/// Returns the number of processes in the group of `id`, including those whose parents are gone, without
/// zombies. Reads all processes of the machine.
int group_size(pid_t id);
/// Returns the processor time that a process itself used, in seconds; negative if the process is gone.
double processor_seconds(pid_t id);

/// Returns true if the process has ended. It stays a zombie until `reap`, so that its process id and group id
/// are not reused.
bool has_ended(pid_t id);
/// Kills the process, its group, and every process that carries its mark, including those that left the group
/// or whose parents are gone. Reads the environment of every process of this user; a process that hides its
/// environment is not found.
void kill_tree(const Process& process);
/// Waits for the end of the process and returns its status as waitpid does.
int reap(pid_t id);
/// Describes a status, such as "was terminated by signal 9 (Killed)" or "exited with code 3".
std::string describe_status(int status);

}  // namespace gabbro::jobs
