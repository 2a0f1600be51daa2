// The A/A test: copies of one design, which nothing may tell apart.
#pragma once

#include <cstdint>
#include <optional>

#include "evolve/ladder.h"
#include "evolve/population.h"

namespace gabbro::evolve {

/// Copies (Origin::kAaReplicate) are trained at the first rung with the same seeds of the data and first
/// weights of their own.
constexpr int kReplicates = 12, kReplicateSeeds = 5;

/// The next run: all copies with one seed before any with the next. Nothing: all are done.
std::optional<Wanted> next_replicate_run(const Population& population, std::uint64_t first_seed);

struct ReplicateReport {
  int copies = 0, seeds = 0;  // seeds that all copies have
  int pairs = 0;              // of copies; 0 without seeds
  int significant = 0;        // pairs that differ significantly, by the interval of the last comparison
  double rate = 0;  // share of pairs that differ significantly when each seed's runs are dealt anew among the
                    // copies, mean of many deals
  double as_many = 0;      // share of the deals in which as many pairs as here differ significantly, or more
  double seed_stddev = 0;  // standard deviation of bits per byte between copies on the same data
};
/// `rate` is the rate of false verdicts at the deviation of real runs; `significant / pairs` is one draw of
/// it, and an uneven one, since pairs share copies. O(deals x copies^2 x seeds x documents), less than a
/// second.
ReplicateReport replicate_report(const Population& population, std::uint64_t first_seed, double level = 0.05);

}  // namespace gabbro::evolve
