// The one door to language models: chooses, counts, sends, tries again, and records.
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
#include "chat/chat.h"
#include "chat/config.h"
#include "chat/gate.h"
#include "chat/journal.h"
#include "chat/keys.h"

namespace gabbro::chat {

struct DeskOptions {
  std::uint64_t seed = 1;            // of the choice of models
  std::function<double()> now;       // seconds since 1970; empty: the system's clock
  std::function<void(double)> wait;  // before another attempt; empty: so many seconds, or until `stop`
};

/// Asks models over the network. For a request it draws a model of the role by the weights (and by hash and
/// seed: the same again for the same request), refuses what the model cannot read, waits for a place at its
/// endpoint, opens the call in the journal with the most that it may cost, sends, tries again with growing
/// pauses where that may help, and settles. While other calls are under way it waits for what they give back
/// before it says "cap". An endpoint that is down, or refuses the key, is paused (Gate); then other models of
/// the role stand in.
///
/// A question of a task (not task 0) whose reply is in the journal already, under the same key and number, is
/// answered from there: so a killed task is done again without paying twice.
///
/// What is counted is never less than what is spent, if a server keeps to max_tokens and its tokens have a
/// byte at least: an attempt that timed out or broke off after it was sent counts with the most that it may
/// have cost.
class Desk : public Chat {
 public:
  /// Sets the journal's cap; the journal must outlive the desk. Errors: "chat key" (a variable is not set),
  /// "store".
  static Result<std::unique_ptr<Desk>> open(Config config, Journal& journal, DeskOptions options = {});
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;
  ~Desk() override;

  Result<Reply> ask(const Request& request) override;
  void judged(const std::string& role, const Reply& reply, double worth) override;

  /// Calls under way end with "stopped" within about a second, later ones at once.
  void stop();
  /// Why nothing can be asked now: every endpoint is paused. Empty: it can be tried.
  [[nodiscard]] std::optional<std::string> paused() const;

 private:
  struct Attempt;
  struct Ended;

  Desk(Config config, Keys keys, Journal& journal, DeskOptions options);
  [[nodiscard]] Request redacted(Request request) const;
  int number(const Request& request, const std::string& key);
  Result<std::vector<std::size_t>> order(const Request& request, const std::string& key, int nth) const;
  Ended call(std::size_t model, const Request& request, const std::string& key, int nth);
  Result<Reply> send(std::int64_t id, const Model& model, const Request& request, const std::string& key,
                     Amount most);
  Attempt attempt(const Model& model, const Request& request, Amount most) const;
  Result<std::int64_t> reserve(const Request& request, int nth, const std::string& model, Amount most);
  Result<Reply> settle(std::int64_t id, Result<Reply> reply, const Model& model, Amount cost,
                       const Usage& usage, double begun);
  void wait(double seconds);

  const Config config_;
  const Keys keys_;
  Journal& journal_;
  const DeskOptions options_;
  std::vector<std::unique_ptr<Gate>> gates_;  // by endpoint
  std::atomic<bool> stopped_ = false;
  mutable std::mutex mutex_;
  std::condition_variable changed_;  // a call was settled; stopped
  int under_way_ = 0;
  std::map<std::string, int> asked_;  // by key of a question
};

}  // namespace gabbro::chat
