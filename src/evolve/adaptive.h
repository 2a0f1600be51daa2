// The campaign's default strategy. It prefers operators that succeed, keeps any one family of designs from
// taking over, and explores more when progress stalls.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "evolve/strategy.h"

namespace gabbro::evolve {

/// Draws parents in three steps. First it draws a species by the rank of its best design, so that one family
/// cannot crowd out the others. Then it draws the objective: quality with probability 0.7, otherwise novelty.
/// Last it draws three members of the species and takes the best. Quality is a draw from the posterior of a
/// design's advantage, given its runs and their noise. Novelty is the mean distance to the five nearest
/// designs, over trees, costs and learning curves.
///
/// Operators are drawn by Thompson sampling over how often their offspring beat the parent at the first rung.
/// One draw in ten creates a fresh design. After kPatience designs without a new best, one draw in two does
/// so for the next kPatience / 4 designs; this repeats every kPatience designs until a new best is found.
std::unique_ptr<Strategy> make_adaptive(std::string strategy);

/// Draws from Beta(a, b), for integers a, b >= 1. O(a + b).
double draw_beta(int a, int b, Random& random);

/// Success of one operator or mode of agents: the number of offspring with an outcome (evolve/outcome.h), and
/// of those that were better than their parent.
struct Credit {
  int offspring = 0, better = 0;
};
struct Credits {
  std::map<record::Operator, Credit> operators;
  std::map<record::Mode, Credit> modes;
};
/// Returns the credits of operators and of modes within one strategy. O(designs).
Credits credit(const Population& population, std::string_view strategy);

/// Returns the standard deviation of bits per byte between seeds at a rung, pooled over the designs with
/// several seeds. Returns 0.02 if there are fewer than three degrees of freedom. O(trials).
double seed_stddev(const Population& population, int rung);

/// Returns the mean distance of a design to the five nearest of the latest 200 of `all`, in [0, 1]. The
/// distance is the mean of three, each in [0, 1]: of trees, of costs (log2) and of learning curves. O(designs
/// x size).
double novelty(const ParentCandidate& design, const std::vector<ParentCandidate>& all,
               const Population& population);

}  // namespace gabbro::evolve
