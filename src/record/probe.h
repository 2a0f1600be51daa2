// The job "probe": designs run on random numbers, to see whether they behave as was proved.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/anchor.h"
#include "record/spelling.h"

namespace gabbro::record {

struct ProbeSpec {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "probe";
  std::vector<std::string> files, programs;  // names for the report, and as many texts
  std::uint64_t seed = 1;
  double seconds = 0;  // per design: again with other numbers while this much time is left; 0: once
  std::string device = "cpu";
  int threads = 1;
};

struct ProbeReport {
  std::string file;
  std::string error;                   // of the program, when it could not be probed
  std::string design;                  // its name
  std::string hash;                    // canonical, of the design as written
  bool holds = false;                  // every check does
  std::int64_t width = 0, params = 0;  // as it was run
  double seconds = 0;
  std::vector<Anchor> checks;
};

struct ProbeResult {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "probe";
  Status status = Status::kFailed;  // kDone: every check of every design holds; kFailed: there are no reports
  std::string cause;
  std::vector<ProbeReport> reports;
};

/// Returns why the reports cannot be those of the files; "": they can.
std::string misfit(const ProbeSpec& spec, const ProbeResult& result);

std::string to_json(const ProbeSpec& spec);
std::string to_json(const ProbeResult& result);
/// Errors: as those of a trial.
Result<ProbeSpec> parse_probe_spec(const std::string& json);
Result<ProbeResult> parse_probe_result(const std::string& json);

}  // namespace gabbro::record
