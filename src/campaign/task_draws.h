// Draws what the next task of agents works on: how the design is written, and from which parents.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "evolve/population.h"

namespace gabbro::campaign {

/// The costs and successes of a way of writing, over the tasks whose outcome is known. A task that led to no
/// design counts as one that was not better, except where an endpoint, the spending cap or this machine ended
/// it, which no way of writing can help.
struct WritingRecord {
  int tasks = 0;
  int better = 0;  // number of their designs that were better than the parent (evolve/outcome.h)
  double money = 0, tokens = 0;
};

/// Returns the record of each way of writing in the tasks of a strategy.
std::map<record::Writing, WritingRecord> writing_records(const evolve::Population& population,
                                                         const std::string& strategy);

/// Returns the record of each variant of a way of writing, over all strategies: "units", "program without
/// librarian, reviewer" ...
std::map<std::string, WritingRecord> variant_records(const evolve::Population& population);

/// Draws to write by units or as a repaired program, by their success per cost: success is drawn from the
/// Beta distribution of the share of tasks whose design was better (Thompson sampling), cost is the mean of a
/// task, in money or, where nothing costs money, in tokens. A way without a record is taken first.
record::Writing draw_writing(const evolve::Population& population, const std::string& strategy,
                             Random& random);

/// Draws up to two designs by rank, best first, each 0.8 times as likely as the one before it. A model costs
/// more than an operator, so that no design without a score is drawn, nor one that another task works on
/// while there are others. The list is empty if no design has a score yet.
std::vector<const evolve::Individual*> draw_parents(const evolve::Population& population,
                                                    const std::string& strategy, Random& random);

}  // namespace gabbro::campaign
