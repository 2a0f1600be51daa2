// gabbro compare: compares finished runs, paired by held-out document.
#pragma once

#include <string>
#include <vector>

namespace gabbro::cli {

struct CompareCommand {
  // Folders with a result.json, written by gabbro train or gabbro export. All others are compared with
  // the first.
  std::vector<std::string> runs;
  bool json = false;
};

/// Prints each run's bits per byte and, for all but the first, the difference from the first on the same
/// held-out documents with its 95 % interval over documents, which leaves out the variation between seeds.
/// Exit codes: 0; 1 a run has no score; 2 different held-out text, an inconsistent result, usage, I/O.
int run_compare(const CompareCommand& c);

}  // namespace gabbro::cli
