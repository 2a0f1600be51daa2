#include "record/bench.h"

#include <fmt/format.h>

#include <tuple>

#include "record/fields.h"

namespace gabbro::record {

template <class Io, Is<BenchSpec> S>
void fields(Io& io, S& s) {
  io("file", s.file);
  io("program", s.program);
  io("params", s.params);
  io("vocab", s.vocab);
  io("sequences", s.sequences);
  io("length", s.length);
  io("steps", s.steps);
  io("decode", s.decode);
  io("dtype", s.dtype);
  io("threads", s.threads);
}

template <class Io, Is<BenchResult> R>
void fields(Io& io, R& r) {
  io("status", r.status);
  io("cause", r.cause);
  io("file", r.file);
  io("design", r.design);
  io("hash", r.hash);
  io("width", r.width);
  io("params", r.params);
  io("vocab", r.vocab);
  io("check_seconds", r.check_seconds);
  io("model_seconds", r.model_seconds);
  io("first_step_seconds", r.first_step_seconds);
  io("step_seconds", r.step_seconds);
  io("train_tokens_per_second", r.train_tokens_per_second);
  io("score_tokens_per_second", r.score_tokens_per_second);
  io("decode_tokens_per_second", r.decode_tokens_per_second);
  io("train_flops_per_token", r.train_flops_per_token);
  io("score_flops_per_token", r.score_flops_per_token);
  io("train_flops_per_second", r.train_flops_per_second);
  io("score_flops_per_second", r.score_flops_per_second);
  io("peak_flops_per_second", r.peak_flops_per_second);
  io("idle_bytes", r.idle_bytes);
  io("peak_bytes", r.peak_bytes);
}

std::string to_json(const BenchSpec& spec) { return write_record(spec); }
std::string to_json(const BenchResult& result) { return write_record(result); }
std::string to_line(const BenchResult& result) { return write_record(result, /*indented=*/false); }
Result<BenchResult> parse_bench_result(const std::string& json) { return read_result<BenchResult>(json); }

Result<BenchSpec> parse_bench_spec(const std::string& json) {
  GABBRO_TRY(spec, read_spec<BenchSpec>(json));
  const std::tuple<const char*, std::int64_t, std::int64_t> ranges[] = {
      {"params", spec.params, 0}, {"vocab", spec.vocab, 0}, {"sequences", spec.sequences, 1},
      {"length", spec.length, 2}, {"steps", spec.steps, 1}, {"decode", spec.decode, 0}};
  for (const auto& [name, value, minimum] : ranges)
    if (value < minimum)
      return fail("spec", fmt::format("{} is {}, but must be at least {}", name, value, minimum));
  return spec;
}

}  // namespace gabbro::record
