#include "agents/interview.h"

#include <fmt/format.h>

#include <set>

#include "agents/replies.h"
#include "edit/edit.h"
#include "lang/parser.h"
#include "lang/printer.h"

namespace gabbro::agents {

namespace {

constexpr int kMoreRoom = 2;                // factor on the length of a reply after one that was cut
constexpr int kMaxTries = 3;                // unusable replies after which a role gives up
constexpr std::size_t kLongestEcho = 3000;  // bytes of an unusable reply that are sent back with the error
constexpr std::size_t kMostLibraryBytes = 2500;  // of library units that are shown with the parents

// Returns designs, with their measurements if wanted; `what` says what they are to the task.
std::string designs_text(std::string_view what, const std::vector<Parent>& designs, bool measurements) {
  std::string out;
  for (const Parent& design : designs) {
    std::string text = design.program;
    if (!text.empty() && text.back() != '\n') text += '\n';
    if (measurements && !design.evidence.empty()) {
      text += "\nMeasured:\n";
      for (const std::string& line : design.evidence) text += "- " + line + "\n";
    }
    out += (out.empty() ? "" : "\n") + quoted(fmt::format("{} {}: {}", what, design.id, design.name), text);
  }
  return out;
}

std::string history_text(const std::vector<Parent>& parents) {
  std::string out;
  for (const Parent& parent : parents)
    if (!parent.history.empty())
      out += (out.empty() ? "" : "\n") +
             quoted_lines(fmt::format("history of {}: {}", parent.id, parent.name), parent.history);
  return out;
}

// Returns the units of the library that the parents instantiate, each once, as far as they have room.
std::string library_units_text(const std::vector<Parent>& parents, const lang::Library& library) {
  std::set<std::string> names;
  std::string out;
  for (const Parent& parent : parents) {
    const lang::Program program = lang::parse(parent.program).program;
    for (const edit::TreePlace& place : edit::places(program, library)) {
      const std::string& name = place.instance.text;
      const lang::Unit* unit = edit::find_unit(program, name) ? nullptr : library.unit(name);
      if (!unit || !names.insert(name).second) continue;
      lang::Item item;
      item.value = *unit;
      const std::string text = lang::print(item);
      if (out.size() + text.size() <= kMostLibraryBytes) out += text;
    }
  }
  return out.empty() ? "" : quoted("library", out);
}

}  // namespace

Interview::Interview(const Brief& brief, const TaskResources& resources, record::TaskReport& report)
    : brief_(brief), resources_(resources), report_(report) {
  values["parents"] = designs_text("parent", brief.parents, /*measurements=*/true);
  values["programs"] = designs_text("parent", brief.parents, /*measurements=*/false);
  values["best"] = designs_text("design", brief.best, /*measurements=*/true);
  values["history"] = history_text(brief.parents);
  values["library_units"] = library_units_text(brief.parents, resources.library);
  values["ladder"] = quoted_lines("campaign", brief.ladder, 2000);
  values["forecasts"] = quoted_lines("record", brief.forecasts, 3000);
  values["directions"] = quoted_lines("person", brief.directions);
  values["credit"] = quoted_lines("measurements", brief.credit);
  values["failures"] = quoted_lines("record", brief.failures, 2000);
  values["neighbours"] = quoted_lines("record", brief.neighbours);
  values["most_units"] = std::to_string(resources.settings.most_units);
  values["queries"] = std::to_string(resources.settings.queries);
}

void Interview::report_step(std::string role, StepKind kind, std::string text, const chat::Reply* reply) {
  if (!resources_.watch) return;
  Step step{std::move(role), kind, std::move(text), {}};
  if (reply) step.reply = *reply;
  resources_.watch(step);
}

chat::ChatRequest Interview::request(const Question& q, bool skip_optional) const {
  PromptValues all = values;
  for (const auto& [name, value] : q.values) all[name] = value;
  chat::ChatRequest r;
  r.role = q.role;
  r.task = brief_.task;
  r.variant = q.variant;
  r.messages = {{chat::MessageAuthor::kSystem, system_prompt(q.knowledge)},
                {chat::MessageAuthor::kUser, fill_prompt(q.prompt, all, skip_optional)}};
  r.messages.insert(r.messages.end(), q.after.begin(), q.after.end());
  if (!q.schema.empty()) r.schema = limited(std::string(prompt_file(q.schema)), q.limits);
  if (settings().grammar) r.grammar = q.grammar;
  r.max_tokens = settings().reply_tokens * (q.more_room ? kMoreRoom : 1);
  r.temperature = q.temperature;
  return r;
}

Result<chat::Reply> Interview::ask(const Question& q) {
  auto reply = resources_.chat.ask(request(q, /*skip_optional=*/false));
  if (!reply && is(reply.error(), record::Cause::kChatContext)) {
    report_step(q.role, StepKind::kShortened, reply.error().message);
    Question shorter = q;
    shorter.more_room = false;
    reply = resources_.chat.ask(request(shorter, /*skip_optional=*/true));
  }
  if (!reply) return reply;
  ++report_.calls;
  report_.input_tokens += reply->usage.input;
  report_.output_tokens += reply->usage.output;
  report_.cost += reply->cost;
  report_.seconds += reply->seconds;
  report_step(q.role, StepKind::kReply, shortened(reply->text, kLongestReply), &*reply);
  return reply;
}

void Interview::count_failed_calls() {
  const chat::FailedCalls failed = resources_.chat.failed_calls(brief_.task);
  report_.calls += failed.calls;
  report_.input_tokens += failed.input_tokens;
  report_.output_tokens += failed.output_tokens;
  report_.cost += failed.cost;
}

Result<chat::Reply> Interview::ask_object(Question q, const std::string& cause, const ReadObject& read) {
  Error last;
  std::string before;
  // Asking stops when the model repeats itself, since another try would give the same reply.
  bool is_last = false;
  const auto original_after = q.after;
  for (int i = 0; i < kMaxTries && !is_last; ++i) {
    auto reply = ask(q);
    if (!reply) return reply;
    is_last = i + 1 == kMaxTries || (i > 0 && reply->text == before);
    before = reply->text;
    auto object = find_object(reply->text, prompt_file(q.schema));
    const Result<bool> ok = object ? read(*object, is_last) : tl::unexpected(object.error());
    report_usable(q.role, *reply, ok.has_value());
    if (ok) return reply;
    last = ok.error();
    note_cut(*reply, last, q);
    report_step(q.role, StepKind::kRefused, last.message);
    // Only the last reply is sent back; the conversation need not contain all of them.
    q.after = original_after;
    if (!reply->text.empty())
      q.after.push_back({chat::MessageAuthor::kAssistant, shortened(reply->text, kLongestEcho)});
    q.after.push_back({chat::MessageAuthor::kUser,
                       fmt::format("That cannot be used: {}{}{}. Reply with the JSON object alone.",
                                   last.message, last.hint.empty() ? "" : "; ", last.hint)});
  }
  return fail(cause, last.message, last.hint);
}

void note_cut(const chat::Reply& reply, Error& error, Question& question) {
  if (!reply.was_cut) return;
  question.more_room = true;
  error.message = "the reply was cut at its limit of tokens (reply_tokens): " + error.message;
  error.hint = "shorten its texts, so that it is complete";
}

}  // namespace gabbro::agents
