#include "trial/capabilities.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/clock.h"
#include "base/random.h"
#include "capability/task.h"
#include "trial/probe.h"
#include "trial/resources.h"
#include "zoo/library.h"

namespace gabbro::trial {

using capability::Task;
using capability::Use;
using record::CapabilityResult;
using record::CapabilityScore;
using record::CapabilitySpec;
using record::CapabilityTask;
using Outcome = record::CapabilityOutcome;
using record::OnProgress;

namespace {

constexpr std::array<std::int64_t, 4> kWidths{64, 96, 128, 256};
// Learning rates at fan-in 256, the more promising one first.
constexpr std::array<double, 2> kRates{0.0007, 0.0025};
constexpr std::int64_t kTokensPerStep = 512;
// With a weight decay of 1, attention learns recall in half as many steps as with 0.1.
constexpr double kWeightDecay = 1;
constexpr double kWarmupShare = 0.05, kDecayShare = 0.2;  // of the steps, for the learning rate
constexpr std::int64_t kChoiceSequences = 64, kTestSequences = 256;
constexpr double kSolvedLoss = 0.02;      // nats per answer, as a running mean; training ends soon after
constexpr double kSolvedAccuracy = 0.99;  // From this accuracy on, no further learning rate is tried.
constexpr double kDiverged = 3;           // nats above the best running mean

bool is_repetition(const lang::Expr& e) {
  return e.kind == lang::Expr::Kind::kBinary && e.text == "*" && e.args.size() == 2;
}

// Collects the repetitions of a stack. Those within the arguments of instances are left out.
void collect_repetitions(lang::Expr& e, std::vector<lang::Expr*>& out) {
  if (is_repetition(e)) {
    out.push_back(&e);
    collect_repetitions(e.args[1], out);
  } else if (e.kind == lang::Expr::Kind::kList) {
    for (lang::Expr& part : e.args) collect_repetitions(part, out);
  }
}

// Reduces the repetitions of the last design and unties its tables. The tasks test what mixers can do, and a
// tied table has so small an initialisation that the design learns little in some hundred steps.
void make_tiny(lang::Program& program) {
  for (auto item = program.items.rbegin(); item != program.items.rend(); ++item) {
    auto* design = std::get_if<lang::Design>(&item->value);
    if (!design) continue;
    design->tied.reset();
    std::vector<lang::Expr*> repetitions;
    collect_repetitions(design->stack, repetitions);
    const bool repeats_one_unit =
        repetitions.size() == 1 && repetitions[0]->args[1].kind != lang::Expr::Kind::kList;
    for (lang::Expr* e : repetitions) {
      lang::Expr count;
      count.at = e->args[0].at;
      count.number = repeats_one_unit ? 2 : 1;
      e->args[0] = count;
    }
    return;
  }
}

// Runs the tasks of a spec on one design.
class TaskRunner {
 public:
  TaskRunner(const CapabilitySpec& spec, const OnProgress& progress, const MakeModel& backend,
             const std::vector<const Task*>& tasks, CapabilityResult& out)
      : spec_(spec), progress_(progress), backend_(backend), tasks_(tasks), out_(out) {}

  void run() {
    for (const Task* task : tasks_) {
      CapabilityTask result = run_task(*task);
      if (stopped_) {
        out_.status = record::Status::kStopped;
        return;
      }
      out_.tasks.push_back(std::move(result));
    }
    out_.status = record::Status::kDone;
  }

 private:
  struct Run {
    std::unique_ptr<exec::Model> model;
    Outcome outcome = Outcome::kDone;
    std::string cause;
    double rate = 0, loss = 0;
    double accuracy = 0;  // on the sequences that choose the learning rate
  };

  // Reports progress and returns true if the job goes on. `share` is the finished share of the task.
  bool report_progress(const Task& task, double share) {
    record::Progress now{.stage = fmt::format("learning {}", task.name)};
    now.share = (static_cast<double>(out_.tasks.size()) + share) / static_cast<double>(tasks_.size());
    if (progress_ && !progress_(now)) stopped_ = true;
    return !stopped_;
  }

  [[nodiscard]] Random stream(const Task& task, const char* use) const {
    return Random(spec_.seed).split(task.name).split(use);
  }

  static std::int64_t sequences_per_step(std::int64_t length) {
    return std::max<std::int64_t>(1, kTokensPerStep / length);
  }

  CapabilityTask run_task(const Task& task) {
    const double began = seconds_now();
    CapabilityTask result;
    result.task = task.name;
    try {
      train_and_score(task, result);
    } catch (const std::exception& e) {  // ATen throws if memory is short.
      const std::string what = e.what();
      result.outcome = Outcome::kFailed;
      result.cause = what.substr(0, what.find('\n'));
    }
    result.seconds = seconds_now() - began;
    return result;
  }

  void train_and_score(const Task& task, CapabilityTask& result) {
    const auto subject = tiny_design(spec_.program, task.vocab);
    if (!subject) {
      result.cause = format_error(spec_.file, subject.error());
      return;
    }
    const ir::Graph& graph = subject->elaboration.graph;
    result.params = ir::count_params(graph);
    std::optional<Run> best;
    for (std::size_t i = 0; i < kRates.size(); ++i) {
      Run run = train(task, graph, kRates[i], static_cast<double>(i), result);
      if (stopped_) return;
      const bool better = !best || (run.outcome == Outcome::kDone &&
                                    (best->outcome != Outcome::kDone || run.accuracy > best->accuracy));
      if (better) best = std::move(run);
      if (best->outcome == Outcome::kMemory || best->accuracy >= kSolvedAccuracy) break;
    }
    result.outcome = best->outcome;
    result.cause = best->cause;
    if (best->outcome != Outcome::kDone) return;
    result.rate = best->rate;
    result.loss = best->loss;
    for (const std::int64_t length : task.lengths)
      result.scores.push_back(score(task, *best->model, length, kTestSequences, "test"));
  }

  // `rates_before`: number of learning rates tried before this one, for the progress.
  Run train(const Task& task, const ir::Graph& graph, double rate, double rates_before,
            CapabilityTask& result) {
    Run run;
    run.rate = rate;
    ++result.runs;
    run.model = backend_(graph, stream(task, "weights").next());
    if (!fits(task, run)) return run;
    const Random data = stream(task, "training");
    const double warmup_steps = std::max(1.0, kWarmupShare * static_cast<double>(spec_.steps));
    const double decay_steps = std::max(1.0, kDecayShare * static_cast<double>(spec_.steps));
    std::int64_t end = spec_.steps;
    double mean = 0, best_mean = INFINITY;  // running means of the loss
    bool solved = false;
    for (std::int64_t step = 0; step < end; ++step) {
      const std::int64_t rows = sequences_per_step(task.length);
      const exec::TokenBatch text = capability::batch(task, Use::kTraining, rows, task.length,
                                                      data.split(static_cast<std::uint64_t>(step)));
      exec::Update update{.decay = kWeightDecay};
      update.rate = rate * std::min({1.0, static_cast<double>(step + 1) / warmup_steps,
                                     static_cast<double>(end - step) / decay_steps});
      const exec::StepReport report = run.model->step(text, update);
      ++result.steps;
      result.tokens += rows * task.length;
      if (!report.updated) {
        run.outcome = Outcome::kNotFinite;
        run.cause = fmt::format("loss {} and gradient norm {} at step {} with learning rate {}", report.loss,
                                report.gradient_norm, step, rate);
        return run;
      }
      mean = step == 0 ? report.loss : 0.9 * mean + 0.1 * report.loss;
      best_mean = std::min(best_mean, mean);
      run.loss = mean;
      if (mean > best_mean + kDiverged) {
        run.outcome = Outcome::kDiverged;
        run.cause =
            fmt::format("the loss rose by more than {} above its best at step {} with learning rate {}",
                        kDiverged, step, rate);
        return run;
      }
      // Once the task is solved, the learning rate starts to decay.
      if (!solved && mean < kSolvedLoss) {
        solved = true;
        end = std::min(end, step + 1 + static_cast<std::int64_t>(decay_steps));
      }
      const double share =
          (rates_before + static_cast<double>(step + 1) / static_cast<double>(end)) / kRates.size();
      if (!report_progress(task, share)) return run;
    }
    run.accuracy = score(task, *run.model, task.length, kChoiceSequences, "choice").accuracy;
    return run;
  }

  bool fits(const Task& task, Run& run) const {
    const std::int64_t step = run.model->step_bytes(sequences_per_step(task.length), task.length);
    const std::int64_t left = spec_.memory > 0 ? spec_.memory - resident_bytes() : available_bytes();
    if (step == 0 || (spec_.memory == 0 && left == 0) || step <= left) return true;
    run.outcome = Outcome::kMemory;
    run.cause = fmt::format("a step needs {} MiB, but only {} MiB are left", step >> 20, left >> 20);
    return false;
  }

  CapabilityScore score(const Task& task, exec::Model& model, std::int64_t length, std::int64_t count,
                        const char* use) {
    const exec::TokenBatch all =
        capability::batch(task, Use::kTest, count, length, stream(task, use).split(length));
    double sum = 0, squares = 0, n = 0;  // over sequences that ask a question
    std::int64_t answers = 0;
    for (std::int64_t from = 0; from < count; from += sequences_per_step(length)) {
      const std::int64_t rows = std::min(sequences_per_step(length), count - from);
      const auto part = [&](const std::vector<std::int64_t>& x) {
        return std::vector(x.begin() + from * length, x.begin() + (from + rows) * length);
      };
      const exec::TokenBatch some{.sequences = rows,
                                  .length = length,
                                  .tokens = part(all.tokens),
                                  .targets = part(all.targets),
                                  .starts = part(all.starts)};
      const exec::Scores scores = model.score(some);
      for (std::int64_t row = 0; row < rows; ++row) {
        std::int64_t hits = 0, questions = 0;
        for (std::int64_t i = row * length; i < (row + 1) * length; ++i)
          if (some.targets[i] != exec::kNotScored)
            ++questions, hits += scores.greedy[i] && std::isfinite(scores.losses[i]) ? 1 : 0;
        if (questions == 0) continue;
        const double share = static_cast<double>(hits) / static_cast<double>(questions);
        ++n;
        sum += share, squares += share * share, answers += questions;
      }
    }
    const double mean = sum / n;
    const double variance = std::max(0.0, squares / n - mean * mean) * n / (n - 1);
    return {.task = task.name,
            .length = length,
            .accuracy = mean,
            .error = std::sqrt(variance / n),
            .chance = task.chance,
            .answers = answers};
  }

  const CapabilitySpec& spec_;
  const OnProgress& progress_;
  const MakeModel& backend_;
  const std::vector<const Task*>& tasks_;
  CapabilityResult& out_;
  bool stopped_ = false;
};

Result<std::vector<const Task*>> chosen_tasks(const CapabilitySpec& spec) {
  std::vector<const Task*> out;
  std::string known;
  for (const Task& task : capability::tasks()) {
    if (spec.tasks.empty()) out.push_back(&task);
    known += fmt::format("{}{}", known.empty() ? "" : ", ", task.name);
  }
  for (const std::string& name : spec.tasks) {
    const Task* task = capability::find_task(name);
    if (!task) return fail("task", fmt::format("unknown task '{}'", name), "known tasks: " + known);
    if (std::find(out.begin(), out.end(), task) == out.end()) out.push_back(task);
  }
  return out;
}

Result<bool> run_checked(const CapabilitySpec& spec, const OnProgress& progress, const MakeModel& backend,
                         CapabilityResult& out) {
  GABBRO_TRY(tasks, chosen_tasks(spec));
  const lang::CheckReport written = lang::check(spec.program, zoo::library());
  if (!written.valid()) return tl::unexpected(written.errors[0]);
  if (!written.subjects.back().is_design) return fail("design", "the program contains no design");
  out.design = written.subjects.back().name;
  out.hash = to_hex(written.subjects.back().hash);
  GABBRO_TRY(subject, tiny_design(spec.program, tasks.front()->vocab));
  out.width = std::llround(subject.elaboration.graph.env.width);
  GABBRO_TRY(checks, probe_small(small_graph(subject.elaboration.graph), backend));
  for (const record::Anchor& a : checks)
    if (!a.holds) {
      out.status = record::Status::kRefused;
      out.cause = fmt::format("probe: {}: {}", a.name, a.detail);
      return true;
    }
  TaskRunner(spec, progress, backend, tasks, out).run();
  return true;
}

}  // namespace

Result<lang::Subject> tiny_design(const std::string& program, std::int64_t vocab) {
  lang::CheckReport report = lang::check(program, zoo::library());
  if (!report.valid()) return tl::unexpected(report.errors[0]);
  if (!lang::last_design(report.program)) return fail("design", "the program contains no design");
  lang::Program program_tree = std::move(report.program);
  make_tiny(program_tree);
  lang::ElaborateOptions options;
  options.vocab = vocab;
  const lang::CheckReport as_written = lang::check(program_tree, zoo::library(), options);
  if (!as_written.valid()) return tl::unexpected(as_written.errors[0]);
  const lang::Subject& written = as_written.subjects.back();
  for (const std::int64_t width : kWidths) {
    options.width = width;
    report = lang::check(program_tree, zoo::library(), options);
    if (!report.valid()) continue;
    lang::Subject tiny = std::move(report.subjects.back());
    if (tiny.hash == written.hash) return tiny;  // The hash covers the structure, not the width.
    return fail(
        "design",
        fmt::format(
            "its structure depends on its width, so what it learns at width {} says nothing about width {:g}",
            width, written.elaboration.graph.env.width),
        "write it without conditions on D");
  }
  return tl::unexpected(report.errors[0]);
}

CapabilityResult run(const CapabilitySpec& spec, const OnProgress& progress, const MakeModel& backend) {
  const double began = seconds_now();
  CapabilityResult out;
  out.file = spec.file;
  out.seed = spec.seed;
  const auto ok =
      run_checked(spec, progress, backend ? backend : torch_backend({.threads = spec.threads}), out);
  if (!ok) out.cause = format_error(spec.file, ok.error());
  out.seconds = seconds_now() - began;
  return out;
}

}  // namespace gabbro::trial
