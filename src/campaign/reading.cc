#include "campaign/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "campaign/words.h"
#include "evolve/twins.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Interval;
using evolve::Phase;
using evolve::Population;
using evolve::Standing;
using evolve::Trial;

namespace {

double time_of(const store::Store& store, std::int64_t event) {
  const auto page = store.events(event, 1);
  return page.empty() ? 0 : page.front().first;
}

double seconds_worked(const Reading& r, const store::Store& store) {
  double out = 0;
  for (std::size_t i = 0; i < r.sessions.size(); ++i) {
    const store::SessionRow& s = r.sessions[i];
    if (!s.session.begins) continue;
    double end = r.last;
    if (i + 1 < r.sessions.size())
      end = r.sessions[i + 1].session.begins ? time_of(store, r.sessions[i + 1].at - 1)
                                             : r.sessions[i + 1].time;
    out += std::max(0.0, end - s.time);  // a clock may have been set back
  }
  return out;
}

Result<Reading> read_tables(const store::Store& store) {
  GABBRO_TRY(campaign, store.campaign());
  GABBRO_TRY(plan, parse_plan(campaign));
  Reading out{plan, Population(plan.settings), {}, {}, 0, 0, 0, 0, 0};
  for (const store::DesignRow& d : store.designs())
    if (const auto ok = out.population.recall(d.born); !ok) return tl::unexpected(ok.error());
  const int rungs = static_cast<int>(plan.settings.rungs.size());
  for (const store::TrialRow& t : store.trials()) {
    if (t.begun.rung < 0 || t.begun.rung >= rungs)
      return fail("event", fmt::format("trial {} at rung {} of {}", t.begun.id, t.begun.rung, rungs),
                  "the record was changed by something else");
    if (const auto ok = out.population.apply(t.begun); !ok) return tl::unexpected(ok.error());
    out.worker_seconds += std::isfinite(t.seconds) ? t.seconds : 0;
    out.tokens += static_cast<double>(t.tokens);
    if (t.status == "running") continue;
    // At the first rung costs are those of the design as it was measured; sizes of higher rungs are not in the tables.
    const double flops = out.population.individual(t.begun.design).born.train_flops;
    if (const auto ok = out.population.recall(t.begun.id, t.end == "result" ? t.status : "failed", t.cause,
                                              t.bits, flops * static_cast<double>(t.tokens));
        !ok)
      return tl::unexpected(ok.error());
  }
  for (store::TaskRow& t : store.tasks())
    out.population.recall({.begun = std::move(t.begun),
                           .known = 0,
                           .ended = t.ended,
                           .report = std::move(t.report),
                           .design = t.design,
                           .refused = std::move(t.refused)});
  out.steering = store.steering();
  for (const auto& [time, steered] : out.steering)
    if (const auto ok = out.population.apply(steered); !ok) return tl::unexpected(ok.error());
  out.sessions = store.sessions();
  out.begun = time_of(store, 1);
  out.last = time_of(store, store.event_count());
  out.seconds = seconds_worked(out, store);
  return out;
}

}  // namespace

Result<Reading> read_record(const store::Store& store) {
  auto out = read_tables(store);
  if (!out) out.error().message = store.path() + ": " + out.error().message;
  return out;
}

std::vector<Funnel> funnel(const Population& p) {
  std::vector<Funnel> out(p.settings().rungs.size());
  for (const Individual& i : p.individuals()) {
    if (!evolve::is_candidate(i)) continue;
    for (std::size_t r = 0; r < out.size(); ++r) {
      const int rung = static_cast<int>(r);
      const Standing s = p.standing(i, rung);
      if (s.done + s.open + s.lost == 0) continue;
      Funnel& f = out[r];
      ++f.entered;
      const bool stopped = std::any_of(i.trials.begin(), i.trials.end(), [&](std::int64_t id) {
        return p.trial(id).begun.rung == rung && p.trial(id).status == "hurdle";
      });
      if (stopped)
        ++f.stopped;
      else if (s.lost > 0)
        ++f.failed;
      else if (s.done == 0)
        ++f.running;
      else {
        ++f.done;
        if (f.best_design == 0 || s.bits < f.best) f.best = s.bits, f.best_design = i.born.id;
      }
    }
  }
  return out;
}

std::vector<Arm> arms(const Reading& r, const store::Store& store) {
  const Population& p = r.population;
  std::vector<Arm> out;
  const std::size_t rungs = r.plan.settings.rungs.size();
  const auto at = [&](const std::string& name) -> Arm& {
    const auto found = std::find_if(out.begin(), out.end(), [&](const Arm& a) { return a.name == name; });
    return found != out.end() ? *found
                              : out.emplace_back(Arm{name, 0, 0, 0, std::vector<std::int64_t>(rungs)});
  };
  if (!r.plan.twins)
    for (const std::string& name : r.plan.settings.arms) at(name);
  std::map<std::pair<std::string, std::size_t>, double> best;
  for (const Individual& i : p.individuals()) {
    if (!evolve::is_candidate(i)) continue;
    Arm& arm = at(i.born.arm);
    ++arm.designs;
    for (std::size_t k = 0; k < rungs; ++k) {
      const Standing s = p.standing(i, static_cast<int>(k));
      if (s.done == 0 || s.lost > 0) continue;
      double& bits = best[{arm.name, k}];
      if (arm.best[k] == 0 || s.bits < bits) bits = s.bits, arm.best[k] = i.born.id;
    }
  }
  for (const store::Store::Count& c : store.refusals()) at(c.arm).refused += c.count;
  for (Arm& arm : out) arm.flops = p.spent(arm.name);
  return out;
}

std::vector<Ranked> ranking(const Population& p, int rung) {
  std::vector<Ranked> out;
  for (const Individual& i : p.individuals()) {
    if (i.born.arm == "ablation") continue;
    const Standing s = p.standing(i, rung);
    if (s.done > 0 && std::isfinite(s.bits)) out.push_back({i.born.id, s.bits, s.done});
  }
  std::stable_sort(out.begin(), out.end(), [](const Ranked& a, const Ranked& b) { return a.bits < b.bits; });
  return out;
}

// ---- the verdict ------------------------------------------------------------------------------------------------------------

namespace {

double mean_bits(const Population& p, std::int64_t design, int rung, bool final) {
  double sum = 0;
  int count = 0;
  for (const std::int64_t id : p.individual(design).trials) {
    const Trial& t = p.trial(id);
    if (t.begun.rung == rung && t.status == "done" && evolve::judges(t) == final) sum += t.bits, ++count;
  }
  return count > 0 ? sum / count : std::numeric_limits<double>::infinity();
}

std::vector<Duel> duels(const Population& p, const evolve::Leader& leader, bool final) {
  std::vector<std::pair<double, Duel>> all;
  for (const Individual& i : p.individuals()) {
    if (!evolve::is_baseline(i)) continue;
    const Interval d =
        evolve::compare(p, leader.design, i.born.id, leader.rung, final ? Phase::kFinal : Phase::kSearch);
    if (d.count > 0) all.emplace_back(mean_bits(p, i.born.id, leader.rung, final), Duel{i.born.id, d});
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Duel> out;
  for (auto& [bits, duel] : all) out.push_back(duel);
  return out;
}

std::string twins_sentence(const Reading& r) {
  const evolve::TwinReport t = evolve::twin_report(r.population, r.plan.seed);
  if (t.seeds == 0) return "An A/A test: no seed has a score of all copies yet.";
  return fmt::format(
      "An A/A test: {} of one design on {}. Of {} pairs, which differ by chance alone, {} {} told apart at "
      "95 %. With the same runs dealt anew among the copies, {:.1f} % of pairs are on average (5 % may be), "
      "and as many as here in {:.0f} % of deals. Runs that differ in their first weights alone have a "
      "standard deviation of {:.4f} bits per byte.",
      t.copies == 1 ? "1 copy" : fmt::format("{} copies", t.copies), count_of(t.seeds, "seed"), t.pairs,
      t.told_apart, t.told_apart == 1 ? "was" : "were", 100 * t.rate, 100 * t.as_many, t.noise);
}

std::string against_all(const std::vector<Duel>& duels) {
  std::size_t better = 0, worse = 0;
  for (const Duel& d : duels) {
    if (d.difference.high < 0) ++better;
    if (d.difference.low > 0) ++worse;
  }
  const std::size_t open = duels.size() - better - worse;
  std::string out = fmt::format(" Of {}, it is better than {}",
                                count_of(static_cast<std::int64_t>(duels.size()), "baseline"), better);
  if (worse > 0) out += fmt::format(", worse than {}", worse);
  if (open > 0) out += fmt::format(", undecided against {}", open);
  return out + ".";
}

std::string sentence_of(const Reading& r, const Verdict& v) {
  const Population& p = r.population;
  if (r.plan.twins) return twins_sentence(r);
  if (v.leader.rung < 0) return "No design of the search has finished a run yet: nothing is decided.";
  const std::string who = "Design " + label_of(p.individual(v.leader.design));
  const std::string where = shortened(r.rung(v.leader.rung).name, 30);
  if (v.duels.empty())
    return fmt::format("{} leads at {}; no baseline has a run of the same seed there, so nothing is decided.",
                       who, where);
  const Interval& d = v.duels.front().difference;
  const std::string against = shortened(p.individual(v.duels.front().baseline).born.name, 40);
  if (!v.fresh)
    return fmt::format(
        "{} leads at {} with {:+.4f} bits per byte against the best baseline, {}, on the seeds that chose "
        "it. "
        "The comparison on fresh seeds has not been run: nothing is decided, which takes at least {} of "
        "them.",
        who, where, d.mean, against, evolve::least_seeds());
  const std::string seeds = fmt::format("{} fresh {}", d.count, d.count == 1 ? "seed" : "seeds");
  if (!std::isfinite(d.low))
    return fmt::format(
        "{} differs by {:+.4f} bits per byte from the best baseline, {}, at {} on {}: too few for an "
        "interval, which takes {}; nothing is decided.",
        who, d.mean, against, where, seeds, evolve::least_seeds());
  const std::string numbers = fmt::format("{:+.4f} bits per byte, 95 % interval {:+.4f} to {:+.4f}, on {}",
                                          d.mean, d.low, d.high, seeds);
  const char* verb = d.high < 0 ? "beats" : d.low > 0 ? "loses to" : "is not told apart from";
  return fmt::format("{} {} the best baseline, {}, at {}: {}.{}", who, verb, against, where, numbers,
                     v.duels.size() > 1 ? against_all(v.duels) : "");
}

}  // namespace

Verdict verdict(const Reading& r) {
  Verdict out;
  if (!r.plan.twins) out.leader = evolve::leader(r.population);
  if (out.leader.rung >= 0) {
    out.duels = duels(r.population, out.leader, true);
    out.fresh = !out.duels.empty();
    if (!out.fresh) out.duels = duels(r.population, out.leader, false);
  }
  out.sentence = sentence_of(r, out);
  return out;
}

std::vector<std::int64_t> lineage(const Population& p, std::int64_t design, std::size_t most) {
  std::vector<std::int64_t> out;
  // Parents are older than their children, so that this ends.
  for (std::int64_t at = design; at > 0 && out.size() < most; at = p.individual(at).born.parent)
    out.push_back(at);
  return out;
}

std::vector<Part> parts(const Population& p, const evolve::Leader& leader) {
  std::vector<Part> out;
  if (leader.rung < 0) return out;
  for (const Individual& i : p.individuals()) {
    if (i.born.arm != "ablation" || i.born.parent != leader.design) continue;
    const std::vector<double> d = p.differences(i.born.id, leader.design, leader.rung, true);
    if (!d.empty()) out.push_back({i.born.op, d.front(), i.born.id});
  }
  std::stable_sort(out.begin(), out.end(), [](const Part& a, const Part& b) { return a.loss > b.loss; });
  return out;
}

std::int64_t scored_trial(const Population& p, std::int64_t design, int rung) {
  for (const std::int64_t id : p.individual(design).trials) {
    const Trial& t = p.trial(id);
    if (t.begun.rung == rung && t.status == "done") return id;
  }
  return 0;
}

std::string moved_text(const store::Store& store, const Population& p, std::int64_t design, int rung) {
  const std::int64_t trial = scored_trial(p, design, rung);
  if (trial == 0) return "";
  const auto result = store.result(trial);
  return result ? result->moved : "";
}

}  // namespace gabbro::campaign
