#include "record/probe.h"

#include <fmt/format.h>

#include <algorithm>

namespace gabbro::record {

template <class Io, Is<ProbeSpec> S>
void fields(Io& io, S& s) {
  io("files", s.files);
  io("programs", s.programs);
  io("seed", s.seed);
  io("seconds", s.seconds);
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

std::string misfit(const ProbeSpec& spec, const ProbeResult& result) {
  if (result.status == Status::kStopped) return "";
  if (result.reports.size() != spec.files.size())
    return fmt::format("{} reports for {} files", result.reports.size(), spec.files.size());
  bool all_hold = true;
  for (std::size_t i = 0; i < spec.files.size(); ++i) {
    const ProbeReport& r = result.reports[i];
    const bool holds = !r.checks.empty() &&
                       std::all_of(r.checks.begin(), r.checks.end(), [](const Anchor& a) { return a.holds; });
    if (r.file != spec.files[i] || r.holds != holds)
      return fmt::format("report of {} with {} checks, {}", r.file, r.checks.size(),
                         r.holds ? "all of which hold" : "not all of which hold");
    all_hold = all_hold && r.holds;
  }
  return all_hold == (result.status == Status::kDone) ? "" : "its status does not match its checks";
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
