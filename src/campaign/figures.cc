#include "campaign/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "campaign/format.h"
#include "campaign/svg.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;

namespace {

constexpr double kWidth = 900;
constexpr std::size_t kStrategyStyles = 4;  // classes in the style sheet: strategy0 ... strategy3
constexpr std::size_t kMaxRows = 40;        // of parts or profiles in a figure

std::string strategy_style(const std::vector<StrategyRow>& strategies, std::size_t k) {
  return fmt::format("strategy{}", std::min(k, strategies.size()) % kStrategyStyles);
}

}  // namespace

Figure funnel_figure(const CampaignReading& r, const std::vector<Funnel>& funnel) {
  std::int64_t max_entered = 0;
  for (const Funnel& f : funnel) max_entered = std::max(max_entered, f.entered);
  if (max_entered == 0) return {};
  constexpr double kRow = 58, kLeft = 110, kRight = 640;
  Picture out(kWidth, kRow * static_cast<double>(funnel.size()) + 8, "Designs by rung");
  for (std::size_t k = 0; k < funnel.size(); ++k) {
    const Funnel& f = funnel[k];
    const double y = 6 + kRow * static_cast<double>(k), middle = (kLeft + kRight) / 2;
    const double width =
        (kRight - kLeft) * std::sqrt(static_cast<double>(f.entered) / static_cast<double>(max_entered));
    out.text(kLeft - 14, y + 24, one_line(r.rung(static_cast<int>(k)).name, 11), "strong", "end");
    double x = middle - width / 2;
    const auto part = [&](std::int64_t count, const char* style, const char* what) {
      const double w =
          f.entered > 0 ? width * static_cast<double>(count) / static_cast<double>(f.entered) : 0;
      out.rect(x, y, w, 36, style, fmt::format("{} {}", count, what));
      x += w;
    };
    part(f.done, "done", "done");
    part(f.running, "running", "running");
    part(f.stopped, "stopped", "stopped early at a hurdle");
    part(f.failed, "failed", "failed or refused by an anchor");
    if (f.entered == 0) out.line(middle - 30, y + 18, middle + 30, y + 18, "axis");
    out.text(kRight + 20, y + 16,
             count_of(f.entered, "design") + (f.best_design > 0 ? fmt::format(", best {:.4f}", f.best) : ""),
             "strong");
    std::string rest = fmt::format("{} done", f.done);
    if (f.stopped > 0) rest += fmt::format(" · {} stopped", f.stopped);
    if (f.failed > 0) rest += fmt::format(" · {} failed", f.failed);
    if (f.running > 0) rest += fmt::format(" · {} running", f.running);
    out.text(kRight + 20, y + 33, rest);
  }
  return {out.str(),
          "Designs of the search by rung, with widths by the square root of their number: done, running, "
          "stopped early because their loss was behind, failed. Best: bits per byte."};
}

// ---- Strategies ----

Figure strategies_figure(const CampaignReading& r, const std::vector<StrategyRow>& strategies) {
  const Population& p = r.population;
  struct Line {
    double flops = 0, best = std::numeric_limits<double>::infinity();
    std::vector<std::pair<double, double>> points;  // (FLOPs, best score so far)
  };
  std::map<std::string, Line> lines;
  for (const evolve::Trial& t : p.trials()) {
    const Individual& i = p.individual(t.begun.design);
    if (t.begun.rung != 0 || !t.ended || !evolve::is_candidate(i)) continue;
    Line& line = lines[evolve::source_of(i.created)];
    line.flops += t.flops;
    if (t.status != record::Status::kDone || !(t.bits < line.best)) continue;
    if (std::isfinite(line.best)) line.points.emplace_back(line.flops, line.best);
    line.best = t.bits;
    line.points.emplace_back(line.flops, line.best);
  }
  double low = std::numeric_limits<double>::infinity(), high = -low, max_flops = 0;
  for (auto& [name, line] : lines) {
    if (line.points.empty()) continue;
    line.points.emplace_back(line.flops, line.best);
    for (const auto& [flops, bits] : line.points) low = std::min(low, bits), high = std::max(high, bits);
    max_flops = std::max(max_flops, line.flops);
  }
  if (!(max_flops > 0)) return {};
  const std::int64_t baseline = p.best_baseline(0);
  const double threshold = baseline > 0 ? p.standing(p.individual(baseline), 0).bits : low;
  low = std::min(low, threshold), high = std::max(high, threshold);
  constexpr double kTop = 30, kBottom = 280, kLeft = 60, kRight = 700;
  const Scale x{.low = 0, .high = max_flops, .from = kLeft, .to = kRight},
      y = scale_of(low, high, kBottom, kTop);
  Picture out(kWidth, kBottom + 44, "Strategies at equal budget");
  out.y_axis(y, kLeft, kRight, "best bits per byte at the first rung");
  out.x_axis(x, kTop, kBottom, "training FLOPs spent at the first rung");
  std::vector<double> wanted;
  std::vector<std::pair<std::string, std::string>> names;
  if (baseline > 0) {
    out.line(kLeft, y.at(threshold), kRight, y.at(threshold), "threshold");
    wanted.push_back(y.at(threshold) + 4);
    names.emplace_back(one_line(p.individual(baseline).created.name, 22), "label");
  }
  for (std::size_t k = 0; k < strategies.size(); ++k) {
    const auto found = lines.find(strategies[k].name);
    if (found == lines.end() || found->second.points.empty()) continue;
    std::vector<std::pair<double, double>> line;
    for (const auto& [flops, bits] : found->second.points) line.emplace_back(x.at(flops), y.at(bits));
    out.polyline(line, "curve " + strategy_style(strategies, k));
    wanted.push_back(line.back().second + 4);
    names.emplace_back(fmt::format("{} {:.4f}", one_line(strategies[k].name, 16), found->second.best),
                       "label text-" + strategy_style(strategies, k));
  }
  const std::vector<double> places = spread_labels(wanted, 16, kTop + 6, kBottom);
  for (std::size_t k = 0; k < names.size(); ++k)
    out.text(kRight + 14, places[k], names[k].first, names[k].second);
  return {out.str(),
          "The best score of a single run that each strategy had found after spending that many FLOPs; the "
          "dashed line is the best baseline. Lower and earlier is better."};
}

// ---- Comparisons ----

Figure forest_figure(const CampaignReading& r, const CampaignVerdict& v) {
  if (v.duels.empty()) return {};
  const bool has_values =
      std::any_of(v.duels.begin(), v.duels.end(), [](const Duel& d) { return d.difference.count > 0; });
  double low = 0, high = 0;
  for (const Duel& d : v.duels)
    for (const double b : {d.difference.mean, d.difference.low, d.difference.high})
      if (std::isfinite(b)) low = std::min(low, b), high = std::max(high, b);
  constexpr double kLeft = 170, kRight = 620, kRow = 30, kTop = 18;
  const double bottom = kTop + kRow * static_cast<double>(v.duels.size());
  const Scale x = scale_of(low, high, kLeft, kRight);
  Picture out(kWidth, bottom + (has_values ? 44 : 0), "The leader against the baselines");
  if (has_values) {
    out.x_axis(x, kTop, bottom, "difference in bits per byte (left of 0: the leader is better)", 5);
    out.line(x.at(0), kTop - 6, x.at(0), bottom, "zero");
  }
  for (std::size_t k = 0; k < v.duels.size(); ++k) {
    const auto& d = v.duels[k].difference;
    const double y = kTop + kRow * (static_cast<double>(k) + 0.5);
    const std::string style = d.high < 0 ? "better" : d.low > 0 ? "worse" : "inconclusive";
    out.text(kLeft - 14, y + 4, one_line(r.population.individual(v.duels[k].baseline).created.name, 22),
             "label", "end");
    if (d.count == 0) {
      out.text(kLeft, y + 4, one_line(v.duels[k].word, 110), "tick");
      continue;
    }
    if (std::isfinite(d.low)) {
      out.line(x.at(d.low), y, x.at(d.high), y, "whisker " + style);
      for (const double end : {d.low, d.high})
        out.line(x.at(end), y - 5, x.at(end), y + 5, "whisker " + style);
    } else
      out.line(kLeft, y, kRight, y, "unbounded");
    out.diamond(x.at(d.mean), y, 6, "mark " + style, interval_text(d));
    const bool says_seeds = !std::isfinite(d.low);
    out.text(kRight + 16, y + 4,
             interval_text(d) + (says_seeds ? "" : ", " + std::string(count_of(d.count, "seed"))), "tick");
    if (v.duels[k].word.find("on seed") != std::string::npos)
      out.text(kLeft, y + 15, one_line(v.duels[k].word, 110), "tick");
  }
  std::string caption = v.has_comparison
                            ? fmt::format(
                                  "Paired differences on seeds that were not used to choose the winner, "
                                  "with {} intervals once all runs have ended.",
                                  level_text(v.outcome.begun->level))
                            : "Paired differences on the seeds of the search, which chose the leader: "
                              "shown for information, without effect on the verdict.";
  return {out.str(), caption + " A dotted line: no interval yet."};
}

Figure parts_figure(const std::vector<AblatedPart>& all) {
  if (all.empty()) return {};
  const std::vector<AblatedPart> parts(
      all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), kMaxRows)));
  double low = 0, high = 0;
  for (const AblatedPart& p : parts)
    for (const double b : {p.loss.mean, p.loss.low, p.loss.high})
      if (std::isfinite(b)) low = std::min(low, b), high = std::max(high, b);
  constexpr double kLeft = 430, kRight = 740, kRow = 24, kTop = 10;
  const double bottom = kTop + kRow * static_cast<double>(parts.size());
  const Scale x = scale_of(low, high, kLeft, kRight);
  Picture out(kWidth, bottom + 44, "Ablation of the winner");
  out.x_axis(x, kTop, bottom, "bits per byte lost without it", 5);
  for (std::size_t k = 0; k < parts.size(); ++k) {
    const double y = kTop + kRow * static_cast<double>(k);
    const evolve::Interval& loss = parts[k].loss;
    out.text(kLeft - 12, y + 16, one_line(parts[k].what, 66), "tick", "end");
    if (loss.count == 0) {
      out.text(x.at(0) + 6, y + 16, one_line(parts[k].word, 60), "tick");
      continue;
    }
    const std::string style = parts[k].effect == AblatedPart::Effect::kHelps   ? "better"
                              : parts[k].effect == AblatedPart::Effect::kHurts ? "worse"
                                                                               : "inconclusive";
    double end = x.at(loss.mean) + 6;
    if (std::isfinite(loss.low)) {
      out.line(x.at(loss.low), y + 12, x.at(loss.high), y + 12, "whisker " + style);
      end = std::max(end, x.at(loss.high));
    }
    out.diamond(x.at(loss.mean), y + 12, 5, "mark " + style, parts[k].what);
    out.text(end + 6, y + 16, fmt::format("{:+.4f}, {}", loss.mean, one_line(parts[k].word, 30)), "tick");
  }
  out.line(x.at(0), kTop, x.at(0), bottom, "zero");
  return {
      out.str(),
      "The winner with one part removed or reverted to its ancestor's, on the seeds of the comparison and "
      "with intervals of its level: right of 0 the part helps, left of 0 the winner is better without it." +
          (parts.size() < all.size() ? fmt::format(" The first {} of {}.", parts.size(), all.size())
                                     : std::string())};
}

Figure profiles_figure(const Population& p, const std::vector<std::int64_t>& profiled, std::int64_t leader) {
  // The columns are those of the first complete profile, since all designs of a campaign run the same tasks.
  const record::CapabilityResult* complete = nullptr;
  for (const std::int64_t id : profiled)
    if (const auto& r = p.individual(id).profile;
        !complete && r->status == record::Status::kDone && !r->tasks.empty())
      complete = r.get();
  if (!complete) return {};
  constexpr double kLeft = 190, kRow = 22, kTop = 40, kGap = 10;
  std::size_t columns = 0;
  for (const record::CapabilityTask& t : complete->tasks)
    columns += std::max<std::size_t>(1, t.scores.size());
  const double width =
      (kWidth - kLeft - kGap * static_cast<double>(complete->tasks.size())) / static_cast<double>(columns);
  const std::size_t rows = std::min(profiled.size(), kMaxRows);
  Picture out(kWidth, kTop + kRow * static_cast<double>(rows) + 6, "Capabilities");
  for (std::size_t row = 0; row < rows; ++row) {
    const Individual& i = p.individual(profiled[row]);
    const double y = kTop + kRow * static_cast<double>(row);
    out.text(kLeft - 12, y + 15, one_line(label_of(i), 26), i.created.id == leader ? "text-winner" : "label",
             "end");
    if (i.profile->status != record::Status::kDone) {
      out.text(kLeft, y + 15, one_line(fmt::format("{}: {}", i.profile->status, i.profile->cause), 100),
               "tick");
      continue;
    }
    double x = kLeft;
    for (std::size_t k = 0; k < std::min(complete->tasks.size(), i.profile->tasks.size()); ++k) {
      const record::CapabilityTask& task = i.profile->tasks[k];
      const std::size_t cells = std::max<std::size_t>(1, complete->tasks[k].scores.size());
      if (row == 0) out.text(x, 14, task.task, "label");
      if (task.scores.empty()) out.text(x, y + 15, std::string(record::word_of(task.outcome)), "tick");
      for (std::size_t j = 0; j < std::min(cells, task.scores.size()); ++j) {
        const record::CapabilityScore& s = task.scores[j];
        const double left = x + width * static_cast<double>(j), full = width - 4;
        if (row == 0) out.text(left, 30, std::to_string(s.length), "tick");
        const double above_chance = std::clamp((s.accuracy - s.chance) / (1 - s.chance), 0.0, 1.0);
        out.rect(left, y + 2, full, kRow - 5, "cell");
        out.rect(left, y + 2, full * above_chance, kRow - 5, i.created.id == leader ? "candidate" : "stopped",
                 fmt::format("{} at {} tokens: {:.1f} % ± {:.1f}, chance {:.1f} %", task.task, s.length,
                             100 * s.accuracy, 100 * s.error, 100 * s.chance));
        out.text(left + full - 4, y + 15, fmt::format("{:.0f}", 100 * s.accuracy), "tick", "end");
      }
      x += width * static_cast<double>(cells) + kGap;
    }
  }
  return {out.str(),
          "Accuracy in percent on tasks that need no text, by sequence length in tokens (the first is the "
          "length in training); a bar starts at chance. A low one does not prove that a design could not "
          "learn the task with more steps." +
              (rows < profiled.size() ? fmt::format(" The first {} of {}.", rows, profiled.size())
                                      : std::string())};
}

}  // namespace gabbro::campaign
