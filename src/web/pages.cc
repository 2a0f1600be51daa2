#include "web/pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "campaign/figures.h"
#include "campaign/format.h"
#include "campaign/record_text.h"
#include "campaign/remarks.h"
#include "evolve/comparison.h"
#include "jobs/slurm.h"
#include "web/shown.h"

namespace gabbro::web {

using nlohmann::json;

namespace {

using campaign::CampaignReading;
using evolve::Individual;
using evolve::Population;

json number(double x) { return std::isfinite(x) ? json(x) : json(); }
std::string text_of(const json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

json word_of_state(const CampaignReading& r, bool is_running) {
  if (is_running) return r.population.paused() ? "paused" : "running";
  if (r.sessions.empty()) return "not started";
  const record::Session& last = r.sessions.back().session;
  if (last.begins) return "interrupted";
  return last.end == record::SessionEnd::kError ? "ended by an error" : "at rest";
}

// Says in one word what the verdict is.
json word_of_verdict(const CampaignReading& r, const campaign::CampaignVerdict& v) {
  if (r.plan.aa_test) return "A/A test";
  if (v.leader.rung < 0 || !v.has_comparison) return "undecided";
  if (v.outcome.claims()) return "ahead";
  return v.outcome.complete ? "no claim" : "in comparison";
}

json standing_row(const CampaignView& view, const campaign::Ranked& k, int rung) {
  const Individual& i = view.reading.population.individual(k.design);
  const campaign::Measured m = campaign::measured(view.store, view.reading.population, k.design, rung);
  return {{"id", k.design},
          {"label", shown(campaign::label_of(i))},
          {"species", shown_line(i.created.species, 60)},
          {"bits", number(k.bits)},
          {"seeds", k.seeds},
          {"params", m.params},
          {"speed", m.tokens_per_second > 0 ? number(m.tokens_per_second) : json()},
          {"context", campaign::context_text(view.store, view.reading.population, k.design, rung)},
          {"train", number(i.created.train_flops)},
          {"decode", number(i.created.decode_flops)},
          {"state", number(i.created.state_bytes)},
          {"source", shown_line(evolve::source_of(i.created), 30)},
          {"known", evolve::is_known(i)},
          {"leader", k.design == view.verdict.leader.design}};
}

json standings(const CampaignView& view) {
  constexpr std::size_t kShown = 12;
  const Population& p = view.reading.population;
  const int rung = std::max(0, view.verdict.leader.rung);
  json rows = json::array(), without = json::array();
  std::size_t candidates = 0;
  for (const campaign::Ranked& k : campaign::ranking(p, rung)) {
    if (!evolve::is_known(p.individual(k.design)) && candidates++ >= kShown) continue;
    rows.push_back(standing_row(view, k, rung));
  }
  for (const campaign::Unscored& u : campaign::unscored(p, rung))
    without.push_back({{"id", u.design},
                       {"label", shown(campaign::label_of(p.individual(u.design)))},
                       {"why", shown_line(u.why, 200)}});
  return {{"rung", shown(view.reading.rung(rung).name)},
          {"rows", rows},
          {"unscored", without},
          {"candidates", candidates}};
}

json ladder(const CampaignView& view) {
  const Population& p = view.reading.population;
  json out = json::array();
  const auto all = campaign::funnel(p);
  for (std::size_t k = 0; k < all.size(); ++k) {
    const int rung = static_cast<int>(k);
    const evolve::Rung& r = view.reading.rung(rung);
    const std::int64_t baseline = p.best_baseline(rung);
    out.push_back(
        {{"name", shown(r.name)},
         {"params", r.params},
         {"tokens", r.tokens},
         {"rate", r.rate},
         {"promoted", k + 1 < all.size() ? json(r.promote_fraction) : json()},
         {"entered", all[k].entered},
         {"running", all[k].running},
         {"done", all[k].done},
         {"stopped", all[k].stopped},
         {"failed", all[k].failed},
         {"known", campaign::known_text(all[k].known)},
         {"best", all[k].best_design > 0 ? number(all[k].best) : json()},
         {"best_design", all[k].best_design},
         {"baseline", baseline},
         {"baseline_name", baseline > 0 ? json(shown(p.individual(baseline).created.name)) : json()},
         {"baseline_bits", baseline > 0 ? number(p.standing(p.individual(baseline), rung).bits) : json()}});
  }
  return out;
}

// Returns what the last quarter of an hour of the record achieved.
json throughput(const CampaignReading& r) {
  constexpr double kWindow = 900;  // seconds
  double runs = 0, tokens = 0, first = r.last;
  for (const campaign::RunTimes& t : r.times)
    if (t.ended > r.last - kWindow) ++runs, tokens += t.tokens, first = std::min(first, t.begun);
  const double seconds = std::min(kWindow, r.last - std::max(first, r.last - kWindow));
  if (runs == 0 || seconds < 1) return nullptr;
  return {{"runs_per_hour", number(3600 * runs / seconds)}, {"tokens_per_second", number(tokens / seconds)}};
}

json counts(const std::vector<store::Store::Count>& all) {
  constexpr std::size_t kShown = 100;
  json out = json::array();
  for (std::size_t k = 0; k < std::min(kShown, all.size()); ++k)
    out.push_back({{"what", shown_line(all[k].what, 40)},
                   {"cause", shown_line(all[k].cause, 200)},
                   {"count", all[k].count}});
  return out;
}

json duels(const CampaignView& view) {
  json out = json::array();
  for (const campaign::Duel& d : view.verdict.duels) {
    const evolve::Interval& i = d.difference;
    out.push_back({{"id", d.baseline},
                   {"name", shown(view.reading.population.individual(d.baseline).created.name)},
                   {"difference", i.count > 0 ? campaign::interval_text(i) : "-"},
                   {"seeds", i.count},
                   {"word", shown_line(d.word, 200)}});
  }
  return out;
}

json rates(const CampaignView& view) {
  json out = json::array();
  const int rung = std::max(0, view.verdict.leader.rung);
  for (const Individual& i : view.reading.population.individuals())
    if (evolve::is_known(i) || i.created.id == view.verdict.leader.design)
      if (const std::string text = campaign::rates_text(view.reading, i.created.id, rung); !text.empty())
        out.push_back({{"id", i.created.id}, {"label", shown(campaign::label_of(i))}, {"text", shown(text)}});
  return out;
}

json summary_of(const CampaignView& view) {
  const CampaignReading& r = view.reading;
  std::int64_t designs = 0;
  for (const Individual& i : r.population.individuals())
    designs += evolve::is_candidate(i) || evolve::is_replicate(i);
  const std::string corpus = std::filesystem::path(r.plan.corpus + "/").parent_path().filename().string();
  return {{"key", view.key},
          {"dir", shown(view.dir)},
          {"preset", shown_line(r.plan.settings.preset, 60)},
          {"corpus", shown_line(corpus, 60)},
          {"seed", r.plan.seed},
          {"designs", designs},
          {"all_designs", r.population.individuals().size()},
          {"runs", r.population.trials().size()},
          {"begun", r.begun},
          {"last", r.last},
          {"seconds", number(r.seconds)},
          {"worker_seconds", number(r.worker_seconds)},
          {"tokens", number(r.tokens)},
          {"rungs", r.plan.settings.rungs.size()},
          {"leader", view.verdict.leader.rung < 0 ? json() : json(view.verdict.leader.design)},
          {"leader_rung", view.verdict.leader.rung},
          {"verdict", shown(view.verdict.sentence)},
          {"verdict_word", word_of_verdict(r, view.verdict)}};
}

}  // namespace

std::string error_json(const Error& e) {
  return text_of({{"error", shown(e.message)}, {"code", e.code}, {"hint", shown(e.hint)}});
}

std::string hints_json() {
  json out = json::object();
  for (const campaign::Hint& h : campaign::kHints) out[std::string(h.table)][std::string(h.column)] = h.text;
  return text_of(out);
}

std::string campaigns_json(const std::vector<std::shared_ptr<Followed>>& campaigns) {
  json out = json::array();
  for (const auto& c : campaigns) {
    const auto text = c->answer("summary", [](const CampaignView& view) -> Result<std::string> {
      json summary = summary_of(view);
      const Population& p = view.reading.population;
      const int rung = std::max(0, view.verdict.leader.rung);
      const std::int64_t baseline = p.best_baseline(rung);
      summary["best"] = view.verdict.leader.rung < 0
                            ? json()
                            : number(p.standing(p.individual(view.verdict.leader.design), rung).bits);
      summary["baseline"] = baseline == 0 ? json() : number(p.standing(p.individual(baseline), rung).bits);
      summary["rung"] = shown(view.reading.rung(rung).name);
      summary["at_rest"] = word_of_state(view.reading, false);
      summary["paused"] = p.paused();
      return text_of(summary);
    });
    json row;
    if (text) {
      row = json::parse(*text);
      row["state"] =
          c->is_running() ? (row["paused"].get<bool>() ? json("paused") : json("running")) : row["at_rest"];
    } else {
      row = {{"key", c->key()}, {"dir", shown(c->dir())}};
      if (text.error().code == kLoading)
        row["state"] = "being read";
      else
        row["state"] = "unreadable", row["error"] = shown(text.error().message);
    }
    out.push_back(std::move(row));
  }
  return text_of({{"campaigns", out}});
}

Result<std::string> overview_json(const CampaignView& view) {
  const CampaignReading& r = view.reading;
  json out = summary_of(view);
  out["aa_test"] = r.plan.aa_test;
  out["sensitivity"] = shown(view.verdict.sensitivity);
  out["has_comparison"] = view.verdict.has_comparison;
  out["comparison_reason"] = view.verdict.has_comparison
                                 ? json(shown(campaign::started_text(view.verdict.outcome.begun->reason)))
                                 : json();
  out["remarks"] = {{"ladder", campaign::kNoEntry},
                    {"no_standings", campaign::kNoScore},
                    {"standings", campaign::standings_remark()},
                    {"duels", campaign::kNoDuel},
                    {"refusals", campaign::kNoRefusal},
                    {"failures", campaign::kNoFailure}};
  out["earlier"] = json::array();
  for (const campaign::EarlierComparison& e : view.verdict.earlier) out["earlier"].push_back(shown(e.text));
  out["session"] = shown(campaign::session_text(r));
  out["duels"] = duels(view);
  out["ladder"] = ladder(view);
  out["standings"] = standings(view);
  out["rates"] = rates(view);
  out["throughput"] = throughput(r);
  out["refusals"] = counts(view.store.refusals());
  out["failures"] = counts(view.store.failures());
  out["paused"] = r.population.paused();
  out["directions"] = json::array();
  for (const std::string& d : r.population.directions()) out["directions"].push_back(shown(d));
  out["has_agents"] = !r.population.tasks().empty();
  out["steering"] = json::parse(steering_list(r));
  const auto parts = campaign::ablated_parts(r.population, view.verdict.leader);
  out["advice"] = shown(campaign::advice_on_parts(parts));
  out["settings"] = shown(campaign::public_toml(r.plan));
  return text_of(out);
}

Result<std::string> live_json(const CampaignView& view, bool is_running,
                              const std::optional<campaign::LiveState>& live) {
  const CampaignReading& r = view.reading;
  const Population& p = r.population;
  json out{{"state", word_of_state(r, is_running)},
           {"live", live.has_value()},
           {"runs", json::array()},
           {"cluster", shown(jobs::slurm_status(view.dir))}};
  if (live) {
    out["searches"] = live->searches;
    out["seconds"] = number(live->seconds);
    out["seconds_left"] = live->seconds_left >= 0 ? number(live->seconds_left) : json();
    out["agents"] = shown(live->agents);
    out["warning"] = shown(live->warning);
    out["left"] = shown(live->left);
    out["workers"] = live->workers > 0 ? json(live->workers) : json();
    out["idle"] = std::max(0, live->workers - live->busy);
    out["profiling"] = json::array();
    for (const campaign::Profiling& q : live->profiling)
      if (q.design >= 1 && q.design <= static_cast<std::int64_t>(p.individuals().size()))
        out["profiling"].push_back({{"design", q.design},
                                    {"label", shown(campaign::label_of(p.individual(q.design)))},
                                    {"stage", shown_line(q.progress.stage, 60)}});
  }
  const auto progress_of = [&](std::int64_t trial) -> const campaign::LiveRun* {
    if (!live) return nullptr;
    for (const campaign::LiveRun& run : live->runs)
      if (run.trial == trial) return &run;
    return nullptr;
  };
  // The latest runs are at the end; those without an end that no process works on were lost.
  constexpr std::size_t kMost = 256;
  for (auto t = p.trials().rbegin(); t != p.trials().rend() && out["runs"].size() < kMost; ++t) {
    if (t->ended) continue;
    const campaign::LiveRun* run = progress_of(t->begun.id);
    if (live && !run) continue;
    json row{{"id", t->begun.id},
             {"design", t->begun.design},
             {"label", shown(campaign::label_of(p.individual(t->begun.design)))},
             {"rung", shown(r.rung(t->begun.rung).name)},
             {"purpose", record::word_of(t->begun.purpose)},
             {"seed", t->begun.seed},
             {"begun", r.times.at(static_cast<std::size_t>(t->begun.id - 1)).begun}};
    if (run) {
      const record::Progress& q = run->progress;
      row["stage"] = shown_line(q.stage.empty() ? "starting" : q.stage, 60);
      row["step"] = q.step, row["steps"] = q.steps;
      row["loss"] = number(q.loss), row["tokens_per_second"] = number(q.tokens_per_second);
      row["share"] =
          number(q.steps > 0 ? static_cast<double>(q.step) / static_cast<double>(q.steps) : q.share);
      row["points"] = run->curve.size();
    }
    out["runs"].push_back(std::move(row));
  }
  return text_of(out);
}

}  // namespace gabbro::web
