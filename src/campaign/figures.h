// The figures of a report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "campaign/reading.h"

namespace gabbro::campaign {

/// An SVG image with a caption. `svg` is empty if there is nothing to draw. The caption is plain text.
struct Figure {
  std::string svg, caption;
};

/// A curve of a figure. `style` is "winner", "runner-up" or "line0" ... "line7" (kLineStyles).
struct Curve {
  std::string label, style;
  std::vector<std::pair<double, double>> points;
};
constexpr std::size_t kLineStyles = 8;  // classes in the style sheet: line0 ... line7
/// The axes and the size of a figure of curves.
struct CurveAxes {
  std::string title, x_title, y_title;
  bool log_x = true;
  // Part of the horizontal axis that is drawn, in its unit; an empty range draws all.
  double from = 0, to = 0;
  double width = 900, height = 424;  // in pixels
  bool steps = false;                // values hold until the next point
  // Without a zoom, the horizontal axis begins at 0 and is at least 1 long, even for one point.
  bool from_zero = false;
};
/// Draws curves with their names beside their ends. `svg` is empty if no curve has two points in the range.
Figure curves_figure(std::vector<Curve> curves, const CurveAxes& axes);

/// Returns the training curve that represents a design at a rung, as (tokens, smoothed loss), without its
/// beginning; empty if there is none.
std::vector<std::pair<double, double>> training_curve(const CampaignReading& reading,
                                                      const store::Store& store, std::int64_t design,
                                                      int rung);
/// Draws the training losses of one design at a rung, beside its parent's and those of the known designs.
Figure design_figure(const CampaignReading& reading, const store::Store& store, std::int64_t design, int rung,
                     double from = 0, double to = 0);
/// Returns the best score of a candidate so far at a rung: (seconds since the campaign began, bits per byte)
/// wherever it fell.
std::vector<std::pair<double, double>> best_so_far(const CampaignReading& reading, int rung);
/// Draws the best score of a candidate so far at a rung against the time that passed since the campaign
/// began, beside those of the known designs.
Figure progress_figure(const CampaignReading& reading, int rung, double from = 0, double to = 0);
/// The difference of two designs on a held-out document.
struct DocumentDifference {
  double bits = 0;           // per byte; below 0: the first design is better
  std::size_t document = 0;  // its index among the held-out documents of the corpus
  std::uint64_t bytes = 0;
};
/// The differences on one seed that both designs have at a rung, the least first.
struct DocumentComparison {
  std::uint64_t seed = 0;
  std::vector<DocumentDifference> differences;
};
/// Compares two designs by document; nothing if no seed has runs of both on the same text.
std::optional<DocumentComparison> compare_documents(const evolve::Population& population, std::int64_t design,
                                                    std::int64_t against, int rung);
/// Draws what compare_documents returns.
Figure documents_figure(const CampaignReading& reading, std::int64_t design, std::int64_t against, int rung);

/// Maximum number of designs drawn in one figure: the better half of them are the best designs, the others an
/// even sample of the rest.
constexpr std::size_t kMostDrawn = 2000;

/// Draws how many designs entered each rung and what became of them. Widths are proportional to the square
/// root of the count.
Figure funnel_figure(const CampaignReading& reading, const std::vector<Funnel>& funnel);
/// Draws training losses of the leader, two runners-up and the baselines at the leader's rung (the first rung
/// without a leader), for the tokens from `from` to `to` (an empty range: all).
Figure learning_figure(const CampaignReading& reading, const store::Store& store,
                       const CampaignVerdict& verdict, double from = 0, double to = 0);
/// A value of a design that an axis shows; less is better. Costs are those at the size of the first rung.
struct Quantity {
  enum class Of : std::uint8_t { kBits, kDecode, kTrain, kState } of = Of::kBits;
  int rung = 0;  // of kBits
};
/// Returns the quantity of a name in addresses: "decode", "train", "state", "bits0", "bits1", ... (bits per
/// byte at a rung). Nothing for other names, and for rungs that the campaign does not have.
std::optional<Quantity> quantity_named(std::string_view name, std::size_t rungs);
/// Draws all designs that have two quantities, with the Pareto front of the two. `leader` is a design's id;
/// 0: none.
Figure plane_figure(const CampaignReading& reading, Quantity x, Quantity y, std::int64_t leader);
/// Draws bits per byte at `rung` against decoding FLOPs.
inline Figure cost_figure(const CampaignReading& reading, int rung, std::int64_t leader) {
  return plane_figure(reading, {Quantity::Of::kDecode}, {Quantity::Of::kBits, rung}, leader);
}
/// Draws the scores of all designs at the first rung by generation, and the lineage of the leader (0: none).
Figure generations_figure(const CampaignReading& reading, std::int64_t leader);
/// Draws the family tree of the best designs, at most `limit`, with their ancestors and the known designs.
/// `leader` is a design's id; 0: none. Nothing without a candidate.
Figure family_figure(const CampaignReading& reading, std::int64_t leader, std::size_t limit = 60);
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
