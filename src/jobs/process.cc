#include "jobs/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "base/files.h"

extern char** environ;

namespace gabbro::jobs {

namespace fs = std::filesystem;

namespace {

// Exit codes of a child that could not become the program.
constexpr int kNoSandbox = 125, kNotExecuted = 127;
// kill_tree repeats its kills for up to 0.2 s, since processes may fork in the meantime.
constexpr int kKillRounds = 100, kKillMicroseconds = 2000;

// Returns an error that ends with the text of errno.
tl::unexpected<Error> failed(const std::string& what) {
  return fail("jobs", fmt::format("{}: {}", what, std::strerror(errno)));
}

std::string new_mark() {
  static int count = 0;
  const auto time = std::chrono::steady_clock::now().time_since_epoch().count();
  return fmt::format("GABBRO_JOB={}.{}.{}", getpid(), time, ++count);
}

std::vector<std::string> environment(const std::string& mark, const Launch& launch) {
  std::vector<std::string> out{mark};
  for (char** v = environ; *v != nullptr; ++v) {
    const std::string_view name(*v, std::strcspn(*v, "="));
    const auto& hidden = launch.hidden;
    if (sandbox::passes(name) && std::find(hidden.begin(), hidden.end(), name) == hidden.end())
      out.emplace_back(*v);
  }
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) out.emplace_back("OMP_WAIT_POLICY=PASSIVE");
  out.insert(out.end(), launch.variables.begin(), launch.variables.end());
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& w : words) out.push_back(w.data());
  out.push_back(nullptr);
  return out;
}

// The data that the child needs between fork and exec.
struct Birth {
  char* const* argv;
  char* const* envp;
  int in, out, log;
  pid_t parent;
  int parent_death_signal;
  sandbox::Sandbox* sandbox;
};

// Marks all other descriptors as close-on-exec, since the new process must not inherit files and sockets that
// this program itself inherited.
void close_others() {
  constexpr unsigned kFirst = STDERR_FILENO + 1;
#ifdef SYS_close_range
  constexpr unsigned kOnExec = 1U << 2;  // CLOSE_RANGE_CLOEXEC
  if (syscall(SYS_close_range, kFirst, ~0U, kOnExec) == 0) return;
#endif
  // The system's limit may be in the billions; descriptors beyond a million are not expected.
  const long most = std::min(sysconf(_SC_OPEN_MAX), 1L << 20);
  for (int file = kFirst; file < most; ++file) fcntl(file, F_SETFD, FD_CLOEXEC);
}

// Turns the child into the program. Only system calls are allowed here, since other threads may have held any
// lock at the fork.
[[noreturn]] void become(const Birth& b) {
  setpgid(0, 0);
  if (b.parent_death_signal != 0) prctl(PR_SET_PDEATHSIG, b.parent_death_signal);
  // Handlers of this program must not swallow a pending signal, and what it ignores must not stay ignored
  // after exec.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(b.in >= 0 ? b.in : open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(b.out, STDOUT_FILENO);
  if (b.log >= 0) dup2(b.log, STDERR_FILENO);
  close_others();
  if (b.sandbox)
    // The sandbox sets the signal again, since the kernel clears it when credentials change.
    if (const char* step = b.sandbox->enter(b.parent_death_signal)) {
      constexpr char kFailed[] = "cannot enter the sandbox: ";
      for (const char* text : {kFailed, step, "\n"})
        if (write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
      _exit(kNoSandbox);
    }
  // If the parent ended before prctl, no signal comes.
  if (b.parent_death_signal != 0 && getppid() != b.parent) _exit(kNotExecuted);
  execve(b.argv[0], b.argv, b.envp);
  _exit(kNotExecuted);
}

// Adds the resident pages of a process and its descendants to `pages`, and their number to `processes`.
void add_family(pid_t id, std::uint64_t& pages, int& processes) {
  std::uint64_t size = 0, resident = 0;
  if (!(std::ifstream(fmt::format("/proc/{}/statm", id)) >> size >> resident)) return;  // It is gone.
  pages += resident;
  // A worker with this many processes exceeds its limit anyway, and counting more would be unbounded work.
  constexpr int kMost = 10'000;
  if (++processes > kMost) return;
  std::error_code error;
  for (fs::directory_iterator task(fmt::format("/proc/{}/task", id), error), end; !error && task != end;
       task.increment(error)) {
    std::ifstream children(task->path() / "children");
    for (pid_t child = 0; children >> child;) add_family(child, pages, processes);
  }
}

// Calls f(id) for every process.
template <class F>
void for_each_process(const F& f) {
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name.find_first_not_of("0123456789") == std::string::npos) f(static_cast<pid_t>(std::stoi(name)));
  }
}

// Returns the processes whose environment contains `mark`. Processes that have ended have no environment.
std::vector<pid_t> marked(const std::string& mark) {
  std::vector<pid_t> out;
  for_each_process([&](pid_t id) {
    // A process can overwrite its environment, so that the last variable has no NUL at its end.
    const std::string text = '\0' + read_file(fmt::format("/proc/{}/environ", id)).value_or("") + '\0';
    if (text.find('\0' + mark + '\0') != std::string::npos) out.push_back(id);
  });
  return out;
}

}  // namespace

Result<Process> start_process(const Launch& launch) {
  if (access(launch.command[0].c_str(), X_OK) != 0) return failed(launch.command[0]);
  Process out;
  out.mark = new_mark();
  std::vector<std::string> words = launch.command, variables = environment(out.mark, launch);
  const std::vector<char*> argv = pointers(words), envp = pointers(variables);
  int log = -1;
  if (!launch.log.empty()) {
    // The log must not be opened through a link that an earlier worker may have left there. Nor may the call
    // wait, as it would for the reader of a named pipe.
    log = open(launch.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (log < 0) return failed(launch.log);
    fcntl(log, F_SETFL, O_APPEND);
  }
  int outs[2] = {-1, -1}, ins[2] = {-1, -1};
  const bool piped = pipe2(outs, O_CLOEXEC) == 0 && (!launch.has_input || pipe2(ins, O_CLOEXEC) == 0);
  const Birth birth{.argv = argv.data(),
                    .envp = envp.data(),
                    .in = ins[0],
                    .out = outs[1],
                    .log = log,
                    .parent = getpid(),
                    .parent_death_signal = launch.parent_death_signal,
                    .sandbox = launch.sandbox};
  // No handler of this program may run in the child before `become` resets them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  if (piped) out.id = fork();
  if (piped && out.id == 0) become(birth);
  const int why = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  for (const int end : {log, outs[1], ins[0]})
    if (end >= 0) close(end);
  if (!piped || out.id < 0) {
    for (const int end : {outs[0], ins[1]})
      if (end >= 0) close(end);
    errno = why;
    return failed(piped ? "cannot start a process" : "cannot create a pipe");
  }
  setpgid(out.id, out.id);  // Parent and child both do this, since either may run first.
  fcntl(outs[0], F_SETFL, O_NONBLOCK);
  out.out = outs[0];
  out.in = ins[1];
  return out;
}

ProcessUsage usage_of(pid_t id) {
  std::uint64_t pages = 0;
  ProcessUsage out;
  add_family(id, pages, out.processes);
  out.bytes = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return out;
}

int group_size(pid_t id) {
  int count = 0;
  for_each_process([&](pid_t other) {
    std::string text;
    std::getline(std::ifstream(fmt::format("/proc/{}/stat", other)), text);
    // The name of the program may itself contain parentheses.
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) return;
    char state = 0;
    pid_t parent = 0, group = 0;
    std::istringstream(text.substr(name_end + 1)) >> state >> parent >> group;
    if (group == id && state != 'Z') ++count;
  });
  return count;
}

double processor_seconds(pid_t id) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(id, &clock) != 0 || clock_gettime(clock, &time) != 0) return -1;
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

bool has_ended(pid_t id) {
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(id), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
    return errno == ECHILD;  // Another part of this program has already waited for it.
  return info.si_pid == id;
}

void kill_tree(const Process& process) {
  kill(-process.id, SIGKILL);
  for (int round = 0; round < kKillRounds; ++round) {
    const std::vector<pid_t> left = marked(process.mark);
    // kill also succeeds if only zombies are left, which group_size does not count.
    const bool grouped = kill(-process.id, SIGKILL) == 0 && group_size(process.id) > 0;
    if (left.empty() && !grouped) return;
    for (const pid_t id : left) kill(id, SIGKILL);
    usleep(kKillMicroseconds);
  }
}

int reap(pid_t id) {
  int status = 0;
  while (waitpid(id, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::string describe_status(int status) {
  return WIFSIGNALED(status)
             ? fmt::format("was terminated by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)))
             : fmt::format("exited with code {}", WEXITSTATUS(status));
}

}  // namespace gabbro::jobs
