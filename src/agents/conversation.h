// The conversations of one task: fills prompts, counts replies, and asks again if a reply cannot be read.
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

/// A question to a role: a prompt file with its values, and the messages that follow it.
struct Question {
  std::string role;
  std::string_view prompt;  // file name, such as "coder.md"
  PromptValues values{};
  std::vector<chat::Message> after{};  // messages after the prompt: earlier replies and the responses to them
  std::string schema{};                // file name of the schema, such as "planner.json"; empty: none
  FieldLimits limits{};                // limits on the fields of the schema
  std::string grammar{};               // GBNF grammar of the reply; empty: none
  Knowledge knowledge = Knowledge::kTask;
  int variant = 0;  // distinguishes otherwise equal questions (chat/chat.h)
  double temperature = 0.2;
};

/// Holds the conversation with the roles of one task. Not thread-safe. Errors are failures of the task, and
/// their codes are its causes.
class Conversation {
 public:
  /// All three arguments must outlive this object. Calls, tokens, cost and seconds are added to `report`.
  Conversation(const Brief& brief, const Tools& tools, record::TaskReport& report);

  [[nodiscard]] const Brief& brief() const { return brief_; }
  [[nodiscard]] const Tools& tools() const { return tools_; }
  [[nodiscard]] const AgentSettings& settings() const { return tools_.settings; }
  /// Returns how the design is written: as the brief says, or else the settings, or else unit by unit.
  [[nodiscard]] record::Writing writing() const {
    return brief_.writing ? *brief_.writing : settings().writing.value_or(record::Writing::kUnits);
  }
  [[nodiscard]] record::TaskReport& report() { return report_; }

  /// Asks a model. A conversation that exceeds the model's context is tried once more without the optional
  /// sections of its prompt. Errors: those of chat.
  Result<chat::Reply> ask(const Question& question);

  /// Adds to the report what the calls of this task took that ended without a reply. Called once, at its end.
  void count_failed_calls();

  /// Reads a JSON object, with the types of the question's schema where these are clear (find_object); an
  /// error refuses it. `is_last` is true if the question will not be asked again.
  using ReadObject = std::function<Result<bool>(const std::string& json, bool is_last)>;
  /// Asks for a JSON object and passes it to `read`. A reply that cannot be read goes back with the reason,
  /// at most twice, or once if the same reply comes again. Errors: those of chat; the code `cause` with the
  /// last reason.
  Result<chat::Reply> ask_object(Question question, const std::string& cause, const ReadObject& read);

  /// Reports whether a reply was usable, for the choice of models.
  void report_usable(const std::string& role, const chat::Reply& reply, bool usable) {
    tools_.chat.report_worth(role, reply, usable ? 1 : 0);
  }

  /// Passes a step to Tools::watch. `reply` is given for StepKind::kReply.
  void report_step(std::string role, StepKind kind, std::string text, const chat::Reply* reply = nullptr);

  /// Values that several prompts share (parents, directions, literature, ...). Roles add their own.
  PromptValues values{};
  std::vector<Excerpt> literature{};  // of TaskReport::papers

 private:
  chat::ChatRequest request(const Question& question, bool skip_optional) const;

  const Brief& brief_;
  const Tools& tools_;
  record::TaskReport& report_;
};

/// Asks the librarian for queries, and stores the excerpts found as the conversation's values "literature",
/// for those who propose, and "found", shorter and for reviewers, in quotation tags. Fills
/// TaskReport::papers. The values stay empty if nothing is found, or if the librarian's queries cannot be
/// read. Errors: those of chat.
Result<bool> find_literature(Conversation& conversation);

/// Adds the papers nearest to a proposal, as text, to the conversation's value "found" and to
/// TaskReport::papers. Asks no model. Does nothing if the settings ask for no literature.
void find_nearest_papers(Conversation& conversation, const std::string& proposal);

}  // namespace gabbro::agents
