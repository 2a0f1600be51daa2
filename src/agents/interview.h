// Asks the roles of one task: fills prompts, counts replies, and asks again if a reply cannot be read.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/brief.h"
#include "agents/limits.h"
#include "agents/prompts.h"
#include "agents/task_resources.h"
#include "record/task.h"

namespace gabbro::agents {

/// A question to a role: a prompt file with its values, and the messages that follow it.
struct Question {
  std::string role;         // one of chat::roles()
  std::string_view prompt;  // file name, such as "coder.md"
  PromptValues values{};
  std::vector<chat::Message> after{};  // messages after the prompt: earlier replies and the responses to them
  std::string schema{};                // file name of the schema, such as "planner.json"; empty: none
  FieldLimits limits{};                // limits on the fields of the schema
  std::string grammar{};               // GBNF grammar of the reply; empty: none
  Knowledge knowledge = Knowledge::kTask;  // what the system prompt explains of Gab (agents/prompts.h)
  int variant = 0;  // distinguishes otherwise equal questions, so that each gets a reply of its own
  double temperature = 0.2;
  // The reply may be twice as long as AgentSettings::reply_tokens, since an earlier one was cut.
  bool more_room = false;
};

/// The questions of one task to its roles. Each is a request of its own, without the earlier ones; they share
/// the brief and `values`. Not thread-safe. An error ends the task, and its code becomes TaskReport::cause,
/// unless the caller continues without the reply, as find_literature does.
class Interview {
 public:
  /// All three arguments must outlive this object. Calls, tokens, cost and seconds are added to `report`.
  Interview(const Brief& brief, const TaskResources& resources, record::TaskReport& report);

  [[nodiscard]] const Brief& brief() const { return brief_; }
  [[nodiscard]] const TaskResources& resources() const { return resources_; }
  [[nodiscard]] const AgentSettings& settings() const { return resources_.settings; }
  /// Returns how the design is written: as the brief says, or else the settings, or else unit by unit.
  [[nodiscard]] record::Writing writing() const {
    return brief_.writing ? *brief_.writing : settings().writing.value_or(record::Writing::kUnits);
  }
  [[nodiscard]] record::TaskReport& report() { return report_; }

  /// Asks a model. If the request exceeds the model's context, it is tried once more without the sections of
  /// its prompt that are marked "| optional", and without more room for the reply. Errors: those of chat.
  Result<chat::Reply> ask(const Question& question);

  /// Adds to the report the calls of this task that ended without a reply, with their tokens and cost. Called
  /// once, at the end of the task.
  void count_failed_calls();

  /// Reads the JSON object of a reply. Its values have been converted to the types of the schema where
  /// possible (find_object). An error refuses the reply. After the last try (`is_last`), the reader may
  /// repair what it would otherwise refuse.
  using ReadObject = std::function<Result<bool>(const std::string& json, bool is_last)>;
  /// Asks for a JSON object and passes it to `read`. A reply that cannot be read is sent back with the
  /// reason, at most twice, and no longer once the model repeats itself. If it was cut, the next one has more
  /// room. Errors: those of chat; the code `cause`, with the last reason, if no reply could be read.
  Result<chat::Reply> ask_object(Question question, const std::string& cause, const ReadObject& read);

  /// Reports whether a reply was usable, so that better models are chosen more often.
  void report_usable(const std::string& role, const chat::Reply& reply, bool usable) {
    resources_.chat.report_worth(role, reply, usable ? 1 : 0);
  }

  /// Passes a step to TaskResources::watch. `reply` is given for StepKind::kReply.
  void report_step(std::string role, StepKind kind, std::string text, const chat::Reply* reply = nullptr);

  /// Values that several prompts share (parents, directions, literature, ...). Roles add their own.
  PromptValues values{};
  std::vector<Excerpt> literature{};  // the excerpts of the papers in TaskReport::papers

 private:
  chat::ChatRequest request(const Question& question, bool skip_optional) const;

  const Brief& brief_;
  const TaskResources& resources_;
  record::TaskReport& report_;
};

/// If a reply that cannot be used was cut, says so in its error and gives the next reply to the question more
/// room.
void note_cut(const chat::Reply& reply, Error& error, Question& question);

/// Asks the librarian for queries and searches with them. Stores the quoted excerpts in two values of the
/// interview: "literature" for proposers, and a shorter "found" for reviewers. Fills TaskReport::papers. The
/// values stay empty if nothing is found, or if the librarian's queries cannot be read. Errors: those of
/// chat.
Result<bool> find_literature(Interview& interview);

/// Adds the papers nearest to a proposal, as text, to the interview's value "found" and to
/// TaskReport::papers. Asks no model. Does nothing if the settings ask for no literature.
void find_nearest_papers(Interview& interview, const std::string& proposal);

}  // namespace gabbro::agents
