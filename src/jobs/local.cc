#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <limits>

#include "base/clock.h"
#include "base/files.h"
#include "jobs/jobs.h"
#include "jobs/process.h"
#include "jobs/python.h"
#include "record/job.h"

namespace gabbro::jobs {

namespace fs = std::filesystem;

namespace {

constexpr int kTick = 50;               // milliseconds between two checks of the limits
constexpr int kEnding = 5;              // ... and between two checks of a worker that has closed its output
constexpr std::size_t kLine = 1 << 20;  // maximum length of a line of progress
constexpr double kOutput = 8 << 20;     // bytes of output read per second; also the initial allowance
constexpr double kGrace = 5;            // seconds between the request to stop at the time limit and the kill
constexpr double kSlowLook = 1;         // seconds between two checks that are expensive
constexpr double kLongestLook = 1;      // seconds that count as time of a worker between two checks
constexpr std::size_t kStage = 100;     // maximum length of a stage, in characters
constexpr std::uint64_t kWritten = 4;   // A worker may write this many times its memory limit.

// Returns true if the text may be shown on a terminal. A malicious worker must not be able to send control
// characters there.
bool is_plain(const std::string& stage) {
  return stage.size() <= kStage && std::all_of(stage.begin(), stage.end(), [](char c) {
           return static_cast<unsigned char>(c) >= ' ' && c != 127;
         });
}

std::uint64_t size_of(const std::string& file) {
  struct stat about {};
  return lstat(file.c_str(), &about) == 0 && S_ISREG(about.st_mode)
             ? static_cast<std::uint64_t>(about.st_size)
             : 0;
}

// Returns the bytes of the files in `folder`, each by its length or its disk usage, whichever is larger: what
// a small file uses differs between file systems. Stops at a maximum number and depth of files, since the
// work would otherwise be unbounded.
std::uint64_t size_of_all(const std::string& folder) {
  constexpr int kMost = 100'000, kDeepest = 32;  // A worker that creates more exceeds every limit.
  std::uint64_t sum = 0;
  int seen = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (++seen > kMost || entry.depth() > kDeepest) return std::numeric_limits<std::uint64_t>::max() / 2;
    struct stat about {};
    if (lstat(entry->path().c_str(), &about) == 0)
      sum += static_cast<std::uint64_t>(std::max<std::int64_t>(about.st_size, 512 * about.st_blocks));
  }
  return sum;
}

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{:.2f}MB", static_cast<double>(bytes) / 1e6);
}

// A job from its start to its end.
class Worker {
 public:
  Worker(Job job, Process process)
      : job_(std::move(job)), process_(std::move(process)), start_(seconds_now()) {
    end_.id = job_.id;
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    if (!reaped_) {
      kill_tree(process_);
      reap(process_.id);
    }
    close(process_.out);
  }

  [[nodiscard]] int output() const { return process_.out; }
  [[nodiscard]] bool is_open() const { return reading_; }
  /// Returns true if its output is read at present. It is not read while the worker has written more than its
  /// allowance.
  [[nodiscard]] bool is_reading() const { return reading_ && allowance() >= 1; }
  void ask_to_stop() {
    stopping_ = true;
    if (!asked_) asked_ = end_.seconds;
    ::kill(-process_.id, SIGTERM);
  }
  void insist(double seconds) {
    if (asked_ && end_.seconds - *asked_ > seconds) kill();
  }
  void kill() {
    stopping_ = true;
    kill_tree(process_);
  }

  /// Reads what the worker wrote into `updates`. Returns true if there was any output.
  bool read_some(std::vector<Update>& updates) {
    char block[1 << 14];
    const ssize_t got = read(process_.out, block, sizeof block);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) {
      reading_ = false;
      return false;
    }
    read_ += static_cast<double>(got);
    buffer_.append(block, static_cast<std::size_t>(got));
    std::size_t from = 0;
    for (std::size_t end; (end = buffer_.find('\n', from)) != std::string::npos; from = end + 1)
      if (auto progress = record::parse_progress(buffer_.substr(from, end - from));
          progress && is_plain(progress->stage))
        updates.push_back({job_.id, std::move(*progress)});
    buffer_.erase(0, from);
    if (buffer_.size() > kLine) buffer_.clear();
    return true;
  }

  /// Checks the limits and the process. Returns true if it has ended; `end` is then complete.
  bool look(std::vector<Update>& updates) {
    const double now = seconds_now();
    // Where this process stood still in between, so did its worker, as a rule.
    end_.seconds += std::min(now - last_look_, kLongestLook);
    last_look_ = now;
    if (!has_ended(process_.id)) {
      check_limits();
      if (end_.kind == JobEnd::Kind::kResult) return false;
    } else if (over_time_ > 0) {
      end_.kind = JobEnd::Kind::kTimeLimit;
      end_.cause = fmt::format("the worker {} and was stopped", took_too_long());
    }
    kill_tree(process_);  // processes that the worker may have left behind
    status_ = reap(process_.id);
    reaped_ = true;
    // Reads the rest of the pipe. A process that still writes into it was not killed, and is not waited for.
    for (std::size_t left = kLine / 64; left > 0 && reading_ && read_some(updates); --left) {
    }
    if (end_.kind == JobEnd::Kind::kResult) take_result();
    return true;
  }
  JobEnd end() { return std::move(end_); }

 private:
  void check_limits() {
    if (end_.seconds < next_look_) return;
    next_look_ = end_.seconds + kTick / 1000.0;
    const WorkerLimits& limits = job_.limits;
    const ProcessUsage usage = usage_of(process_.id);
    end_.peak_bytes = std::max(end_.peak_bytes, usage.bytes);
    if (limits.bytes > 0 && usage.bytes > limits.bytes)
      over(JobEnd::Kind::kMemoryLimit, "used", "of memory", usage.bytes, limits.bytes);
    else if (over_time_ > 0 && end_.seconds > over_time_ + kGrace)
      kill_for(JobEnd::Kind::kTimeLimit, took_too_long());
    else if (limits.seconds > 0 && end_.seconds > limits.seconds && over_time_ == 0)
      // The worker leaves a checkpoint if it has one.
      ::kill(-process_.id, SIGTERM), over_time_ = end_.seconds;
    else if (const std::uint64_t n = size_of(job_.result_file); n > limits.result_bytes)
      over(JobEnd::Kind::kLimit, "wrote", "of results", n, limits.result_bytes);
    else if (const std::uint64_t m = size_of(job_.log_file); m > log_before_ + limits.log_bytes)
      over(JobEnd::Kind::kLimit, "wrote", "to its log", m - log_before_, limits.log_bytes);
    else if (usage.processes > limits.processes)
      too_many(usage.processes);
    else if (end_.seconds >= next_slow_look_)
      look_slowly();
  }

  // Descendants whose parents have ended are not found by usage_of, but are still in the group.
  void look_slowly() {
    next_slow_look_ = end_.seconds + kSlowLook;
    const WorkerLimits& limits = job_.limits;
    if (const int n = group_size(process_.id); n > limits.processes)
      too_many(n);
    else if (const std::uint64_t size = size_of_all(fs::path(job_.result_file).parent_path());
             size >= folder_before_ + limits.folder_bytes)  // The kernel holds a single file at the limit.
      over(JobEnd::Kind::kLimit, "wrote", "to its folder", size - folder_before_, limits.folder_bytes);
  }
  [[nodiscard]] std::string took_too_long() const {
    return fmt::format("took {:.1f} s, more than the limit of {:.1f} s", end_.seconds, job_.limits.seconds);
  }
  void too_many(int processes) {
    kill_for(JobEnd::Kind::kLimit,
             fmt::format("has {} processes, more than the limit of {}", processes, job_.limits.processes));
  }
  void over(JobEnd::Kind kind, const char* did, const char* what, std::uint64_t bytes, std::uint64_t most) {
    kill_for(kind, fmt::format("{} {} {}, more than the limit of {}", did, megabytes(bytes), what,
                               megabytes(most)));
  }
  void kill_for(JobEnd::Kind kind, const std::string& what) {
    end_.kind = kind;
    end_.cause = fmt::format("the worker {} and was killed", what);
  }
  [[nodiscard]] double allowance() const { return kOutput * (1 + seconds_now() - start_) - read_; }

  void take_result() {
    const auto read = read_untrusted_file(job_.result_file, job_.limits.result_bytes);
    std::error_code none;
    std::string text = read.value_or("");
    if (!read && fs::exists(fs::symlink_status(job_.result_file, none))) {
      end_.kind = JobEnd::Kind::kCrash;
      end_.cause =
          fmt::format("the worker {} and left no result: {}", describe_status(status_), read.error().message);
      return;
    }
    const auto outcome = record::outcome_of(text);
    if (outcome) {
      end_.result = std::move(text);
      return;
    }
    end_.kind = stopping_ ? JobEnd::Kind::kStopped : JobEnd::Kind::kCrash;
    end_.cause = fmt::format("the worker {} and left {}", describe_status(status_),
                             text.empty() ? "no result" : "an invalid result: " + outcome.error().message);
  }

  Job job_;
  Process process_;
  double start_, last_look_ = start_, next_look_ = 0, next_slow_look_ = kSlowLook;
  double read_ = 0;              // bytes of output read so far
  std::optional<double> asked_;  // seconds (as in `end_`) at which it was asked to stop
  // Its seconds when it was asked to stop at its time limit. 0: not asked.
  double over_time_ = 0;
  std::uint64_t log_before_ = size_of(job_.log_file);
  std::uint64_t folder_before_ = size_of_all(fs::path(job_.result_file).parent_path());
  JobEnd end_;
  std::string buffer_;  // an incomplete line
  int status_ = 0;
  bool reading_ = true, reaped_ = false, stopping_ = false;
};

class Local : public Executor {
 public:
  explicit Local(LocalOptions options)
      : options_(std::move(options)),
        machine_(options_.machine.value_or(sandbox::machine())),
        programs_(sandbox::library_folders(options_.worker)) {
    programs_.push_back(options_.worker);
  }

  [[nodiscard]] std::string sandbox() const override { return machine_.text(); }

  [[nodiscard]] int slots() const override { return options_.slots; }
  [[nodiscard]] int running() const override { return static_cast<int>(workers_.size()); }

  Result<bool> start(const Job& given) override {
    Job job = given;
    // The files that a worker writes are weights and checkpoints, whose size is proportional to its memory.
    if (job.limits.bytes > 0)
      job.limits.folder_bytes = std::min(job.limits.folder_bytes, kWritten * job.limits.bytes);
    if (running() >= slots())
      return fail("jobs", fmt::format("no free slot: {} jobs are running", running()));
    std::error_code error;
    if (const auto ok = clear_path(job.result_file); !ok) return ok;
    const std::string folder = fs::absolute(fs::path(job.result_file), error).parent_path();
    sandbox::Rules rules;
    rules.programs = programs_;
    rules.reads = job.reads;
    rules.reads.push_back(job.spec_file);
    rules.writes = {folder};
    rules.file_bytes = job.limits.folder_bytes;
    rules.devices = job.devices;
    rules.shared_bytes = job.limits.bytes;
    rules.loopback = job.team;
    PythonSetup python;
    if (job.python) {
      GABBRO_TRY(found, find_python());
      python = std::move(found);
      rules.programs.insert(rules.programs.end(), python.folders.begin(), python.folders.end());
    }
    GABBRO_TRY(confined, sandbox::Sandbox::prepare(rules, machine_));
    Launch launch{{options_.worker, job.spec_file, job.result_file}, job.log_file, options_.hidden};
    launch.variables = {"HOME=" + folder, "TMPDIR=" + folder, "GABBRO_BORDERS=" + machine_.text()};
    launch.variables.insert(launch.variables.end(), python.variables.begin(), python.variables.end());
    launch.sandbox = &confined;
    GABBRO_TRY(process, start_process(launch));
    workers_.push_back(std::make_unique<Worker>(job, std::move(process)));
    return true;
  }

  JobEvents wait(double seconds) override {
    const double until = seconds_now() + seconds;
    JobEvents news;
    for (bool interrupted = false; !workers_.empty();) {
      const double left = until - seconds_now();
      interrupted = !poll_outputs(left);
      look(news);
      if (!news.updates.empty() || !news.ended.empty() || left <= 0 || interrupted) break;
    }
    return news;
  }

  void stop() override {
    for (const auto& worker : workers_) worker->ask_to_stop();
  }
  void kill() override {
    for (const auto& worker : workers_) worker->kill();
  }

 private:
  // Waits until there is output, a tick has passed, or `seconds` have passed. Returns false if a signal
  // arrived.
  bool poll_outputs(double seconds) const {
    std::vector<pollfd> outputs;
    int most = kTick;
    for (const auto& worker : workers_)
      if (worker->is_reading())
        outputs.push_back({worker->output(), POLLIN, 0});
      else if (!worker->is_open())
        most = kEnding;
    const int milliseconds = std::clamp(static_cast<int>(std::min(seconds, 1.0) * 1000), 0, most);
    return poll(outputs.data(), outputs.size(), milliseconds) >= 0 || errno != EINTR;
  }

  void look(JobEvents& news) {
    for (auto& worker : workers_) {
      if (worker->is_reading()) worker->read_some(news.updates);
      worker->insist(options_.stop_seconds);
      if (!worker->look(news.updates)) continue;
      news.ended.push_back(worker->end());
      worker.reset();
    }
    std::erase(workers_, nullptr);
  }

  LocalOptions options_;
  sandbox::Machine machine_;
  std::vector<std::string> programs_;  // programs and libraries that workers execute
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

std::optional<std::uint64_t> Executor::free_bytes(const std::string& folder) const {
  std::error_code error;
  const fs::space_info disk = fs::space(folder, error);
  return error ? std::nullopt : std::optional(disk.available);
}

Result<std::unique_ptr<Executor>> local_executor(const LocalOptions& options) {
  if (options.slots < 1)
    return fail("jobs", fmt::format("{} slots, but at least one is needed", options.slots));
  LocalOptions filled = options;
  std::error_code error;
  if (filled.worker.empty())
    filled.worker = fs::read_symlink("/proc/self/exe", error).parent_path() / "gabbro-worker";
  if (error || !fs::exists(filled.worker, error))
    return fail("jobs", fmt::format("{} not found", filled.worker),
                "build it with the torch backend: ./dev build");
  return std::make_unique<Local>(std::move(filled));
}

}  // namespace gabbro::jobs
