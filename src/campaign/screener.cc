#include "campaign/screener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "campaign/preset.h"
#include "campaign/screener_wire.h"
#include "evolve/screen.h"
#include "jobs/process.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "record/event.h"
#include "sandbox/sandbox.h"
#include "zoo/library.h"

namespace gabbro::campaign {

namespace {

// Screens in this process.
class LocalScreener : public Screener {
 public:
  Result<record::DesignCreated> screen(const evolve::Offspring& offspring,
                                       const evolve::Population& population) override {
    return evolve::screen(offspring, population, zoo::library());
  }
  Result<record::DesignCreated> measure(const lang::Program& program,
                                        const evolve::SearchSettings& settings) override {
    return evolve::measure(program, settings, zoo::library());
  }
  Result<std::string> find_equal(const record::DesignCreated& created,
                                 const evolve::Population& population) override {
    return evolve::find_equal(created, population, zoo::library());
  }
  Result<std::vector<evolve::Ablation>> ablations(const lang::Program& program,
                                                  const lang::Program* ancestor) override {
    return evolve::ablations(program, ancestor, zoo::library());
  }
};

// The process of a screener, from its start to its end.
class ScreenerProcess {
 public:
  explicit ScreenerProcess(jobs::Process process) : process_(std::move(process)) {}
  ScreenerProcess(const ScreenerProcess&) = delete;
  ScreenerProcess& operator=(const ScreenerProcess&) = delete;
  ~ScreenerProcess() {
    close(process_.in);
    close(process_.out);
    if (process_.id == 0) return;  // already reaped
    jobs::kill_tree(process_);
    jobs::reap(process_.id);
  }

  struct Death {
    std::string observed;   // how it ended, for a message: "ran out of memory after 3.1 s"
    bool by_limit = false;  // by a limit of time or memory: a retry would die again
  };
  /// Returns the line that answers `text`, or an error with the cause in `death`. After an error, the process
  /// cannot be used.
  Result<std::string> ask(const std::string& text, const ScreenerOptions& options, Death& death) {
    const double begun = seconds_now(), used_before = jobs::processor_seconds(process_.id);
    double elapsed = 0, last_look = begun;
    peak_bytes_ = 0;
    if (!send(text, options.wall_seconds())) return report_death(begun, death);
    for (std::size_t scanned = 0;;) {
      if (const std::size_t end = received_.find('\n', scanned); end != std::string::npos) {
        std::string line = received_.substr(0, end);
        received_.erase(0, end + 1);
        return line;
      }
      if (received_.size() > kMaxReplyBytes) return give_up(death, "answered without end");
      scanned = received_.size();
      pollfd out{process_.out, POLLIN, 0};
      const bool readable = poll(&out, 1, kPollMilliseconds) > 0;
      if (readable && !receive()) return report_death(begun, death);
      // Time in which this process stood still does not count.
      const double now = seconds_now();
      elapsed += std::min(now - last_look, 1.0);
      last_look = now;
      if (readable && elapsed <= options.wall_seconds()) continue;
      const double taken = jobs::processor_seconds(process_.id) - used_before;
      peak_bytes_ = std::max(peak_bytes_, jobs::usage_of(process_.id).bytes);
      // Screening computes all the time: a process that waits was stopped from outside.
      const bool by_program = taken > options.cpu_seconds + 1;
      if (by_program || elapsed > options.wall_seconds())
        return give_up(
            death,
            fmt::format("took {:.0f} s of processor time and {:.0f} s in total, more than the limit", taken,
                        elapsed),
            by_program);
    }
  }

 private:
  static constexpr int kPollMilliseconds = 200;
  static constexpr std::size_t kMaxReplyBytes = 64 << 20;

  // Returns false if the process is dead, or reads nothing for `max_seconds`.
  bool send(const std::string& text, double max_seconds) {
    double last = seconds_now();
    for (std::size_t from = 0; from < text.size();) {
      const ssize_t count = write(process_.in, text.data() + from, text.size() - from);
      if (count < 0 && errno != EINTR && errno != EAGAIN) return false;
      if (count > 0) from += static_cast<std::size_t>(count), last = seconds_now();
      if (seconds_now() - last > max_seconds) return false;
      pollfd in{process_.in, POLLOUT, 0};
      if (count < 0) poll(&in, 1, kPollMilliseconds);
    }
    return true;
  }
  // Reads what is there. Returns false if the process has closed its output.
  bool receive() {
    char block[1 << 14];
    const ssize_t count = read(process_.out, block, sizeof block);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    received_.append(block, static_cast<std::size_t>(count));
    return count > 0;
  }
  // Ends and reaps the process, which may be dying, and describes how it ended.
  tl::unexpected<Error> report_death(double begun, Death& death) {
    for (int i = 0; i < 1000 && !jobs::has_ended(process_.id); ++i) usleep(1000);
    ::kill(process_.id, SIGKILL);
    const int status = jobs::reap(process_.id);
    // The process is reaped, so another may have its id by now.
    process_.id = 0;
    death.by_limit = WIFEXITED(status) ? WEXITSTATUS(status) == kOutOfMemory : WTERMSIG(status) == SIGXCPU;
    death.observed = WIFEXITED(status) && WEXITSTATUS(status) == kOutOfMemory ? "ran out of memory"
                     : WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU     ? "ran out of processor time"
                                                                              : jobs::describe_status(status);
    death.observed += fmt::format(" after {:.1f} s", seconds_now() - begun);
    if (peak_bytes_ > 0)
      death.observed += fmt::format(", using at least {:.0f} MB", static_cast<double>(peak_bytes_) / 1e6);
    return fail("screen died", death.observed);
  }
  static tl::unexpected<Error> give_up(Death& death, std::string observed, bool by_limit = true) {
    death = {std::move(observed), by_limit};
    return fail("screen died", death.observed);
  }

  jobs::Process process_;
  std::string received_;
  std::uint64_t peak_bytes_ = 0;  // of the current request
};

// Screens in a process of its own, with one request at a time.
class RemoteScreener : public Screener {
 public:
  explicit RemoteScreener(ScreenerOptions options) : options_(std::move(options)) {
    // Writing to a process that died returns an error instead of raising a signal.
    std::signal(SIGPIPE, SIG_IGN);
    // The path may be a link that names another file in another process (/proc/self/exe).
    std::error_code error;
    const std::filesystem::path file = std::filesystem::canonical(options_.command[0], error);
    programs_ = sandbox::library_folders(error ? options_.command[0] : file.string());
    programs_.push_back(options_.command[0]);
  }

  Result<record::DesignCreated> screen(const evolve::Offspring& offspring,
                                       const evolve::Population& population) override {
    const std::lock_guard lock(mutex_);
    const ScreenerRequest request{.task = ScreenerTask::kScreen,
                                  .text = lang::print(offspring.program),
                                  .untrainable = untrainable(population),
                                  .parent = offspring.parent,
                                  .second_parent = offspring.second_parent};
    auto created = design_of(answer(request, &population.settings(), &population), request.text);
    if (created) created->provenance = offspring.provenance;
    return created;
  }
  Result<record::DesignCreated> measure(const lang::Program& program,
                                        const evolve::SearchSettings& settings) override {
    const std::lock_guard lock(mutex_);
    const ScreenerRequest request{.task = ScreenerTask::kMeasure, .text = lang::print(program)};
    return design_of(answer(request, &settings, nullptr), request.text);
  }
  Result<std::string> find_equal(const record::DesignCreated& created,
                                 const evolve::Population& population) override {
    const std::lock_guard lock(mutex_);
    GABBRO_TRY(reply, answer({.task = ScreenerTask::kFindEqual,
                              .text = record::to_json(record::Event(created)),
                              .untrainable = untrainable(population)},
                             &population.settings(), &population));
    if (reply.texts.size() != 1) return fail("screen died", "the screener's reply has no name");
    return reply.texts[0];
  }
  Result<std::vector<evolve::Ablation>> ablations(const lang::Program& program,
                                                  const lang::Program* ancestor) override {
    const std::lock_guard lock(mutex_);
    GABBRO_TRY(reply, answer({.task = ScreenerTask::kAblations,
                              .text = lang::print(program),
                              .ancestor = ancestor ? lang::print(*ancestor) : ""},
                             nullptr, nullptr));
    std::vector<evolve::Ablation> out;
    for (std::size_t i = 0; i + 1 < reply.texts.size(); i += 2) {
      lang::ParseResult parsed = lang::parse(reply.texts[i + 1]);
      if (parsed.errors.empty()) out.push_back({reply.texts[i], std::move(parsed.program)});
    }
    return out;
  }
  [[nodiscard]] std::string sandbox() const override { return sandbox::machine().text(); }

 private:
  static std::string untrainable(const evolve::Population& population) {
    return fmt::format("{}", fmt::join(population.untrainable(), " "));
  }

  // Returns the design of a reply. The screener is trusted with facts but not with programs: the design gets
  // the program that was sent.
  static Result<record::DesignCreated> design_of(const Result<ScreenerReply>& reply,
                                                 const std::string& program) {
    if (!reply) return tl::unexpected(reply.error());
    if (reply->texts.size() != 1) return fail("screen died", "the screener's reply has no design");
    GABBRO_TRY(event, record::parse_event("design", reply->texts[0]));
    auto created = std::get<record::DesignCreated>(std::move(event));
    created.program = program;
    return created;
  }

  // Returns requests that send the settings and designs which the process needs for an answer and does not
  // have yet. A null argument means that the answer does not depend on it.
  std::string missing_context(const evolve::SearchSettings* settings, const evolve::Population* population) {
    std::string out;
    if (const std::string text = settings ? to_toml(*settings) : settings_sent_; text != settings_sent_) {
      settings_sent_ = text;
      designs_sent_ = 0;
      out += to_line(ScreenerRequest{.task = ScreenerTask::kSettings, .text = settings_sent_});
    }
    if (!population) return out;
    const auto& all = population->individuals();
    // The population is an earlier one, that of an agent's task which began before later designs were
    // created.
    if (designs_sent_ > all.size()) {
      designs_sent_ = 0;
      out += to_line(ScreenerRequest{.task = ScreenerTask::kReset});
    }
    for (; designs_sent_ < all.size(); ++designs_sent_) {
      record::DesignCreated created = all[designs_sent_].created;
      created.task = 0;  // the screener knows no tasks
      out += to_line(
          ScreenerRequest{.task = ScreenerTask::kAddDesign, .text = record::to_json(record::Event(created))});
    }
    return out;
  }

  // Returns the reply to a request. It starts up to three processes, and then tries a small program, to
  // distinguish a program that kills its screener from a machine on which none works.
  Result<ScreenerReply> answer(const ScreenerRequest& request, const evolve::SearchSettings* settings,
                               const evolve::Population* population) {
    constexpr int kTries = 3;
    std::string observed;
    for (int i = 0; i < kTries; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(i * i * 300));  // what killed it may pass
      ScreenerProcess::Death death;
      const auto line = ask(request, settings, population, death);
      if (line) {
        const auto reply = parse_reply(*line);
        // A program may have taken over the process, so its word that the machine is at fault does not count.
        if (reply && !is(reply->error, record::Cause::kScreener)) {
          if (!reply->error.code.empty()) return tl::unexpected(reply->error);
          return *reply;
        }
        process_.reset();
        observed = "sent a reply that cannot be read";
        continue;
      }
      observed = death.observed.empty() ? line.error().message : death.observed;
      if (death.by_limit) return fail("screen died", "the process that screened it " + observed);
    }
    // Either the program kills its screener, or this machine kills every screener.
    ScreenerProcess::Death death;
    const ScreenerRequest small{.task = ScreenerTask::kAblations,
                                .text = "design Small:\n    stack = [RMSNorm]\n"};
    const auto line = ask(small, nullptr, nullptr, death);
    if (!line || !parse_reply(*line))
      return fail("screener", fmt::format("no program can be screened: {}", observed),
                  "check that the program file of gabbro is in its place and that there is memory");
    return fail("screen died", "the process that screened it " + observed);
  }

  // Returns the line that answers a request. Starts a process if there is none; after an error there is none.
  Result<std::string> ask(const ScreenerRequest& request, const evolve::SearchSettings* settings,
                          const evolve::Population* population, ScreenerProcess::Death& death) {
    if (!process_)
      if (const auto ok = start(); !ok) return tl::unexpected(ok.error());
    auto line = process_->ask(missing_context(settings, population) + to_line(request), options_, death);
    if (!line) process_.reset();
    return line;
  }

  Result<bool> start() {
    settings_sent_.clear();
    designs_sent_ = 0;
    sandbox::Rules rules;
    rules.programs = programs_;
    rules.file_bytes = kMaxLogBytes;
    rules.address_bytes = options_.address_bytes;
    GABBRO_TRY(confined, sandbox::Sandbox::prepare(rules, sandbox::machine()));
    jobs::Launch launch{.command = options_.command, .log = options_.log};
    launch.sandbox = &confined;
    launch.has_input = true;
    // The process must not end with this thread, which may be an agent's. It ends when its input is closed.
    launch.parent_death_signal = 0;
    GABBRO_TRY(process, jobs::start_process(launch));
    fcntl(process.in, F_SETFL, O_NONBLOCK);
    process_.emplace(std::move(process));
    return true;
  }

  static constexpr std::uint64_t kMaxLogBytes = 64 << 20;

  ScreenerOptions options_;
  std::vector<std::string> programs_;  // files and folders that it may read and execute
  std::mutex mutex_;
  std::optional<ScreenerProcess> process_;  // started by the first request
  std::string settings_sent_;               // settings that the process has, as TOML
  std::size_t designs_sent_ = 0;            // number of designs that it has
};

}  // namespace

std::shared_ptr<Screener> screener_in_process() { return std::make_shared<LocalScreener>(); }
std::shared_ptr<Screener> screener_process(const ScreenerOptions& options) {
  return std::make_shared<RemoteScreener>(options);
}

}  // namespace gabbro::campaign
