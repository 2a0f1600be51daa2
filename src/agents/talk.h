// The conversations of one task: prompts are filled, replies counted, and read again when they could not be
// read.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/brief.h"
#include "agents/limits.h"
#include "agents/prompts.h"
#include "agents/tools.h"
#include "record/task.h"

namespace gabbro::agents {

/// A question of a role: its prompt file with what belongs to this question, and what was said since.
struct Question {
  std::string role;
  std::string_view prompt;  // "coder.md"
  Values values{};
  std::vector<chat::Message> after{};  // replies and what was said to them
  std::string schema{};                // file of the schema: "planner.json"
  Limits limits{};                     // on the fields of the schema
  std::string grammar{};
  bool coding = false;  // with the text of the language
  int variant = 0;
  double temperature = 0.2;
};

/// Not for use from several threads. Errors are failures of the task, their codes its causes.
class Talk {
 public:
  /// All three outlive it; calls, tokens, cost and seconds are added to `report`.
  Talk(const Brief& brief, const Tools& tools, record::TaskReport& report);

  [[nodiscard]] const Brief& brief() const { return brief_; }
  [[nodiscard]] const Tools& tools() const { return tools_; }
  [[nodiscard]] const Settings& settings() const { return tools_.settings; }
  [[nodiscard]] record::TaskReport& report() { return report_; }

  /// A conversation that is longer than the model reads is tried once more without the optional sections of
  /// its prompt. Errors: those of chat.
  Result<chat::Reply> ask(const Question& question);

  /// Asks for a JSON object and reads it; a reply that cannot be read goes back with the reason, twice, or
  /// once where the same comes again. Errors: those of chat; `cause` with the last reason.
  using Read =
      std::function<Result<bool>(const std::string& json, bool last)>;  // last: it will not be asked again
  Result<chat::Reply> ask_object(Question question, const std::string& cause, const Read& read);

  /// What a reply turned out to be worth, for the choice of models.
  void judged(const std::string& role, const chat::Reply& reply, bool good) {
    tools_.chat.judged(role, reply, good ? 1 : 0);
  }

  void tell(std::string role, std::string what, std::string text, const chat::Reply* reply = nullptr);

  /// Values that several prompts share: parents, directions, credit ... Roles add their own.
  Values values{};

 private:
  chat::Request request(const Question& question, bool brief) const;

  const Brief& brief_;
  const Tools& tools_;
  record::TaskReport& report_;
};

/// Excerpts for the proposer, as quoted data; empty without literature or when nothing is found. A librarian
/// whose queries cannot be read is left out of the task. Errors: those of chat.
Result<std::string> find_literature(Talk& talk);

}  // namespace gabbro::agents
