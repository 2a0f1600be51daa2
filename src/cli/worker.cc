#include "cli/worker.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/report.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

namespace {

constexpr int kPollMilliseconds = 50;
constexpr double kQuiet = 10;  // seconds between lines where nobody looks

std::atomic<pid_t> g_worker{0};
std::atomic<int> g_signals{0};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void pass_on(int) {
  const pid_t worker = g_worker;
  if (worker > 0) kill(-worker, g_signals++ == 0 ? SIGTERM : SIGKILL);
}

// SIGINT and SIGTERM go to the worker while one of these lives.
class Signals {
 public:
  Signals() {
    g_signals = 0;
    struct sigaction action {};
    action.sa_handler = pass_on;
    sigaction(SIGINT, &action, &interrupt_);
    sigaction(SIGTERM, &action, &terminate_);
  }
  ~Signals() {
    g_worker = 0;
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGTERM, &terminate_, nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  struct sigaction interrupt_ {
  }, terminate_{};
};

[[noreturn]] void become_worker(const char* worker, const char* spec, const char* result, int out,
                                pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  // Threads of the worker that wait for each other do not spin: where cores are shared, spinning costs more than all else.
  setenv("OMP_WAIT_POLICY", "PASSIVE", /*overwrite=*/0);
  execl(worker, worker, spec, result, static_cast<char*>(nullptr));
  _exit(127);
}

// Bytes that a process keeps resident; 0 when it is gone.
std::uint64_t resident(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/statm", process));
  std::uint64_t size = 0, pages = 0;
  file >> size >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

class Process {
 public:
  Process(pid_t id, int pipe, const WorkerLimits& limits, const record::OnProgress& progress)
      : id_(id), pipe_(pipe), limits_(limits), progress_(progress) {}

  WorkerEnd watch() {
    const double start = now();
    while (reading_ || !ended_) {
      if (reading_) read_some();
      if (!reading_ && !ended_) usleep(kPollMilliseconds * 1000 / 10);
      end_.seconds = now() - start;
      look_at_memory();
      if (limits_.seconds > 0 && end_.seconds > limits_.seconds)
        stop(WorkerEnd::Kind::kTimeLimit,
             fmt::format("the worker took {:.1f} s, more than the limit of {:.1f} s, and was killed",
                         end_.seconds, limits_.seconds));
      if (!ended_ && waitpid(id_, &status_, WNOHANG) == id_) ended_ = true;
      // What the worker started may hold the pipe: its end is the end.
      if (ended_ && reading_) {
        while (reading_ && read_some()) {
        }
        reading_ = false;
      }
    }
    kill(-id_, SIGKILL);  // what it may have left behind
    close(pipe_);
    return end_;
  }
  [[nodiscard]] int status() const { return status_; }

 private:
  // Whether anything came.
  bool read_some() {
    pollfd poll_for{pipe_, POLLIN, 0};
    if (poll(&poll_for, 1, ended_ ? 0 : kPollMilliseconds) <= 0) return false;
    char block[1 << 14];
    const ssize_t got = read(pipe_, block, sizeof block);
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) {
      reading_ = false;
      return false;
    }
    buffer_.append(block, static_cast<std::size_t>(got));
    std::size_t from = 0;
    for (std::size_t end; (end = buffer_.find('\n', from)) != std::string::npos; from = end + 1)
      say(buffer_.substr(from, end - from));
    buffer_.erase(0, from);
    return true;
  }

  void say(const std::string& line) {
    const auto progress = record::parse_progress(line);
    if (!progress || !progress_) return;
    if (!progress_(*progress) && !stopping_) {
      stopping_ = true;
      kill(-id_, SIGTERM);
    }
  }

  void look_at_memory() {
    const std::uint64_t bytes = ended_ ? 0 : resident(id_);
    end_.peak_bytes = std::max(end_.peak_bytes, bytes);
    if (limits_.bytes > 0 && bytes > limits_.bytes)
      stop(WorkerEnd::Kind::kMemoryLimit,
           fmt::format("the worker kept {}B of memory, more than the limit of {}B, and was killed",
                       human(static_cast<double>(bytes)), human(static_cast<double>(limits_.bytes))));
  }

  void stop(WorkerEnd::Kind kind, std::string cause) {
    if (end_.kind != WorkerEnd::Kind::kResult || ended_) return;
    end_.kind = kind;
    end_.cause = std::move(cause);
    kill(-id_, SIGKILL);
  }

  pid_t id_;
  int pipe_;
  WorkerLimits limits_;
  const record::OnProgress& progress_;
  WorkerEnd end_;
  std::string buffer_;
  int status_ = 0;
  bool reading_ = true, ended_ = false, stopping_ = false;
};

}  // namespace

Result<WorkerEnd> run_worker(const std::string& spec_file, const std::string& result_file,
                             const WorkerLimits& limits, const record::OnProgress& progress) {
  std::error_code error;
  const std::string worker = fs::read_symlink("/proc/self/exe", error).parent_path() / "gabbro-worker";
  if (error || !fs::exists(worker, error))
    return fail("worker", fmt::format("there is no {}", worker),
                "build it: ./dev build (with the torch backend)");
  fs::remove(result_file, error);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return fail("worker", std::string("cannot make a pipe: ") + std::strerror(errno));
  const Signals signals;
  const pid_t parent = getpid(), id = fork();
  if (id == 0) become_worker(worker.c_str(), spec_file.c_str(), result_file.c_str(), ends[1], parent);
  close(ends[1]);
  if (id < 0) {
    close(ends[0]);
    return fail("worker", std::string("cannot start a process: ") + std::strerror(errno));
  }
  setpgid(id, id);  // here as well: whoever is first
  g_worker = id;
  Process process(id, ends[0], limits, progress);
  WorkerEnd end = process.watch();
  if (end.kind != WorkerEnd::Kind::kResult) return end;

  std::ifstream file(result_file, std::ios::binary);
  end.result.assign(std::istreambuf_iterator<char>(file), {});
  if (!end.result.empty()) return end;
  end.kind = WorkerEnd::Kind::kCrash;
  const int status = process.status();
  end.cause = WIFSIGNALED(status)
                  ? fmt::format("the worker was ended by signal {} ({}) and left no result", WTERMSIG(status),
                                strsignal(WTERMSIG(status)))
                  : fmt::format("the worker ended with code {} and left no result", WEXITSTATUS(status));
  return end;
}

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) != 0) {}
ProgressLine::~ProgressLine() {
  if (open_) std::fputs("\n", stderr);
}

void ProgressLine::show(const std::string& text) {
  if (terminal_) {
    fmt::print(stderr, "\r\x1b[K{}", text);
    std::fflush(stderr);
    open_ = true;
  } else if (now() - last_ >= kQuiet) {
    fmt::print(stderr, "{}\n", text);
    last_ = now();
  }
}

std::string progress_text(const record::Progress& p) {
  if (p.stage != "training") return fmt::format("{} {:3.0f} %", p.stage, 100 * p.share);
  const double per_step =
      static_cast<double>(p.tokens) / static_cast<double>(std::max<std::int64_t>(p.step, 1));
  const double left = static_cast<double>(p.steps - p.step) * per_step;
  return fmt::format("step {}/{}  loss {:.4f}  {}tokens/s  {:.0f} s left", p.step, p.steps, p.loss,
                     human(p.tokens_per_second), p.tokens_per_second > 0 ? left / p.tokens_per_second : 0);
}

}  // namespace gabbro::cli
