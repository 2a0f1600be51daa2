#include "record/generate.h"

#include "record/fields.h"

namespace gabbro::record {

template <class Io, Is<GenerateSpec> S>
void fields(Io& io, S& s) {
  io("run", s.run);
  io("corpus", s.corpus);
  io("prompt", s.prompt);
  io("tokens", s.tokens);
  io("temperature", s.temperature);
  io("top_k", s.top_k);
  io("top_p", s.top_p);
  io("seed", s.seed);
  io("threads", s.threads);
}

template <class Io, Is<GenerateResult> R>
void fields(Io& io, R& r) {
  io("status", r.status);
  io("cause", r.cause);
  io("text", r.text);
  io("ended", r.ended);
  io("prompt_tokens", r.prompt_tokens);
  io("tokens", r.tokens);
  io("seconds", r.seconds);
  io("tokens_per_second", r.tokens_per_second);
  io("weights_hash", r.weights_hash);
}

std::string to_json(const GenerateSpec& spec) { return write_record(spec); }
std::string to_json(const GenerateResult& result) { return write_record(result); }
Result<GenerateSpec> parse_generate_spec(const std::string& json) { return read_spec<GenerateSpec>(json); }
Result<GenerateResult> parse_generate_result(const std::string& json) {
  return read_result<GenerateResult>(json);
}

}  // namespace gabbro::record
