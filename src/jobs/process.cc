#include "jobs/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "base/files.h"

extern char** environ;

namespace gabbro::jobs {

namespace fs = std::filesystem;

namespace {

constexpr int kKillRounds = 100, kKillMicroseconds = 2000;  // for processes that fork while they are killed

tl::unexpected<Error> failed(const std::string& what) {
  return fail("jobs", fmt::format("{}: {}", what, std::strerror(errno)));
}

std::string new_mark() {
  static int count = 0;
  const auto time = std::chrono::steady_clock::now().time_since_epoch().count();
  return fmt::format("GABBRO_JOB={}.{}.{}", getpid(), time, ++count);
}

std::vector<std::string> environment(const std::string& mark, const std::vector<std::string>& hidden) {
  std::vector<std::string> out{mark};
  for (char** v = environ; *v != nullptr; ++v) {
    const std::string_view name(*v, std::strcspn(*v, "="));
    if (name != "GABBRO_JOB" && std::find(hidden.begin(), hidden.end(), name) == hidden.end())
      out.emplace_back(*v);
  }
  if (std::getenv("OMP_WAIT_POLICY") == nullptr) out.emplace_back("OMP_WAIT_POLICY=PASSIVE");
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& w : words) out.push_back(w.data());
  out.push_back(nullptr);
  return out;
}

// Between fork and exec: system calls alone, since other threads may have held any lock.
[[noreturn]] void become(char* const* argv, char* const* envp, int out, int log, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);
  // A signal that is waiting meets the default and not this program's handler, which would swallow it.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  if (log >= 0) dup2(log, STDERR_FILENO);
  execve(argv[0], argv, envp);
  _exit(127);
}

void add_family(pid_t id, std::uint64_t& pages) {
  std::uint64_t size = 0, resident = 0;
  std::ifstream(fmt::format("/proc/{}/statm", id)) >> size >> resident;
  pages += resident;
  std::error_code error;
  for (fs::directory_iterator task(fmt::format("/proc/{}/task", id), error), end; !error && task != end;
       task.increment(error)) {
    std::ifstream children(task->path() / "children");
    for (pid_t child = 0; children >> child;) add_family(child, pages);
  }
}

// Processes whose environment holds `mark`; those that have ended have none.
std::vector<pid_t> marked(const std::string& mark) {
  std::vector<pid_t> out;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string text = read_file(entry->path() / "environ").value_or("");
    for (std::size_t at = 0; at < text.size(); at = text.find('\0', at) + 1)
      if (text.compare(at, mark.size() + 1, mark.c_str(), mark.size() + 1) == 0) {
        out.push_back(std::stoi(name));
        break;
      }
  }
  return out;
}

}  // namespace

Result<Process> start_process(const std::vector<std::string>& command, const std::string& log,
                              const std::vector<std::string>& hidden) {
  if (access(command[0].c_str(), X_OK) != 0) return failed(command[0]);
  Process out;
  out.mark = new_mark();
  std::vector<std::string> words = command, variables = environment(out.mark, hidden);
  const std::vector<char*> argv = pointers(words), envp = pointers(variables);
  int log_file = -1;
  if (!log.empty()) {
    log_file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log_file < 0) return failed(log);
  }
  int ends[2] = {-1, -1};
  const bool piped = pipe2(ends, O_CLOEXEC) == 0;
  const pid_t parent = getpid();
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  if (piped) out.id = fork();
  if (piped && out.id == 0) become(argv.data(), envp.data(), ends[1], log_file, parent);
  const int why = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (log_file >= 0) close(log_file);
  if (piped) close(ends[1]);
  errno = why;
  if (!piped) return failed("cannot make a pipe");
  if (out.id < 0) {
    close(ends[0]);
    errno = why;
    return failed("cannot start a process");
  }
  setpgid(out.id, out.id);  // here as well: whoever is first
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  out.out = ends[0];
  return out;
}

std::uint64_t resident_bytes(pid_t id) {
  std::uint64_t pages = 0;
  add_family(id, pages);
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

bool has_ended(pid_t id) {
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(id), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
    return errno == ECHILD;  // something else of this program waited for it
  return info.si_pid == id;
}

void kill_tree(const Process& process) {
  kill(-process.id, SIGKILL);
  for (int round = 0; round < kKillRounds; ++round) {
    const std::vector<pid_t> left = marked(process.mark);
    if (left.empty()) return;
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
             ? fmt::format("ended by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)))
             : fmt::format("ended with code {}", WEXITSTATUS(status));
}

}  // namespace gabbro::jobs
