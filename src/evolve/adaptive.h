// The campaign's own strategy: what pays is done more often, no family takes over, and standing still is
// noticed.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "evolve/strategy.h"

namespace gabbro::evolve {

/// Parents are drawn in three steps. First a species, by the rank of its best design, so that one family
/// cannot crowd out the others; then the aim: seven times in ten quality (the best of three by a draw from
/// what its advantage may be, given its runs and their noise), else novelty (the best of three by the mean
/// distance to their five nearest designs: of trees, costs and learning curves). Operators are drawn by
/// Thompson sampling over how often their offspring did better than its parent at the first rung. One draw in
/// ten is a design made anew; when the last kPatience designs brought no better one, one in two, until that
/// ends.
std::unique_ptr<Strategy> make_adaptive(std::string strategy);

/// A parent of the next design of `strategy`, by those three steps; null while nothing is known.
const Individual* choose_parent(const Population& population, std::string_view strategy, Random& random);

/// Success of one operator: offspring with an outcome, and those that did better than their parent on the
/// same data.
struct Credit {
  int offspring = 0, better = 0;
};
/// By operator, of one strategy. O(designs).
std::map<std::string, Credit> credit(const Population& population, std::string_view strategy);

/// The deviation of bits per byte between seeds at a rung, pooled over the designs that have several; 0.02
/// while fewer than three degrees of freedom say it. O(trials).
double noise(const Population& population, int rung);

/// How far each design is from its five nearest: the mean of the distances of trees, costs (log2) and
/// learning curves, each in [0, 1]. O(designs x size).
double novelty(const Known& of, const std::vector<Known>& among, const Population& population);

}  // namespace gabbro::evolve
