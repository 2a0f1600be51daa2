#include "chat/replay.h"

#include <fmt/format.h>

#include "chat/wire_json.h"

namespace gabbro::chat {

Result<std::unique_ptr<ReplayedChat>> ReplayedChat::open(const std::string& path) {
  GABBRO_TRY(log, CallLog::read(path));
  return std::make_unique<ReplayedChat>(std::move(log));
}

Result<Reply> ReplayedChat::ask(const ChatRequest& request) {
  const std::string key = request_key(request);
  int nth = 0;
  {
    const std::lock_guard lock(mutex_);
    nth = times_asked_[key]++;
  }
  if (auto known = log_->recorded_reply(key, nth)) return std::move(*known);
  return fail("replay",
              fmt::format("task {}, {}: no reply is recorded for this prompt{}: {}", request.task,
                          request.role, nth == 0 ? "" : fmt::format(", which was used {} times before", nth),
                          request.messages.empty() ? "" : beginning(request.messages.back().text)),
              "replay with the program, prompts, settings and seed of the recorded campaign");
}

}  // namespace gabbro::chat
