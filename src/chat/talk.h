// Recorded conversations as text.
#pragma once

#include <cstdint>
#include <string>

#include "chat/journal.h"

namespace gabbro::chat {

/// Who said what in a task, in order, with tokens, cost and seconds of each reply; "" when nothing was said.
/// Of a question only what the one before it of the same role did not say: prompts begin alike.
std::string talk_text(const Journal& journal, std::int64_t task);

}  // namespace gabbro::chat
