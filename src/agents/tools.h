// The resources of a task, and the steps that it reports while it runs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agents/settings.h"
#include "chat/chat.h"
#include "lang/library.h"

namespace gabbro::agents {

/// A step of a task, for display while it runs.
struct Step {
  std::string role;  // as in chat::ChatRequest, or "checker" for our own checks
  // "reply", "passed", "refused", "repair", "valid", "kept", "broken", "shortened" or "note"
  std::string what;
  std::string text;
  chat::Reply reply;  // for "reply": the reply with its model and cost
};

struct Tools {
  chat::Chat& chat;
  const lang::Library& library;  // prelude and zoo
  AgentSettings settings;
  /// Returns at most `limit` excerpts of papers for a query. If empty, the librarian does not run.
  std::function<std::vector<std::string>(const std::string& query, int limit)> literature{};
  /// Called in the task's thread; may be empty.
  std::function<void(const Step&)> watch{};
};

}  // namespace gabbro::agents
