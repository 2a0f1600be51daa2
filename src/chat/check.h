// Checks that models answer as the configuration says, for `gabbro agents test`.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "chat/chat.h"
#include "chat/config.h"

namespace gabbro::chat {

/// The results of one model. `structured` and `grammar` are empty if they were not tried, because the model
/// gave no text or its endpoint takes no grammars.
struct ModelCheck {
  std::string model, endpoint;                       // names in the configuration
  Result<Reply> text;                                // reply to a plain question
  std::optional<Result<Reply>> structured, grammar;  // also an error if a reply came in another form
  int calls = 0;
  double money = 0, seconds = 0;  // cost of all calls in the currency of the prices; seconds of the first
  std::int64_t tokens = 0;        // input and output of all calls

  /// Returns true if everything that was asked for was answered in the right form.
  [[nodiscard]] bool passed() const;
};

/// Asks each model two or three short questions, one after the other, with one retry, under the
/// configuration's cap. Nothing is recorded. `on_model` is called after each model. Errors: "chat key" if a
/// key is not set, "store".
Result<bool> check_models(const Config& config, const std::function<void(const ModelCheck&)>& on_model);

}  // namespace gabbro::chat
