// A fake language model with scripted replies per role, which records the requests.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "agents/prompts.h"
#include "chat/chat.h"

namespace gabbro::agents::testing {

/// A scripted reply of a role: a text, or an error of chat.
struct Said {
  std::string text;
  Error error{};
  bool cut = false;                            // the reply reached the maximum number of tokens
  Said(const char* t) : text(t) {}             // NOLINT: tests write literals
  Said(std::string t) : text(std::move(t)) {}  // NOLINT
  Said(Error e) : error(std::move(e)) {}       // NOLINT
};

class Script : public chat::Chat {
 public:
  /// Replies of each role in order; the last one is repeated. A role without replies gets the
  /// error "replay".
  std::map<std::string, std::deque<Said>> lines;
  std::vector<chat::ChatRequest> asked;
  std::map<std::string, std::string> models;  // name of the model by role; default: "script"
  std::size_t context = 0;                    // longest conversation in bytes; 0: no limit
  int most_tokens = 0;                        // of a reply that fits the context; 0: no limit

  Result<chat::Reply> ask(const chat::ChatRequest& request) override {
    const std::scoped_lock lock(mutex_);
    asked.push_back(request);
    std::size_t bytes = 0;
    for (const chat::Message& m : request.messages) bytes += m.text.size();
    if ((context > 0 && bytes > context) || (most_tokens > 0 && request.max_tokens > most_tokens))
      return fail("chat context", "the conversation is too long");
    auto& said = lines[request.role];
    if (said.empty()) return fail("replay", "nothing is scripted for " + request.role);
    const Said line = said.front();
    if (said.size() > 1) said.pop_front();
    if (!line.error.code.empty()) return tl::unexpected(line.error);
    chat::Reply reply;
    reply.text = line.text;
    reply.was_cut = line.cut;
    reply.model = models.contains(request.role) ? models[request.role] : "script";
    reply.usage.input = estimated_tokens(bytes);
    reply.usage.output = estimated_tokens(line.text.size());
    reply.cost = 0.001;
    return reply;
  }

  void report_worth(const std::string& role, const chat::Reply&, double worth) override {
    const std::scoped_lock lock(mutex_);
    worths[role].push_back(worth);
  }
  chat::FailedCalls failed;  // of every task
  [[nodiscard]] chat::FailedCalls failed_calls(std::int64_t) const override { return failed; }
  std::map<std::string, std::vector<double>> worths;  // reported worth of replies, by role

  [[nodiscard]] int count(const std::string& role) const {
    int n = 0;
    for (const chat::ChatRequest& r : asked) n += r.role == role ? 1 : 0;
    return n;
  }
  /// Returns the last message of question n (from 0) to a role; "" if it was not asked.
  [[nodiscard]] std::string last_said_to(const std::string& role, int n) const {
    for (const chat::ChatRequest& r : asked)
      if (r.role == role && n-- == 0) return r.messages.back().text;
    return "";
  }

 private:
  std::mutex mutex_;
};

}  // namespace gabbro::agents::testing
