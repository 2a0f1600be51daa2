// The figures of a report.
#pragma once

#include <string>
#include <vector>

#include "campaign/reading.h"

namespace gabbro::campaign {

/// An SVG image with a caption. `svg` is empty if there is nothing to draw. The caption is plain text.
struct Figure {
  std::string svg, caption;
};

/// Maximum number of designs drawn in one figure: the better half of them are the best designs, the others an
/// even sample of the rest.
constexpr std::size_t kMostDrawn = 2000;

/// Draws how many designs entered each rung and what became of them. Widths are proportional to the square
/// root of the count.
Figure funnel_figure(const CampaignReading& reading, const std::vector<Funnel>& funnel);
/// Draws training losses of the leader, two runners-up and the baselines at the leader's rung (the first rung
/// without a leader).
Figure learning_figure(const CampaignReading& reading, const store::Store& store,
                       const CampaignVerdict& verdict);
/// Draws bits per byte at `rung` against decoding FLOPs, with the Pareto front. `leader` is a design's id; 0:
/// none.
Figure cost_figure(const CampaignReading& reading, int rung, std::int64_t leader);
/// Draws the scores of all designs at the first rung by generation, and the lineage of the leader (0: none).
Figure generations_figure(const CampaignReading& reading, std::int64_t leader);
/// Draws the best score that each strategy has found at the first rung against its training FLOPs so far.
Figure strategies_figure(const CampaignReading& reading, const std::vector<StrategyRow>& strategies);
/// Draws the leader's differences from the known designs with their intervals.
Figure forest_figure(const CampaignReading& reading, const CampaignVerdict& verdict);
/// Draws the capabilities of the designs in `profiled`, one row each. A bar is the share of correct answers
/// above chance.
Figure profiles_figure(const evolve::Population& population, const std::vector<std::int64_t>& profiled,
                       std::int64_t leader);
/// Draws what the winner loses without each of its parts.
Figure parts_figure(const std::vector<AblatedPart>& parts);

}  // namespace gabbro::campaign
