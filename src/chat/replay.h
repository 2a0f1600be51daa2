// Models played from a record: a campaign again, offline.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "chat/chat.h"
#include "chat/journal.h"

namespace gabbro::chat {

/// Answers each question with what the record holds for it: the same text, cost and seconds, or the same
/// error. Equal questions get their replies in the order in which they were recorded. A question that was
/// asked again after a kill gets the last of its answers. Errors: "replay", with role, task and the beginning
/// of the last message, for what is not recorded.
class Replay : public Chat {
 public:
  /// Errors, "store": as Journal::read.
  static Result<std::unique_ptr<Replay>> open(const std::string& path);
  explicit Replay(std::unique_ptr<Journal> journal) : journal_(std::move(journal)) {}

  Result<Reply> ask(const Request& request) override;

 private:
  std::unique_ptr<Journal> journal_;
  std::mutex mutex_;
  std::map<std::string, int> asked_;  // by key
};

}  // namespace gabbro::chat
