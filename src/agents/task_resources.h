// The resources of a task, and the steps that it reports while it runs.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/settings.h"
#include "chat/chat.h"
#include "lang/library.h"
#include "record/spelling.h"

namespace gabbro::agents {

/// The event that a step of a task reports.
enum class StepKind : std::uint8_t {
  kReply,          // a model's reply
  kPassed,         // a proposal that the reviewer accepts, or a design that the observer accepts
  kRefused,        // a reply, proposal, unit, instance or design that is not accepted
  kRepair,         // a unit of the finished design is to be rewritten
  kValid,          // a unit that the checker accepts
  kPromiseKept,    // a promise of the proposal that the design keeps
  kPromiseBroken,  // a promise that it does not keep
  kShortened,      // messages were left out, since the conversation was longer than the model's context
  kNote,           // information, such as the outcome of the task
};

/// A step of a task, for display while it runs.
struct Step {
  std::string role;  // one of chat::roles(), or "checker" for the checks of programs
  StepKind kind = StepKind::kNote;
  std::string text;
  chat::Reply reply;  // of kReply: the reply with its model and cost
};

/// The part of a paper that a search found.
struct Excerpt {
  std::string id, title;  // of the paper
  std::string text;       // its title, authors, year and what it says about the query
};

/// The resources of a task: the model, the library, the settings, and callbacks. `chat` and `library` must
/// outlive it.
struct TaskResources {
  chat::Chat& chat;
  const lang::Library& library;  // prelude and zoo (zoo::library())
  AgentSettings settings;
  /// Returns at most `limit` excerpts of papers for a query. If empty, the librarian does not run.
  std::function<std::vector<Excerpt>(const std::string& query, int limit)> literature{};
  /// Receives each step, in the task's thread; may be empty.
  std::function<void(const Step&)> watch{};
};

}  // namespace gabbro::agents

template <>
struct gabbro::record::Spelling<gabbro::agents::StepKind> {
  static constexpr std::string_view kWhat = "step";
  static constexpr std::array<std::string_view, 9> kWords{"reply", "passed", "refused",   "repair", "valid",
                                                          "kept",  "broken", "shortened", "note"};
};
