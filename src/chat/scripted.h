// A fake language model for tests, which gives scripted replies.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "chat/chat.h"

namespace gabbro::chat {

/// Answers by a function, or from a list of texts per role, in order, each time after `latency` seconds.
/// Usage is counted at 4 bytes per token; cost and seconds are 0. Thread-safe; the function must be so as
/// well. Errors: those of the function; "replay" if a list is exhausted.
class ScriptedChat : public Chat {
 public:
  using Answers = std::function<Result<std::string>(const ChatRequest&)>;

  explicit ScriptedChat(Answers answers, double latency = 0)
      : answers_(std::move(answers)), latency_(latency) {}
  explicit ScriptedChat(std::map<std::string, std::deque<std::string>> replies, double latency = 0)
      : replies_(std::move(replies)), latency_(latency) {}

  Result<Reply> ask(const ChatRequest& request) override {
    if (latency_ > 0) std::this_thread::sleep_for(std::chrono::duration<double>(latency_));
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    GABBRO_TRY(text, answers_ ? answers_(request) : next(request));
    std::size_t bytes = request.schema.size();
    for (const Message& m : request.messages) bytes += m.text.size();
    Reply out;
    out.usage.input = static_cast<std::int64_t>(bytes / 4);
    out.usage.output = static_cast<std::int64_t>(text.size() / 4);
    out.text = std::move(text);
    out.model = "scripted";
    return out;
  }

  /// Returns the requests so far, in the order of arrival.
  [[nodiscard]] std::vector<ChatRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  Result<std::string> next(const ChatRequest& request) {
    const std::lock_guard lock(mutex_);
    std::deque<std::string>& list = replies_[request.role];
    if (list.empty()) return fail("replay", "the script has no further reply for the " + request.role);
    std::string out = std::move(list.front());
    list.pop_front();
    return out;
  }

  Answers answers_;
  std::map<std::string, std::deque<std::string>> replies_;
  double latency_;
  mutable std::mutex mutex_;
  std::vector<ChatRequest> requests_;
};

}  // namespace gabbro::chat
