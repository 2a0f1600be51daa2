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
/// gave no text or accepts no grammars.
struct Checked {
  std::string model, endpoint;
  Result<Reply> text;                                // reply to a plain question
  std::optional<Result<Reply>> structured, grammar;  // also an error if a reply came in another form
  int calls = 0;
  double money = 0, seconds = 0;  // money of all calls; seconds of the first
  std::int64_t tokens = 0;

  [[nodiscard]] bool good() const;
};

/// Asks each model two or three short questions, one after the other, with one retry, under the
/// configuration's cap. Nothing is recorded. `each` is called after each model. Errors: "chat key" if a key
/// is not set, "store".
Result<bool> check_models(const Config& config, const std::function<void(const Checked&)>& each);

}  // namespace gabbro::chat
