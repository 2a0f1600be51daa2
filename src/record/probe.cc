#include "record/probe.h"

#include <fmt/format.h>

namespace gabbro::record {

template <class Io, Is<ProbeSpec> S>
void fields(Io& io, S& s) {
  io("files", s.files);
  io("programs", s.programs);
  io("seed", s.seed);
  io("seconds", s.seconds);
  io("device", s.device);
  io("threads", s.threads);
}

template <class Io, Is<ProbeReport> R>
void fields(Io& io, R& r) {
  io("file", r.file);
  io("error", r.error);
  io("design", r.design);
  io("hash", r.hash);
  io("holds", r.holds);
  io("width", r.width);
  io("params", r.params);
  io("seconds", r.seconds);
  io.list("checks", r.checks);
}

template <class Io, Is<ProbeResult> R>
void fields(Io& io, R& r) {
  io("status", r.status);
  io("cause", r.cause);
  io.list("reports", r.reports);
}

std::string to_json(const ProbeSpec& spec) { return write_record(spec); }
std::string to_json(const ProbeResult& result) { return write_record(result); }
Result<ProbeResult> parse_probe_result(const std::string& json) { return read_result<ProbeResult>(json); }

Result<ProbeSpec> parse_probe_spec(const std::string& json) {
  GABBRO_TRY(spec, read_spec<ProbeSpec>(json));
  if (spec.files.size() != spec.programs.size())
    return fail("spec", fmt::format("{} files for {} programs", spec.files.size(), spec.programs.size()));
  return spec;
}

}  // namespace gabbro::record
