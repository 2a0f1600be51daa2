// The figures of a report that draw one mark for each design: costs and generations.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "campaign/figures.h"
#include "campaign/format.h"
#include "campaign/svg.h"
#include "evolve/archive.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;

namespace {

constexpr double kWidth = 900;

std::string hover_of(const Individual& i, double bits) {
  return fmt::format(
      "{} · {:.4f} bits per byte · decoding {} FLOPs, training {} FLOPs per token, state {} bytes · {} · {}",
      label_of(i), bits, amount(i.created.decode_flops), amount(i.created.train_flops),
      amount(i.created.state_bytes), one_line(i.created.species, 40),
      one_line(evolve::source_of(i.created), 20));
}

// Returns the best kMostDrawn / 2 items and an even sample of the rest.
template <class T>
std::vector<T> thinned(const std::vector<T>& all) {
  if (all.size() <= kMostDrawn) return all;
  std::vector<T> out(all.begin(), all.begin() + kMostDrawn / 2);
  const double step = static_cast<double>(all.size() - out.size()) / (kMostDrawn - kMostDrawn / 2);
  for (std::size_t k = 0; k < kMostDrawn - kMostDrawn / 2; ++k)
    out.push_back(all[kMostDrawn / 2 + static_cast<std::size_t>(static_cast<double>(k) * step)]);
  return out;
}

std::string drawn_text(std::size_t drawn, std::size_t all) {
  return drawn == all ? "" : fmt::format(" {} of {} designs are drawn.", drawn, all);
}

// Places names beside their marks. A name that finds no room beside the others is left out.
class Labels {
 public:
  void put(Picture& out, double x, double y, const std::string& text, std::string_view style) {
    constexpr double kCharWidth = 6.6;  // an estimate, in pixels
    const double width = kCharWidth * static_cast<double>(text.size());
    const Box places[] = {{x + 9, y - 8, width},          {x - 9 - width, y - 8, width},
                          {x - width / 2, y - 24, width}, {x - width / 2, y + 8, width},
                          {x + 9, y + 6, width},          {x + 9, y - 22, width}};
    for (const Box& b : places) {
      const bool is_free = std::none_of(taken_.begin(), taken_.end(), [&](const Box& t) {
        return b.x < t.x + t.width && t.x < b.x + b.width && std::abs(b.y - t.y) < 14;
      });
      if (!is_free || b.x < 0 || b.x + b.width > out.width()) continue;
      taken_.push_back(b);
      out.text(b.x, b.y + 12, text, style);
      return;
    }
  }

 private:
  struct Box {
    double x, y, width;
  };
  std::vector<Box> taken_;
};

// Returns the worst score to draw: one at which the better three quarters of the designs take 40 % of the
// height, or that of the worst known design if it is worse. Scores far behind would compress the rest of the
// plot.
double worst_drawn(const std::vector<Ranked>& ranked, const Population& p) {
  const double best = ranked.front().bits;
  double out = best + 2.5 * (ranked[(ranked.size() - 1) * 3 / 4].bits - best);
  for (const Ranked& r : ranked)
    if (evolve::is_known(p.individual(r.design))) out = std::max(out, r.bits);
  return std::min(out, ranked.back().bits);
}

}  // namespace

namespace {

struct CostAxis {
  const char *name, *title, *axis;
  double record::DesignCreated::*value;
};
// In the order of Cost.
constexpr CostAxis kCosts[] = {
    {"decode", "Bits per byte against decoding cost",
     "decoding, FLOPs per token at the size of the first rung", &record::DesignCreated::decode_flops},
    {"train", "Bits per byte against training cost",
     "training, FLOPs per token at the size of the first rung", &record::DesignCreated::train_flops},
    {"state", "Bits per byte against decoding state",
     "state of decoding, bytes at the size and context of the first rung",
     &record::DesignCreated::state_bytes}};

}  // namespace

std::optional<Cost> cost_named(std::string_view name) {
  for (std::size_t k = 0; k < std::size(kCosts); ++k)
    if (name == kCosts[k].name) return static_cast<Cost>(k);
  return std::nullopt;
}

Figure cost_figure(const CampaignReading& r, int rung, std::int64_t leader, Cost cost) {
  const CostAxis& axis = kCosts[static_cast<std::size_t>(cost)];
  const Population& p = r.population;
  std::vector<Ranked> all = ranking(p, rung);
  std::erase_if(all, [&](const Ranked& k) { return !(p.individual(k.design).created.*axis.value > 0); });
  if (all.empty()) return {};
  const std::vector<std::int64_t> front = evolve::pareto_front(p, rung);
  const double worst = worst_drawn(all, p);
  const auto beyond = static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const Ranked& k) { return k.bits > worst; }));
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const Ranked& k : all) {
    low = std::min(low, p.individual(k.design).created.*axis.value);
    high = std::max(high, p.individual(k.design).created.*axis.value);
  }
  constexpr double kTop = 30, kBottom = 400, kLeft = 60, kRight = 860;
  const Scale x = scale_of(low, high, kLeft, kRight, /*log=*/true),
              y = scale_of(all.front().bits, worst, kBottom, kTop);
  Picture out(kWidth, kBottom + 44, axis.title);
  out.y_axis(y, kLeft, kRight, "bits per byte (lower is better)", 6);
  out.x_axis(x, kTop, kBottom, axis.axis);
  const auto point_of = [&](const Ranked& k) {
    return std::pair{x.at(p.individual(k.design).created.*axis.value), y.at(k.bits)};
  };
  const std::vector<Ranked> drawn = thinned(all);
  for (const Ranked& k : drawn)
    if (const Individual& i = p.individual(k.design); evolve::is_candidate(i) && k.bits <= worst)
      out.dot(point_of(k).first, point_of(k).second, 3, "candidate", hover_of(i, k.bits), k.design);
  // Draws the Pareto front in the two axes of the figure. A design right of it costs more than a better one.
  std::vector<std::pair<double, double>> border;
  double cheapest = std::numeric_limits<double>::infinity();
  for (const Ranked& k : all) {
    const auto [px, py] = point_of(k);
    if (!(px < cheapest) || k.bits > worst) continue;
    if (border.empty())
      border.emplace_back(kRight, py);
    else
      border.emplace_back(cheapest, py);
    border.emplace_back(px, py);
    cheapest = px;
  }
  if (!border.empty()) border.emplace_back(cheapest, kTop);
  out.polyline(border, "front-line");
  Labels labels;
  for (const Ranked& k : all) {
    const Individual& i = p.individual(k.design);
    if (k.bits > worst) continue;
    const bool on_front = std::find(front.begin(), front.end(), k.design) != front.end();
    if (on_front)
      out.dot(point_of(k).first, point_of(k).second, 5, "front",
              "on the Pareto front: " + hover_of(i, k.bits), k.design);
    if (evolve::is_known(i))
      out.diamond(point_of(k).first, point_of(k).second, 6, "baseline", hover_of(i, k.bits), k.design);
    if (k.design == leader)
      out.dot(point_of(k).first, point_of(k).second, 8, "ring", hover_of(i, k.bits), k.design);
  }
  for (const Ranked& k : all) {
    const Individual& i = p.individual(k.design);
    if (k.design == leader)
      labels.put(out, point_of(k).first, point_of(k).second, fmt::format("#{}", k.design),
                 "strong text-winner");
    if (evolve::is_known(i) && k.bits <= worst)
      labels.put(out, point_of(k).first, point_of(k).second, one_line(i.created.name, 20), "label");
  }
  std::string caption = fmt::format(
      "At {}. Diamonds are baselines, the ring is the leader; filled dots are the {} that nothing beats in "
      "bits per byte, decoding FLOPs and training FLOPs at once; the line is the Pareto front in the two "
      "axes shown.",
      r.rung(rung).name, count_of(static_cast<std::int64_t>(front.size()), "design"));
  if (beyond > 0)
    caption += fmt::format(" {} beyond the upper edge.",
                           beyond == 1 ? "1 design is" : fmt::format("{} designs are", beyond));
  return {out.str(), caption + drawn_text(drawn.size(), all.size())};
}

// ---- Generations ----

Figure generations_figure(const CampaignReading& r, std::int64_t leader) {
  const Population& p = r.population;
  const std::vector<Ranked> all = ranking(p, 0);
  std::vector<int> depth(p.individuals().size() + 1, 0);
  std::vector<double> bits(depth.size(), std::numeric_limits<double>::quiet_NaN());
  int deepest = 0;
  bool candidates = false;
  for (const Individual& i : p.individuals()) {
    const auto id = static_cast<std::size_t>(i.created.id),
               parent = static_cast<std::size_t>(i.created.parent);
    if (parent > 0 && parent < id) depth[id] = depth[parent] + 1;
    candidates = candidates || evolve::is_candidate(i);
  }
  if (all.empty() || !candidates) return {};
  for (const Ranked& k : all) {
    bits[static_cast<std::size_t>(k.design)] = k.bits;
    deepest = std::max(deepest, depth[static_cast<std::size_t>(k.design)]);
  }
  const double worst = worst_drawn(all, p);
  constexpr double kTop = 30, kBottom = 330, kLeft = 60, kRight = 880;
  const Scale x{.low = -0.5, .high = deepest + 0.5, .from = kLeft, .to = kRight},
      y = scale_of(all.front().bits, worst, kBottom, kTop);
  Picture out(kWidth, kBottom + 44, "Designs by generation");
  out.y_axis(y, kLeft, kRight, "bits per byte at the first rung");
  out.x_axis(x, kTop, kBottom, "generation: steps from a baseline or a design made from scratch",
             std::min(deepest + 1, 12));
  // Designs of one generation are shifted sideways by a fixed pattern, so that they do not overlap.
  const auto place = [&](std::int64_t id) {
    // Multiples of the golden ratio are spread evenly over [0, 1).
    const double aside = std::fmod(static_cast<double>(id) * 0.6180339887, 1.0) - 0.5;
    const auto index = static_cast<std::size_t>(id);
    return std::pair{x.at(depth[index] + 0.7 * aside), y.at(std::min(bits[index], worst))};
  };
  const std::vector<Ranked> drawn = thinned(all);
  constexpr std::size_t kEdges = 600;  // more edges would merge into a grey area
  std::size_t edges = 0;
  for (const Ranked& k : drawn) {
    const std::int64_t parent = p.individual(k.design).created.parent;
    if (parent == 0 || edges++ >= kEdges || !std::isfinite(bits[static_cast<std::size_t>(parent)])) continue;
    const auto [x1, y1] = place(parent);
    const auto [x2, y2] = place(k.design);
    out.line(x1, y1, x2, y2, "edge");
  }
  for (const Ranked& k : drawn) {
    const Individual& i = p.individual(k.design);
    const auto [px, py] = place(k.design);
    if (evolve::is_known(i))
      out.diamond(px, py, 5, "baseline", hover_of(i, k.bits), k.design);
    else
      out.dot(px, py, 2.5, "candidate", hover_of(i, k.bits), k.design);
  }
  std::vector<std::int64_t> line = leader > 0 ? lineage(p, leader, 1000) : std::vector<std::int64_t>();
  std::erase_if(line, [&](std::int64_t id) { return !std::isfinite(bits[static_cast<std::size_t>(id)]); });
  std::vector<std::pair<double, double>> points;
  for (const std::int64_t id : line) points.push_back(place(id));
  out.polyline(points, "curve winner");
  for (std::size_t k = 0; k < line.size(); ++k)
    out.dot(points[k].first, points[k].second, 4, "front",
            hover_of(p.individual(line[k]), bits[static_cast<std::size_t>(line[k])]), line[k]);
  return {out.str(),
          "Every scored design by generation, with a line to its parent; diamonds are baselines. The strong "
          "line is the leader's lineage. Scores far behind are drawn at the upper edge." +
              drawn_text(drawn.size(), all.size())};
}

}  // namespace gabbro::campaign
