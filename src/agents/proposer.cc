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

// Returns the question of the first attempt. In the reply, `place` is a path in the tree of the first parent,
// and `from`, for crossover, one in the tree of the second (prompts/proposer.md). Only paths that exist are
// allowed.
Question first_question(Conversation& talk, const std::vector<lang::Program>& parents,
                        const std::string& literature) {
  const lang::Library& library = talk.tools().library;
  const Mode mode = talk.brief().mode;
  Question q{
      .role = "proposer",
      .prompt = "proposer.md",
      .schema = "proposer.json",
      .limits = {.counts = {{"units", {mode == Mode::kCrossover ? 0 : 1, talk.settings().most_units}}}},
      .temperature = talk.settings().temperature};
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
  q.values["literature"] = literature;
  return q;
}

// Returns title and idea from a text of describe(). The lines on the place, the new units and the promised
// properties are left out, since they are similar in all proposals.
std::string core_of(const std::string& described) {
  std::size_t end = described.size();
  for (const char* line : {"\nPlace: ", "\nNew units: ", "\nPromised: "})
    end = std::min(end, described.find(line));
  return described.substr(0, end);
}

// Refuses a proposal that is similar to a known description. Earlier attempts of this task are not compared,
// since they are meant to be repaired.
Result<bool> check_new(Conversation& talk, const Proposal& p) {
  std::vector<std::string> known_cores;
  for (const std::string& text : talk.brief().proposals) known_cores.push_back(core_of(text));
  const Nearest near = nearest(core_of(describe(p)), known_cores);
  if (near.index < 0 || near.similarity < talk.settings().similar) return true;
  const std::string& known = talk.brief().proposals[static_cast<std::size_t>(near.index)];
  return fail("duplicate",
              fmt::format("this was proposed before (similarity {:.2f}): {}", near.similarity,
                          shortened(known.substr(0, known.find('\n')), 200)),
              "propose another mechanism");
}

// Has the proposal reviewed. If it does not pass, the error contains the objections.
Result<bool> check_review(Conversation& talk, const Proposal& p) {
  GABBRO_TRY(reviews, review(talk, describe(p)));
  talk.report().reviews = reviews;
  if (reviews.empty()) return true;
  const double rating = mean_rating(reviews, talk.brief().reviewer_weights);
  if (rating >= talk.settings().pass) return true;
  std::string objections;
  for (const record::Review& r : reviews) objections += r.text;
  return fail("review", fmt::format("rated {:.1f}, but at least {:g} is needed:\n{}", rating,
                                    talk.settings().pass, objections));
}

bool is_refusal(const Error& e) {
  return is(e, Cause::kProposal) || is(e, Cause::kDuplicate) || is(e, Cause::kReview) || is(e, Cause::kJson);
}

}  // namespace

Result<Accepted> find_proposal(Conversation& talk, const std::vector<lang::Program>& parents,
                               const std::string& literature) {
  Question q = first_question(talk, parents, literature);
  Error last;
  for (int attempt = 0; attempt < talk.settings().attempts; ++attempt) {
    ++talk.report().attempts;
    q.variant = attempt;  // so that a repeated request gets a new reply and not a recorded one
    GABBRO_TRY(reply, talk.ask(q));
    Accepted accepted;
    const auto judged = [&]() -> Result<bool> {
      GABBRO_TRY(json, find_object(reply.text));
      GABBRO_TRY(proposal, parse_proposal(json, talk.settings().most_units));
      talk.report().reviews.clear();
      talk.report().title = proposal.title;
      talk.report().proposal = describe(proposal);
      if (auto ok = check_new(talk, proposal); !ok) return ok;
      GABBRO_TRY(base, prepare(proposal, talk.brief().mode, parents, talk.tools().library));
      // Without a planner, nobody can rename the units later, so their names are checked now.
      if (!talk.settings().planner)
        if (auto plan = make_plan(talk, proposal, base); !plan)
          return fail("proposal", plan.error().message, plan.error().hint);
      if (auto ok = check_review(talk, proposal); !ok) return ok;
      accepted = {std::move(proposal), std::move(base)};
      return true;
    }();
    talk.judged("proposer", reply, judged.has_value());
    talk.tell("proposer", judged ? StepKind::kPassed : StepKind::kRefused,
              judged ? talk.report().title : judged.error().code + ": " + judged.error().message);
    if (judged) return accepted;
    last = judged.error();
    if (!is_refusal(last)) return tl::unexpected(last);
    // Only the last attempt and its errors are sent back. Earlier ones cost tokens and bias the next reply
    // towards them.
    q.after.clear();
    if (!reply.text.empty()) q.after.push_back({chat::MessageRole::kAssistant, shortened(reply.text, 6000)});
    q.after.push_back(
        {chat::MessageRole::kUser,
         fmt::format(
             "Refused: {}{}{}\nPropose again, repaired or something else; reply with the JSON object alone.",
             last.message, last.hint.empty() ? "" : "; ", last.hint)});
  }
  return fail(is(last, Cause::kJson) ? "proposal" : last.code,
              fmt::format("{} attempts failed; the last one: {}", talk.report().attempts, last.message),
              last.hint);
}

}  // namespace gabbro::agents
