// The figures of the pages, which are those of the report (campaign/figures.h).
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "campaign/figures.h"
#include "web/pages.h"
#include "web/shown.h"

namespace gabbro::web {

using nlohmann::json;

namespace {

using campaign::Figure;

std::string figure_text(const Figure& f) {
  return json({{"svg", f.svg}, {"caption", shown(f.caption)}})
      .dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

// Returns a curve of a run in progress as finished ones are drawn: without its beginning, each point the mean
// over the last tenth of the tokens so far.
std::vector<std::pair<double, double>> smoothed(const std::vector<std::pair<double, double>>& all,
                                                double from) {
  std::vector<std::pair<double, double>> out;
  double sum = 0;
  std::size_t first = 0;  // of the points in the sum
  for (std::size_t k = 0; k < all.size(); ++k) {
    sum += all[k].second;
    for (; first < k && all[first].first <= 0.9 * all[k].first; ++first) sum -= all[first].second;
    if (all[k].first >= from) out.emplace_back(all[k].first, sum / static_cast<double>(k - first + 1));
  }
  return out;
}

// Returns the highest rung at which both designs have a score; -1 if there is none.
int common_rung(const evolve::Population& p, std::int64_t a, std::int64_t b) {
  for (int rung = static_cast<int>(p.settings().rungs.size()) - 1; rung >= 0; --rung)
    if (p.standing(p.individual(a), rung).done > 0 && p.standing(p.individual(b), rung).done > 0) return rung;
  return -1;
}

Result<Figure> figure_of_design(const CampaignView& view, const FigureQuery& q) {
  const evolve::Population& p = view.reading.population;
  const auto count = static_cast<std::int64_t>(p.individuals().size());
  if (q.design < 1 || q.design > count || q.against < 0 || q.against > count)
    return fail("store",
                fmt::format("unknown design {}", q.design < 1 || q.design > count ? q.design : q.against));
  int rung = q.rung;
  if (q.name == "documents") {
    const std::int64_t against = q.against > 0 ? q.against : p.best_baseline(std::max(0, rung));
    if (against == 0 || against == q.design) return Figure{};
    if (rung < 0) rung = common_rung(p, q.design, against);
    return rung < 0 ? Figure{} : campaign::documents_figure(view.reading, q.design, against, rung);
  }
  if (rung < 0) rung = common_rung(p, q.design, q.design);
  return rung < 0 ? Figure{}
                  : campaign::design_figure(view.reading, view.store, q.design, rung, q.from, q.to);
}

}  // namespace

Result<std::string> figure_json(const CampaignView& view, const FigureQuery& q) {
  const campaign::CampaignReading& r = view.reading;
  const auto rungs = static_cast<int>(r.plan.settings.rungs.size());
  if (q.rung >= rungs) return fail("usage", fmt::format("unknown rung {}", q.rung));
  const int rung = q.rung >= 0 ? q.rung : std::max(0, view.verdict.leader.rung);
  const std::int64_t leader = view.verdict.leader.rung < 0 ? 0 : view.verdict.leader.design;
  const auto& p = r.population;
  if (q.name == "ladder") return figure_text(campaign::funnel_figure(r, campaign::funnel(p)));
  if (q.name == "learning")
    return figure_text(campaign::learning_figure(r, view.store, view.verdict, q.from, q.to));
  if (q.name == "progress") return figure_text(campaign::progress_figure(r, rung, q.from, q.to));
  if (q.name == "forest") return figure_text(campaign::forest_figure(r, view.verdict));
  if (q.name == "parts")
    return figure_text(campaign::parts_figure(campaign::ablated_parts(p, view.verdict.leader)));
  if (q.name == "generations") return figure_text(campaign::generations_figure(r, leader));
  if (q.name == "strategies")
    return figure_text(campaign::strategies_figure(r, campaign::strategies(r, view.store)));
  if (q.name == "profiles") return figure_text(campaign::profiles_figure(p, campaign::profiled(p), leader));
  if (q.name == "plane") {
    const auto x = campaign::quantity_named(q.x, r.plan.settings.rungs.size());
    const auto y = q.y.empty() ? campaign::Quantity{campaign::Quantity::Of::kBits, rung}
                               : campaign::quantity_named(q.y, r.plan.settings.rungs.size());
    if (!x || !y) return fail("usage", fmt::format("unknown axis '{}'", shown_line(x ? q.y : q.x, 40)));
    return figure_text(campaign::plane_figure(r, *x, *y, leader));
  }
  if (q.name == "design" || q.name == "documents") {
    GABBRO_TRY(figure, figure_of_design(view, q));
    return figure_text(figure);
  }
  return fail("usage", fmt::format("unknown figure '{}'", shown_line(q.name, 40)));
}

Result<std::vector<RungCurve>> training_curves(const CampaignView& view, std::int64_t design) {
  const campaign::CampaignReading& r = view.reading;
  if (design < 1 || design > static_cast<std::int64_t>(r.population.individuals().size()))
    return fail("store", fmt::format("unknown design {}", design));
  std::vector<RungCurve> out;
  const evolve::Individual& i = r.population.individual(design);
  for (int rung = static_cast<int>(r.plan.settings.rungs.size()) - 1; rung >= 0; --rung)
    if (const evolve::Standing s = r.population.standing(i, rung); s.done > 0)
      out.push_back(
          {r.rung(rung).name,
           {.label = fmt::format("{} {:.3f}", campaign::one_line(campaign::label_of(i), 20), s.bits),
            .style = "",
            .points = campaign::training_curve(r, view.store, design, rung)}});
  return out;
}

std::vector<RungCurve> progress_curves(const CampaignView& view) {
  const campaign::CampaignReading& r = view.reading;
  std::vector<RungCurve> out;
  for (int rung = static_cast<int>(r.plan.settings.rungs.size()) - 1; rung >= 0; --rung) {
    campaign::Curve curve{.label = "", .style = "", .points = campaign::best_so_far(r, rung)};
    if (curve.points.empty()) continue;
    curve.points.emplace_back(std::max(r.last - r.begun, curve.points.back().first + 1),
                              curve.points.back().second);
    curve.label = fmt::format("{:.4f}", curve.points.back().second);
    out.push_back({r.rung(rung).name, std::move(curve)});
  }
  return out;
}

std::string common_curves_json(const std::vector<std::vector<RungCurve>>& all, bool of_training, double from,
                               double to) {
  const auto find = [](const std::vector<RungCurve>& curves, const std::string& rung) {
    return std::find_if(curves.begin(), curves.end(), [&](const RungCurve& c) { return c.rung == rung; });
  };
  if (all.empty()) return figure_text({});
  const auto common = std::find_if(all.front().begin(), all.front().end(), [&](const RungCurve& c) {
    return std::all_of(all.begin(), all.end(),
                       [&](const auto& curves) { return find(curves, c.rung) != curves.end(); });
  });
  if (common == all.front().end()) return figure_text({});
  std::vector<campaign::Curve> drawn;
  double last = 0;
  for (const std::vector<RungCurve>& curves : all) {
    drawn.push_back(find(curves, common->rung)->curve);
    drawn.back().style = fmt::format("line{}", (drawn.size() - 1) % campaign::kLineStyles);
    last = std::max(last, drawn.back().points.empty() ? 0 : drawn.back().points.back().first);
  }
  campaign::CurveAxes axes{.title = "Training losses",
                           .x_title = "tokens seen",
                           .y_title = "training loss, nats per token",
                           .from = from,
                           .to = to,
                           .height = 340};
  if (!of_training) {
    constexpr double kHour = 3600, kMinute = 60, kMostMinutes = 3 * kHour;
    const double unit = last > kMostMinutes ? kHour : kMinute;
    for (campaign::Curve& c : drawn)
      for (auto& point : c.points) point.first /= unit;
    axes.title = "Best scores over time";
    axes.x_title = fmt::format("{} since the campaign began", unit == kHour ? "hours" : "minutes");
    axes.y_title = "bits per byte";
    axes.log_x = false, axes.steps = true, axes.from_zero = true;
  }
  campaign::Figure out = campaign::curves_figure(std::move(drawn), axes);
  if (out.svg.empty()) return figure_text(out);
  const std::string rung = shown(common->rung);
  out.caption = of_training
                    ? fmt::format(
                          "Training at {}: mean loss over the last tenth of the steps so far. After "
                          "each name: its bits per byte on held-out text.",
                          rung)
                    : fmt::format("The best single run of the search at {} so far. Lower is better.", rung);
  return figure_text(out);
}

Result<std::string> run_figure_json(const CampaignView& view, const std::optional<campaign::LiveState>& live,
                                    std::int64_t trial) {
  const campaign::CampaignReading& r = view.reading;
  const evolve::Population& p = r.population;
  const campaign::LiveRun* run = nullptr;
  if (live)
    for (const campaign::LiveRun& each : live->runs)
      if (each.trial == trial) run = &each;
  if (!run || trial < 1 || trial > static_cast<std::int64_t>(p.trials().size())) return figure_text({});
  const record::TrialBegun& begun = p.trial(trial).begun;
  std::vector<campaign::Curve> curves;
  const auto add_finished = [&](std::int64_t design, const char* style, const std::string& name) {
    if (design <= 0 || design == begun.design) return;
    curves.push_back({.label = name,
                      .style = style,
                      .points = campaign::training_curve(r, view.store, design, begun.rung)});
  };
  const std::int64_t baseline = p.best_baseline(begun.rung),
                     parent = p.individual(begun.design).created.parent;
  if (baseline > 0)
    add_finished(baseline, "line0", campaign::one_line(p.individual(baseline).created.name, 18));
  if (parent != baseline) add_finished(parent, "line2", fmt::format("parent #{}", parent));
  // As in finished curves, the first tokens would compress the rest.
  const double from = 0.04 * static_cast<double>(r.rung(begun.rung).tokens);
  std::vector<std::pair<double, double>> points = smoothed(run->curve, from);
  if (points.empty()) return figure_text({});
  const std::string label = fmt::format("#{} now {:.3f}", begun.design, points.back().second);
  curves.push_back({.label = label, .style = "winner", .points = std::move(points)});
  return figure_text(
      campaign::curves_figure(std::move(curves), {.title = "Training loss of a run in progress",
                                                  .x_title = "tokens seen",
                                                  .y_title = "training loss, nats per token",
                                                  .width = 460,
                                                  .height = 230}));
}

}  // namespace gabbro::web
