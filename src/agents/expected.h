// Estimates the model calls and tokens of one design before a campaign begins.
#pragma once

#include <vector>

#include "agents/settings.h"
#include "chat/estimate.h"

namespace gabbro::agents {

/// Returns the expected calls and tokens of one design by role. It assumes two proposals and two units with
/// half of their repairs, within the limits of `settings`. Input tokens per call are those of a scripted
/// conversation (bench/prompts.cc) plus a third for the measurements of a campaign; a reply is assumed to use
/// a fifth of reply_tokens. This is an estimate for planning; the actual cost is in the call log.
std::vector<chat::ExpectedCalls> expected_calls(const AgentSettings& settings);

}  // namespace gabbro::agents
