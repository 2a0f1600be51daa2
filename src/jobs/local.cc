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

constexpr int kCheckMilliseconds = 50;          // time between two checks of the limits
constexpr int kEndingMilliseconds = 5;          // the same for a worker that has closed its output
constexpr std::size_t kMaxLineBytes = 1 << 20;  // of a line of progress
constexpr double kOutputPerSecond = 8 << 20;    // bytes of output that are read; also the initial allowance
constexpr double kGraceSeconds = 5;       // time between the request to stop at the time limit and the kill
constexpr double kSlowCheckSeconds = 1;   // time between two checks that are expensive
constexpr double kMaxCountedSeconds = 1;  // maximum time between two checks that counts as a worker's
constexpr std::size_t kMaxStageBytes = 100;    // of the name of a stage
constexpr std::uint64_t kFolderPerMemory = 4;  // A worker may write this many times its memory limit.

// Returns true if the name of a stage may be shown on a terminal. A malicious worker must not be able to send
// control characters there.
bool is_printable(const std::string& stage) {
  return stage.size() <= kMaxStageBytes && std::all_of(stage.begin(), stage.end(), [](char c) {
           return static_cast<unsigned char>(c) >= ' ' && c != '\x7f';
         });
}

// Returns the bytes of a regular file, or 0.
std::uint64_t size_of(const std::string& file) {
  struct stat status {};
  return lstat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode)
             ? static_cast<std::uint64_t>(status.st_size)
             : 0;
}

// Returns the bytes of the files in `folder`, each by its length or its disk usage, whichever is larger: what
// a small file uses differs between file systems. Beyond a number and depth of files, returns a size that
// exceeds every limit, since the work would otherwise be unbounded.
std::uint64_t size_of_folder(const std::string& folder) {
  constexpr int kMaxFiles = 100'000, kMaxDepth = 32;
  // Half of the range, so that what was there before can be added to it.
  constexpr std::uint64_t kBeyondLimits = std::numeric_limits<std::uint64_t>::max() / 2;
  constexpr std::int64_t kStatBlock = 512;  // the unit of st_blocks
  std::uint64_t sum = 0;
  int seen = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (++seen > kMaxFiles || entry.depth() > kMaxDepth) return kBeyondLimits;
    struct stat status {};
    if (lstat(entry->path().c_str(), &status) == 0)
      sum +=
          static_cast<std::uint64_t>(std::max<std::int64_t>(status.st_size, kStatBlock * status.st_blocks));
  }
  return sum;
}

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{:.2f}MB", static_cast<double>(bytes) / 1e6);
}

// A worker process from its start to its end.
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

  [[nodiscard]] std::int64_t id() const { return job_.id; }
  [[nodiscard]] int output() const { return process_.out; }
  /// Returns true until the worker has closed its output.
  [[nodiscard]] bool is_open() const { return is_open_; }
  /// Returns true if its output is to be read now. It is not read while the worker has written more than its
  /// allowance.
  [[nodiscard]] bool is_reading() const { return is_open_ && allowance() >= 1; }
  void ask_to_stop() {
    stopping_ = true;
    if (!stop_asked_) stop_asked_ = end_.seconds;
    ::kill(-process_.id, SIGTERM);
  }
  /// Kills the worker if it was asked to stop more than `seconds` ago.
  void kill_if_asked_before(double seconds) {
    if (stop_asked_ && end_.seconds - *stop_asked_ > seconds) kill();
  }
  void kill() {
    stopping_ = true;
    kill_tree(process_);
  }

  /// Reads some output of the worker, and appends its progress to `updates`. Returns true if there was any
  /// output.
  bool read_some(std::vector<Update>& updates) {
    char block[1 << 14];
    const ssize_t got = read(process_.out, block, sizeof block);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) {
      is_open_ = false;
      return false;
    }
    read_bytes_ += static_cast<double>(got);
    buffer_.append(block, static_cast<std::size_t>(got));
    std::size_t from = 0;
    for (std::size_t end; (end = buffer_.find('\n', from)) != std::string::npos; from = end + 1)
      if (auto progress = record::parse_progress(buffer_.substr(from, end - from));
          progress && is_printable(progress->stage))
        updates.push_back({job_.id, std::move(*progress)});
    buffer_.erase(0, from);
    if (buffer_.size() > kMaxLineBytes) buffer_.clear();
    return true;
  }

  /// Checks the limits and the process, and kills it if it exceeds a limit. Returns true if it has ended;
  /// `end` is then complete.
  bool check(std::vector<Update>& updates) {
    const double now = seconds_now();
    // If this process stood still in between, its worker usually did so too.
    end_.seconds += std::min(now - last_check_, kMaxCountedSeconds);
    last_check_ = now;
    if (!has_ended(process_.id)) {
      check_limits();
      if (end_.kind == JobEnd::Kind::kResult) return false;
    } else if (stopped_for_time_ > 0) {
      end_.kind = JobEnd::Kind::kTimeLimit;
      end_.cause = fmt::format("the worker {} and was stopped", took_too_long());
    }
    kill_tree(process_);  // processes that the worker may have left behind
    status_ = reap(process_.id);
    reaped_ = true;
    // Reads the rest of the pipe. A process that still writes into it was not killed, and is not waited for.
    constexpr int kMaxReads = 1 << 14;
    for (int reads = 0; reads < kMaxReads && is_open_ && read_some(updates); ++reads) {
    }
    if (end_.kind == JobEnd::Kind::kResult) take_result();
    return true;
  }
  JobEnd end() { return std::move(end_); }

 private:
  void check_limits() {
    if (end_.seconds < next_check_) return;
    next_check_ = end_.seconds + kCheckMilliseconds / 1000.0;
    const WorkerLimits& limits = job_.limits;
    const ProcessUsage usage = usage_of(process_.id);
    end_.peak_bytes = std::max(end_.peak_bytes, usage.bytes);
    if (limits.memory_bytes > 0 && usage.bytes > limits.memory_bytes)
      kill_for_bytes(JobEnd::Kind::kMemoryLimit, "used", "of memory", usage.bytes, limits.memory_bytes);
    else if (stopped_for_time_ > 0 && end_.seconds > stopped_for_time_ + kGraceSeconds)
      kill_for(JobEnd::Kind::kTimeLimit, took_too_long());
    else if (limits.seconds > 0 && end_.seconds > limits.seconds && stopped_for_time_ == 0)
      // The worker may leave a checkpoint.
      ::kill(-process_.id, SIGTERM), stopped_for_time_ = end_.seconds;
    else if (const std::uint64_t result = size_of(job_.result_file); result > limits.result_bytes)
      kill_for_bytes(JobEnd::Kind::kLimit, "wrote", "of results", result, limits.result_bytes);
    else if (const std::uint64_t log = size_of(job_.log_file); log > log_before_ + limits.log_bytes)
      kill_for_bytes(JobEnd::Kind::kLimit, "wrote", "to its log", log - log_before_, limits.log_bytes);
    else if (usage.processes > limits.processes)
      kill_for_processes(usage.processes);
    else if (end_.seconds >= next_slow_check_)
      check_slow_limits();
  }

  // Checks what takes long to measure. Descendants whose parents have ended are not found by usage_of, but
  // are still in the group.
  void check_slow_limits() {
    next_slow_check_ = end_.seconds + kSlowCheckSeconds;
    const WorkerLimits& limits = job_.limits;
    if (const int processes = group_size(process_.id); processes > limits.processes)
      kill_for_processes(processes);
    else if (const std::uint64_t size = size_of_folder(fs::path(job_.result_file).parent_path());
             size >= folder_before_ + limits.folder_bytes)  // The kernel holds a single file at the limit.
      kill_for_bytes(JobEnd::Kind::kLimit, "wrote", "to its folder", size - folder_before_,
                     limits.folder_bytes);
  }
  [[nodiscard]] std::string took_too_long() const {
    return fmt::format("took {:.1f} s, more than the limit of {:.1f} s", end_.seconds, job_.limits.seconds);
  }
  void kill_for_processes(int processes) {
    kill_for(JobEnd::Kind::kLimit,
             fmt::format("has {} processes, more than the limit of {}", processes, job_.limits.processes));
  }
  // `verb` and `where` are parts of the cause: "the worker wrote 9.00MB to its log, more than the limit ...".
  void kill_for_bytes(JobEnd::Kind kind, const char* verb, const char* where, std::uint64_t bytes,
                      std::uint64_t limit) {
    kill_for(kind, fmt::format("{} {} {}, more than the limit of {}", verb, megabytes(bytes), where,
                               megabytes(limit)));
  }
  // Sets the reason of the kill; `check` does the kill.
  void kill_for(JobEnd::Kind kind, const std::string& what) {
    end_.kind = kind;
    end_.cause = fmt::format("the worker {} and was killed", what);
  }
  // Returns how many bytes of output may be read now.
  [[nodiscard]] double allowance() const {
    return kOutputPerSecond * (1 + seconds_now() - start_) - read_bytes_;
  }

  // Reads the result file into `end_`, or finds the reason why there is no result.
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
  double start_, last_check_ = start_;  // by seconds_now()
  // Times of the next checks, and of requests to stop, as in `end_.seconds`.
  double next_check_ = 0, next_slow_check_ = kSlowCheckSeconds;
  std::optional<double> stop_asked_;  // by the caller
  double stopped_for_time_ = 0;       // at the time limit; 0: not yet
  double read_bytes_ = 0;             // output read so far
  // Sizes at the start, which do not count.
  std::uint64_t log_before_ = size_of(job_.log_file);
  std::uint64_t folder_before_ = size_of_folder(fs::path(job_.result_file).parent_path());
  JobEnd end_;
  std::string buffer_;  // an incomplete line
  int status_ = 0;      // as of waitpid, once reaped
  bool is_open_ = true, reaped_ = false;
  bool stopping_ = false;  // The caller asked it to stop, or killed it.
};

class LocalExecutor : public Executor {
 public:
  explicit LocalExecutor(LocalOptions options)
      : options_(std::move(options)),
        machine_(options_.machine.value_or(sandbox::machine())),
        programs_(sandbox::library_folders(options_.worker)) {
    programs_.push_back(options_.worker);
  }

  [[nodiscard]] std::string sandbox() const override { return machine_.text(); }

  [[nodiscard]] int slots() const override { return options_.slots; }
  [[nodiscard]] int running() const override { return static_cast<int>(workers_.size()); }

  Result<bool> start(const Job& requested) override {
    Job job = requested;
    // The files that a worker writes are weights and checkpoints, whose size is proportional to its memory.
    if (job.limits.memory_bytes > 0)
      job.limits.folder_bytes = std::min(job.limits.folder_bytes, kFolderPerMemory * job.limits.memory_bytes);
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
    rules.shared_bytes = job.limits.memory_bytes;
    rules.loopback = job.multi_process;
    PythonSetup python;
    if (job.python) {
      GABBRO_TRY(found, find_python());
      python = std::move(found);
      rules.programs.insert(rules.programs.end(), python.folders.begin(), python.folders.end());
    }
    GABBRO_TRY(confined, sandbox::Sandbox::prepare(rules, machine_));
    Launch launch{.command = {options_.worker, job.spec_file, job.result_file},
                  .log = job.log_file,
                  .hidden = options_.hidden};
    launch.variables = {"HOME=" + folder, "TMPDIR=" + folder, "GABBRO_BORDERS=" + machine_.text()};
    launch.variables.insert(launch.variables.end(), python.variables.begin(), python.variables.end());
    launch.sandbox = &confined;
    GABBRO_TRY(process, start_process(launch));
    workers_.push_back(std::make_unique<Worker>(job, std::move(process)));
    return true;
  }

  JobEvents wait(double seconds) override {
    const double until = seconds_now() + seconds;
    JobEvents events;
    for (bool interrupted = false; !workers_.empty();) {
      const double remaining = until - seconds_now();
      interrupted = !poll_outputs(remaining);
      check_workers(events);
      if (!events.updates.empty() || !events.ended.empty() || remaining <= 0 || interrupted) break;
    }
    return events;
  }

  void discard(std::int64_t id) override {
    std::erase_if(workers_, [&](const auto& worker) { return worker->id() == id; });
  }
  void stop() override {
    for (const auto& worker : workers_) worker->ask_to_stop();
  }
  void kill() override {
    for (const auto& worker : workers_) worker->kill();
  }

 private:
  // Waits until there is output, the next check is due, or `seconds` have passed. Returns false if a signal
  // arrived.
  bool poll_outputs(double seconds) const {
    std::vector<pollfd> outputs;
    int longest = kCheckMilliseconds;
    for (const auto& worker : workers_)
      if (worker->is_reading())
        outputs.push_back({worker->output(), POLLIN, 0});
      else if (!worker->is_open())
        longest = kEndingMilliseconds;
    const int milliseconds = std::clamp(static_cast<int>(std::min(seconds, 1.0) * 1000), 0, longest);
    return poll(outputs.data(), outputs.size(), milliseconds) >= 0 || errno != EINTR;
  }

  // Reads output, checks limits, and removes the workers that have ended.
  void check_workers(JobEvents& events) {
    for (auto& worker : workers_) {
      if (worker->is_reading()) worker->read_some(events.updates);
      worker->kill_if_asked_before(options_.stop_seconds);
      if (!worker->check(events.updates)) continue;
      events.ended.push_back(worker->end());
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
  return std::make_unique<LocalExecutor>(std::move(filled));
}

}  // namespace gabbro::jobs
