// Replays recorded conversations, so that a campaign can be repeated offline.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "chat/call_log.h"
#include "chat/chat.h"

namespace gabbro::chat {

/// Answers each question from the call log: with the same text, cost and seconds, or with the same error.
/// Equal questions get their replies in the recorded order. A question that was asked again after a kill gets
/// the last of its answers. Errors: "replay" if the question is not recorded, with its role, task and the
/// beginning of the last message.
class ReplayedChat : public Chat {
 public:
  /// Opens the call log at `path` for reading. Errors, "store": as CallLog::read.
  static Result<std::unique_ptr<ReplayedChat>> open(const std::string& path);
  explicit ReplayedChat(std::unique_ptr<CallLog> log) : log_(std::move(log)) {}

  Result<Reply> ask(const ChatRequest& request) override;
  [[nodiscard]] FailedCalls failed_calls(std::int64_t task) const override {
    return log_->failed_calls(task);
  }

 private:
  std::unique_ptr<CallLog> log_;
  std::mutex mutex_;
  std::map<std::string, int> times_asked_;  // number of times each question was asked, by its key
};

}  // namespace gabbro::chat
