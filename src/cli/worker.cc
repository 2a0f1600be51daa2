#include "cli/worker.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/report.h"
#include "cli/scratch.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "record/trial.h"

namespace gabbro::cli {

namespace {

constexpr double kPollSeconds = 0.1;  // between two polls for signals
constexpr double kLineSeconds = 10;   // between lines if output is not a terminal

// Returns the beginning of a worker's log, at most 64 KiB.
std::string beginning_of(const std::string& log) {
  constexpr std::size_t kMaxBytes = 64 << 10;
  std::string text(kMaxBytes, '\0');
  std::ifstream file(log, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (file.peek() != std::ifstream::traits_type::eof()) text += "\n(the rest is omitted)\n";
  return text;
}

}  // namespace

Needs needs_of_run(const std::string& folder, const record::JobEngine& engine) {
  Needs out{.reads = {folder}, .engine = engine};
  const auto text = read_file(folder + "/spec.json", kMostText);
  const auto spec = text ? record::parse_spec(*text) : tl::unexpected(text.error());
  if (spec) out.reads.push_back(spec->corpus);
  return out;
}

// A name may contain an equals sign, and so may a path, so both readings are listed. Paths that do not exist
// are not made accessible.
void add_tasks(Needs& needs, const std::vector<std::string>& tasks) {
  for (const std::string& task : tasks) {
    needs.reads.push_back(task);
    if (const std::size_t equals = task.find('='); equals != std::string::npos)
      needs.reads.push_back(task.substr(equals + 1));
  }
}

Result<jobs::JobEnd> run_worker(const std::string& spec_file, const std::string& result_file,
                                const jobs::WorkerLimits& limits, const Needs& needs,
                                const record::OnProgress& progress) {
  GABBRO_TRY(executor, jobs::local_executor({}));
  const Signals signals;
  // The worker's output goes to a file and not to the terminal, since a worker runs untrusted programs and
  // may write anything.
  GABBRO_TRY(scratch, Scratch::make());
  const std::string log = scratch.file("log");
  const jobs::Job job{.id = 1,
                      .spec_file = spec_file,
                      .result_file = result_file,
                      .limits = limits,
                      .log_file = log,
                      .reads = needs.reads,
                      .devices = needs.engine.device != "cpu",
                      .python = needs.engine.engine == record::Engine::kPyTorch,
                      .multi_process = needs.engine.gpus > 1};
  if (auto ok = executor->start(job); !ok) return tl::unexpected(ok.error());
  for (bool stopping = false, killing = false;;) {
    jobs::JobEvents events = executor->wait(kPollSeconds);
    bool stop = Signals::seen() > 0;
    for (const jobs::Update& update : events.updates) stop |= progress && !progress(update.progress);
    if (!events.ended.empty()) {
      put(stderr, beginning_of(log));
      return std::move(events.ended[0]);
    }
    if (stop && !std::exchange(stopping, true)) executor->stop();
    if (Signals::seen() > 1 && !std::exchange(killing, true)) executor->kill();
  }
}

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) != 0) {}
ProgressLine::~ProgressLine() {
  if (open_) std::fputs("\n", stderr);
}

void ProgressLine::show(const std::string& text) {
  if (terminal_) {
    rewind_line();
    put(stderr, printable_line(text));
    std::fflush(stderr);
    open_ = true;
  } else if (seconds_now() - last_ >= kLineSeconds) {
    print(stderr, "{}\n", printable_line(text));
    last_ = seconds_now();
  }
}

std::string progress_text(const record::Progress& p) {
  if (p.stage != "training") return fmt::format("{} {:3.0f} %", p.stage, 100 * p.share);
  const double per_step =
      static_cast<double>(p.tokens) / static_cast<double>(std::max<std::int64_t>(p.step, 1));
  const double tokens_left = static_cast<double>(p.steps - p.step) * per_step;
  return fmt::format("step {}/{}  loss {:.4f}  {}tokens/s  {:.0f} s left", p.step, p.steps, p.loss,
                     human(p.tokens_per_second),
                     p.tokens_per_second > 0 ? tokens_left / p.tokens_per_second : 0);
}

}  // namespace gabbro::cli
