// The pictures of a report.
#pragma once

#include <string>
#include <vector>

#include "campaign/reading.h"

namespace gabbro::campaign {

/// `svg` is empty where there is nothing to draw. The caption is plain text.
struct Figure {
  std::string svg, caption;
};

/// At most so many designs are drawn in one picture: the best half of them, and of the others an even sample.
constexpr std::size_t kMostDrawn = 2000;

/// How many designs entered each rung and what became of them; widths go by the square root of the count.
Figure funnel_figure(const Reading& reading, const std::vector<Funnel>& funnel);
/// Training losses of the leader, two runners-up and the baselines at the leader's rung (without one: the
/// first).
Figure learning_figure(const Reading& reading, const store::Store& store, const Verdict& verdict);
/// Bits per byte at `rung` against decoding FLOPs, with the front of designs that none beats in everything.
Figure cost_figure(const Reading& reading, int rung, std::int64_t leader);
/// All designs by generation, and the line of the leader.
Figure generations_figure(const Reading& reading, std::int64_t leader);
/// The best score at the first rung that each strategy had after so many FLOPs of training.
Figure strategies_figure(const Reading& reading, const std::vector<StrategyRow>& strategies);
/// The leader's differences to the baselines with their intervals.
Figure forest_figure(const Reading& reading, const Verdict& verdict);
/// What the designs of `profiled` can do, a row each: a bar is the share of right answers above a guess.
Figure profiles_figure(const evolve::Population& population, const std::vector<std::int64_t>& profiled,
                       std::int64_t leader);
/// What the winner loses without each of its parts.
Figure parts_figure(const std::vector<Part>& parts);

}  // namespace gabbro::campaign
