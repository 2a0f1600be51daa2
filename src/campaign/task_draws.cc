#include "campaign/task_draws.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <optional>
#include <set>

#include "evolve/adaptive.h"
#include "evolve/outcome.h"
#include "evolve/strategy.h"

namespace gabbro::campaign {

using evolve::Population;
using record::Cause;
using record::Writing;

namespace {

constexpr double kNextRank = 0.8;  // how often a design is drawn, relative to the one ranked before it

// Returns true if a task ended for a reason that says nothing about how its design was written.
bool ended_from_outside(const record::TaskReport& report) {
  static constexpr std::array kCauses{Cause::kChatDown, Cause::kChatKey, Cause::kCap,     Cause::kStopped,
                                      Cause::kReplay,   Cause::kStore,   Cause::kScreener};
  return report.outcome != record::TaskOutcome::kDesign &&
         std::find(kCauses.begin(), kCauses.end(), report.cause) != kCauses.end();
}

// Returns true if the task's design was better than its parent, and nothing if the task says nothing, or
// nothing yet, about how its design was written.
std::optional<bool> success_of(const Population& p, const evolve::AgentTask& t) {
  if (!t.ended || t.awaits_screening() || ended_from_outside(t.report)) return std::nullopt;
  if (t.design == 0) return false;
  const auto outcome = evolve::outcome_of(p, p.individual(t.design));
  return outcome ? std::optional(outcome->better) : std::nullopt;
}

void add(const record::TaskReport& report, bool better, WritingRecord& out) {
  ++out.tasks, out.better += better ? 1 : 0;
  out.money += report.cost;
  out.tokens += static_cast<double>(report.input_tokens + report.output_tokens);
}

// Returns the designs that are parents of tasks in progress.
std::set<std::int64_t> busy_parents(const Population& p) {
  std::set<std::int64_t> out;
  for (const evolve::AgentTask& t : p.tasks())
    if (!t.ended || t.awaits_screening()) out.insert({t.begun.parent, t.begun.second_parent});
  return out;
}

// Draws a rank below `count`, which must be positive.
std::size_t draw_rank(std::size_t count, Random& random) {
  double all = 0;
  for (std::size_t rank = 0; rank < count; ++rank) all += std::pow(kNextRank, rank);
  double left = all * random.uniform();
  for (std::size_t rank = 0; rank + 1 < count; ++rank)
    if (left -= std::pow(kNextRank, rank); left < 0) return rank;
  return count - 1;
}

}  // namespace

std::map<Writing, WritingRecord> writing_records(const Population& p, const std::string& strategy) {
  std::map<Writing, WritingRecord> out;
  for (const evolve::AgentTask& t : p.tasks())
    if (t.begun.strategy == strategy)
      if (const auto better = success_of(p, t)) add(t.report, *better, out[t.report.writing]);
  return out;
}

std::map<std::string, WritingRecord> variant_records(const Population& p) {
  std::map<std::string, WritingRecord> out;
  for (const evolve::AgentTask& t : p.tasks())
    if (const auto better = success_of(p, t)) {
      std::string name(record::word_of(t.report.writing));
      for (std::size_t i = 0; i < t.report.without.size(); ++i)
        name += (i == 0 ? " without " : ", ") + t.report.without[i];
      add(t.report, *better, out[name]);
    }
  return out;
}

Writing draw_writing(const Population& p, const std::string& strategy, Random& random) {
  std::map<Writing, WritingRecord> records = writing_records(p, strategy);
  double money = 0;
  for (const auto& [writing, r] : records) money += r.money;
  Writing best = Writing::kUnits;
  double most = -1;
  for (const Writing writing : {Writing::kUnits, Writing::kProgram}) {
    const WritingRecord& r = records[writing];
    if (r.tasks == 0) return writing;
    const double cost = std::max(money > 0 ? r.money : r.tokens, 1e-9) / r.tasks;
    if (const double x = evolve::draw_beta(1 + r.better, 1 + r.tasks - r.better, random) / cost; x > most)
      most = x, best = writing;
  }
  return best;
}

std::vector<const evolve::Individual*> draw_parents(const Population& p, const std::string& strategy,
                                                    Random& random) {
  std::vector<evolve::ParentCandidate> ranked = evolve::parent_candidates(p, strategy);
  std::erase_if(ranked, [](const auto& c) { return !std::isfinite(c.excess_bits); });
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.excess_bits < b.excess_bits; });
  const auto is_free = [busy = busy_parents(p)](const auto& c) {
    return !busy.contains(c.design->created.id);
  };
  if (std::any_of(ranked.begin(), ranked.end(), is_free)) std::erase_if(ranked, std::not_fn(is_free));
  std::vector<const evolve::Individual*> out;
  while (out.size() < 2 && !ranked.empty()) {
    const std::size_t rank = draw_rank(ranked.size(), random);
    out.push_back(ranked[rank].design);
    ranked.erase(ranked.begin() + static_cast<std::ptrdiff_t>(rank));
  }
  return out;
}

}  // namespace gabbro::campaign
