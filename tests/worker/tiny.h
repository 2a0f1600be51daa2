// A run of gabbro-worker that takes a second: a tiny design on the text of data/made_corpus.h.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/files.h"
#include "paths.h"
#include "record/eval.h"
#include "record/trial.h"

namespace gabbro::testing {

inline const std::string kTiny = "design Tiny:\n    width = 32\n    stack = [Block, RMSNorm]\n";

/// Returns the spec of a run of `steps` steps on the corpus `root`/corpus.
inline record::TrialSpec tiny_spec(const std::filesystem::path& root, std::int64_t steps = 120) {
  record::TrialSpec s;
  s.program = kTiny;
  s.corpus = root / "corpus";
  s.sequences = 8;
  s.length = 32;
  s.tokens = steps * s.sequences * s.length;
  s.rate = 1e-3;  // at fan-in 256; eight times as much at 32
  s.threads = 1;
  return s;
}

/// Returns what the worker left in `root`/result.json.
inline record::TrialResult result_in(const std::filesystem::path& root) {
  const auto read = record::parse_result(read_file(root / "result.json").value_or(""));
  EXPECT_TRUE(read.has_value()) << read.error().message;
  return read ? *read : record::TrialResult{};
}

/// Runs the worker on the text of a spec, in `root`, and returns its result. The worker must exit with 0.
inline record::TrialResult run_worker(const std::filesystem::path& root, const std::string& spec) {
  std::ofstream(root / "spec.json") << spec;
  std::filesystem::remove(root / "result.json");
  const std::string log = root / "log";
  const int code = std::system((worker_path() + " " + (root / "spec.json").string() + " " +
                                (root / "result.json").string() + " > /dev/null 2>" + log)
                                   .c_str());
  EXPECT_EQ(code, 0) << read_file(log).value_or("");
  return result_in(root);
}

}  // namespace gabbro::testing
