#include "campaign/record_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "campaign/agents_text.h"
#include "campaign/reading.h"
#include "campaign/words.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Population;

namespace {

class Lines {
 public:
  template <class... A>
  void operator()(fmt::format_string<A...> format, A&&... values) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<A>(values)...);
    out_ += '\n';
  }
  [[nodiscard]] std::string str() && { return std::move(out_); }

 private:
  std::string out_;
};

std::string session_text(const CampaignReading& r) {
  if (r.sessions.empty()) return "no session yet";
  const store::SessionRow& last = r.sessions.back();
  if (last.session.begins)
    return fmt::format(
        "started {} UTC, not ended: running, or killed (continue it with `gabbro resume`); last event {} UTC",
        date(last.time), date(r.last));
  if (last.session.end == record::SessionEnd::kError)
    return fmt::format("ended by an error {} UTC (continue it with `gabbro resume`)", date(last.time));
  return fmt::format("ended normally {} UTC: {}", date(last.time), last.session.end);
}

void counts(Lines& out, const char* title, const std::vector<store::Store::Count>& all) {
  if (all.empty()) return;
  constexpr std::size_t kShown = 8;
  out("\n{}", title);
  for (std::size_t k = 0; k < std::min(kShown, all.size()); ++k)
    out("  {:>8}  {:<12}{}", all[k].count, shortened(all[k].what, 11), shortened(all[k].cause, 80));
  if (all.size() > kShown) out("            and {} more causes", all.size() - kShown);
}

std::string best_text(const Population& p, std::int64_t design, int rung) {
  if (design == 0) return "-";
  return fmt::format("{:.4f} #{}", p.standing(p.individual(design), rung).bits, design);
}

}  // namespace

Result<std::string> status_text(const store::Store& store) {
  GABBRO_TRY(r, read_record(store));
  const Population& p = r.population;
  Lines out;
  const CampaignVerdict v = verdict(r);
  out("{}", v.sentence);
  if (!v.sensitivity.empty()) out("{}", v.sensitivity);
  for (const Duel& d : v.duels) out("{}", duel_line(p, d));
  for (const EarlierComparison& c : v.earlier) out("{}", c.text);
  const int at = std::max(0, v.leader.rung);
  bool titled = false;
  for (const Individual& i : p.individuals()) {
    if (!evolve::is_known(i) && i.created.id != v.leader.design) continue;
    const std::string rates = rates_text(r, i.created.id, at);
    if (rates.empty()) continue;
    if (!std::exchange(titled, true))
      out("\nlearning rates tried at {}, on a seed that no verdict uses", shortened(r.rung(at).name, 40));
    out("  {:<34}{}", shortened(label_of(i), 33), rates);
  }
  out("\n{}, {}; campaign time {}, worker time {}; {} tokens",
      count_of(static_cast<std::int64_t>(p.individuals().size()), "design"),
      count_of(static_cast<std::int64_t>(p.trials().size()), "run"), duration(r.seconds),
      duration(r.worker_seconds), amount(r.tokens));
  out("session: {}", session_text(r));
  if (!r.sessions.empty() && !r.sessions.back().session.sandbox.empty())
    out("workers: {}", r.sessions.back().session.sandbox);
  if (p.paused()) out("paused: no run starts until `gabbro steer --resume`");
  out("\n{:<12}{:>9}{:>9}{:>9}{:>9}{:>9}  {}", "rung", "designs", "open", "done", "stopped", "failed",
      "best");
  const std::vector<Funnel> all = funnel(p);
  for (std::size_t k = 0; k < all.size(); ++k) {
    const Funnel& f = all[k];
    out("{:<12}{:>9}{:>9}{:>9}{:>9}{:>9}  {}", shortened(r.rung(static_cast<int>(k)).name, 11), f.entered,
        f.running, f.done, f.stopped, f.failed, best_text(p, f.best_design, static_cast<int>(k)));
  }
  const std::vector<StrategyRow> by_strategy = strategies(r, store);
  if (!by_strategy.empty())
    out("\n{:<14}{:>9}{:>9}{:>10}  best at each rung", "strategy", "designs", "refused", "FLOPs");
  for (const StrategyRow& a : by_strategy) {
    std::string best;
    for (std::size_t k = 0; k < a.best.size(); ++k)
      best += fmt::format("{:<16}", best_text(p, a.best[k], static_cast<int>(k)));
    out("{:<14}{:>9}{:>9}{:>10}  {}", shortened(a.name, 13), a.designs, a.refused, amount(a.flops),
        best.substr(0, best.find_last_not_of(' ') + 1));
  }
  if (const std::string agents = agents_text(r); !agents.empty())
    out("{}", agents.substr(0, agents.size() - 1));
  counts(out, "refused before training", store.refusals());
  counts(out, "runs without a score", store.failures());
  return std::move(out).str();
}

Result<std::string> top_text(const store::Store& store, std::size_t count) {
  GABBRO_TRY(r, read_record(store));
  const Population& p = r.population;
  const int rung = std::max(0, evolve::leader(p).rung);
  const std::vector<Ranked> all = ranking(p, rung);
  Lines out;
  if (all.empty()) return std::string("no run has ended with a score yet\n");
  const std::int64_t baseline = p.best_baseline(rung);
  const bool fresh = verdict(r).fresh;
  out("at {}{}", shortened(r.rung(rung).name, 40),
      fresh ? ", on the seeds of the search (see `gabbro status` for the final comparison, on fresh ones)"
            : "");
  out("{:<34}{:>10}{:>7}{:>9}  {:<34}{:>9}{:>9}{:>9}", "design", "bits/byte", "seeds", "context",
      baseline == 0 ? "" : "against " + shortened(p.individual(baseline).created.name, 24), "train", "decode",
      "state");
  std::size_t shown = 0;
  for (const Ranked& k : all) {
    const Individual& i = p.individual(k.design);
    if (!evolve::is_known(i) && shown++ >= count) continue;
    std::string against;
    if (baseline != 0 && k.design != baseline) {
      const auto d = evolve::compare(p, k.design, baseline, rung);
      if (d.count > 0) against = interval_text(d);
    }
    out("{:<34}{:>10.4f}{:>7}{:>9}  {:<34}{:>9}{:>9}{:>8}B", shortened(label_of(i), 33), k.bits, k.seeds,
        context_text(store, p, k.design, rung), against, amount(i.created.train_flops),
        amount(i.created.decode_flops), amount(i.created.state_bytes));
    if (const std::string lost = failed_runs_text(evolve::failed_runs(p, k.design, rung, nullptr));
        !lost.empty())
      out("  {}", lost);
  }
  for (const Unscored& u : unscored(p, rung))
    out("{:<34}{:>10}         {}", shortened(label_of(p.individual(u.design)), 33), "-", u.why);
  return std::move(out).str();
}

// ---- Descent ----

namespace {

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
    const auto bits = [&](std::int64_t id) {
      const evolve::Standing s = p_.standing(p_.individual(id), 0);
      return s.done > 0 ? s.bits : INFINITY;
    };
    for (auto& list : children_) {
      std::vector<std::pair<double, std::int64_t>> order;
      for (const std::int64_t id : list) order.emplace_back(bits(id), id);
      std::sort(order.begin(), order.end());
      for (std::size_t k = 0; k < list.size(); ++k) list[k] = order[k].second;
    }
  }

  std::string str(std::int64_t root) {
    if (root > 0)
      show(root, 0);
    else
      for (const std::int64_t id : children_[0]) show(id, 0);
    if (hidden_ > 0) out_("{} not shown", count_of(hidden_, "design"));
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
    out_("{:<52} {:>8}{}{}", label, score,
         i.created.second_parent > 0 ? fmt::format("  with #{}", i.created.second_parent) : "",
         i.entered > 0 ? fmt::format("  up to rung {}", i.entered + 1) : "");
    for (const std::int64_t child : children_[static_cast<std::size_t>(id)]) show(child, depth + 1);
  }
  // Counts the descendants that are left out. It is not recursive, since families may be deep.
  void hide(std::int64_t id) {
    std::vector<std::int64_t> open{id};
    while (!open.empty()) {
      const auto at = static_cast<std::size_t>(open.back());
      open.pop_back();
      ++hidden_;
      open.insert(open.end(), children_[at].begin(), children_[at].end());
    }
  }

  const Population& p_;
  TreeLimits limits_;
  std::vector<std::vector<std::int64_t>> children_;
  Lines out_;
  std::size_t lines_ = 0;
  std::int64_t hidden_ = 0;
};

}  // namespace

Result<std::string> tree_text(const store::Store& store, std::int64_t root, const TreeLimits& limits) {
  GABBRO_TRY(r, read_record(store));
  if (root != 0)
    if (const auto known = store.design(root); !known) return tl::unexpected(known.error());
  TreeLimits bounded = limits;
  bounded.depth = std::min<std::size_t>(bounded.depth, 1000);
  return Tree(r, bounded).str(root);
}

}  // namespace gabbro::campaign
