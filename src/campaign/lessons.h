// Tells agents what a campaign has measured: about designs, where they came from, what units were worth, and
// how forecasts came out. Every line is for a prompt.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "evolve/population.h"

namespace gabbro::campaign {

/// States the task: parameters, tokens, batches, sequence length and vocabulary of each rung, and the score
/// of the best baseline there with the width at which it was trained.
std::vector<std::string> ladder_lines(const evolve::Population& population);

/// Lists the measurements of a design: scores by rung against the best baseline, runs without a score, the
/// loss curve, costs, ablations.
std::vector<std::string> evidence_lines(const evolve::Population& population,
                                        const evolve::Individual& design);

/// Returns the name of a design for prompts: that of a known one; the title of the proposal; for a child of
/// an operator, the operator and its parent; otherwise its name in its program. Everything that agents read
/// names designs by this function.
std::string name_in_prompts(const evolve::Population& population, const evolve::Individual& design);

/// Tells where a design came from, itself first, then its parent and grandparents, up to a known design: who
/// made it and the width at which it was trained; for designs of agents what was proposed, which promises
/// were broken, objections, what the observer found, shorter for ancestors; for those of operators what was
/// changed; each with its outcome against its own parent (evolve/outcome.h).
std::vector<std::string> history_lines(const evolve::Population& population,
                                       const evolve::Individual& design);

/// Lists the designs nearest to `parent` in structure, or the best ones if it is null, each with its stack,
/// score, what an operator changed, and outcome.
std::vector<std::string> neighbour_lines(const evolve::Population& population,
                                         const evolve::Individual* parent);

/// Tells what units were worth: the mean difference of designs with the unit to their parent or child without
/// it, over pairs with scores on the same seed and text that differ in at most three units. Names that are
/// neither in `known` nor in the library are left out, since no prompt explains them. Largest effects first.
std::vector<std::string> unit_worth_lines(const evolve::Population& population,
                                          const std::set<std::string>& known);

/// Tells how the reviewers' forecasts came out: for each model its mean probability beside the share of
/// designs that beat their parent, and the latest forecasts one by one.
std::vector<std::string> forecast_lines(const evolve::Population& population);

/// Lists causes of failed draws, tasks and runs, the most frequent first.
std::vector<std::string> failure_lines(const evolve::Population& population);

/// Returns the `count` best designs at the first rung, baselines among them, best first.
std::vector<const evolve::Individual*> best_designs(const evolve::Population& population, std::size_t count);

}  // namespace gabbro::campaign
