#include "record/trial.h"

#include <fmt/format.h>

#include <cmath>

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
  io.later("recent", p.recent);
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
  io.later("document_tokens", s.document_tokens);
  io.later("dtype", s.dtype);
  io.later("memory", s.memory);
  io.later("tasks", s.tasks);
  io.later("checkpoint_seconds", s.checkpoint_seconds);
  io.later("text_hash", s.text_hash);
  io.later("start", s.start);
  io.later("input_rate", s.input_rate);
  io.later("output_rate", s.output_rate);
  io.later_list("hurdles", s.hurdles);
  io.later("thorough", s.thorough);
}

template <class Io, Is<TrialResult> R>
void fields(Io& io, R& r) {
  io("status", r.status);
  io("cause", r.cause);
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
  io.later_list("tasks", r.tasks);
  io.later_list("documents", r.documents);
  io.later("text_hash", r.text_hash);
  io.later("held_out_hash", r.held_out_hash);
  io.later("sandbox", r.sandbox);
  io.list("anchors", r.anchors);
  io.list("curve", r.curve);
  io.later("memory_expected", r.memory_expected);
  io.later("memory_seen", r.memory_seen);
  io.later("recomputed", r.recomputed);
  io.later("moved", r.moved);
  io.later_list("context", r.context);
  io.later("rate", r.rate);
  io.later("input_rate", r.input_rate);
  io.later("output_rate", r.output_rate);
}

std::string documents_misfit(const TrialResult& r) {
  constexpr double kRounding = 1e-6;
  double bits = 0, bytes = 0;
  for (const DocumentScore& d : r.documents) {
    if (!(std::isfinite(d.bits_per_byte) && d.bits_per_byte > 0))
      return fmt::format("a document with {} bits per byte", d.bits_per_byte);
    bits += d.bits_per_byte * static_cast<double>(d.bytes);
    bytes += static_cast<double>(d.bytes);
  }
  if (r.documents.size() != r.valid_documents || bytes != static_cast<double>(r.valid_bytes))
    return fmt::format("{} documents of {} bytes, which lists {} of {}", r.valid_documents, r.valid_bytes,
                       r.documents.size(), bytes);
  if (!(std::abs(bits / bytes - r.bits_per_byte) <= kRounding * r.bits_per_byte))
    return fmt::format("{} bits per byte, its documents have {}", r.bits_per_byte, bits / bytes);
  return "";
}

std::string to_json(const TrialSpec& spec) { return write_record(spec); }
std::string to_json(const TrialResult& result) { return write_record(result); }
Result<TrialSpec> parse_spec(const std::string& json) {
  constexpr std::int64_t kMostParams = std::int64_t{1} << 50, kMostBytes = std::int64_t{1} << 60;
  constexpr double kMostRate = 1e6;
  GABBRO_TRY(s, read_spec<TrialSpec>(json));
  Ranges in;
  in("params", s.params, std::int64_t{0}, kMostParams);
  in("tokens", s.tokens, std::int64_t{1}, kMostParams);
  in("sequences", s.sequences, std::int64_t{1}, kMostLength);
  in("length", s.length, std::int64_t{1}, kMostLength);
  in("rate", s.rate, 0.0, kMostRate);
  in("input_rate", s.input_rate, 0.0, kMostRate);
  in("output_rate", s.output_rate, 0.0, kMostRate);
  in("decay", s.decay, 0.0, kMostRate);
  in("threads", std::int64_t{s.threads}, std::int64_t{1}, kMostThreads);
  in("rows", s.rows, std::int64_t{0}, kMostLength);
  in("memory", s.memory, std::int64_t{0}, kMostBytes);
  in("checkpoint_seconds", s.checkpoint_seconds, 0.0, 1e12);
  for (const Hurdle& h : s.hurdles) in("tokens of a hurdle", h.tokens, std::int64_t{0}, kMostParams);
  if (const auto ok = in.result(); !ok) return tl::unexpected(ok.error());
  return s;
}
Result<TrialResult> parse_result(const std::string& json) { return read_result<TrialResult>(json); }

}  // namespace gabbro::record
