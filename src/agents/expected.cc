#include "agents/expected.h"

#include <algorithm>

namespace gabbro::agents {

namespace {

// Input tokens of constant texts when the estimate was made: those of Knowledge, and coder.md.
constexpr double kTaskPrefix = 350, kUnitsPrefix = 890, kCodePrefix = 2950, kCoderPrompt = 200;
constexpr double kEvidence = 4.0 / 3;  // factor for the measurements of a campaign

}  // namespace

std::vector<chat::ExpectedCalls> expected_calls(const AgentSettings& s) {
  const double reply = s.reply_tokens / 5.0;
  std::vector<chat::ExpectedCalls> out;
  const auto add = [&](const char* role, double calls, double prefix, double rest) {
    if (calls > 0)
      out.push_back({.role = role,
                     .calls = calls,
                     .input = (prefix + rest) * kEvidence,
                     .cached = prefix,
                     .output = reply});
  };
  if (s.writing && *s.writing != record::Writing::kUnits) {
    const bool repairs = *s.writing == record::Writing::kProgram;
    add("librarian", repairs && s.queries > 0 ? 1 : 0, kTaskPrefix, 600);
    add("coder", repairs ? 1.5 : 1, kCodePrefix, 800);
    add("reviewer", repairs ? s.reviewers : 0, kTaskPrefix, 900);
    return out;
  }
  // A strong model was asked 6.7 times for a design: 1.4 units, of which one in seven had to be repaired.
  // Smaller models need more; as soon as a campaign has a design, its own record counts (design_cost).
  const double proposals = std::min(1.5, static_cast<double>(s.attempts)), units = 1.5, repairs = 0.5;
  add("librarian", s.queries > 0 ? 1 : 0, kTaskPrefix, 600);
  add("proposer", proposals, kUnitsPrefix, 980);
  add("reviewer", proposals * s.reviewers, kTaskPrefix, 800);
  add("planner", s.planner ? 0.5 : 0, kUnitsPrefix, 590);
  add("coder", units * s.candidates * s.beam * (1 + (s.checker && s.repairs > 0 ? repairs : 0)),
      kCodePrefix + kCoderPrompt, 1100);
  add("observer", s.observer ? 1 : 0, kTaskPrefix, 600);
  return out;
}

DesignCost design_cost(const chat::Config& config, const AgentSettings& settings, const TaskCosts& so_far) {
  const auto tokens = static_cast<double>(so_far.tokens), designs = static_cast<double>(so_far.designs);
  if (so_far.designs > 0) return {.tokens = tokens / designs, .money = so_far.money / designs};
  DesignCost out;
  for (const chat::CostEstimate& e : chat::estimate(config, expected_calls(settings)))
    out.tokens += e.tokens, out.money += e.money;
  return {.tokens = std::max(out.tokens, tokens), .money = std::max(out.money, so_far.money)};
}

}  // namespace gabbro::agents
