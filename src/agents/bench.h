// Measures the contribution of each part of the pipeline: several variants of it work on the same briefs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agents/pipeline.h"

namespace gabbro::agents {

/// A variant of the pipeline. "direct" asks for the whole program in one reply; "units" is the pipeline as
/// configured; "no checker", "no planner", "no observer" and "no grammar" leave out one part.
struct PipelineVariant {
  std::string name;
  AgentSettings settings;
  int number = 0;  // index among all variants
};
std::vector<PipelineVariant> bench_variants(const AgentSettings& settings);

/// Returns `designs` briefs with parents from the zoo; modes are drawn by the weights in `settings`. Task
/// numbers are derived from the seed and the index, so benchmarks with different seeds share none.
std::vector<Brief> bench_briefs(int designs, std::uint64_t seed, const AgentSettings& settings);

/// The result of one brief with one variant. `done` is false if the task was never begun, or if it ended with
/// a cause that says nothing about the variant: "stopped", "cap", "chat down", "chat key", "replay" or
/// "store".
struct PipelineBench {
  int variant = 0;
  int brief = 0;
  bool done = false;
  record::TaskReport report;
};

/// Runs every brief with every variant, brief by brief, with Settings::tasks tasks at a time. No further task
/// begins once `stop` returns true or a task has ended without being done. Results are ordered by brief, then
/// by variant, regardless of which finished first. `tell` is called for each result that is done, by one
/// thread at a time.
std::vector<PipelineBench> run_bench(const std::vector<PipelineVariant>& variants,
                                     const std::vector<Brief>& briefs, const Tools& tools,
                                     const std::function<bool()>& stop,
                                     const std::function<void(const PipelineBench&)>& tell);

/// A proportion k / n with its 95 % confidence interval by Wilson's score method (1927), which is accurate
/// for few cases and for proportions near 0 and 1. For n = 0 the interval is 0 to 1.
struct Share {
  int count = 0, of = 0;
  double low = 0, high = 1;
};
Share wilson(int count, int of);

}  // namespace gabbro::agents
