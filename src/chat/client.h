// The client for language models: chooses a model, counts costs, sends, retries and records.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "chat/call_log.h"
#include "chat/chat.h"
#include "chat/circuit_breaker.h"
#include "chat/config.h"
#include "chat/keys.h"

namespace gabbro::chat {

struct ChatClientOptions {
  std::uint64_t seed = 1;            // seed of the draw of models
  std::function<double()> now;       // seconds since 1970; empty: the system clock
  std::function<void(double)> wait;  // waits for seconds before a retry; empty: sleeps, unless stopped
};

/// Asks models over the network. For each request it draws a model of the role by the weights; the draw
/// depends on the seed and the request's hash, so it is the same for an equal request. It rejects requests
/// that exceed the model's context and waits for a free slot at the model's endpoint. It records the call in
/// the call log with its maximum cost, sends it and settles it. The table of call_failure.h says which
/// failures are asked again, with growing delays, after which of them another model of the role is asked, and
/// which end the question. A server that says when to ask again, or that loads its model, is waited for, up
/// to two minutes a call, without using up retries. A call that exceeds the cap waits while other calls are
/// in progress, since these may cost less than was reserved for them; then it fails with "cap". An endpoint
/// that is down or refuses the key is paused (CircuitBreaker).
///
/// A question of a task (other than task 0) that the call log already answers, under the same key and index
/// (CallLog::recorded_reply), is answered from the call log. A killed task can thus be repeated without
/// paying twice.
///
/// The counted cost is never less than the true cost, provided that the server's tokens have at least one
/// byte, and that it bills no more than it reports. A reply of more tokens than max_tokens allows is counted
/// as the server reports it, and later calls of that model reserve as much. The first call of a model whose
/// `thinking` is not known is therefore made alone. An attempt that times out or
/// breaks off after it was sent, and a reply whose counts are missing or contradict each other, count with
/// their maximum cost. A refusal costs nothing, also one with a status of success.
class ChatClient : public Chat {
 public:
  /// Sets the call log's cap. The call log must outlive the client. Errors: "chat key" (an environment
  /// variable is not set), "store".
  static Result<std::unique_ptr<ChatClient>> open(Config config, CallLog& log,
                                                  ChatClientOptions options = {});
  ChatClient(const ChatClient&) = delete;
  ChatClient& operator=(const ChatClient&) = delete;
  ~ChatClient() override;

  Result<Reply> ask(const ChatRequest& request) override;
  void report_worth(const std::string& role, const Reply& reply, double worth) override;

  [[nodiscard]] FailedCalls failed_calls(std::int64_t task) const override { return log_.failed_calls(task); }

  /// Ends later calls, and those that wait, with "stopped" at once, and calls in progress after `seconds`, or
  /// about a second later. What has arrived by then is counted as it is billed. A later call of `stop` can
  /// only shorten the time.
  void stop(double seconds = 0);
  /// Returns the reason why no endpoint can be asked now: all are paused. Empty if a call can be tried.
  [[nodiscard]] std::optional<std::string> pause_reason() const;
  /// Returns what is doubtful about the models' replies in this process, one sentence for each model
  /// (cut_prompt and uncapped_thoughts of wire.h).
  [[nodiscard]] std::vector<std::string> doubts() const;

 private:
  struct Attempt;
  struct CallOutcome;

  ChatClient(Config config, ApiKeys keys, CallLog& log, ChatClientOptions options);
  [[nodiscard]] ChatRequest redacted(ChatRequest request) const;
  int next_index(const ChatRequest& request, const std::string& key);
  /// Returns indices into Config::models.
  Result<std::vector<std::size_t>> model_order(const ChatRequest& request, const std::string& key,
                                               int nth) const;
  CallOutcome call(std::size_t model, const ChatRequest& request, const std::string& key, int nth);
  CallOutcome send(std::int64_t id, const ChatModel& model, const ChatRequest& request,
                   const std::string& key, Amount max_cost);
  Attempt attempt(const ChatModel& model, const ChatRequest& request, Amount max_cost);
  [[nodiscard]] Amount max_cost_of(const ChatRequest& request, const ChatModel& model) const;  // under mutex_
  [[nodiscard]] bool is_known(const ChatModel& model) const;                                   // under mutex_
  void note_usage(const ChatModel& model, const ChatRequest& request, const TokenUsage& usage);
  /// A reserved call: its id and its maximum cost.
  struct Reserved {
    std::int64_t id = 0;
    Amount max_cost;
  };
  Result<Reserved> reserve(const ChatRequest& request, int nth, const ChatModel& model);
  Result<Reply> settle(std::int64_t id, Result<Reply> reply, const ChatModel& model, Amount cost,
                       const TokenUsage& usage, double start);
  void wait(double seconds);

  const Config config_;
  const ApiKeys keys_;
  CallLog& log_;
  const ChatClientOptions options_;
  std::vector<std::unique_ptr<CircuitBreaker>> breakers_;  // by endpoint
  std::atomic<bool> stopped_ = false;
  std::atomic<double> cut_at_ = std::numeric_limits<double>::infinity();  // seconds_now() at which calls end
  mutable std::mutex mutex_;
  std::condition_variable changed_;         // signals that a call was settled or the client was stopped
  int calls_in_progress_ = 0;               // calls that are reserved and not settled
  std::map<std::string, int> times_asked_;  // number of times each question was asked, by its key
  std::map<std::string, std::int64_t> largest_outputs_;  // tokens of the longest reply, by model
  std::set<std::string> first_calls_;                    // models whose first call is in progress
  std::map<std::string, std::string> doubts_;            // by model
};

}  // namespace gabbro::chat
