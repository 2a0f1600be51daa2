// Estimates the model calls and tokens of one design before a campaign begins.
#pragma once

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

}  // namespace gabbro::agents
