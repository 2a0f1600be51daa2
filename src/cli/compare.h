// gabbro compare: finished runs side by side, paired by held-out document.
#pragma once

#include <string>
#include <vector>

namespace gabbro::cli {

struct CompareCommand {
  std::vector<std::string> runs;  // folders with a result.json, by gabbro train or gabbro export; the first
                                  // is what others are compared with
  bool json = false;
};

/// Prints each run's bits per byte and, of all but the first, the difference to the first on the same
/// held-out documents with its 95 % interval over documents (that of an evolve::Paired of one seed). Exit 0;
/// 1 when a run has no score; 2 for runs that were scored on different held-out text, usage, I/O.
int run_compare(const CompareCommand& c);

}  // namespace gabbro::cli
