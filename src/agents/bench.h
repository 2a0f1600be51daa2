// Measures the contribution of each part of the pipeline: several variants of it work on the same briefs.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agents/pipeline.h"

namespace gabbro::agents {

/// A variant of the pipeline, made from the settings of agents.toml.
struct PipelineVariant {
  std::string name;
  AgentSettings settings;
  int number = 0;  // index in the result of bench_variants, also after others were removed
};
/// Returns all variants. "units" is the pipeline as configured, and "no checker", "no planner", "no
/// observer", "no grammar", "no librarian" and "no reviewer" leave out one part of it. "program" asks for the
/// whole program and has the checker repair it, "reviewed program" adds librarian and reviewer, and "direct"
/// takes the first reply as it is.
std::vector<PipelineVariant> bench_variants(const AgentSettings& settings);

/// Returns `designs` briefs with parents from the zoo; modes are drawn by the weights in `settings`. Task
/// numbers are derived from the seed and the index, so benchmarks share none if their seeds differ modulo a
/// million.
std::vector<Brief> bench_briefs(int designs, std::uint64_t seed, const AgentSettings& settings);

/// The result of one brief with one variant. `done` is false if the task was never begun, or if it ended with
/// a cause that says nothing about the variant: "stopped", "cap", "chat down", "chat key", "replay" or
/// "store".
struct PipelineBenchResult {
  int variant = 0;  // index into the variants of run_bench
  int brief = 0;    // index into its briefs
  bool done = false;
  record::TaskReport report;
};

/// Runs every brief with every variant, brief by brief, with AgentSettings::tasks tasks at a time. No further
/// task begins once `stop` returns true or a task has ended without being done. Results are ordered by brief,
/// then by variant, regardless of which finished first. `on_done` is called for each result that is done, by
/// one thread at a time; may be empty.
std::vector<PipelineBenchResult> run_bench(const std::vector<PipelineVariant>& variants,
                                           const std::vector<Brief>& briefs, const TaskResources& resources,
                                           const std::function<bool()>& stop,
                                           const std::function<void(const PipelineBenchResult&)>& on_done);

/// Tokens (input and output) and money for one valid design: those of all finished tasks of a variant, failed
/// ones included, divided by its valid designs.
struct PerValidDesign {
  double tokens = 0, cost = 0;
};
/// Returns nothing if the variant has no valid design.
std::optional<PerValidDesign> per_valid_design(const std::vector<PipelineBenchResult>& results, int variant);

/// A proportion count / total with its confidence interval.
struct Share {
  int count = 0, total = 0;
  double low = 0, high = 1;
};
/// Returns the 95 % confidence interval by Wilson's score method (1927), which is accurate for few cases and
/// for proportions near 0 and 1. For a total of 0 the interval is 0 to 1.
Share wilson(int count, int total);

}  // namespace gabbro::agents
