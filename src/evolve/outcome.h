// The outcome of a design: its runs in the search against those of its parent.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "evolve/population.h"

namespace gabbro::evolve {

/// The comparison of a design with another one in the search's runs at the first rung. Differences are the
/// design's value minus the other's, so that below 0 is better.
struct Outcome {
  std::int64_t against = 0;  // id of the other design
  bool better = false;
  // Differences in bits per byte, one for each seed on which both have a score on the same text. If there are
  // none, `better` rests on the training losses or on `lost`.
  std::vector<double> bits;
  // Difference of the smoothed training losses (nats per token) at the last hurdle that both reached, which
  // is after `share` of a run's tokens. Set if one of them was stopped at a hurdle; 0: not compared.
  double loss = 0, share = 0;
  bool lost = false;  // the numbers of one of them were unusable: it diverged, or failed a check
};

/// Compares a design with its parent or, without a parent, with the best baseline. `better` is decided on the
/// first seed for which both have a score. Otherwise, where a hurdle stopped one of them, their training
/// losses are compared on the same seed at the last hurdle that both reached: a stop alone decides nothing,
/// since the other may have been stopped earlier, with a higher loss. Otherwise a design that was lost for
/// its numbers (record::is_lost_for_numbers) is worse than one that was not. Returns nothing while none of
/// these is known; failures of machines decide nothing.
std::optional<Outcome> outcome_of(const Population& population, const Individual& design);

}  // namespace gabbro::evolve
