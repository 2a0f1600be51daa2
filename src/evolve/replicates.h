// The A/A test: trains copies of one design, which should not differ significantly.
#pragma once

#include <cstdint>
#include <optional>

#include "evolve/ladder.h"
#include "evolve/population.h"

namespace gabbro::evolve {

/// Numbers of copies and of seeds. The copies (Origin::kAaReplicate) train at the first rung. On each seed
/// they read the same data, but each has an initialisation of its own.
constexpr int kReplicates = 12, kReplicateSeeds = 5;

/// Returns the next run: all copies run on one seed before any runs on the next. Returns nothing once all
/// runs have begun. The seeds are first_seed, first_seed + 1, ...
std::optional<RunRequest> next_replicate_run(const Population& population, std::uint64_t first_seed);

/// Result of an A/A test.
struct ReplicateReport {
  int copies = 0, seeds = 0;  // numbers of copies, and of seeds on which all of them have a score
  int pairs = 0;              // pairs of copies; 0 while `seeds` is 0
  int significant = 0;        // pairs that differ significantly, by the interval of the final comparison
  // Mean share of pairs that differ significantly when each seed's runs are randomly permuted among the
  // copies, over many permutations.
  double false_positive_rate = 0;
  // Share of permutations, the runs as they are among them, with at least as many significant pairs.
  double p_value = 0;
  double seed_stddev = 0;  // standard deviation of bits per byte between copies on the same data
};
/// Computes the report of an A/A test, by a permutation test. `significant / pairs` is a single, noisy sample
/// of the false positive rate, since pairs share copies. `level` is the significance level of each pair.
/// O(permutations x copies^2 x seeds x documents), less than a second.
ReplicateReport replicate_report(const Population& population, std::uint64_t first_seed, double level = 0.05);

}  // namespace gabbro::evolve
