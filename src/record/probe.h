// The job "probe": runs designs on random numbers and checks that they behave as proved.
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
  std::vector<std::string> files, programs;  // names for the report, and their source texts
  std::uint64_t seed = 1;
  double seconds = 0;  // time per design for repetitions with other numbers; 0: a single run
  int threads = 1;
};

struct ProbeReport {
  std::string file;
  std::string error;                   // error of the program if it could not be probed
  std::string design;                  // name of the design
  std::string hash;                    // canonical hash of the design as written
  bool holds = false;                  // every check holds
  std::int64_t width = 0, params = 0;  // as it was run
  double seconds = 0;
  std::vector<Anchor> checks;
};

struct ProbeResult {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "probe";
  // kDone: every check of every design holds; kFailed: there are no reports.
  Status status = Status::kFailed;
  std::string cause;
  std::vector<ProbeReport> reports;
};

/// Returns why the reports cannot be those of the files; "": they can.
std::string misfit(const ProbeSpec& spec, const ProbeResult& result);

std::string to_json(const ProbeSpec& spec);
std::string to_json(const ProbeResult& result);
/// Errors: as in record/trial.h.
Result<ProbeSpec> parse_probe_spec(const std::string& json);
Result<ProbeResult> parse_probe_result(const std::string& json);

}  // namespace gabbro::record
