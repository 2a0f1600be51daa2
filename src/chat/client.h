// The client for language models: chooses a model, counts costs, sends, retries and records.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "chat/call_log.h"
#include "chat/chat.h"
#include "chat/circuit_breaker.h"
#include "chat/config.h"
#include "chat/keys.h"

namespace gabbro::chat {

struct ClientOptions {
  std::uint64_t seed = 1;            // seed of the choice of models
  std::function<double()> now;       // seconds since 1970; empty: the system clock
  std::function<void(double)> wait;  // waits before a retry; empty: sleeps, or returns on `stop`
};

/// Asks models over the network. For each request it draws a model of the role by the weights; the draw
/// depends on the seed and the request's hash, so it is the same for an equal request. It rejects requests
/// that exceed the model's context and waits for a free slot at the model's endpoint. It records the call in
/// the call log with its maximum cost, sends it, retries with growing delays if that may help, and settles
/// it. A call that exceeds the cap waits while other calls are in progress, since these may cost less than
/// was reserved for them; then it fails with "cap". An endpoint that is down or refuses the key is paused
/// (CircuitBreaker), and other models of the role are used instead.
///
/// A question of a task (other than task 0) that the call log already answers, under the same key and number,
/// is answered from the call log. A killed task can thus be repeated without paying twice.
///
/// The counted cost is never less than the true cost, provided that the server respects max_tokens and that
/// its tokens have at least one byte. An attempt that times out or breaks off after it was sent counts with
/// its maximum cost.
class Client : public Chat {
 public:
  /// Sets the call log's cap. The call log must outlive the client. Errors: "chat key" (an environment
  /// variable is not set), "store".
  static Result<std::unique_ptr<Client>> open(Config config, CallLog& log, ClientOptions options = {});
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() override;

  Result<Reply> ask(const ChatRequest& request) override;
  void judged(const std::string& role, const Reply& reply, double worth) override;

  /// Ends calls in progress with "stopped" within about a second, and later calls at once.
  void stop();
  /// Returns the reason why no endpoint can be asked now: all are paused. Empty if a call can be tried.
  [[nodiscard]] std::optional<std::string> paused() const;

 private:
  struct Attempt;
  struct Ended;

  Client(Config config, Keys keys, CallLog& log, ClientOptions options);
  [[nodiscard]] ChatRequest redacted(ChatRequest request) const;
  int number(const ChatRequest& request, const std::string& key);
  Result<std::vector<std::size_t>> order(const ChatRequest& request, const std::string& key, int nth) const;
  Ended call(std::size_t model, const ChatRequest& request, const std::string& key, int nth);
  Result<Reply> send(std::int64_t id, const ChatModel& model, const ChatRequest& request,
                     const std::string& key, Amount most);
  Attempt attempt(const ChatModel& model, const ChatRequest& request, Amount most) const;
  Result<std::int64_t> reserve(const ChatRequest& request, int nth, const std::string& model, Amount most);
  Result<Reply> settle(std::int64_t id, Result<Reply> reply, const ChatModel& model, Amount cost,
                       const TokenUsage& usage, double begun);
  void wait(double seconds);

  const Config config_;
  const Keys keys_;
  CallLog& log_;
  const ClientOptions options_;
  std::vector<std::unique_ptr<CircuitBreaker>> breakers_;  // by endpoint
  std::atomic<bool> stopped_ = false;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // signals that a call was settled or the client was stopped
  int under_way_ = 0;
  std::map<std::string, int> asked_;  // number of times each question was asked, by its key
};

}  // namespace gabbro::chat
