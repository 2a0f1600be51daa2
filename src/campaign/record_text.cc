#include "campaign/record_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "campaign/agents_text.h"
#include "campaign/format.h"
#include "campaign/reading.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;

namespace {

// A text of lines.
class Lines {
 public:
  // Formats a line and appends it.
  template <class... A>
  void add(fmt::format_string<A...> format, A&&... values) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<A>(values)...);
    out_ += '\n';
  }
  [[nodiscard]] std::string str() && { return std::move(out_); }

 private:
  std::string out_;
};

// Formats the score and the id of a design; "-" if there is none.
std::string best_text(const Population& p, std::int64_t design, int rung) {
  if (design == 0) return "-";
  return fmt::format("{:.4f} #{}", p.standing(p.individual(design), rung).bits, design);
}

void add_verdict(Lines& out, const Population& p, const CampaignVerdict& v) {
  out.add("{}", v.sentence);
  if (!v.sensitivity.empty()) out.add("{}", v.sensitivity);
  for (const Duel& duel : v.duels) out.add("{}", duel_line(p, duel));
  for (const EarlierComparison& earlier : v.earlier) out.add("{}", earlier.text);
}

// Adds the learning rates that were tried at a rung for the known designs and the leader.
void add_learning_rates(Lines& out, const CampaignReading& r, const evolve::Leader& leader) {
  const int rung = std::max(0, leader.rung);
  bool has_title = false;
  for (const Individual& i : r.population.individuals()) {
    if (!evolve::is_known(i) && i.created.id != leader.design) continue;
    const std::string rates = rates_text(r, i.created.id, rung);
    if (rates.empty()) continue;
    if (!std::exchange(has_title, true))
      out.add("\nlearning rates tried at {}, on a seed that no verdict uses",
              one_line(r.rung(rung).name, 40));
    out.add("  {:<34}{}", one_line(label_of(i), 33), rates);
  }
}

void add_session(Lines& out, const CampaignReading& r, bool is_running) {
  const Population& p = r.population;
  out.add("\n{}, {}; campaign time {}, worker time {}; {} tokens",
          count_of(static_cast<std::int64_t>(p.individuals().size()), "design"),
          count_of(static_cast<std::int64_t>(p.trials().size()), "run"), duration(r.seconds),
          duration(r.worker_seconds), amount(r.tokens));
  out.add("session: {}", session_text(r, is_running));
  if (!r.sessions.empty() && !r.sessions.back().session.sandbox.empty())
    out.add("workers: {}", r.sessions.back().session.sandbox);
  if (p.paused()) out.add("paused: no run starts until `gabbro steer --resume`");
}

void add_funnel(Lines& out, const CampaignReading& r) {
  out.add("\n{:<12}{:>9}{:>9}{:>9}{:>9}{:>9}  {:<16}{}", "rung", "designs", "running", "done", "stopped",
          "failed", "best", "baselines and controls");
  const std::vector<Funnel> rungs = funnel(r.population);
  for (std::size_t k = 0; k < rungs.size(); ++k) {
    const Funnel& f = rungs[k];
    const int rung = static_cast<int>(k);
    out.add("{:<12}{:>9}{:>9}{:>9}{:>9}{:>9}  {:<16}{}", one_line(r.rung(rung).name, 11), f.entered,
            f.running, f.done, f.stopped, f.failed, best_text(r.population, f.best_design, rung),
            known_text(f.known));
  }
}

void add_strategies(Lines& out, const CampaignReading& r, const store::Store& store) {
  const std::vector<StrategyRow> rows = strategies(r, store);
  if (!rows.empty())
    out.add("\n{:<14}{:>9}{:>9}{:>10}  best at each rung", "strategy", "designs", "refused", "FLOPs");
  for (const StrategyRow& row : rows) {
    std::string best;
    for (std::size_t k = 0; k < row.best.size(); ++k)
      best += fmt::format("{:<16}", best_text(r.population, row.best[k], static_cast<int>(k)));
    out.add("{:<14}{:>9}{:>9}{:>10}  {}", one_line(row.name, 13), row.designs, row.refused, amount(row.flops),
            best.substr(0, best.find_last_not_of(' ') + 1));
  }
}

// Adds the most frequent causes of refusals or failures.
void add_causes(Lines& out, const char* title, const std::vector<store::Store::Count>& causes) {
  if (causes.empty()) return;
  constexpr std::size_t kShown = 8;
  out.add("\n{}", title);
  for (std::size_t k = 0; k < std::min(kShown, causes.size()); ++k)
    out.add("  {:>8}  {:<12}{}", causes[k].count, one_line(causes[k].what, 11),
            one_line(causes[k].cause, 80));
  if (causes.size() > kShown) out.add("            and {} more causes", causes.size() - kShown);
}

}  // namespace

std::string session_text(const CampaignReading& r, bool is_running) {
  if (r.sessions.empty()) return "no session yet";
  const store::SessionRow& last = r.sessions.back();
  if (last.session.begins)
    return fmt::format(
        "started {} UTC, {}; last event {} UTC", date(last.time),
        is_running ? "running"
                   : "not ended: killed (continue it with `gabbro resume`), or running on another machine",
        date(r.last));
  if (last.session.end == record::SessionEnd::kError)
    return fmt::format("ended by an error {} UTC (continue it with `gabbro resume`)", date(last.time));
  return fmt::format("ended normally {} UTC: {}", date(last.time), last.session.end);
}

Result<std::string> status_text(const store::Store& store, bool is_running) {
  GABBRO_TRY(reading, read_record(store));
  const CampaignVerdict v = verdict(reading);
  Lines out;
  add_verdict(out, reading.population, v);
  add_learning_rates(out, reading, v.leader);
  add_session(out, reading, is_running);
  add_funnel(out, reading);
  add_strategies(out, reading, store);
  if (const std::string agents = agents_text(reading); !agents.empty())  // ends with a line break
    out.add("{}", agents.substr(0, agents.size() - 1));
  add_causes(out, "refused before training", store.refusals());
  add_causes(out, "runs without a score", store.failures());
  return std::move(out).str();
}

Result<std::string> top_text(const store::Store& store, std::size_t count) {
  GABBRO_TRY(r, read_record(store));
  const Population& p = r.population;
  const int rung = std::max(0, evolve::leader(p).rung);
  const std::vector<Ranked> ranked = ranking(p, rung);
  Lines out;
  if (ranked.empty()) return std::string("no run has ended with a score yet\n");
  const std::int64_t baseline = p.best_baseline(rung);
  const bool has_comparison = verdict(r).has_comparison;
  out.add("at {}{}", one_line(r.rung(rung).name, 40),
          has_comparison
              ? ", on the seeds of the search (see `gabbro status` for the final comparison, on fresh ones)"
              : "");
  if (const std::string known = known_seeds_text(r); !known.empty()) out.add("{}", known);
  out.add("{:<34}{:>10}{:>7}{:>9}  {:<34}{:>9}{:>9}{:>9}", "design", "bits/byte", "seeds", "context",
          baseline == 0 ? "" : "against " + one_line(p.individual(baseline).created.name, 24), "train",
          "decode", "state");
  std::size_t shown = 0;
  for (const Ranked& row : ranked) {
    const Individual& i = p.individual(row.design);
    if (!evolve::is_known(i) && shown++ >= count) continue;
    std::string against;
    if (baseline != 0 && row.design != baseline) {
      const auto difference = evolve::search_interval(p, row.design, baseline, rung);
      if (difference.count > 0) against = interval_text(difference);
    }
    out.add("{:<34}{:>10.4f}{:>7}{:>9}  {:<34}{:>9}{:>9}{:>8}B", one_line(label_of(i), 33), row.bits,
            row.seeds, context_text(store, p, row.design, rung), against, amount(i.created.train_flops),
            amount(i.created.decode_flops), amount(i.created.state_bytes));
    if (const std::string failures =
            failed_runs_text(evolve::failed_runs(p, row.design, rung, /*begun=*/nullptr));
        !failures.empty())
      out.add("  {}", failures);
  }
  for (const Unscored& u : unscored(p, rung))
    out.add("{:<34}{:>10}         {}", one_line(label_of(p.individual(u.design)), 33), "-", u.why);
  return std::move(out).str();
}

// ---- Family tree ----

namespace {

// Prints designs below their first parents. Roots are designs without a parent.
class Tree {
 public:
  Tree(const CampaignReading& r, const TreeLimits& limits)
      : p_(r.population), limits_(limits), children_(p_.individuals().size() + 1) {
    for (const Individual& i : p_.individuals()) {
      if (is_ablation(i)) continue;
      const std::int64_t parent =
          i.created.parent > 0 && i.created.parent < i.created.id ? i.created.parent : 0;
      children_[static_cast<std::size_t>(parent)].push_back(i.created.id);
    }
    const auto score_of = [&](std::int64_t id) {
      const evolve::Standing s = p_.standing(p_.individual(id), 0);
      return s.done > 0 ? s.bits : INFINITY;
    };
    for (auto& siblings : children_) {  // best first
      std::vector<std::pair<double, std::int64_t>> order;
      for (const std::int64_t id : siblings) order.emplace_back(score_of(id), id);
      std::sort(order.begin(), order.end());
      for (std::size_t k = 0; k < siblings.size(); ++k) siblings[k] = order[k].second;
    }
  }

  std::string str(std::int64_t root) {
    if (root > 0)
      show(root, 0);
    else
      for (const std::int64_t id : children_[0]) show(id, 0);
    if (hidden_ > 0) out_.add("{} not shown", count_of(hidden_, "design"));
    return std::move(out_).str();
  }

 private:
  void show(std::int64_t id, std::size_t depth) {
    if (lines_ >= limits_.lines || depth > limits_.depth) {
      hide(id);
      return;
    }
    ++lines_;
    const Individual& i = p_.individual(id);
    const evolve::Standing s = p_.standing(i, 0);
    const std::string score = s.done > 0       ? fmt::format("{:.4f}", s.bits)
                              : s.unscored > 0 ? "no score"
                              : s.open > 0     ? "running"
                                               : "-";
    const std::string label = std::string(2 * depth, ' ') + label_of(i);
    out_.add("{:<52} {:>8}{}{}", label, score,
             i.created.second_parent > 0 ? fmt::format("  with #{}", i.created.second_parent) : "",
             i.entered > 0 ? fmt::format("  up to rung {}", i.entered + 1) : "");
    for (const std::int64_t child : children_[static_cast<std::size_t>(id)]) show(child, depth + 1);
  }
  // Counts a design and its descendants as hidden. It is not recursive, since families may be deep.
  void hide(std::int64_t id) {
    std::vector<std::int64_t> stack{id};
    while (!stack.empty()) {
      const auto design = static_cast<std::size_t>(stack.back());
      stack.pop_back();
      ++hidden_;
      stack.insert(stack.end(), children_[design].begin(), children_[design].end());
    }
  }

  const Population& p_;
  TreeLimits limits_;
  std::vector<std::vector<std::int64_t>> children_;  // by id of the parent; those of 0 are the roots
  Lines out_;
  std::size_t lines_ = 0;
  std::int64_t hidden_ = 0;  // designs that the limits leave out
};

}  // namespace

Result<std::string> tree_text(const store::Store& store, std::int64_t root, const TreeLimits& limits) {
  GABBRO_TRY(r, read_record(store));
  if (root != 0)
    if (const auto known = store.design(root); !known) return tl::unexpected(known.error());
  TreeLimits bounded = limits;
  bounded.depth = std::min<std::size_t>(bounded.depth, 1000);  // `show` is recursive
  return Tree(r, bounded).str(root);
}

}  // namespace gabbro::campaign
