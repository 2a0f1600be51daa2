// What each part of the pipeline is worth: the same briefs by several variants of it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agents/pipeline.h"

namespace gabbro::agents {

/// "direct": the whole program in one reply; "units": the pipeline as it is set; "no checker", "no planner",
/// "no observer", "no grammar": it without one part.
struct Variant {
  std::string name;
  Settings settings;
  int number = 0;  // among all variants
};
std::vector<Variant> bench_variants(const Settings& settings);

/// Orders for `designs` designs with parents from the zoo; modes drawn by the settings' weights. Task numbers
/// follow from seed and place, so that no two benches of different seeds share one.
std::vector<Brief> bench_briefs(int designs, std::uint64_t seed, const Settings& settings);

/// A design by a variant; `done` is false when it was never begun, or ended by something that says nothing
/// about the variant: "stopped", "cap", "chat down", "chat key", "replay", "store".
struct BenchResult {
  int variant = 0;
  int brief = 0;
  bool done = false;
  record::TaskReport report;
};

/// Every brief by every variant, brief by brief, Settings::tasks at a time. When `stop` says so, or one has
/// ended so that it is not done, no further one is begun. Results in order of briefs, then variants, whatever
/// came first. `tell` is called for each that is done, one at a time.
std::vector<BenchResult> run_bench(const std::vector<Variant>& variants, const std::vector<Brief>& briefs,
                                   const Tools& tools, const std::function<bool()>& stop,
                                   const std::function<void(const BenchResult&)>& tell);

/// A share k / n and its 95 % interval by Wilson's score (1927), which holds for few cases and shares near 0
/// and 1. n = 0: 0 to 1.
struct Share {
  int count = 0, of = 0;
  double low = 0, high = 1;
};
Share wilson(int count, int of);

}  // namespace gabbro::agents
