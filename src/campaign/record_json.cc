// Implements the JSON forms of campaign/record_text.h.
#include <cmath>
#include <nlohmann/json.hpp>

#include "campaign/agents_text.h"
#include "campaign/reading.h"
#include "campaign/record_text.h"

namespace gabbro::campaign {

using nlohmann::json;

namespace {

std::string line(const json& object) {
  return object.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

// JSON has no infinities and no NaN; they become null.
json number(double x) { return std::isfinite(x) ? json(x) : json(); }

// Returns counts by cause; `key` names Count::what, a strategy or a status.
json counts(const std::vector<store::Store::Count>& all, const char* key) {
  json out = json::array();
  for (const auto& c : all) out.push_back({{key, c.what}, {"cause", c.cause}, {"count", c.count}});
  return out;
}

json interval(const evolve::Interval& i) {
  return {{"mean", number(i.mean)}, {"low", number(i.low)}, {"high", number(i.high)}, {"seeds", i.count}};
}

json scored(const evolve::Population& p, std::int64_t design, int rung) {
  return {{"design", design}, {"bits_per_byte", number(p.standing(p.individual(design), rung).bits)}};
}

json session(const CampaignReading& r) {
  if (r.sessions.empty()) return nullptr;
  const store::SessionRow& last = r.sessions.back();
  return {{"time", last.time},
          {"ended", !last.session.begins},
          {"end", last.session.begins ? json(nullptr) : json(record::word_of(last.session.end))},
          {"sandbox", last.session.sandbox}};
}

}  // namespace

Result<std::string> status_json(const store::Store& store, const std::string& cluster) {
  GABBRO_TRY(r, read_record(store));
  return status_json(r, store, cluster);
}

std::string status_json(const CampaignReading& r, const store::Store& store, const std::string& cluster) {
  const evolve::Population& p = r.population;
  const CampaignVerdict v = verdict(r);
  json out{{"preset", r.plan.settings.preset},
           {"corpus", r.plan.corpus},
           {"seed", r.plan.seed},
           {"secret_given", r.plan.secret_given},
           {"aa_test", r.plan.aa_test},
           {"designs", p.individuals().size()},
           {"trials", p.trials().size()},
           {"seconds", r.seconds},
           {"worker_seconds", r.worker_seconds},
           {"tokens", r.tokens},
           {"session", session(r)},
           {"cluster", cluster.empty() ? json() : json(cluster)}};
  json duels = json::array();
  for (const Duel& d : v.duels) {
    json one = interval(d.difference);
    one["baseline"] = p.individual(d.baseline).created.name;
    one["word"] = d.word;
    duels.push_back(std::move(one));
  }
  out["verdict"] = {{"text", v.sentence},
                    {"design", v.leader.rung < 0 ? json() : json(v.leader.design)},
                    {"rung", v.leader.rung < 0 ? json() : json(v.leader.rung)},
                    {"fresh_seeds", v.has_comparison},
                    {"claims", v.outcome.claims()},
                    {"held_back", v.outcome.held_back()},
                    {"unconfirmed", v.outcome.unconfirmed},
                    {"contradicted", v.outcome.contradicted},
                    {"unread_difference", v.outcome.unread.count > 0 ? json(v.outcome.unread.mean) : json()},
                    {"against", duels}};
  if (const record::ComparisonBegun* c = v.outcome.begun)
    out["comparison"] = {{"number", c->id},
                         {"seeds", c->seeds},
                         {"documents", v.outcome.documents},
                         {"fresh_documents", v.outcome.fresh_documents},
                         {"ended", v.outcome.ended},
                         {"level", c->level},
                         {"reason", c->reason},
                         {"deviation", number(std::sqrt(v.outcome.run.value))},
                         {"degrees_of_freedom", v.outcome.run.freedom},
                         {"visible_effect", number(evolve::visible_effect_of(p, v.outcome))}};
  else
    out["comparison"] = nullptr;
  out["other_comparisons"] = json::array();
  for (const EarlierComparison& c : v.earlier)
    out["other_comparisons"].push_back({{"number", c.number}, {"text", c.text}, {"claims", c.claims}});
  out["rungs"] = json::array();
  const std::vector<Funnel> all = funnel(p);
  for (std::size_t k = 0; k < all.size(); ++k) {
    const auto rung = static_cast<int>(k);
    const std::int64_t baseline = p.best_baseline(rung);
    out["rungs"].push_back(
        {{"name", r.rung(rung).name},
         {"designs", all[k].entered},
         {"running", all[k].running},
         {"done", all[k].done},
         {"stopped", all[k].stopped},
         {"failed", all[k].failed},
         {"known",
          {{"running", all[k].known.running}, {"done", all[k].known.done}, {"failed", all[k].known.failed}}},
         {"best", all[k].best_design == 0 ? json() : json(all[k].best)},
         {"best_design", all[k].best_design == 0 ? json() : json(all[k].best_design)},
         {"best_baseline", baseline == 0 ? json() : scored(p, baseline, rung)}});
  }
  out["strategies"] = json::array();
  for (const StrategyRow& a : strategies(r, store)) {
    json best = json::array();
    for (std::size_t k = 0; k < a.best.size(); ++k)
      best.push_back(a.best[k] == 0 ? json() : scored(p, a.best[k], static_cast<int>(k)));
    out["strategies"].push_back({{"name", a.name},
                                 {"designs", a.designs},
                                 {"refused", a.refused},
                                 {"flops", number(a.flops)},
                                 {"best", best}});
  }
  out["capabilities"] = json::array();
  for (const std::int64_t id : profiled(p)) {
    const record::CapabilityResult& profile = *p.individual(id).profile;
    json scores = json::array();
    for (const record::CapabilityTask& t : profile.tasks)
      for (const record::CapabilityScore& s : t.scores)
        scores.push_back({{"task", t.task},
                          {"tokens", s.length},
                          {"accuracy", s.accuracy},
                          {"error", number(s.error)},
                          {"chance", s.chance}});
    out["capabilities"].push_back(
        {{"design", id}, {"status", profile.status}, {"cause", profile.cause}, {"scores", scores}});
  }
  out["tasks"] = json::array();
  for (const TaskOutcomeCount& o : count_task_outcomes(p))
    out["tasks"].push_back({{"outcome", o.outcome}, {"count", o.count}});
  out["paused"] = p.paused();
  out["directions"] = p.directions();
  out["refusals"] = counts(store.refusals(), "strategy");
  out["failures"] = counts(store.failures(), "status");
  return line(out);
}

Result<std::string> top_json(const store::Store& store, std::size_t count) {
  GABBRO_TRY(r, read_record(store));
  const evolve::Population& p = r.population;
  const int rung = std::max(0, evolve::leader(p).rung);
  const std::int64_t baseline = p.best_baseline(rung);
  json out{{"rung", r.rung(rung).name},
           {"best_baseline", baseline == 0 ? json() : json(p.individual(baseline).created.name)},
           {"designs", json::array()}};
  std::size_t shown = 0;
  for (const Ranked& k : ranking(p, rung)) {
    const record::DesignCreated& b = p.individual(k.design).created;
    if (b.origin != record::Origin::kBaseline && b.origin != record::Origin::kControl && shown++ >= count)
      continue;
    json one{{"id", b.id},
             {"name", b.name},
             {"origin", record::word_of(b.origin)},
             {"strategy", b.strategy},
             {"made_by", evolve::maker_of(b)},
             {"parent", b.parent},
             {"species", b.species},
             {"bits_per_byte", k.bits},
             {"seeds", k.seeds},
             {"train_flops_per_token", number(b.train_flops)},
             {"decode_flops_per_token", number(b.decode_flops)},
             {"state_bytes", number(b.state_bytes)}};
    one["against_baseline"] = baseline != 0 && b.id != baseline
                                  ? interval(evolve::search_interval(p, b.id, baseline, rung))
                                  : json();
    out["designs"].push_back(std::move(one));
  }
  out["unscored"] = json::array();
  for (const Unscored& u : unscored(p, rung))
    out["unscored"].push_back(
        {{"id", u.design}, {"name", p.individual(u.design).created.name}, {"why", u.why}});
  return line(out);
}

}  // namespace gabbro::campaign
