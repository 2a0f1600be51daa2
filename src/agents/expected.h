// Estimates the model calls, tokens and money of one design: before a campaign begins, and from its record.
#pragma once

#include <cstdint>
#include <vector>

#include "agents/settings.h"
#include "chat/estimate.h"

namespace gabbro::agents {

/// Returns the expected calls and tokens of one design by role. For a design by units it assumes 1.5
/// proposals (fewer if `settings.attempts` is lower) and 1.5 units with half a repair each; for a whole
/// program 1.5 calls of the coder beside librarian and reviewers, or one call alone if it is not repaired.
/// Input tokens per call are those of a scripted conversation (bench/prompts.cc), times 4/3 for the
/// measurements of a campaign; the constant beginnings of prompts count as cached. A reply is assumed to use
/// a fifth of reply_tokens. This is an estimate for planning; the actual cost is in the call log.
std::vector<chat::ExpectedCalls> expected_calls(const AgentSettings& settings);

/// The tokens and money of the tasks that have ended, failed ones included, and the designs that they made.
struct TaskCosts {
  std::int64_t designs = 0, tokens = 0;  // tokens: input and output
  double money = 0;                      // in the currency of the prices
};

/// The expected cost of the next design.
struct DesignCost {
  double tokens = 0, money = 0;
};
/// Returns the average cost of the designs so far, which includes that of failed tasks. While there are none,
/// it is that of expected_calls, or what the failed tasks have taken if that is more.
DesignCost design_cost(const chat::Config& config, const AgentSettings& settings, const TaskCosts& so_far);

}  // namespace gabbro::agents
