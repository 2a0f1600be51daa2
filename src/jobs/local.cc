#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "base/clock.h"
#include "base/files.h"
#include "jobs/jobs.h"
#include "jobs/process.h"
#include "record/job.h"

namespace gabbro::jobs {

namespace fs = std::filesystem;

namespace {

constexpr int kTick = 50;               // milliseconds between two looks at the limits
constexpr int kEnding = 5;              // and at a worker that has closed its output
constexpr std::size_t kLine = 1 << 20;  // a longer one is no progress

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{:.2f}MB", static_cast<double>(bytes) / 1e6);
}

// One job from its start to its end.
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
  [[nodiscard]] bool is_reading() const { return reading_; }
  void ask_to_stop() {
    stopping_ = true;
    ::kill(-process_.id, SIGTERM);
  }
  void kill() {
    stopping_ = true;
    kill_tree(process_);
  }

  /// Takes what the worker wrote into `updates`. Whether there was any.
  bool read_some(std::vector<Update>& updates) {
    char block[1 << 14];
    const ssize_t got = read(process_.out, block, sizeof block);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (got <= 0) {
      reading_ = false;
      return false;
    }
    buffer_.append(block, static_cast<std::size_t>(got));
    std::size_t from = 0;
    for (std::size_t end; (end = buffer_.find('\n', from)) != std::string::npos; from = end + 1)
      if (auto progress = record::parse_progress(buffer_.substr(from, end - from)))
        updates.push_back({job_.id, std::move(*progress)});
    buffer_.erase(0, from);
    if (buffer_.size() > kLine) buffer_.clear();
    return true;
  }

  /// Looks at the limits and at the process; true when it has ended, and `end` is complete.
  bool look(std::vector<Update>& updates) {
    end_.seconds = seconds_now() - start_;
    if (!has_ended(process_.id)) {
      check_limits();
      if (end_.kind == Ended::Kind::kResult) return false;
    }
    kill_tree(process_);  // what it may have left behind
    status_ = reap(process_.id);
    reaped_ = true;
    while (reading_ && read_some(updates)) {
    }
    if (end_.kind == Ended::Kind::kResult) take_result();
    return true;
  }
  Ended end() { return std::move(end_); }

 private:
  void check_limits() {
    if (end_.seconds < next_look_) return;
    next_look_ = end_.seconds + kTick / 1000.0;
    const Limits& limits = job_.limits;
    const std::uint64_t bytes = resident_bytes(process_.id);
    end_.peak_bytes = std::max(end_.peak_bytes, bytes);
    if (limits.bytes > 0 && bytes > limits.bytes) {
      end_.kind = Ended::Kind::kMemoryLimit;
      end_.cause = fmt::format("the worker kept {} of memory, more than the limit of {}, and was killed",
                               megabytes(bytes), megabytes(limits.bytes));
    } else if (limits.seconds > 0 && end_.seconds > limits.seconds) {
      end_.kind = Ended::Kind::kTimeLimit;
      end_.cause = fmt::format("the worker took {:.1f} s, more than the limit of {:.1f} s, and was killed",
                               end_.seconds, limits.seconds);
    }
  }

  void take_result() {
    std::string text = read_file(job_.result_file).value_or("");
    const auto outcome = record::outcome_of(text);
    if (outcome) {
      end_.result = std::move(text);
      return;
    }
    end_.kind = stopping_ ? Ended::Kind::kStopped : Ended::Kind::kCrash;
    end_.cause =
        fmt::format("the worker {} and left {}", describe_status(status_),
                    text.empty() ? "no result" : "a file that is no result: " + outcome.error().message);
  }

  Job job_;
  Process process_;
  double start_, next_look_ = 0;
  Ended end_;
  std::string buffer_;  // a line that has no end yet
  int status_ = 0;
  bool reading_ = true, reaped_ = false, stopping_ = false;
};

class Local : public Executor {
 public:
  explicit Local(LocalOptions options) : options_(std::move(options)) {}

  [[nodiscard]] int slots() const override { return options_.slots; }
  [[nodiscard]] int running() const override { return static_cast<int>(workers_.size()); }

  Result<bool> start(const Job& job) override {
    if (running() >= slots())
      return fail("jobs", fmt::format("no free slot: {} jobs are running", running()));
    std::error_code error;
    fs::remove(job.result_file, error);
    if (error) return fail("jobs", fmt::format("cannot remove {}: {}", job.result_file, error.message()));
    GABBRO_TRY(process, start_process({options_.worker, job.spec_file, job.result_file}, job.log_file,
                                      options_.hidden));
    workers_.push_back(std::make_unique<Worker>(job, std::move(process)));
    return true;
  }

  News wait(double seconds) override {
    const double until = seconds_now() + seconds;
    News news;
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
  // Until there is output, a tick is over or `seconds` are. False: a signal came.
  bool poll_outputs(double seconds) const {
    std::vector<pollfd> outputs;
    int most = kTick;
    for (const auto& worker : workers_)
      if (worker->is_reading())
        outputs.push_back({worker->output(), POLLIN, 0});
      else
        most = kEnding;
    const int milliseconds = std::clamp(static_cast<int>(std::min(seconds, 1.0) * 1000), 0, most);
    return poll(outputs.data(), outputs.size(), milliseconds) >= 0 || errno != EINTR;
  }

  void look(News& news) {
    for (auto& worker : workers_) {
      if (worker->is_reading()) worker->read_some(news.updates);
      if (!worker->look(news.updates)) continue;
      news.ended.push_back(worker->end());
      worker.reset();
    }
    std::erase(workers_, nullptr);
  }

  LocalOptions options_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

Result<std::unique_ptr<Executor>> local_executor(const LocalOptions& options) {
  if (options.slots < 1) return fail("jobs", fmt::format("{} slots: at least one is needed", options.slots));
  LocalOptions filled = options;
  std::error_code error;
  if (filled.worker.empty())
    filled.worker = fs::read_symlink("/proc/self/exe", error).parent_path() / "gabbro-worker";
  if (error || !fs::exists(filled.worker, error))
    return fail("jobs", fmt::format("there is no {}", filled.worker),
                "build it: ./dev build (with the torch backend)");
  return std::make_unique<Local>(std::move(filled));
}

}  // namespace gabbro::jobs
