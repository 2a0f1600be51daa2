// The figures that draw curves: training losses, and the best score over time.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "campaign/figures.h"
#include "campaign/format.h"
#include "campaign/svg.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;

namespace {

constexpr double kTop = 30, kLeft = 60, kLabels = 210;  // pixels above, left and right of the curves

// Returns the room for names right of the curves, which is smaller in a narrow figure.
double room_for_labels(double width) { return std::min(kLabels, 0.36 * width); }

// Returns the points of a curve within a range, and one beyond either end, so that lines reach the edges.
std::vector<std::pair<double, double>> within(const std::vector<std::pair<double, double>>& all, double from,
                                              double to) {
  if (!(to > from)) return all;
  std::vector<std::pair<double, double>> out;
  for (std::size_t k = 0; k < all.size(); ++k) {
    const bool is_before = k + 1 < all.size() && all[k + 1].first < from;
    const bool is_after = k > 0 && all[k - 1].first > to;
    if (!is_before && !is_after) out.push_back(all[k]);
  }
  return out;
}

// Returns a curve as a stair: each value holds until the next point.
std::vector<std::pair<double, double>> stairs(const std::vector<std::pair<double, double>>& all) {
  std::vector<std::pair<double, double>> out;
  for (const auto& [x, y] : all) {
    if (!out.empty()) out.emplace_back(x, out.back().second);
    out.emplace_back(x, y);
  }
  return out;
}

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void add(double v) {
    if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
  }
};

}  // namespace

Figure curves_figure(std::vector<Curve> all, const CurveAxes& axes) {
  std::erase_if(all, [](const Curve& c) { return c.points.size() < 2; });
  if (all.empty()) return {};
  const bool is_zoomed = axes.to > axes.from;
  Range across, up;
  for (Curve& c : all) {
    if (axes.steps) c.points = stairs(c.points);
    c.points = within(c.points, axes.from, axes.to);
    for (const auto& [x, y] : c.points) {
      across.add(x);
      if (!is_zoomed || (x >= axes.from && x <= axes.to)) up.add(y);
    }
  }
  if (!(up.low <= up.high)) return {};
  const double bottom = axes.height - 44, right = axes.width - room_for_labels(axes.width);
  // The range must not be empty, even for a single point.
  const double first = is_zoomed        ? axes.from
                       : axes.from_zero ? std::min(0.0, across.low)
                                        : across.low,
               least = axes.from_zero ? 1 : 1e-3 * std::abs(first) + 1e-9,
               last = is_zoomed ? axes.to : std::max(across.high, first + least);
  const Scale x{.low = first, .high = last, .from = kLeft, .to = right, .log = axes.log_x && first > 0},
      y = scale_of(up.low, up.high, bottom, kTop);
  Picture out(axes.width, axes.height, axes.title);
  out.y_axis(y, kLeft, right, axes.y_title, 6);
  out.x_axis(x, kTop, bottom, axes.x_title, axes.width < 700 ? 4 : 6);
  out.plot_area(x, y);
  // The winner is drawn last, over the others.
  std::stable_sort(all.begin(), all.end(), [](const Curve& a, const Curve& b) {
    return (a.style == "winner") < (b.style == "winner");
  });
  std::vector<double> wanted;
  for (const Curve& c : all) wanted.push_back(y.at(c.points.empty() ? up.low : c.points.back().second) + 4);
  const std::vector<double> places = spread_labels(wanted, 15, kTop + 6, bottom);
  std::size_t place = 0;
  for (const Curve& c : all) {
    std::vector<std::pair<double, double>> line;
    for (const auto& [across_at, up_at] : c.points)
      line.emplace_back(std::clamp(x.at(across_at), kLeft - 1.0, right + 1.0),
                        std::clamp(y.at(up_at), kTop - 1.0, bottom + 1.0));
    const double at = places[place++];
    if (line.empty()) continue;
    out.series(line, "curve " + c.style, c.label);
    out.line(line.back().first + 3, line.back().second, right + 16, at - 4, "label-line");
    out.text(right + 20, at, c.label, "label text-" + c.style);
  }
  return {out.str(), ""};
}

std::vector<std::pair<double, double>> training_curve(const CampaignReading& r, const store::Store& store,
                                                      std::int64_t design, int rung) {
  std::vector<std::pair<double, double>> out;
  const std::int64_t trial = scored_trial(r.population, design, rung);
  if (trial == 0) return out;
  const auto result = store.result(trial);
  if (!result) return out;
  // The first tokens are left out. Losses fall from the initial value in the same way for all designs, which
  // would compress the rest of the plot.
  constexpr double kHidden = 0.04;
  const double from = kHidden * static_cast<double>(r.rung(rung).tokens);
  for (const record::Point& p : result->curve) {
    const double loss = p.recent > 0 ? p.recent : p.loss;
    if (static_cast<double>(p.tokens) >= from && std::isfinite(loss))
      out.emplace_back(static_cast<double>(p.tokens), loss);
  }
  return out;
}

namespace {

CurveAxes training_axes(const char* title, double from, double to) {
  return {.title = title,
          .x_title = "tokens seen",
          .y_title = "training loss, nats per token",
          .from = from,
          .to = to};
}

std::string training_caption(const CampaignReading& r, int rung) {
  return fmt::format(
      "Training at {}: mean loss over the last tenth of the steps so far. After each name: "
      "its bits per byte on held-out text.",
      r.rung(rung).name);
}

Curve curve_of(const CampaignReading& r, const store::Store& store, const Ranked& k, int rung,
               std::string style) {
  return {
      .label = fmt::format("{} {:.3f}", one_line(label_of(r.population.individual(k.design)), 20), k.bits),
      .style = std::move(style),
      .points = training_curve(r, store, k.design, rung)};
}

// Returns the curves of the leader, of the next best candidates, and of the best known designs.
std::vector<Curve> leading_curves(const CampaignReading& r, const store::Store& store,
                                  const CampaignVerdict& v, int rung) {
  constexpr std::size_t kRunnersUp = 2;
  const Population& p = r.population;
  std::vector<Curve> out;
  std::size_t others = 0, baselines = 0;
  for (const Ranked& k : ranking(p, rung)) {
    const Individual& i = p.individual(k.design);
    std::string style;
    if (k.design == v.leader.design)
      style = "winner";
    else if (evolve::is_known(i) && baselines < kLineStyles)
      style = fmt::format("line{}", baselines++);
    else if (!evolve::is_known(i) && others < kRunnersUp)
      style = "runner-up", ++others;
    else
      continue;
    Curve c = curve_of(r, store, k, rung, std::move(style));
    if (c.points.size() > 1) out.push_back(std::move(c));
  }
  return out;
}

}  // namespace

Figure learning_figure(const CampaignReading& r, const store::Store& store, const CampaignVerdict& v,
                       double from, double to) {
  const int rung = std::max(0, v.leader.rung);
  Figure out = curves_figure(leading_curves(r, store, v, rung), training_axes("Learning curves", from, to));
  if (!out.svg.empty()) out.caption = training_caption(r, rung);
  return out;
}

Figure design_figure(const CampaignReading& r, const store::Store& store, std::int64_t design, int rung,
                     double from, double to) {
  const std::int64_t parent = r.population.individual(design).created.parent;
  std::vector<Curve> curves;
  std::size_t baselines = 0;
  for (const Ranked& k : ranking(r.population, rung)) {
    std::string style;
    if (k.design == design)
      style = "winner";
    else if (k.design == parent)
      style = "runner-up";
    else if (evolve::is_known(r.population.individual(k.design)) && baselines < kLineStyles)
      style = fmt::format("line{}", baselines++);
    else
      continue;
    curves.push_back(curve_of(r, store, k, rung, std::move(style)));
    if (k.design == parent) curves.back().label = "parent " + curves.back().label;
  }
  Figure out = curves_figure(std::move(curves), training_axes("Learning curves of the design", from, to));
  if (!out.svg.empty()) out.caption = training_caption(r, rung);
  return out;
}

namespace {

// A run of the search that became the best so far.
struct Best {
  double seconds = 0;  // since the campaign began
  double bits = 0;
  std::int64_t design = 0;
};

// Returns the runs at a rung that became the best so far: of all candidates, or of a known design.
std::vector<Best> bests(const CampaignReading& r, int rung, std::int64_t known = 0) {
  const Population& p = r.population;
  std::vector<Best> order;
  const auto belongs = [&](const evolve::Trial& t) {
    return known == 0 ? evolve::is_candidate(p.individual(t.begun.design))
                      : t.begun.design == known && p.counts(t);
  };
  for (const evolve::Trial& t : p.trials()) {
    const RunTimes& times = r.times.at(static_cast<std::size_t>(t.begun.id - 1));
    if (t.begun.rung == rung && t.ended && t.status == record::Status::kDone && times.ended > 0 &&
        std::isfinite(t.bits) && evolve::guides_search(t) && belongs(t))
      order.push_back({std::max(0.0, times.ended - r.begun), t.bits, t.begun.design});
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const Best& a, const Best& b) { return a.seconds < b.seconds; });
  std::vector<Best> out;
  for (const Best& e : order)
    if (out.empty() || e.bits < out.back().bits) out.push_back(e);
  return out;
}

}  // namespace

std::vector<std::pair<double, double>> best_so_far(const CampaignReading& r, int rung) {
  std::vector<std::pair<double, double>> out;
  for (const Best& b : bests(r, rung)) out.emplace_back(b.seconds, b.bits);
  return out;
}

Figure progress_figure(const CampaignReading& r, int rung, double from, double to) {
  const Population& p = r.population;
  constexpr double kHour = 3600, kMinute = 60, kMostMinutes = 3 * kHour;
  const bool in_hours = r.last - r.begun > kMostMinutes;
  const double unit = in_hours ? kHour : kMinute;
  std::vector<Curve> curves;
  const auto add = [&](const std::vector<Best>& found, std::string name, std::string style) {
    if (found.empty()) return;
    Curve& c = curves.emplace_back(Curve{
        .label = fmt::format("{} {:.4f}", name, found.back().bits), .style = std::move(style), .points = {}});
    for (const Best& b : found) c.points.emplace_back(b.seconds / unit, b.bits);
    // The last value holds until now.
    c.points.emplace_back(std::max((r.last - r.begun) / unit, c.points.back().first + 0.01),
                          c.points.back().second);
  };
  if (const std::vector<Best> found = bests(r, rung); !found.empty())
    add(found, fmt::format("#{}", found.back().design), "winner");
  std::vector<Ranked> known = ranking(p, rung);
  std::erase_if(known, [&](const Ranked& k) { return !evolve::is_known(p.individual(k.design)); });
  if (known.size() > kLineStyles) known.resize(kLineStyles);
  for (std::size_t k = 0; k < known.size(); ++k)
    add(bests(r, rung, known[k].design), one_line(p.individual(known[k].design).created.name, 18),
        fmt::format("line{}", k));
  const CurveAxes axes{
      .title = "Best score over time",
      .x_title = in_hours ? "hours since the campaign began" : "minutes since the campaign began",
      .y_title = "bits per byte",
      .log_x = false,
      .from = from,
      .to = to,
      .height = 340,
      .steps = true,
      .from_zero = true};
  Figure out = curves_figure(std::move(curves), axes);
  if (!out.svg.empty())
    out.caption = fmt::format(
        "The best single run of the search at {} so far, beside those of the best baselines and controls "
        "from the time at which they were trained there. Lower is better.",
        r.rung(rung).name);
  return out;
}

std::optional<DocumentComparison> compare_documents(const Population& p, std::int64_t design,
                                                    std::int64_t against, int rung) {
  const evolve::Trial *a = nullptr, *b = nullptr;
  for (const std::int64_t id : p.individual(design).trials) {
    const evolve::Trial& t = p.trial(id);
    if (t.begun.rung != rung || t.status != record::Status::kDone || !t.ended || !p.counts(t)) continue;
    const evolve::Trial* other = p.scored(against, rung, t.begun.seed);
    if (other && evolve::have_same_texts(t, *other) && !t.documents.empty()) a = &t, b = other;
  }
  if (!a) return std::nullopt;
  DocumentComparison out{.seed = a->begun.seed, .differences = {}};
  const std::size_t first = a->fresh_documents ? p.documents_of_search() : 0;
  for (std::size_t k = 0; k < a->documents.size(); ++k)
    out.differences.push_back({.bits = a->documents[k].bits_per_byte - b->documents[k].bits_per_byte,
                               .document = first + k,
                               .bytes = a->documents[k].bytes});
  std::stable_sort(out.differences.begin(), out.differences.end(),
                   [](const DocumentDifference& x, const DocumentDifference& y) { return x.bits < y.bits; });
  return out;
}

Figure documents_figure(const CampaignReading& r, std::int64_t design, std::int64_t against, int rung) {
  const Population& p = r.population;
  const auto compared = compare_documents(p, design, against, rung);
  if (!compared) return {};
  const std::vector<DocumentDifference>& order = compared->differences;
  constexpr double kBottom = 250, kRight = 880, kWidest = 30;
  const Scale x{.low = 0, .high = static_cast<double>(order.size()), .from = kLeft, .to = kRight},
      y = scale_of(std::min(0.0, order.front().bits), std::max(0.0, order.back().bits), kBottom, kTop);
  Picture out(900, kBottom + 24, "Difference by held-out document");
  out.y_axis(y, kLeft, kRight, "difference in bits per byte (below 0: the design is better)", 5);
  std::size_t wins = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const auto& [difference, document, bytes] = order[k];
    wins += difference < 0;
    const double slot = x.at(1) - x.at(0), width = std::min(0.8 * slot, kWidest);
    const double left = x.at(static_cast<double>(k) + 0.5) - width / 2;
    const double top = std::min(y.at(difference), y.at(0)), height = std::abs(y.at(difference) - y.at(0));
    out.rect(left, top, width, std::max(height, 0.5), difference < 0 ? "bar mark better" : "bar mark worse",
             fmt::format("document {}: {:+.4f} bits per byte, {} bytes", document + 1, difference, bytes));
  }
  out.line(kLeft, y.at(0), kRight, y.at(0), "zero");
  return {out.str(), fmt::format("Against {} on seed {} at {}: better on {} of {} held-out documents.",
                                 one_line(label_of(p.individual(against)), 40), compared->seed,
                                 r.rung(rung).name, wins, order.size())};
}

}  // namespace gabbro::campaign
