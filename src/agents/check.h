// Checks that models answer as the configuration says, for `gabbro agents test`. Replies are read as those of
// the pipeline are.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "chat/chat.h"
#include "chat/config.h"

namespace gabbro::agents {

/// The results of one model. `structured`, `grammar` and `prompt` are empty if they were not tried, because
/// the model gave no text or its endpoint takes no grammars.
struct ModelCheck {
  std::string model, endpoint;                             // names in the configuration
  Result<chat::Reply> text;                                // reply to a plain question
  std::optional<Result<chat::Reply>> structured, grammar;  // also an error if a reply came in another form
  std::optional<Result<chat::Reply>> prompt;  // to a prompt of the coder's length; an error if it was cut
  std::string doubt;                          // about the counted tokens; empty: none
  int calls = 0;
  double money = 0, seconds = 0;  // cost of all calls in the currency of the prices; seconds of the first
  std::int64_t tokens = 0;        // input and output of all calls, as they are counted

  /// Returns true if everything that was asked for was answered in the right form.
  [[nodiscard]] bool passed() const;
};

/// Asks each model three or four questions, one after the other, with one retry, under the configuration's
/// cap. Nothing is recorded. `on_model` is called after each model. Errors: "chat key" if a key is not set,
/// "store".
Result<bool> check_models(const chat::Config& config, const std::function<void(const ModelCheck&)>& on_model);

}  // namespace gabbro::agents
