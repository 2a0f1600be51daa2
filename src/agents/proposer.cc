#include <fmt/format.h>

#include <algorithm>

#include "agents/plan.h"
#include "agents/replies.h"
#include "agents/roles.h"
#include "agents/similar.h"

namespace gabbro::agents {

using record::Cause;
using record::Mode;

namespace {

constexpr std::size_t kLongestEcho = 6000;  // bytes of a refused reply that are sent back with the reasons
constexpr std::size_t kLongestTitle = 200;  // bytes of a similar proposal's title in the reason

// Returns the question of the first attempt. In the reply, `place` is a path in the tree of the first parent,
// and `from`, for crossover, one in the tree of the second (prompts/proposer.md). Only paths that exist are
// allowed.
Question first_question(Interview& interview, const std::vector<lang::Program>& parents) {
  const lang::Library& library = interview.resources().library;
  const Mode mode = interview.brief().mode;
  Question q{
      .role = "proposer",
      .prompt = "proposer.md",
      .schema = "proposer.json",
      .limits = {.counts = {{"units", {mode == Mode::kCrossover ? 0 : 1, interview.settings().most_units}}}},
      .knowledge = Knowledge::kUnits,
      .temperature = interview.settings().temperature};
  const auto allow_paths = [&](const char* field, std::size_t parent) {
    for (const edit::TreePlace& place : edit::places(parents[parent], library))
      q.limits.choices[field].push_back(place.path);
  };
  if (mode != Mode::kScratch) allow_paths("place", 0);
  if (mode == Mode::kCrossover) allow_paths("from", 1);
  if (mode != Mode::kCrossover) q.limits.choices["from"] = {""};
  if (mode == Mode::kMutation) q.values["places"] = quoted("parent", places_text(parents[0], library));
  if (mode == Mode::kCrossover) {
    q.values["first_places"] = quoted("first parent", places_text(parents[0], library));
    q.values["second_places"] = quoted("second parent", places_text(parents[1], library));
  }
  if (mode == Mode::kScratch) q.values["scratch"] = kPresent;
  return q;
}

// Returns title and idea from a text of describe(). The lines on the place, the new units and the promised
// properties are left out, since they are similar in all proposals.
std::string title_and_idea(const std::string& description) {
  std::size_t end = description.size();
  for (const char* line : {"\nPlace: ", "\nNew units: ", "\nEmbedding and output: ", "\nPromised: "})
    end = std::min(end, description.find(line));
  return description.substr(0, end);
}

// Compares a proposal with Brief::proposals. Errors: "duplicate" if one is similar. Earlier attempts of this
// task are not compared, since they are meant to be repaired.
Result<bool> check_not_similar(Interview& interview, const Proposal& p) {
  std::vector<std::string> known_descriptions;
  for (const std::string& text : interview.brief().proposals)
    known_descriptions.push_back(title_and_idea(text));
  const Nearest found = nearest(title_and_idea(describe(p)), known_descriptions);
  if (found.index < 0 || found.similarity < interview.settings().similar) return true;
  const std::string& known = interview.brief().proposals[static_cast<std::size_t>(found.index)];
  return fail("duplicate",
              fmt::format("this was proposed before (similarity {:.2f}): {}", found.similarity,
                          shortened(known.substr(0, known.find('\n')), kLongestTitle)),
              "propose another mechanism");
}

// Returns true if the error is about this proposal, so that another attempt may succeed.
bool is_refusal(const Error& e) {
  return is(e, Cause::kProposal) || is(e, Cause::kDuplicate) || is(e, Cause::kReview) || is(e, Cause::kJson);
}

}  // namespace

Result<Accepted> find_proposal(Interview& interview, const std::vector<lang::Program>& parents) {
  Question q = first_question(interview, parents);
  Error last_error;
  for (int attempt = 0; attempt < interview.settings().attempts; ++attempt) {
    ++interview.report().attempts;
    q.variant = attempt;  // so that a repeated request gets a new reply and not a recorded one
    GABBRO_TRY(reply, interview.ask(q));
    Accepted accepted;
    const auto verdict = [&]() -> Result<bool> {
      GABBRO_TRY(json, find_object(reply.text, prompt_file(q.schema)));
      GABBRO_TRY(proposal, parse_proposal(json, interview.settings().most_units));
      interview.report().reviews.clear();
      interview.report().title = proposal.title;
      interview.report().proposal = describe(proposal);
      if (auto ok = check_not_similar(interview, proposal); !ok) return ok;
      GABBRO_TRY(base, prepare(proposal, interview.brief().mode, parents, interview.resources().library));
      // Without a planner, nobody can rename the units later, so their names are checked now.
      if (!asks_planner(interview.settings(), interview.brief().mode, proposal))
        if (auto plan = make_plan(interview, proposal, base); !plan)
          return fail("proposal", plan.error().message, plan.error().hint);
      if (auto ok = pass_review(interview, describe(proposal)); !ok) return ok;
      accepted = {std::move(proposal), std::move(base)};
      return true;
    }();
    if (!verdict) last_error = verdict.error();
    if (is(last_error, Cause::kProposal) || is(last_error, Cause::kJson)) note_cut(reply, last_error, q);
    interview.report_usable("proposer", reply, verdict.has_value());
    interview.report_step("proposer", verdict ? StepKind::kPassed : StepKind::kRefused,
                          verdict ? interview.report().title : last_error.code + ": " + last_error.message);
    if (verdict) return accepted;
    if (!is_refusal(last_error)) return tl::unexpected(last_error);
    // Only the last attempt and its errors are sent back. Earlier ones cost tokens and bias the next reply
    // towards them.
    q.after.clear();
    if (!reply.text.empty())
      q.after.push_back({chat::MessageAuthor::kAssistant, shortened(reply.text, kLongestEcho)});
    q.after.push_back(
        {chat::MessageAuthor::kUser,
         fmt::format(
             "Refused: {}{}{}\nPropose again, repaired or something else; reply with the JSON object alone.",
             last_error.message, last_error.hint.empty() ? "" : "; ", last_error.hint)});
  }
  return fail(
      is(last_error, Cause::kJson) ? "proposal" : last_error.code,
      fmt::format("{} attempts failed; the last one: {}", interview.report().attempts, last_error.message),
      last_error.hint);
}

}  // namespace gabbro::agents
