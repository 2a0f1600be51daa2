// What a design is expected to take, before a campaign begins.
#pragma once

#include <vector>

#include "agents/settings.h"
#include "chat/estimate.h"

namespace gabbro::agents {

/// Calls and tokens by role for one design: two proposals, two units with half of their repairs, as
/// `settings` allow. Input tokens of a call are those of a scripted conversation (bench/prompts.cc) with a
/// third more for what a campaign has measured; replies are taken as a fifth of reply_tokens. A guess to plan
/// by; what was spent is in the record.
std::vector<chat::Expected> expected(const Settings& settings);

}  // namespace gabbro::agents
