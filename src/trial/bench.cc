#include "trial/bench.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "exec/torch/decoder.h"
#include "exec/torch/profile.h"
#include "record/cause.h"
#include "trial/backend.h"
#include "zoo/sized.h"

namespace gabbro::trial {

using record::BenchResult;
using record::BenchSpec;
using record::OnProgress;

namespace {

constexpr int kWarmUp = 2;        // initial steps that are not measured
constexpr double kDocuments = 4;  // mean number of documents in a row

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::max(std::chrono::duration<double>(Clock::now() - start).count(), 1e-9);
}

template <class F>
double seconds_of(F&& f) {
  const auto start = Clock::now();
  f();
  return seconds_since(start);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::uint64_t most_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

exec::TokenBatch random_batch(const BenchSpec& spec, std::int64_t vocab, Random random) {
  exec::TokenBatch out{.sequences = spec.sequences, .length = spec.length};
  for (std::int64_t row = 0; row < spec.sequences; ++row) {
    std::int64_t start = 0;
    for (std::int64_t t = 0; t < spec.length; ++t) {
      out.tokens.push_back(random.below(vocab));
      out.targets.push_back(random.below(vocab));
      if (random.chance(kDocuments / static_cast<double>(spec.length))) start = t;
      out.starts.push_back(start);
    }
  }
  return out;
}

// Sets the fields of the result that are known before anything is measured.
void set_design(const lang::Subject& subject, const BenchSpec& spec, BenchResult& out) {
  const ir::SymEnv& env = subject.elaboration.graph.env;
  const ir::TokenCosts costs = ir::token_costs(subject.facts, env, spec.sequences, spec.length);
  out.design = subject.name;
  out.hash = to_hex(subject.hash);
  out.width = std::llround(env.width);
  out.vocab = std::llround(env.vocab);
  out.params = ir::count_params(subject.elaboration.graph);
  out.train_flops_per_token = costs.train_flops;
  out.score_flops_per_token = costs.forward_flops;
}

// Runs the job: fills in the measurements and reports progress.
class Bench {
 public:
  Bench(const BenchSpec& spec, const ir::Graph& graph, const OnProgress& progress, BenchResult& out)
      : spec_(spec), graph_(graph), progress_(progress), out_(out) {}

  Result<bool> run() {
    std::unique_ptr<exec::Model> model;
    out_.model_seconds = seconds_of(
        [&] { model = torch_backend({.threads = spec_.threads, .dtype = spec_.dtype})(graph_, 1); });
    if (auto ok = train(*model); !ok) return ok;
    if (auto ok = score(*model); !ok) return ok;
    out_.peak_bytes = most_resident_bytes();
    const std::vector<exec::NamedArray> weights = model->weights();
    model.reset();
    if (auto ok = decode(weights); !ok) return ok;
    if (spec_.dtype != record::Dtype::kFloat64)
      out_.peak_flops_per_second =
          exec::torch::measure_peaks(spec_.threads, spec_.dtype == record::Dtype::kBf16).matrix_flops;
    return true;
  }

 private:
  // Errors: "stopped" if the job is to stop.
  Result<bool> report_progress(const char* stage, std::int64_t done, std::int64_t total) const {
    record::Progress now{.stage = stage};
    now.share = static_cast<double>(done) / static_cast<double>(total);
    if (progress_ && !progress_(now)) return fail("stopped", "");
    return true;
  }

  [[nodiscard]] double tokens() const { return static_cast<double>(spec_.sequences * spec_.length); }
  exec::TokenBatch batch(std::int64_t i) const { return random_batch(spec_, out_.vocab, Random(7).split(i)); }

  Result<bool> train(exec::Model& model) {
    std::vector<double> seconds;
    for (std::int64_t i = 0; i < kWarmUp + spec_.steps; ++i) {
      const exec::TokenBatch text = batch(i);
      exec::StepReport report;
      const double taken = seconds_of([&] { report = model.step(text, {}); });
      if (!report.updated)
        return fail("bench", fmt::format("step {} is not finite: loss {}, gradient norm {}", i + 1,
                                         report.loss, report.gradient_norm));
      if (i == 0) out_.first_step_seconds = taken;
      if (i >= kWarmUp) seconds.push_back(taken);
      if (auto ok = report_progress("timing training", i + 1, kWarmUp + spec_.steps); !ok) return ok;
    }
    out_.step_seconds = median(seconds);
    out_.train_tokens_per_second = tokens() / out_.step_seconds;
    out_.train_flops_per_second = out_.train_tokens_per_second * out_.train_flops_per_token;
    return true;
  }

  Result<bool> score(exec::Model& model) {
    std::vector<double> seconds;
    for (std::int64_t i = 0; i < 1 + spec_.steps; ++i) {
      const exec::TokenBatch text = batch(i);
      const double taken = seconds_of([&] { model.losses(text); });
      if (i > 0) seconds.push_back(taken);
      if (auto ok = report_progress("timing scoring", i + 1, 1 + spec_.steps); !ok) return ok;
    }
    out_.score_tokens_per_second = tokens() / median(seconds);
    out_.score_flops_per_second = out_.score_tokens_per_second * out_.score_flops_per_token;
    return true;
  }

  // The first token is not timed, since values that do not depend on the position are computed with it.
  Result<bool> decode(const std::vector<exec::NamedArray>& weights) {
    if (spec_.decode == 0) return true;
    exec::torch::Decoder decoder(graph_, weights, spec_.threads);
    Random random(11);
    std::vector<double> seconds;
    for (std::int64_t i = 0; i < 1 + spec_.decode; ++i) {
      const std::int64_t token = random.below(out_.vocab);
      const double taken = seconds_of([&] { decoder.step(token); });
      if (i > 0) seconds.push_back(taken);
      if (auto ok = report_progress("timing decoding", i + 1, 1 + spec_.decode); !ok) return ok;
    }
    out_.decode_tokens_per_second = 1 / median(seconds);
    return true;
  }

  const BenchSpec& spec_;
  const ir::Graph& graph_;
  const OnProgress& progress_;
  BenchResult& out_;
};

Result<bool> run_checked(const BenchSpec& spec, const OnProgress& progress, BenchResult& out) {
  const auto start = Clock::now();
  GABBRO_TRY(subject, zoo::sized_design(spec.program, spec.params, static_cast<int>(spec.vocab)));
  out.check_seconds = seconds_since(start);
  set_design(subject, spec, out);
  out.idle_bytes = most_resident_bytes();
  return Bench(spec, subject.elaboration.graph, progress, out).run();
}

}  // namespace

BenchResult run(const BenchSpec& spec, const OnProgress& progress) {
  BenchResult out;
  out.file = spec.file;
  const auto ok = run_checked(spec, progress, out);
  out.status = ok                                        ? record::Status::kDone
               : is(ok.error(), record::Cause::kStopped) ? record::Status::kStopped
                                                         : record::Status::kFailed;
  if (out.status == record::Status::kFailed) out.cause = format_error(spec.file, ok.error());
  return out;
}

}  // namespace gabbro::trial
