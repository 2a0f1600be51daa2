// The A/A test: copies of one design, which nothing may tell apart.
#pragma once

#include <cstdint>
#include <optional>

#include "evolve/ladder.h"
#include "evolve/population.h"

namespace gabbro::evolve {

/// Copies (Origin::kAaReplicate) are trained at the first rung with the same seeds of the data and first weights of their own.
constexpr int kTwins = 12, kTwinSeeds = 5;

/// The next run: all copies with one seed before any with the next. Nothing: all are done.
std::optional<Wanted> next_twin_run(const Population& population, std::uint64_t first_seed);

struct TwinReport {
  int copies = 0, seeds = 0;  // seeds that all copies have
  int pairs = 0;              // of copies; 0 without seeds
  int told_apart = 0;         // pairs whose interval, the one of the last comparison, leaves out 0
  double rate =
      0;  // share of pairs told apart when each seed's runs are dealt anew among the copies, mean of many deals
  double as_many = 0;  // share of the deals that tell apart as many pairs as were, or more
  double noise = 0;    // deviation of bits per byte between copies on the same data
};
/// `rate` is the rate of false verdicts at the noise of real runs; `told_apart / pairs` is one draw of it, and an uneven one, since pairs
/// share copies. O(deals x copies^2 x seeds x documents), less than a second.
TwinReport twin_report(const Population& population, std::uint64_t first_seed, double level = 0.05);

}  // namespace gabbro::evolve
