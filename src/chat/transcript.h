// Recorded conversations as text.
#pragma once

#include <cstdint>
#include <string>

#include "chat/call_log.h"

namespace gabbro::chat {

/// Returns the conversation of a task as text, with tokens, cost and seconds of each reply; "" if there is
/// none. A message that was already shown for the same role is not repeated, since prompts begin alike.
std::string transcript(const CallLog& log, std::int64_t task);

}  // namespace gabbro::chat
