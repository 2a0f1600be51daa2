#include "record/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/files.h"
#include "record/job.h"
#include "record/ranges.h"
#include "record/task_fields.h"

namespace gabbro::record {

template <class Io, Is<Hurdle> H>
void fields(Io& io, H& h) {
  io("tokens", h.tokens);
  io("loss", h.loss);
}

template <class Io, Is<DocumentScore> D>
void fields(Io& io, D& d) {
  io("bits_per_byte", d.bits_per_byte);
  io("bytes", d.bytes);
}

template <class Io, Is<Point> P>
void fields(Io& io, P& p) {
  io("step", p.step);
  io("tokens", p.tokens);
  io("loss", p.loss);
  io("gradient_norm", p.gradient_norm);
  io("rate", p.rate);
  io.optional("recent", p.recent);
}

template <class Io, Is<ValidPoint> V>
void fields(Io& io, V& v) {
  io("tokens", v.tokens);
  io("bits_per_byte", v.bits_per_byte);
}

template <class Io, Is<ContextGain> C>
void fields(Io& io, C& c) {
  io("tokens", c.tokens);
  io("gain", c.gain);
  io("error", c.error);
  io("positions", c.positions);
}

template <class Io, Is<TrialSpec> S>
void fields(Io& io, S& s) {
  io("program", s.program);
  io("corpus", s.corpus);
  io("folder", s.folder);
  io("params", s.params);
  io("tokens", s.tokens);
  io("sequences", s.sequences);
  io("length", s.length);
  io("rate", s.rate);
  io("decay", s.decay);
  io("schedule", s.schedule);
  io("seed", s.seed);
  io("device", s.device);
  io("threads", s.threads);
  io("rows", s.rows);
  io("valid_documents", s.valid_documents);
  io.optional("document_tokens", s.document_tokens);
  io.optional("dtype", s.dtype);
  io.optional("memory", s.memory);
  io.optional("tasks", s.tasks);
  io.optional("checkpoint_seconds", s.checkpoint_seconds);
  io.optional("text_hash", s.text_hash);
  io.optional("start", s.start);
  io.optional("input_rate", s.input_rate);
  io.optional("output_rate", s.output_rate);
  io.optional_list("hurdles", s.hurdles);
  io.optional("thorough", s.thorough);
  io.optional("unread_tokens", s.unread_tokens);
  io.optional("corpus_hash", s.corpus_hash);
  io.optional("optimizer", s.optimizer);
  io.optional("valid_points", s.valid_points);
  io.optional("engine", s.engine);
  io.optional("gpus", s.gpus);
  io.optional("compile", s.compile);
}

template <class Io, Is<TrialResult> R>
void fields(Io& io, R& r) {
  io("status", r.status);
  io("cause", r.cause);
  io("error", r.error);
  io("design", r.design);
  io("hash", r.hash);
  io("width", r.width);
  io("params", r.params);
  io("tokens", r.tokens);
  io("bits_per_byte", r.bits_per_byte);
  io("bits_low", r.bits_low);
  io("bits_high", r.bits_high);
  io("bits_error", r.bits_error);
  io("valid_loss", r.valid_loss);
  io("valid_documents", r.valid_documents);
  io("valid_bytes", r.valid_bytes);
  io("bigram_bits_per_byte", r.bigram_bits_per_byte);
  io("first_loss", r.first_loss);
  io("last_loss", r.last_loss);
  io("train_seconds", r.train_seconds);
  io("tokens_per_second", r.tokens_per_second);
  io("train_flops_per_token", r.train_flops_per_token);
  io("decode_flops_per_token", r.decode_flops_per_token);
  io("state_bytes", r.state_bytes);
  io("weights_hash", r.weights_hash);
  io.optional_list("tasks", r.tasks);
  io.optional_list("documents", r.documents);
  io.optional("text_hash", r.text_hash);
  io.optional("held_out_hash", r.held_out_hash);
  io.optional("sandbox", r.sandbox);
  io.list("anchors", r.anchors);
  io.list("curve", r.curve);
  io.optional("memory_expected", r.memory_expected);
  io.optional("memory_seen", r.memory_seen);
  io.optional("recomputed", r.recomputed);
  io.optional("moved", r.moved);
  io.optional_list("context", r.context);
  io.optional("rate", r.rate);
  io.optional("input_rate", r.input_rate);
  io.optional("output_rate", r.output_rate);
  io.optional("unread_loss", r.unread_loss);
  io.optional("unread_tokens", r.unread_tokens);
  io.optional("optimizer", r.optimizer);
  io.optional_list("valid_curve", r.valid_curve);
  io.optional("engine", r.engine);
  io.optional("build", r.build);
  io.optional("changed_share", r.changed_share);
}

std::string changed_text_note(double changed_share) {
  if (!(changed_share > 0)) return "";
  return fmt::format(
      "The tokenizer does not reproduce {:.3g} % of the held-out documents: bits per byte count the bytes of "
      "the text that it keeps.",
      100 * changed_share);
}

double nats_per_bit(const TrialResult& r) {
  return r.bits_per_byte > 0 && r.valid_loss > 0 ? r.valid_loss / r.bits_per_byte : 0;
}

double unread_bits(const TrialResult& r) {
  const double ratio = nats_per_bit(r);
  return r.unread_tokens > 0 && ratio > 0 ? r.unread_loss / ratio : 0;
}

bool speaks_of_design(const TrialResult& r) {
  if (r.status == Status::kFailed) return r.error == Cause::kNone;
  return r.status != Status::kStopped &&
         std::none_of(r.anchors.begin(), r.anchors.end(),
                      [](const Anchor& a) { return a.name == "text" && !a.holds; });
}

namespace {

bool is_positive(double v) { return std::isfinite(v) && v > 0; }
bool is_at_least(double v, double minimum) { return std::isfinite(v) && v >= minimum; }

// Checks the curve, from which hurdles of later runs are computed.
std::string curve_misfit(const TrialResult& r) {
  // Nats per token. A single batch may be predicted perfectly, but not all batches of late: hurdles are
  // computed from these.
  constexpr double kMinRecent = 1e-6;
  // Losses of failed and refused runs may be infinite or NaN.
  const bool is_finite = r.status == Status::kDone || r.status == Status::kHurdle;
  std::int64_t step = -1, tokens = 0;
  const auto can_be = [&](double v, double least) { return std::isfinite(v) ? v >= least : !is_finite; };
  for (const Point& p : r.curve) {
    if (p.step <= step || p.tokens <= tokens || !can_be(p.loss, 0) || !can_be(p.recent, kMinRecent))
      return fmt::format("curve with loss {} at step {}, after step {}", p.loss, p.step, step);
    step = p.step, tokens = p.tokens;
  }
  if (is_finite && !r.curve.empty() && tokens != r.tokens)
    return fmt::format("the curve ends at {} tokens, but the run has {}", tokens, r.tokens);
  return "";
}

std::string documents_misfit(const TrialResult& r) {
  constexpr double kRounding = 1e-6;  // relative error of the sum
  double bits = 0, bytes = 0;
  for (const DocumentScore& d : r.documents) {
    if (!is_positive(d.bits_per_byte) || d.bytes < 1)
      return fmt::format("document of {} bytes with {} bits per byte", d.bytes, d.bits_per_byte);
    bits += d.bits_per_byte * static_cast<double>(d.bytes);
    bytes += static_cast<double>(d.bytes);
  }
  if (r.documents.size() != r.valid_documents || bytes != static_cast<double>(r.valid_bytes))
    return fmt::format("{} documents of {} bytes, but {} of {} are listed", r.valid_documents, r.valid_bytes,
                       r.documents.size(), bytes);
  if (!(std::abs(bits / bytes - r.bits_per_byte) <= kRounding * r.bits_per_byte))
    return fmt::format("{} bits per byte, but its documents have {}", r.bits_per_byte, bits / bytes);
  return "";
}

std::string anchors_misfit(const TrialResult& r) {
  for (const std::string_view name : kAnchors)
    if (std::none_of(r.anchors.begin(), r.anchors.end(), [&](const Anchor& a) { return a.name == name; }))
      return fmt::format("done, but the check '{}' is missing", name);
  for (const Anchor& a : r.anchors)
    if (!a.holds) return fmt::format("done, but the check '{}' does not hold", a.name);
  return "";
}

// Checks the values that are reported beside the score.
std::string report_misfit(const TrialResult& r) {
  constexpr double kMaxBits = 64;
  if (!is_positive(r.first_loss) || !is_positive(r.last_loss) || !is_at_least(r.decode_flops_per_token, 0) ||
      !is_at_least(r.state_bytes, 0) || r.bits_error < 0)
    return fmt::format("losses of {} to {}, {} FLOPs and {} bytes of state per token, error {}", r.first_loss,
                       r.last_loss, r.decode_flops_per_token, r.state_bytes, r.bits_error);
  for (const ContextGain& g : r.context)
    if (!(std::abs(g.gain) < kMaxBits) || g.error < 0)
      return fmt::format("gain of context {} ± {} bits per byte", g.gain, g.error);
  std::int64_t tokens = 0;
  for (const ValidPoint& v : r.valid_curve) {
    if (v.tokens <= tokens || v.tokens > r.tokens || !(v.bits_per_byte >= 0 && v.bits_per_byte < kMaxBits))
      return fmt::format("{} bits per byte after {} tokens", v.bits_per_byte, v.tokens);
    tokens = v.tokens;
  }
  if (!r.valid_curve.empty() && r.valid_curve.back().bits_per_byte != r.bits_per_byte)
    return fmt::format("{} bits per byte, but {} at the end of its curve", r.bits_per_byte,
                       r.valid_curve.back().bits_per_byte);
  if (r.unread_tokens < 0 || (r.unread_tokens > 0 && !is_positive(r.unread_loss)))
    return fmt::format("loss {} on {} unread tokens", r.unread_loss, r.unread_tokens);
  return "";
}

}  // namespace

bool same_documents(const std::vector<DocumentScore>& a, const std::vector<DocumentScore>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const DocumentScore& x, const DocumentScore& y) { return x.bytes == y.bytes; });
}

std::string misfit(const TrialResult& r) {
  constexpr double kMinBits = 1e-3, kMaxBits = 64;
  if (r.status == Status::kStopped) return "";
  if (std::string why = curve_misfit(r); !why.empty()) return why;
  if (r.status == Status::kFailed) return "";
  if (!is_at_least(r.train_flops_per_token, 0) || !is_at_least(r.train_seconds, 0))
    return fmt::format("{} FLOPs per token in {} s", r.train_flops_per_token, r.train_seconds);
  if (r.status != Status::kDone) return "";
  if (!(r.bits_per_byte > kMinBits && r.bits_per_byte < kMaxBits))
    return fmt::format("{} bits per byte", r.bits_per_byte);
  const bool has_interval = r.documents.size() > 1;
  if (has_interval ? !(r.bits_low <= r.bits_per_byte && r.bits_per_byte <= r.bits_high)
                   : r.bits_low > r.bits_per_byte || r.bits_high < r.bits_per_byte)
    return fmt::format("{} bits per byte, between {} and {}", r.bits_per_byte, r.bits_low, r.bits_high);
  if (!is_positive(r.valid_loss) || !(r.bigram_bits_per_byte > r.bits_per_byte) || r.weights_hash.empty() ||
      r.text_hash.empty() || r.held_out_hash.empty() || r.width < 1 || r.params < 1 || r.curve.empty())
    return fmt::format(
        "held-out loss {}, bigrams {}, D = {}, {} parameters, weights {}, text {}, held-out text {}",
        r.valid_loss, r.bigram_bits_per_byte, r.width, r.params, r.weights_hash, r.text_hash,
        r.held_out_hash);
  for (const auto& find_misfit : {anchors_misfit, documents_misfit, report_misfit})
    if (std::string why = find_misfit(r); !why.empty()) return why;
  return "";
}

bool is_refused_for_score(const TrialResult& r) {
  if (r.status != Status::kRefused || !(r.bits_per_byte >= r.bigram_bits_per_byte)) return false;
  TrialResult scored = r;  // as it would be if the score were not checked
  scored.status = Status::kDone;
  scored.bigram_bits_per_byte = std::numeric_limits<double>::infinity();
  bool is_worse = false;
  for (Anchor& a : scored.anchors)
    if (a.name == "better than bigrams") is_worse = !std::exchange(a.holds, true);
  return is_worse && misfit(scored).empty();
}

bool is_lost_for_numbers(const TrialResult& r) {
  return (r.status == Status::kFailed || r.status == Status::kRefused) && speaks_of_design(r) &&
         !is_refused_for_score(r);
}

std::string misfit(const TrialSpec& spec, const TrialResult& r) {
  constexpr double kSizeTolerance = 0.02;  // relative tolerance of the number of parameters
  if (std::string why = misfit(r); !why.empty() || r.status == Status::kStopped) return why;
  if (r.tokens < 0 || r.tokens >= spec.tokens + spec.sequences * spec.length)
    return fmt::format("{} tokens instead of {}", r.tokens, spec.tokens);
  if (r.status == Status::kHurdle && spec.hurdles.empty()) return "ended at a hurdle, but there was none";
  if (r.status != Status::kDone) return "";
  if (spec.valid_documents > 0 && r.valid_documents > spec.valid_documents)
    return fmt::format("scored on {} documents instead of {}", r.valid_documents, spec.valid_documents);
  if (r.tokens < spec.tokens) return fmt::format("{} tokens instead of {}", r.tokens, spec.tokens);
  if (spec.params > 0 &&
      std::abs(static_cast<double>(r.params) / static_cast<double>(spec.params) - 1) > kSizeTolerance)
    return fmt::format("{} parameters instead of {}", r.params, spec.params);
  if (r.rate != spec.rate || r.input_rate != spec.input_rate || r.output_rate != spec.output_rate)
    return fmt::format("trained with the learning rates {}, {} and {} instead of {}, {} and {}", r.rate,
                       r.input_rate, r.output_rate, spec.rate, spec.input_rate, spec.output_rate);
  if (r.optimizer != spec.optimizer)
    return fmt::format("trained with {} instead of {}", r.optimizer, spec.optimizer);
  if ((spec.engine == Engine::kCpu) != r.engine.empty())
    return fmt::format("ran on '{}' instead of the engine {}", r.engine, spec.engine);
  if (std::string why = misfit(spec.tasks, r.tasks); !why.empty()) return why;
  if (r.unread_tokens > spec.unread_tokens + spec.sequences * spec.length)
    return fmt::format("{} unread tokens instead of {}", r.unread_tokens, spec.unread_tokens);
  return "";
}

std::string misfit(const TrialSpec& spec, const std::string& hash, const TrialResult& r) {
  if (std::string why = misfit(spec, r);
      !why.empty() || r.status == Status::kStopped || r.status == Status::kFailed)
    return why;
  return r.hash == hash ? ""
                        : fmt::format("it belongs to the design with hash {} instead of {}", r.hash, hash);
}

std::string to_json(const TrialSpec& spec) { return write_record(spec); }
std::string to_json(const TrialResult& result) { return write_record(result); }
Result<TrialSpec> parse_spec(const std::string& json) {
  constexpr std::int64_t kMaxParams = std::int64_t{1} << 50, kMaxBytes = std::int64_t{1} << 60;
  constexpr std::int64_t kMaxValidPoints = 1000;
  constexpr double kMaxRate = 1e6, kMaxSeconds = 1e12;
  GABBRO_TRY(s, read_spec<TrialSpec>(json));
  Ranges check;
  check("params", s.params, std::int64_t{0}, kMaxParams);
  check("tokens", s.tokens, std::int64_t{1}, kMaxParams);
  check("sequences", s.sequences, std::int64_t{1}, kMaxLength);
  check("length", s.length, std::int64_t{1}, kMaxLength);
  check("rate", s.rate, 0.0, kMaxRate);
  check("input_rate", s.input_rate, 0.0, kMaxRate);
  check("output_rate", s.output_rate, 0.0, kMaxRate);
  check("decay", s.decay, 0.0, kMaxRate);
  check("valid_points", std::int64_t{s.valid_points}, std::int64_t{0}, kMaxValidPoints);
  check("threads", std::int64_t{s.threads}, std::int64_t{1}, kMaxThreads);
  check("rows", s.rows, std::int64_t{0}, kMaxLength);
  check("valid_documents", s.valid_documents, std::uint64_t{0}, std::uint64_t{kMaxParams});
  check("document_tokens", s.document_tokens, std::uint64_t{0}, std::uint64_t{kMaxParams});
  check("memory", s.memory, std::int64_t{0}, kMaxBytes);
  check("checkpoint_seconds", s.checkpoint_seconds, 0.0, kMaxSeconds);
  check("gpus", std::int64_t{s.gpus}, std::int64_t{1}, kMaxGpus);
  for (const Hurdle& h : s.hurdles) check("tokens of a hurdle", h.tokens, std::int64_t{0}, kMaxParams);
  if (const auto ok = check.result(); !ok) return tl::unexpected(ok.error());
  if (const auto ok = check_engine({.engine = s.engine, .device = s.device, .gpus = s.gpus}); !ok)
    return tl::unexpected(ok.error());
  return s;
}
Result<TrialResult> parse_result(const std::string& json) { return read_result<TrialResult>(json); }

Result<TrialSpec> read_run_spec(const std::string& folder) {
  const std::string file = folder + "/spec.json";
  const auto text = read_file(file, kMostText);
  if (!text)
    return fail("run", fmt::format("there is no run in {}: spec.json is missing", folder),
                "name a folder made by `gabbro train --out`");
  auto spec = parse_spec(*text);
  if (!spec) return fail("run", fmt::format("{}: {}", file, spec.error().message));
  return spec;
}

}  // namespace gabbro::record
