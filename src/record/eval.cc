#include "record/eval.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "record/job.h"
#include "record/ranges.h"
#include "record/task_fields.h"

namespace gabbro::record {

template <class Io, Is<EvalSpec> S>
void fields(Io& io, S& s) {
  io("run", s.run);
  io("corpus", s.corpus);
  io("held_out", s.held_out);
  io.optional("whole", s.whole);
  io("valid_documents", s.valid_documents);
  io.optional("document_tokens", s.document_tokens);
  io("tasks", s.tasks);
  io("limit", s.limit);
  io("length", s.length);
  io("batch", s.batch);
  io("device", s.device);
  io("threads", s.threads);
  io.optional("engine", s.engine);
}

template <class Io, Is<EvalResult> R>
void fields(Io& io, R& r) {
  io("status", r.status);
  io("cause", r.cause);
  io.optional("caution", r.caution);
  io("design", r.design);
  io("hash", r.hash);
  io("params", r.params);
  io("length", r.length);
  io("weights_hash", r.weights_hash);
  io("corpus", r.corpus);
  io("bits_per_byte", r.bits_per_byte);
  io("bits_low", r.bits_low);
  io("bits_high", r.bits_high);
  io("bits_error", r.bits_error);
  io("valid_loss", r.valid_loss);
  io("valid_documents", r.valid_documents);
  io("valid_bytes", r.valid_bytes);
  io.optional("document_tokens", r.document_tokens);
  io.optional("held_out_hash", r.held_out_hash);
  io.list("tasks", r.tasks);
  io("seconds", r.seconds);
  io.optional("engine", r.engine);
  io.optional("changed_share", r.changed_share);
}

namespace {

// Returns why a metric is impossible, or "". A correlation (mcc) is in [-1, 1], other bounded metrics in [0,
// 1].
std::string metric_misfit(const TaskScore& task, const Metric& m) {
  const bool is_correlation = m.name == "mcc", is_unbounded = m.name == "perplexity" || m.name == "gold_nats";
  const double minimum = is_correlation ? -1 : 0, maximum = 1;
  const bool fits = std::isfinite(m.value) && (is_unbounded || (m.value >= minimum && m.value <= maximum));
  if (fits && !(m.error < 0) && m.items >= 1 && m.items <= task.items) return "";
  return fmt::format("{} of {} is {} ± {} over {} of {} items", m.name, task.name, m.value, m.error, m.items,
                     task.items);
}

}  // namespace

std::string misfit(const std::vector<std::string>& requested, const std::vector<TaskScore>& scores) {
  if (scores.size() != requested.size())
    return fmt::format("scores of {} benchmarks instead of {}", scores.size(), requested.size());
  for (std::size_t i = 0; i < requested.size(); ++i) {
    const TaskScore& task = scores[i];
    if (task.file.empty() || !requested[i].ends_with(task.file))
      return fmt::format("scores of {} instead of {}", task.file, requested[i]);
    if (task.items < 1 || task.metrics.empty())
      return fmt::format("{} has {} items and {} metrics", task.name, task.items, task.metrics.size());
    for (const Metric& m : task.metrics)
      if (std::string why = metric_misfit(task, m); !why.empty()) return why;
  }
  return "";
}

std::string misfit(const EvalSpec& spec, const EvalResult& r) {
  constexpr double kMinBits = 0.01, kMaxBits = 64;  // per byte; scores outside are refused
  if (r.status == Status::kStopped || r.status == Status::kFailed) return "";
  if (r.status != Status::kDone)
    return fmt::format("invalid status '{}' for an evaluation", word_of(r.status));
  if (r.params < 1 || r.length < 1 || r.weights_hash.empty() || r.hash.empty())
    return fmt::format("{} parameters, sequence length {}, weights {}, design {}", r.params, r.length,
                       r.weights_hash, r.hash);
  if (spec.held_out) {
    if (!(r.bits_per_byte > kMinBits && r.bits_per_byte < kMaxBits) || r.bits_low > r.bits_per_byte ||
        r.bits_high < r.bits_per_byte)
      return fmt::format("{} bits per byte, between {} and {}", r.bits_per_byte, r.bits_low, r.bits_high);
    if (r.valid_documents < 1 || r.valid_bytes < 1 || r.held_out_hash.empty() ||
        (spec.valid_documents > 0 && r.valid_documents > spec.valid_documents))
      return fmt::format("{} documents of {} bytes, held-out text {}", r.valid_documents, r.valid_bytes,
                         r.held_out_hash);
  }
  return misfit(spec.tasks, r.tasks);
}

std::string to_json(const EvalSpec& spec) { return write_record(spec); }
std::string to_json(const EvalResult& result) { return write_record(result); }
Result<EvalSpec> parse_eval_spec(const std::string& json) {
  GABBRO_TRY(s, read_spec<EvalSpec>(json));
  Ranges check;
  check("length", s.length, std::int64_t{0}, kMaxLength);
  check("batch", s.batch, std::int64_t{1}, kMaxLength);
  check("threads", std::int64_t{s.threads}, std::int64_t{1}, kMaxThreads);
  check("document_tokens", s.document_tokens, std::uint64_t{0}, std::uint64_t{kMaxLength});
  if (const auto ok = check.result(); !ok) return tl::unexpected(ok.error());
  if (const auto ok = check_engine({.engine = s.engine, .device = s.device, .gpus = 1}); !ok)
    return tl::unexpected(ok.error());
  return s;
}
Result<EvalResult> parse_eval_result(const std::string& json) { return read_result<EvalResult>(json); }

}  // namespace gabbro::record
