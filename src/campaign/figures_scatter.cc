// The figures of a report that draw one mark for each design: costs and generations.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "campaign/family_tree.h"
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

using Of = Quantity::Of;

struct QuantityText {
  const char *name, *title, *as_subject, *axis;
};
// In the order of Quantity::Of.
constexpr QuantityText kQuantities[] = {
    {"bits", "bits per byte", "Bits per byte", "bits per byte"},
    {"decode", "decoding cost", "Decoding cost", "decoding, FLOPs per token at the size of the first rung"},
    {"train", "training cost", "Training cost", "training, FLOPs per token at the size of the first rung"},
    {"state", "decoding state", "Decoding state",
     "state of decoding, bytes at the size and context of the first rung"}};

const QuantityText& text_of(Quantity q) { return kQuantities[static_cast<std::size_t>(q.of)]; }

std::string axis_text(const CampaignReading& r, Quantity q) {
  const char* text = text_of(q).axis;
  return q.of == Of::kBits ? fmt::format("{} at {}", text, r.rung(q.rung).name) : text;
}

// A design in a plane.
struct PlanePoint {
  std::int64_t design = 0;
  double x = 0, y = 0;
};

// Returns the values of a quantity by design; 0: none.
std::vector<double> values_of(const Population& p, Quantity q) {
  std::vector<double> out(p.individuals().size() + 1, 0);
  if (q.of == Of::kBits)
    for (const Ranked& k : ranking(p, q.rung)) out[static_cast<std::size_t>(k.design)] = k.bits;
  else
    for (const Individual& i : p.individuals())
      out[static_cast<std::size_t>(i.created.id)] = q.of == Of::kDecode  ? i.created.decode_flops
                                                    : q.of == Of::kTrain ? i.created.train_flops
                                                                         : i.created.state_bytes;
  return out;
}

// Returns the designs that have both quantities, those with the least `y` first.
std::vector<PlanePoint> points_of(const Population& p, Quantity x, Quantity y) {
  const std::vector<double> across = values_of(p, x), up = values_of(p, y);
  std::vector<PlanePoint> out;
  for (const Ranked& k : ranking(p, x.of == Of::kBits ? x.rung : y.of == Of::kBits ? y.rung : 0)) {
    const auto id = static_cast<std::size_t>(k.design);
    if (across[id] > 0 && up[id] > 0) out.push_back({k.design, across[id], up[id]});
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const PlanePoint& a, const PlanePoint& b) { return a.y < b.y; });
  return out;
}

// Returns the largest value to draw of each axis. Scores far behind would compress the rest of the plot: the
// better three quarters of the designs take 40 % of an axis of scores, or more if a known design is worse.
double most_drawn(const Population& p, const std::vector<PlanePoint>& points, double PlanePoint::*value,
                  Quantity q) {
  std::vector<Ranked> ranked;
  for (const PlanePoint& k : points) ranked.push_back({.design = k.design, .bits = k.*value});
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const Ranked& a, const Ranked& b) { return a.bits < b.bits; });
  return q.of == Of::kBits ? worst_drawn(ranked, p) : ranked.back().bits;
}

}  // namespace

std::optional<Quantity> quantity_named(std::string_view name, std::size_t rungs) {
  for (std::size_t k = 1; k < std::size(kQuantities); ++k)
    if (name == kQuantities[k].name) return Quantity{static_cast<Of>(k)};
  for (std::size_t rung = 0; rung < rungs; ++rung)
    if (name == fmt::format("bits{}", rung)) return Quantity{Of::kBits, static_cast<int>(rung)};
  return std::nullopt;
}

Figure plane_figure(const CampaignReading& r, Quantity across, Quantity up, std::int64_t leader) {
  const Population& p = r.population;
  const std::vector<PlanePoint> all = points_of(p, across, up);
  if (all.empty()) return {};
  const double most_x = most_drawn(p, all, &PlanePoint::x, across),
               most_y = most_drawn(p, all, &PlanePoint::y, up);
  const auto is_drawn = [&](const PlanePoint& k) { return k.x <= most_x && k.y <= most_y; };
  const auto beyond =
      std::count_if(all.begin(), all.end(), [&](const PlanePoint& k) { return !is_drawn(k); });
  double least_x = std::numeric_limits<double>::infinity();
  for (const PlanePoint& k : all) least_x = std::min(least_x, k.x);
  constexpr double kTop = 30, kBottom = 400, kLeft = 60, kRight = 860;
  const Scale x = scale_of(least_x, most_x, kLeft, kRight, /*log=*/across.of != Of::kBits),
              y = scale_of(all.front().y, most_y, kBottom, kTop, /*log=*/up.of != Of::kBits);
  const std::string x_text = axis_text(r, across), y_text = axis_text(r, up);
  Picture out(kWidth, kBottom + 44,
              fmt::format("{} against {}", text_of(up).as_subject, text_of(across).title));
  out.y_axis(y, kLeft, kRight, fmt::format("{} (lower is better)", y_text), 6);
  out.x_axis(x, kTop, kBottom, x_text);
  const auto point_of = [&](const PlanePoint& k) { return std::pair{x.at(k.x), y.at(k.y)}; };
  const auto hover = [&](const PlanePoint& k) {
    const Quantity bits = up.of == Of::kBits ? up : across.of == Of::kBits ? across : Quantity{};
    return hover_of(p.individual(k.design), p.standing(p.individual(k.design), bits.rung).bits);
  };
  const std::vector<PlanePoint> drawn = thinned(all);
  for (const PlanePoint& k : drawn)
    if (evolve::is_candidate(p.individual(k.design)) && is_drawn(k))
      out.dot(point_of(k).first, point_of(k).second, 3, "candidate", hover(k), k.design);
  // Draws the Pareto front in the two axes of the figure. A design right of it is beaten in both.
  std::vector<std::pair<double, double>> border;
  double leftmost = std::numeric_limits<double>::infinity();
  for (const PlanePoint& k : all) {
    const auto [px, py] = point_of(k);
    if (!(px < leftmost) || !is_drawn(k)) continue;
    border.emplace_back(border.empty() ? kRight : leftmost, py);
    border.emplace_back(px, py);
    leftmost = px;
  }
  if (!border.empty()) border.emplace_back(leftmost, kTop);
  out.polyline(border, "front-line");
  const bool with_front = up.of == Of::kBits && across.of != Of::kBits;
  const std::vector<std::int64_t> front =
      with_front ? evolve::pareto_front(p, up.rung) : std::vector<std::int64_t>();
  Labels labels;
  for (const PlanePoint& k : all) {
    const Individual& i = p.individual(k.design);
    if (!is_drawn(k)) continue;
    if (std::find(front.begin(), front.end(), k.design) != front.end())
      out.dot(point_of(k).first, point_of(k).second, 5, "front", "on the Pareto front: " + hover(k),
              k.design);
    if (evolve::is_known(i))
      out.diamond(point_of(k).first, point_of(k).second, 6, "baseline", hover(k), k.design);
    if (k.design == leader) out.dot(point_of(k).first, point_of(k).second, 8, "ring", hover(k), k.design);
  }
  for (const PlanePoint& k : all) {
    const Individual& i = p.individual(k.design);
    if (!is_drawn(k)) continue;
    if (k.design == leader)
      labels.put(out, point_of(k).first, point_of(k).second, fmt::format("#{}", k.design),
                 "strong text-winner");
    if (evolve::is_known(i))
      labels.put(out, point_of(k).first, point_of(k).second, one_line(i.created.name, 20), "label");
  }
  std::string caption =
      "Diamonds are baselines, the ring is the leader; the line is the Pareto front in the two axes shown.";
  if (with_front)
    caption = fmt::format(
        "At {}. Diamonds are baselines, the ring is the leader; filled dots are the {} that nothing beats in "
        "bits per byte, decoding FLOPs and training FLOPs at once; the line is the Pareto front in the two "
        "axes shown.",
        r.rung(up.rung).name, count_of(static_cast<std::int64_t>(front.size()), "design"));
  if (beyond > 0)
    caption += fmt::format(" {} beyond the edges.",
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

// ---- Family tree ----

namespace {

// Returns the style of a design's mark: scores in five steps, the best first.
std::string score_style(double first, double low, double high) {
  if (!(first > 0)) return "no-score";
  const double share = high > low ? std::clamp((first - low) / (high - low), 0.0, 1.0) : 0;
  return fmt::format("score{}", static_cast<int>(std::lround(4 * share)));
}

}  // namespace

Figure family_figure(const CampaignReading& r, std::int64_t leader, std::size_t limit) {
  const Population& p = r.population;
  const std::vector<FamilyMember> members = family_members(p);
  const FamilyTree tree = family_tree(members, /*root=*/0, limit);
  const auto member = [&](std::int64_t id) -> const FamilyMember& {
    return members[static_cast<std::size_t>(id - 1)];
  };
  if (std::all_of(tree.nodes.begin(), tree.nodes.end(),
                  [&](const FamilyNode& n) { return member(n.id).known; }))
    return {};
  std::vector<double> scores;
  for (const FamilyNode& n : tree.nodes)
    if (member(n.id).first > 0) scores.push_back(member(n.id).first);
  std::sort(scores.begin(), scores.end());
  // As on the page: the worst tenth has one colour.
  const double low = scores.empty() ? 0 : scores.front(),
               high = scores.empty() ? 0 : scores[(scores.size() - 1) * 9 / 10];
  constexpr double kLeft = 14, kTop = 12, kRow = 16, kLabels = 190, kWidest = 120;
  const double step = std::min(kWidest, (kWidth - kLeft - kLabels) / std::max(1, tree.columns - 1));
  Picture out(kWidth, 2 * kTop + kRow * std::max(0, tree.rows - 1), "Family tree");
  std::vector<const FamilyNode*> node_of(members.size() + 1);
  for (const FamilyNode& n : tree.nodes) node_of[static_cast<std::size_t>(n.id)] = &n;
  const auto x = [&](const FamilyNode& n) { return kLeft + step * n.column; };
  const auto y = [&](const FamilyNode& n) { return kTop + kRow * n.row; };
  std::vector<bool> in_line(members.size() + 1);
  for (const std::int64_t id : leader > 0 ? lineage(p, leader, members.size()) : std::vector<std::int64_t>())
    in_line[static_cast<std::size_t>(id)] = true;
  for (const bool is_line : {false, true})  // the leader's lineage is drawn over the others
    for (const FamilyNode& n : tree.nodes)
      if (n.parent > 0 && in_line[static_cast<std::size_t>(n.id)] == is_line) {
        const FamilyNode& parent = *node_of[static_cast<std::size_t>(n.parent)];
        out.link(x(parent), y(parent), x(n), y(n), is_line ? "curve winner" : "edge");
      }
  for (const FamilyNode& n : tree.nodes) {
    const Individual& i = p.individual(n.id);
    const double first = member(n.id).first;
    const std::string style = score_style(first, low, high), name = label_of(i),
                      hover = fmt::format(
                          "{} · {} · {} · {}", name,
                          first > 0 ? fmt::format("{:.4f} bits per byte at the first rung", first)
                                    : std::string("no score"),
                          one_line(i.created.species, 40), one_line(evolve::source_of(i.created), 20));
    if (evolve::is_known(i))
      out.rect(x(n) - 4, y(n) - 4, 8, 8, style, hover);
    else
      out.dot(x(n), y(n), 4.2, style, hover, n.id);
    if (n.id == leader) out.dot(x(n), y(n), 7, "ring", hover, n.id);
    const char* name_style = n.id == leader ? "strong text-winner" : evolve::is_known(i) ? "label" : "tick";
    constexpr double kCharWidth = 6.6;  // an estimate, in pixels
    const bool has_room = step - 24 > kCharWidth * static_cast<double>(name.size());
    if (n.is_leaf)  // beside it is no other design
      out.text(x(n) + 11, y(n) + 4, one_line(name, 28), name_style);
    else if (n.id == leader || (evolve::is_known(i) && has_room))
      out.text(x(n) + 11, y(n) - 4, one_line(name, 28), name_style);
  }
  std::string caption =
      tree.nodes.size() < tree.all
          ? fmt::format("{} of {}: the best, their ancestors and the baselines. ", tree.nodes.size(),
                        count_of(static_cast<std::int64_t>(tree.all), "design"))
          : "All designs. ";
  caption +=
      "Generations go right. Squares are baselines and controls; the strong line is the leader's lineage.";
  if (high > low)
    caption += fmt::format(
        " The colour is that of the score at the first rung, in five steps from {:.4f} or less to {:.4f} or "
        "more; grey: no score.",
        low, high);
  return {out.str(), caption};
}

}  // namespace gabbro::campaign
