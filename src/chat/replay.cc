#include "chat/replay.h"

#include <fmt/format.h>

#include "chat/wire_json.h"

namespace gabbro::chat {

Result<std::unique_ptr<Replay>> Replay::open(const std::string& path) {
  GABBRO_TRY(log, CallLog::read(path));
  return std::make_unique<Replay>(std::move(log));
}

Result<Reply> Replay::ask(const ChatRequest& request) {
  const std::string key = request_key(request);
  int nth = 0;
  {
    const std::lock_guard lock(mutex_);
    nth = asked_[key]++;
  }
  if (auto known = log_->answered(key, nth)) return std::move(*known);
  return fail("replay",
              fmt::format("task {}, {}: nothing is recorded for this question{}: {}", request.task,
                          request.role, nth == 0 ? "" : fmt::format(", asked {} times before", nth),
                          request.messages.empty() ? "" : beginning(request.messages.back().text)),
              "a replay takes the program, the prompts, the settings and the seed of the recorded campaign");
}

}  // namespace gabbro::chat
