// What a task works with, and what it tells while it works.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agents/settings.h"
#include "chat/chat.h"
#include "lang/library.h"

namespace gabbro::agents {

/// A step of a task, for a person who looks on.
struct Step {
  std::string role;  // as in chat::Request; "checker" for what we found ourselves
  std::string what;  // "reply", "passed", "refused", "repair", "valid", "kept", "broken", "shortened", "note"
  std::string text;
  chat::Reply reply;  // of a "reply": who answered, what it cost
};

struct Tools {
  chat::Chat& chat;
  const lang::Library& library;  // prelude and zoo
  Settings settings;
  /// Excerpts of papers for a query, at most `limit`; empty: the librarian does not work.
  std::function<std::vector<std::string>(const std::string& query, int limit)> literature{};
  /// Called in the task's thread; may be empty.
  std::function<void(const Step&)> watch{};
};

}  // namespace gabbro::agents
