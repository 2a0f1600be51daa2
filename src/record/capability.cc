#include "record/capability.h"

#include <fmt/format.h>

#include "record/fields.h"

namespace gabbro::record {

template <class Io, Is<CapabilitySpec> S>
void fields(Io& io, S& s) {
  io("file", s.file);
  io("program", s.program);
  io("tasks", s.tasks);
  io("seed", s.seed);
  io("steps", s.steps);
  io("threads", s.threads);
  io("memory", s.memory);
}

template <class Io, Is<CapabilityScore> S>
void fields(Io& io, S& s) {
  io("task", s.task);
  io("length", s.length);
  io("accuracy", s.accuracy);
  io("error", s.error);
  io("chance", s.chance);
  io("asked", s.answers);
}

template <class Io, Is<CapabilityTask> T>
void fields(Io& io, T& t) {
  io("task", t.task);
  io("outcome", t.outcome);
  io("cause", t.cause);
  io("params", t.params);
  io("rate", t.rate);
  io("loss", t.loss);
  io("runs", t.runs);
  io("steps", t.steps);
  io("tokens", t.tokens);
  io("seconds", t.seconds);
  io.list("scores", t.scores);
}

template <class Io, Is<CapabilityResult> R>
void fields(Io& io, R& r) {
  io("status", r.status);
  io("cause", r.cause);
  io("file", r.file);
  io("design", r.design);
  io("hash", r.hash);
  io("width", r.width);
  io("seed", r.seed);
  io("seconds", r.seconds);
  io.list("tasks", r.tasks);
}

std::string to_json(const CapabilitySpec& spec) { return write_record(spec); }
std::string to_json(const CapabilityResult& result) { return write_record(result); }
std::string to_line(const CapabilityResult& result) { return write_record(result, /*indented=*/false); }
Result<CapabilityResult> parse_capability_result(const std::string& json) {
  return read_result<CapabilityResult>(json);
}

Result<CapabilitySpec> parse_capability_spec(const std::string& json) {
  GABBRO_TRY(spec, read_spec<CapabilitySpec>(json));
  if (spec.steps < 1) return fail("spec", fmt::format("steps is {}, but must be at least 1", spec.steps));
  if (spec.memory < 0) return fail("spec", fmt::format("memory is {}, but must be at least 0", spec.memory));
  return spec;
}

}  // namespace gabbro::record
