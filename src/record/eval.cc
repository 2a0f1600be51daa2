#include "record/eval.h"

#include "record/ranges.h"
#include "record/task_fields.h"

namespace gabbro::record {

template <class Io, Is<EvalSpec> S>
void fields(Io& io, S& s) {
  io("run", s.run);
  io("corpus", s.corpus);
  io("held_out", s.held_out);
  io.later("whole", s.whole);
  io("valid_documents", s.valid_documents);
  io.later("document_tokens", s.document_tokens);
  io("tasks", s.tasks);
  io("limit", s.limit);
  io("length", s.length);
  io("batch", s.batch);
  io("device", s.device);
  io("threads", s.threads);
}

template <class Io, Is<EvalResult> R>
void fields(Io& io, R& r) {
  io("status", r.status);
  io("cause", r.cause);
  io.later("caution", r.caution);
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
  io.later("document_tokens", r.document_tokens);
  io.later("held_out_hash", r.held_out_hash);
  io.list("tasks", r.tasks);
  io("seconds", r.seconds);
}

std::string to_json(const EvalSpec& spec) { return write_record(spec); }
std::string to_json(const EvalResult& result) { return write_record(result); }
Result<EvalSpec> parse_eval_spec(const std::string& json) {
  GABBRO_TRY(s, read_spec<EvalSpec>(json));
  Ranges in;
  in("length", s.length, std::int64_t{0}, kMostLength);
  in("batch", s.batch, std::int64_t{1}, kMostLength);
  in("threads", std::int64_t{s.threads}, std::int64_t{1}, kMostThreads);
  if (const auto ok = in.result(); !ok) return tl::unexpected(ok.error());
  return s;
}
Result<EvalResult> parse_eval_result(const std::string& json) { return read_result<EvalResult>(json); }

}  // namespace gabbro::record
