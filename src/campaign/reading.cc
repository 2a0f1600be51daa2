#include "campaign/reading.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "campaign/format.h"
#include "evolve/rates.h"
#include "evolve/replicates.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Interval;
using evolve::Population;
using evolve::Standing;
using evolve::Trial;

namespace {

// Counts a baseline or control at the rungs at which it has runs.
void count_known(const Population& p, const Individual& i, std::vector<Funnel>& rungs) {
  for (std::size_t r = 0; r < rungs.size(); ++r) {
    const int rung = static_cast<int>(r);
    bool entered = false, open = false;
    for (const std::int64_t id : i.trials)
      if (const Trial& t = p.trial(id); t.begun.rung == rung && !evolve::is_by_hand(t))
        entered = true, open = open || !t.ended;
    if (!entered) continue;
    KnownAtRung& known = rungs[r].known;
    ++(open ? known.running : p.standing(i, rung).done > 0 ? known.done : known.failed);
  }
}

}  // namespace

std::string known_text(const KnownAtRung& known) {
  std::string out;
  for (const auto& [count, word] :
       {std::pair{known.running, "running"}, {known.done, "done"}, {known.failed, "failed"}})
    if (count > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, word);
  return out.empty() ? "-" : out;
}

std::vector<Funnel> funnel(const Population& p) {
  std::vector<Funnel> out(p.settings().rungs.size());
  for (const Individual& i : p.individuals()) {
    if (evolve::is_known(i)) count_known(p, i, out);
    if (!evolve::is_candidate(i)) continue;
    for (std::size_t r = 0; r < out.size(); ++r) {
      const int rung = static_cast<int>(r);
      const Standing s = p.standing(i, rung);
      if (s.done + s.open + s.unscored == 0) continue;
      Funnel& f = out[r];
      ++f.entered;
      const bool stopped = std::any_of(i.trials.begin(), i.trials.end(), [&](std::int64_t id) {
        const Trial& t = p.trial(id);
        return t.begun.rung == rung && t.status == record::Status::kHurdle && !evolve::is_by_hand(t);
      });
      if (stopped)
        ++f.stopped;
      else if (s.unscored > 0)
        ++f.failed;
      else if (s.done == 0)
        ++f.running;
      else {
        ++f.done;
        if (f.best_design == 0 || s.bits < f.best) f.best = s.bits, f.best_design = i.created.id;
      }
    }
  }
  return out;
}

std::vector<StrategyRow> strategies(const CampaignReading& r, const store::Store& store) {
  const Population& p = r.population;
  std::vector<StrategyRow> out;
  const std::size_t rungs = r.plan.settings.rungs.size();
  const auto row_of = [&](const std::string& name) -> StrategyRow& {
    const auto found =
        std::find_if(out.begin(), out.end(), [&](const StrategyRow& row) { return row.name == name; });
    return found != out.end()
               ? *found
               : out.emplace_back(StrategyRow{.name = name, .best = std::vector<std::int64_t>(rungs)});
  };
  if (!r.plan.aa_test)
    for (const std::string& name : r.plan.settings.strategies) row_of(name);
  std::map<std::pair<std::string, std::size_t>, double> best;
  for (const Individual& i : p.individuals()) {
    if (!evolve::is_candidate(i)) continue;
    StrategyRow& strategy = row_of(evolve::source_of(i.created));
    ++strategy.designs;
    for (std::size_t k = 0; k < rungs; ++k) {
      const Standing s = p.standing(i, static_cast<int>(k));
      if (s.done == 0 || s.unscored > 0) continue;
      double& bits = best[{strategy.name, k}];
      if (strategy.best[k] == 0 || s.bits < bits) bits = s.bits, strategy.best[k] = i.created.id;
    }
  }
  for (const store::Store::Count& c : store.refusals()) row_of(c.what).refused += c.count;
  for (StrategyRow& strategy : out) strategy.flops = p.spent(strategy.name);
  return out;
}

std::vector<Ranked> ranking(const Population& p, int rung) {
  std::vector<Ranked> out;
  for (const Individual& i : p.individuals()) {
    if (is_ablation(i)) continue;
    const Standing s = p.standing(i, rung);
    if (s.done > 0 && std::isfinite(s.bits))
      out.push_back({.design = i.created.id, .bits = s.bits, .seeds = s.done});
  }
  std::stable_sort(out.begin(), out.end(), [](const Ranked& a, const Ranked& b) { return a.bits < b.bits; });
  return out;
}

// ---- Verdict ----

namespace {

std::string word_of(const evolve::ComparisonRow& row, const evolve::ComparisonOutcome& o) {
  const std::string failures = failed_runs_text(row.failed_runs);
  if (!row.trained) return failures.empty() ? "no run" : failures;
  std::string out = !o.complete               ? fmt::format("{} of {} seeds", row.ended, o.begun->seeds)
                    : row.difference.high < 0 ? "ahead"
                    : row.difference.low > 0  ? "behind"
                                              : "no significant difference";
  if (!failures.empty()) out += "; " + failures;
  return out;
}

// Returns a warning about the designs whose runs are compared with runs of another build; "" without any.
std::string builds_text(const CampaignReading& r, const CampaignVerdict& v) {
  std::string names;
  for (const evolve::ComparisonRow& row : v.outcome.rows)
    if (row.mixes_builds)
      names += (names.empty() ? "" : ", ") + label_of(r.population.individual(row.design));
  if (names.empty()) return "";
  return fmt::format(
      "Runs of {} and of the leader were computed by different builds of the worker, or on different "
      "processors: "
      "their difference may come from that.",
      names);
}

// Returns the share of held-out documents that the tokenizer changes, of the corpus on which runs were
// scored.
double changed_share(const Population& p) {
  double out = 0;
  for (const evolve::Trial& t : p.trials()) out = std::max(out, t.changed_share);
  return out;
}

std::vector<Duel> duels_of_comparison(const evolve::ComparisonOutcome& outcome) {
  std::vector<Duel> out;
  for (const evolve::ComparisonRow& row : outcome.rows)
    out.push_back({.baseline = row.design, .difference = row.difference, .word = word_of(row, outcome)});
  return out;
}

// Returns the leader's duels on the seeds of the search.
std::vector<Duel> duels_of_search(const Population& p, const evolve::Leader& leader) {
  std::vector<std::pair<double, Duel>> all;
  for (const std::int64_t design : evolve::compared_with(p)) {
    const Standing s = p.standing(p.individual(design), leader.rung);
    const Interval d = evolve::search_interval(p, leader.design, design, leader.rung);
    std::string word = failed_runs_text(evolve::failed_runs(p, design, leader.rung, /*begun=*/nullptr));
    if (word.empty() && d.count == 0) word = s.open > 0 ? "running" : "no run yet";
    all.emplace_back(s.done > 0 ? s.bits : std::numeric_limits<double>::infinity(),
                     Duel{.baseline = design, .difference = d, .word = word});
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Duel> out;
  for (auto& [bits, duel] : all) out.push_back(std::move(duel));
  return out;
}

std::string replicates_sentence(const CampaignReading& r) {
  const evolve::ReplicateReport t = evolve::replicate_report(r.population, r.plan.seed);
  if (t.seeds == 0) return "An A/A test: no seed has a score of all copies yet.";
  return fmt::format(
      "An A/A test: {} of one design on {}. Of {} pairs, which differ by chance alone, {} {} significantly "
      "at 95 %. When the same runs are randomly permuted among the copies, {:.1f} % of pairs do on average "
      "(5 % are expected), and at least as many as here in {:.0f} % of permutations. Runs that differ only "
      "in their initialisation have a standard deviation of {:.4f} bits per byte.",
      t.copies == 1 ? "1 copy" : fmt::format("{} copies", t.copies), count_of(t.seeds, "seed"), t.pairs,
      t.significant, t.significant == 1 ? "differs" : "differ", 100 * t.false_positive_rate, 100 * t.p_value,
      t.seed_stddev);
}

// Says how many known designs a leader is ahead of, if it is not ahead of all.
std::string counts_text(const evolve::ComparisonOutcome& o) {
  std::int64_t trained = 0, better = 0, worse = 0;
  for (const evolve::ComparisonRow& row : o.rows)
    trained += row.trained, better += (row.difference.high < 0), worse += (row.difference.low > 0);
  if (trained < 2) return "";
  std::string out = fmt::format(" Of {} known designs, it is ahead of {}", trained, better);
  if (worse > 0) out += fmt::format(", behind {}", worse);
  if (const std::int64_t open = trained - better - worse; open > 0)
    out += fmt::format(", not significantly different from {}", open);
  return out + ".";
}

// Describes the known designs that lost runs.
std::string failed_baselines_text(const Population& p, const evolve::ComparisonOutcome& o) {
  std::string out;
  for (const evolve::ComparisonRow& row : o.rows) {
    if (row.failed_runs.empty()) continue;
    const std::string name = one_line(p.individual(row.design).created.name, 40),
                      lost = failed_runs_text(row.failed_runs);
    if (row.trained)
      out += fmt::format(" A run of {} is missing: {}.", name, lost);
    else if (row.difference.count == 0)
      out += fmt::format(" {} could not be trained: {}.", name, lost);
    else
      out += fmt::format(
          " {} lost too many runs: {}; on {} that it has, the leader's difference from it is {:+.4f}.", name,
          lost, count_of(row.difference.count, "seed"), row.difference.mean);
  }
  return out;
}

// Names the known designs that could be trained: "all 3 baselines and 1 control".
std::string baselines_text(const Population& p, const evolve::ComparisonOutcome& o) {
  std::int64_t all = 0, trained = 0, controls = 0;
  for (const evolve::ComparisonRow& row : o.rows) {
    const bool control = evolve::is_control(p.individual(row.design));
    controls += control && row.trained;
    all += !control;
    trained += row.trained && !control;
  }
  const std::string with = controls == 0 ? "" : " and " + count_of(controls, "control");
  if (trained == all) return (all == 1 ? "the baseline" : fmt::format("all {} baselines", all)) + with;
  return fmt::format("the {} of {} baselines that could be trained{}", trained, all, with);
}

// Says whether the rung can judge mixers.
std::string rung_text(const Population& p, const evolve::ComparisonOutcome& o, const std::string& where) {
  if (!o.complete) return "";
  const std::string nothing = fmt::format(" It is not known whether {} can judge mixers: ", where);
  if (o.controls == 0) return nothing + "the preset has no controls. Nothing more is claimed.";
  if (o.untrained_controls > 0)
    return nothing + fmt::format("{} could not be trained there. Nothing more is claimed.",
                                 o.controls == 1
                                     ? "the control"
                                     : fmt::format("{} of {} controls", o.untrained_controls, o.controls));
  if (o.best_baseline == 0) return nothing + "no baseline could be trained there. Nothing more is claimed.";
  if (o.over_control.count == 0)
    return nothing + "one held-out document says nothing about others. Nothing more is claimed.";
  const std::string mixer = one_line(p.individual(o.best_baseline).created.name, 40),
                    control = one_line(p.individual(o.control).created.name, 40);
  const Interval& d = o.over_control;
  const std::string numbers = fmt::format("{:+.4f} bits per byte, {:+.4f} to {:+.4f}", d.mean, d.low, d.high);
  if (o.can_judge())
    return fmt::format(
        " The rung can judge mixers: the best known one, {}, is ahead of the control {} by {}.", mixer,
        control, numbers);
  return fmt::format(
      " But {} cannot judge mixers: the best known one, {}, is not ahead of the control {}, which sees a few "
      "tokens "
      "({}). What leads here fits them better; nothing more is claimed.",
      where, mixer, control, numbers);
}

std::string implausible_text(const evolve::ComparisonOutcome& o) {
  return fmt::format(
      "That is more than five times the deviation of the best baselines there from each other ({:.4f}), so "
      "it "
      "counts only after its checks have been repeated with other seeds and at every position.",
      o.spread);
}

// Says how many of the runs that repeat the checks of an implausible lead have passed, or why one has failed.
std::string rechecks_text(const evolve::ComparisonOutcome& o) {
  if (!o.failed_rechecks.empty())
    return fmt::format("They did not hold: {}.", failed_runs_text(o.failed_rechecks));
  if (o.rechecked < evolve::kRechecks)
    return fmt::format("{} of {} such runs have ended; `gabbro resume` runs the others.", o.rechecked,
                       evolve::kRechecks);
  return fmt::format("They held in {} such runs.", o.rechecked);
}

std::string outcome_text(const Population& p, const evolve::ComparisonOutcome& o, const std::string& who,
                         const std::string& where) {
  const std::string seeds = count_of(o.begun->seeds, "fresh seed");
  if (!o.failed_runs.empty())
    return fmt::format(
        "{} leads at {}, but a run of its comparison on {} ended without a score: {}. Nothing is claimed.",
        who, where, seeds, failed_runs_text(o.failed_runs));
  if (!o.complete)
    return fmt::format(
        "{} is being compared with {} at {}: {} of {} have ended, so nothing is decided yet. `gabbro resume` "
        "completes the comparison.",
        who, baselines_text(p, o), where, o.ended, seeds);
  if (o.rows.empty() || !o.rows.front().trained || o.best_baseline == 0)
    return fmt::format("{} leads at {}, where no baseline could be trained: nothing is decided.", who, where);
  const Interval& d = o.rows.front().difference;
  const evolve::Individual& first = p.individual(o.rows.front().design);
  const std::string best = one_line(first.created.name, 40);
  const char* const kind = evolve::is_control(first) ? "the control" : "the best baseline";
  std::string numbers = fmt::format("{:+.4f} bits per byte, {} interval {:+.4f} to {:+.4f}, on {}", d.mean,
                                    level_text(o.begun->level), d.low, d.high, seeds);
  if (o.documents > 1)
    numbers += fmt::format(" and {} documents{}", o.documents,
                           o.fresh_documents ? " that the search had not seen" : ", which also chose it");
  if (o.documents < 2)
    return fmt::format(
        "{} leads at {}, but was scored on a single held-out document: others might say otherwise, so "
        "nothing is decided.",
        who, where);
  if (o.unconfirmed)
    return fmt::format(
        "{} is ahead of {}, {}, at {}: {}. But on training text that no run had read, the difference is "
        "{:+.4f} [{:+.4f}, {:+.4f}]. That does not confirm the lead, which may be luck with these documents "
        "or a program that contains them. Nothing is claimed.",
        who, kind, best, where, numbers, o.unread.mean, o.unread.low, o.unread.high);
  if (o.held_back())
    return fmt::format(
        "{} is held back, since its lead is implausibly large. Against {}, {}, at {}: {}. {} {}", who, kind,
        best, where, numbers, implausible_text(o), rechecks_text(o));
  if (o.ahead) {
    std::string out =
        fmt::format("{} {} {} at {}; against the best of them, {}: {}.", who,
                    o.claims() ? "beats" : "is ahead of", baselines_text(p, o), where, best, numbers);
    if (o.unread.count > 0)
      out += fmt::format(" On training text that no run had read, the difference is {:+.4f}.", o.unread.mean);
    else
      out +=
          " The corpus has no training text that a run had not read, so a program that contains the held-out "
          "documents would go unnoticed.";
    if (o.implausible) out += fmt::format(" {} {}", implausible_text(o), rechecks_text(o));
    return out;
  }
  if (d.high < 0)
    return fmt::format("{} is ahead of {}, {}, but not of all others, at {}: {}.", who, kind, best, where,
                       numbers);
  return fmt::format("{} {} {}, {}, at {}: {}.", who,
                     d.low > 0 ? "loses to" : "is not significantly different from", kind, best, where,
                     numbers);
}

// Says all that is known of a comparison: what it showed, whether the rung can judge mixers, and which runs
// failed.
std::string comparison_text(const Population& p, const evolve::ComparisonOutcome& o, const std::string& who,
                            const std::string& where) {
  const std::string edge = o.complete && o.at_edge != 0
                               ? fmt::format(
                                     " The best learning rate of {} lies at the edge of its search, so that "
                                     "a better one may exist beyond. "
                                     "Nothing more is claimed.",
                                     one_line(p.individual(o.at_edge).created.name, 40))
                               : "";
  const bool adds_counts = o.complete && o.failed_runs.empty() && !o.ahead;
  return outcome_text(p, o, who, where) + (adds_counts ? counts_text(o) : "") + rung_text(p, o, where) +
         edge + failed_baselines_text(p, o);
}

// Returns CampaignVerdict::sentence.
std::string sentence_of(const CampaignReading& r, const CampaignVerdict& v) {
  const Population& p = r.population;
  if (r.plan.aa_test) return replicates_sentence(r);
  if (v.leader.rung < 0) return "No design that may win has finished a run yet: nothing is decided.";
  const std::string who = "Design " + label_of(p.individual(v.leader.design));
  const std::string where = one_line(r.rung(v.leader.rung).name, 30);
  if (v.has_comparison) return comparison_text(p, v.outcome, who, where);
  if (v.duels.empty() || v.duels.front().difference.count == 0)
    return fmt::format(
        "{} leads at {}; no baseline has a run with the same seed there, so nothing is decided.", who, where);
  const evolve::Individual& known = p.individual(v.duels.front().baseline);
  return fmt::format(
      "{} is the best design of the search at {}: {:+.4f} bits per byte against the best {}, {}, on the "
      "seeds "
      "that chose it. The comparison on fresh seeds has not started, so nothing is decided.",
      who, where, v.duels.front().difference.mean,
      evolve::is_control(known) ? "known design, the control" : "baseline", one_line(known.created.name, 40));
}

// Returns CampaignVerdict::sensitivity.
std::string sensitivity_of(const CampaignReading& r, const CampaignVerdict& v) {
  const evolve::ComparisonOutcome& o = v.outcome;
  const double visible = v.has_comparison ? evolve::visible_effect_of(r.population, o) : 0;
  if (!(visible > 0) || !std::isfinite(visible)) return "";
  std::string out = fmt::format(
      "With {}, a difference of {:.4f} bits per byte or more {} detected in {:.0f} % of cases (the preset "
      "asks for {:g})",
      count_of(o.begun->seeds, "seed"), visible, o.complete ? "would have been" : "is", 100 * evolve::kPower,
      r.plan.settings.effect);
  if (o.run.freedom > 0)
    out += fmt::format(": runs at {} have a standard deviation of {:.4f} ({:.0f} degrees of freedom)",
                       one_line(r.rung(v.leader.rung).name, 30), std::sqrt(o.run.value), o.run.freedom);
  out += ".";
  if (o.begun->id > 1)
    out += fmt::format(" It is comparison {} of this campaign, so its intervals are at {}.", o.begun->id,
                       level_text(o.begun->level));
  return out;
}

}  // namespace

std::vector<Unscored> unscored(const Population& p, int rung) {
  std::vector<Unscored> out;
  for (const Individual& i : p.individuals()) {
    if ((!evolve::is_known(i) && !evolve::is_user_design(i)) || p.standing(i, rung).done > 0) continue;
    std::string why;
    for (int k = rung; k >= 0 && why.empty(); --k) {
      why = failed_runs_text(evolve::failed_runs(p, i.created.id, k, /*begun=*/nullptr));
      if (!why.empty() && k < rung)
        why =
            fmt::format("at {}: {}", one_line(p.settings().rungs[static_cast<std::size_t>(k)].name, 30), why);
    }
    if (why.empty()) why = p.standing(i, rung).open > 0 ? "running" : "no run yet";
    out.push_back({.design = i.created.id, .why = why});
  }
  return out;
}

std::string failed_runs_text(const std::vector<evolve::FailedRun>& runs) {
  if (runs.empty()) return "";
  const evolve::FailedRun& first = runs.front();
  std::string out = fmt::format(
      "{} on seed {}",
      first.status == record::Status::kHurdle ? "stopped at a hurdle" : record::word_of(first.status),
      first.seed);
  if (!first.cause.empty()) out += ": " + one_line(first.cause, 160);
  if (runs.size() > 1) out += fmt::format(", and {} more", runs.size() - 1);
  return out;
}

std::string duel_line(const Population& p, const Duel& d) {
  const std::string numbers = d.difference.count == 0 ? "-" : interval_text(d.difference);
  std::string out = fmt::format("  against {:<28}{:<34}{}",
                                one_line(p.individual(d.baseline).created.name, 27), numbers, d.word);
  out.erase(out.find_last_not_of(' ') + 1);
  return out;
}

std::vector<std::int64_t> profiled(const Population& p) {
  std::vector<std::int64_t> out;
  for (const Individual& i : p.individuals())
    if (i.profile) out.push_back(i.created.id);
  const auto key = [&](std::int64_t id) {
    const Individual& i = p.individual(id);
    int rung = static_cast<int>(p.settings().rungs.size()) - 1;
    while (rung > 0 && p.standing(i, rung).done == 0) --rung;
    const Standing s = p.standing(i, rung);
    return std::tuple(evolve::is_known(i), -rung,
                      s.done > 0 ? s.bits : std::numeric_limits<double>::infinity(), id);
  };
  std::sort(out.begin(), out.end(), [&](std::int64_t a, std::int64_t b) { return key(a) < key(b); });
  return out;
}

std::string profile_text(const record::CapabilityResult& profile) {
  if (profile.status != record::Status::kDone)
    return fmt::format("{}: {}", profile.status, one_line(profile.cause, 120));
  std::string out;
  for (const record::CapabilityTask& t : profile.tasks) {
    out += (out.empty() ? "" : ", ") + one_line(t.task, 30);
    for (const record::CapabilityScore& s : t.scores) out += fmt::format(" {:.0f} %", 100 * s.accuracy);
    if (t.scores.empty()) out += " " + std::string(record::word_of(t.outcome));
  }
  return out;
}

std::string rates_text(const CampaignReading& r, std::int64_t design, int rung) {
  const std::vector<evolve::TriedRate> tried = evolve::tried_rates(r.population, design, rung);
  if (tried.size() < 2) return "";
  const double rate = r.rung(rung).rate;
  std::string out;
  bool is_at_edge = false;
  for (const evolve::TriedRate& t : tried) {
    const bool is_best = t.taken && t.bits > 0;
    is_at_edge = is_at_edge || (is_best && (&t == &tried.front() || &t == &tried.back()));
    out += fmt::format("{}{:.2g} {}{}", out.empty() ? "" : ", ", t.factor * rate,
                       t.bits > 0 ? fmt::format("{:.4f}", t.bits) : "no score", is_best ? " (best)" : "");
  }
  if (const evolve::FurtherRates further = evolve::further_rates(r.population, design, rung);
      further.runs > 0)
    out += fmt::format("; {} around the best on {}", count_of(further.runs, "run"),
                       count_of(further.seeds, "further seed"));
  if (const evolve::Leader leader = evolve::leader(r.population); leader.rung == rung)
    out += fmt::format("; compared at {:.2g}", evolve::compared_rate(r.population, leader, design) * rate);
  return out + (is_at_edge ? ", at the edge of the search" : "");
}

Measured measured(const store::Store& store, const Population& p, std::int64_t design, int rung) {
  const std::int64_t trial = scored_trial(p, design, rung);
  if (trial == 0) return {};
  const auto result = store.result(trial);
  return result ? Measured{result->params, result->tokens_per_second} : Measured{};
}

std::string context_text(const store::Store& store, const Population& p, std::int64_t design, int rung) {
  const std::int64_t trial = scored_trial(p, design, rung);
  if (trial == 0) return "";
  const auto result = store.result(trial);
  if (!result || result->context.empty() || !std::isfinite(result->context.front().gain)) return "";
  return fmt::format("{:+.4f}", result->context.front().gain);
}

std::string part_line(const AblatedPart& part) {
  const std::string numbers = part.loss.count == 0 ? "-" : interval_text(part.loss);
  return fmt::format("  {:<30}  {:<16}without {}", numbers, part.word, one_line(part.what, 90));
}

std::string level_text(double level) {
  const int digits = std::max(1, 1 + static_cast<int>(std::ceil(-std::log10(100 * level))));
  return fmt::format("{:.{}f} %", 100 * (1 - level), digits);
}

std::string known_seeds_text(const CampaignReading& r) {
  if (!r.plan.secret_given || r.population.comparisons().empty()) return "";
  return "The seeds of its comparisons were not drawn at random but given (--secret): whoever chose them "
         "knew which texts would judge, and a program may contain these texts.";
}

CampaignVerdict verdict(const CampaignReading& r) {
  CampaignVerdict out;
  if (!r.plan.aa_test) out.leader = evolve::leader(r.population);
  if (out.leader.rung >= 0) {
    if (const auto* begun = evolve::comparison_of(r.population, out.leader)) {
      out.has_comparison = true;
      out.outcome = evolve::outcome_of(r.population, *begun);
      out.duels = duels_of_comparison(out.outcome);
    } else {
      out.duels = duels_of_search(r.population, out.leader);
    }
  }
  for (const record::ComparisonBegun& c : r.population.comparisons()) {
    if (&c == out.outcome.begun) continue;
    const evolve::ComparisonOutcome o = evolve::outcome_of(r.population, c);
    const std::string who = "Design " + label_of(r.population.individual(c.design));
    const std::string where = one_line(r.rung(c.rung).name, 30);
    const std::string text = o.complete || !o.failed_runs.empty()
                                 ? comparison_text(r.population, o, who, where)
                                 : fmt::format("{} at {} was given up after {} of {}.", who, where, o.ended,
                                               count_of(c.seeds, "seed"));
    out.earlier.push_back(
        {.number = c.id, .text = fmt::format("Comparison {}: {}", c.id, text), .claims = o.claims()});
  }
  out.sentence = sentence_of(r, out);
  if (const std::string builds = builds_text(r, out); !builds.empty()) out.sentence += " " + builds;
  if (const std::string changed = record::changed_text_note(changed_share(r.population)); !changed.empty())
    out.sentence += " " + changed;
  if (const std::string known = known_seeds_text(r); !known.empty()) out.sentence += " " + known;
  out.sensitivity = sensitivity_of(r, out);
  return out;
}

std::vector<std::int64_t> lineage(const Population& p, std::int64_t design, std::size_t most) {
  std::vector<std::int64_t> out;
  // Parents are older than their children, so this loop terminates.
  for (std::int64_t id = design; id > 0 && out.size() < most; id = p.individual(id).created.parent)
    out.push_back(id);
  return out;
}

std::vector<AblatedPart> ablated_parts(const Population& p, const evolve::Leader& leader) {
  std::vector<AblatedPart> out;
  const record::ComparisonBegun* begun = evolve::comparison_of(p, leader);
  if (!begun) return out;
  using Effect = AblatedPart::Effect;
  for (const evolve::ComparisonRow& row : evolve::ablation_rows(p, *begun)) {
    const Interval& d = row.difference;
    if (row.ended == 0) continue;
    // A row's difference is the leader's score minus that without the part; a loss is the opposite.
    AblatedPart part{.what = p.individual(row.design).created.provenance.description,
                     .loss = {.mean = -d.mean, .low = -d.high, .high = -d.low, .count = d.count},
                     .effect = Effect::kUnclear,
                     .design = row.design,
                     .word = ""};
    if (!row.trained)
      part.effect = Effect::kUntrainable, part.word = failed_runs_text(row.failed_runs);
    else if (row.ended < begun->seeds)
      part.effect = Effect::kWaits, part.word = fmt::format("{} of {} seeds", row.ended, begun->seeds);
    else if (row.mixes_builds)
      part.word = "unclear: another build";
    else if (part.loss.low > 0)
      part.effect = Effect::kHelps, part.word = "helps";
    else if (part.loss.high < 0)
      part.effect = Effect::kHurts, part.word = "better without";
    else
      part.word = "unclear";
    out.push_back(std::move(part));
  }
  std::stable_sort(out.begin(), out.end(), [](const AblatedPart& a, const AblatedPart& b) {
    if (a.effect != b.effect) return a.effect < b.effect;
    return a.loss.mean > b.loss.mean;
  });
  return out;
}

std::string advice_on_parts(const std::vector<AblatedPart>& parts) {
  std::string better;  // ids of the designs without these parts
  for (const AblatedPart& part : parts)
    if (part.effect == AblatedPart::Effect::kHurts)
      better += fmt::format("{}#{}", better.empty() ? "" : ", ", part.design);
  if (better.empty()) return "";
  return fmt::format(
      "Without them it is design {}. The seeds that judged the winner chose it, so it has not won yet: "
      "`gabbro show RUN#ID` prints its program, and `gabbro evolve --design FILE` trains it up the ladder "
      "and compares it on fresh seeds.",
      better);
}

std::int64_t scored_trial(const Population& p, std::int64_t design, int rung) {
  for (const std::int64_t id : p.individual(design).trials) {
    const Trial& t = p.trial(id);
    if (t.begun.rung == rung && t.status == record::Status::kDone && p.counts(t)) return id;
  }
  return 0;
}

std::string changed_hypers_text(const store::Store& store, const Population& p, std::int64_t design,
                                int rung) {
  const std::int64_t trial = scored_trial(p, design, rung);
  if (trial == 0) return "";
  const auto result = store.result(trial);
  return result ? result->moved : "";
}

}  // namespace gabbro::campaign
