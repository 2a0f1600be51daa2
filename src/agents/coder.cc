#include "agents/coder.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "agents/replies.h"
#include "agents/similar.h"
#include "lang/ascii_hint.h"
#include "lang/gbnf.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::agents {

namespace {

constexpr std::size_t kLongestExample = 1200;      // bytes
constexpr std::size_t kMaxExampleStatements = 14;  // in the body of the unit, without nested ones
constexpr std::size_t kUnitsPerReply = 3;          // more could be cut
constexpr std::size_t kLongestEcho = 6000;    // bytes of a refused unit that are sent back with its errors
constexpr std::size_t kLongestMessage = 600;  // bytes
constexpr std::size_t kMaxErrors = lang::ParseResult::kMaxErrors;  // all that the checker reports
// A coder that repeats an earlier text is asked at a higher temperature.
constexpr double kTemperatureStep = 0.15, kMaxTemperature = 1;

std::string printed(const std::vector<lang::Item>& items) {
  lang::Program p;
  p.items = items;
  return items.empty() ? "" : lang::print(p);
}

// Returns at most `count` examples of Gab: units of the zoo that read other positions, since these are the
// hardest to write. The ones whose file says most of what `wanted` says come first.
// Units that stand in `shown`, the rest of the prompt, are left out.
std::string examples_text(const std::string& wanted, int count, const std::string& shown) {
  std::vector<const lang::Item*> items;
  std::vector<std::string> descriptions;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items)
      if (const auto* unit = std::get_if<lang::Unit>(&item.value)) {
        const std::string text = lang::print(item);
        const bool reads_others =
            text.find("scan ") != std::string::npos || text.find("past(") != std::string::npos;
        const bool is_shown = shown.find(fmt::format("unit {}(", unit->name)) != std::string::npos;
        if (reads_others && !is_shown && unit->body.size() <= kMaxExampleStatements &&
            text.size() < kLongestExample) {
          items.push_back(&item);
          descriptions.emplace_back(entry.text);
        }
      }
  std::string out;
  for (int i = 0; i < count && !items.empty(); ++i) {
    const int index = nearest(wanted, descriptions).index;
    out += (out.empty() ? "" : "\n") + lang::print(*items[static_cast<std::size_t>(index)]);
    items.erase(items.begin() + index);
    descriptions.erase(descriptions.begin() + index);
  }
  return out.empty() ? "" : quoted("library", out);
}

struct CodingContext {
  Interview& interview;
  const Proposal& proposal;
  const UnitPlan& plan;
  const Base& base;
};

bool has_item(const Draft& draft, const std::string& name) {
  return std::any_of(draft.items.begin(), draft.items.end(),
                     [&](const lang::Item& item) { return lang::item_name(item) == name; });
}

// Returns the units that a reply may have: `unit`, and the next ones of the plan that the draft lacks.
std::vector<const PlannedUnit*> wanted_units(const UnitPlan& plan, const PlannedUnit& unit,
                                             const Draft& draft) {
  std::vector<const PlannedUnit*> out;
  for (const PlannedUnit* u = &unit; u <= &plan.units.back() && out.size() < kUnitsPerReply; ++u)
    if (u == &unit || !has_item(draft, u->name)) out.push_back(u);
  return out;
}

Question question(const CodingContext& context, const PlannedUnit& unit, const Draft& draft, int variant) {
  Question q{.role = "coder",
             .prompt = "coder.md",
             .knowledge = Knowledge::kCode,
             .variant = variant,
             .temperature = context.interview.settings().temperature};
  const std::string proposal = describe(context.proposal);
  q.values["proposal"] = quoted("proposal", proposal);
  q.values["programs"] = context.base.old_instance.empty() ? "" : context.interview.values["programs"];
  q.values["examples"] =
      examples_text(proposal + unit.name + " " + unit.task, context.interview.settings().examples,
                    q.values["programs"] + context.interview.values["library_units"]);
  const std::string written = printed(draft.items);
  q.values["written"] = written.empty() ? "" : quoted("written", written);
  for (const PlannedUnit* u : wanted_units(context.plan, unit, draft))
    q.values["units"] +=
        fmt::format("unit {}\n{}", signature(*u), u->task.empty() ? "" : quoted("plan", u->task));
  q.grammar = lang::gbnf_unit(unit.name, unit.inputs, unit.results);
  return q;
}

std::string repair_request(const UnitCandidate& c, const chat::Reply& reply) {
  return fmt::format("{}The checker refuses this:\n{}Write the whole unit again, corrected.",
                     reply.was_cut ? "The reply was cut at its limit of tokens. " : "",
                     describe_errors(c.errors, c.text, kMaxErrors));
}

struct Tried {
  UnitCandidate candidate;
  chat::Reply reply;
  std::map<std::string, std::string>
      unchecked{};          // texts of units after this one that the reply has, by name
  int repair_requests = 0;  // number of times that this candidate went back to the coder
};

bool better(const Tried& a, const Tried& b) { return a.candidate.sort_key() < b.candidate.sort_key(); }

// Returns true if `unit` is the last element of the plan. It must be an element, not a copy.
bool is_last(const UnitPlan& plan, const PlannedUnit& unit) { return &unit == &plan.units.back(); }

// Returns the candidates for one unit, best first. All of them are invalid if the repairs ran out. `after` is
// the part of the conversation that follows the prompt.
Result<std::vector<Tried>> search(const CodingContext& context, const PlannedUnit& unit, const Draft& draft,
                                  const std::vector<chat::Message>& after, record::WrittenUnit& stats) {
  const AgentSettings& s = context.interview.settings();
  std::vector<Tried> tried;
  std::set<std::string> texts;
  int variant = 0, repetitions = 0;
  bool more_room = false;  // a reply was cut before it was valid
  const auto checked = [&](const std::string& text) {
    UnitCandidate c = check_reply(text, unit, context.proposal, context.base, draft.items,
                                  is_last(context.plan, unit), context.interview.resources().library);
    repetitions += texts.insert(c.text).second ? 0 : 1;
    ++stats.candidates;
    stats.valid += c.valid() ? 1 : 0;
    context.interview.report_step(
        "checker", c.valid() ? StepKind::kValid : StepKind::kRefused,
        unit.name + (c.valid() ? "" : "\n" + describe_errors(c.errors, c.text, kMaxErrors)));
    return c;
  };
  // `unchecked`: texts of units after this one, which the reply may replace.
  const auto ask = [&](std::vector<chat::Message> said,
                       std::map<std::string, std::string> unchecked) -> Result<bool> {
    Question q = question(context, unit, draft, variant++);
    q.after = std::move(said);
    q.more_room = more_room;
    q.temperature =
        std::max(q.temperature, std::min(kMaxTemperature, q.temperature + kTemperatureStep * repetitions));
    GABBRO_TRY(reply, context.interview.ask(q));
    const auto wanted = wanted_units(context.plan, unit, draft);
    std::string own;
    bool has_later = false;
    for (const UnitText& part : divide_units(find_code(lang::with_ascii_signs(reply.text)))) {
      const bool is_later = std::any_of(wanted.begin() + 1, wanted.end(),
                                        [&](const PlannedUnit* u) { return u->name == part.unit; });
      has_later = has_later || is_later;
      if (is_later)
        unchecked[part.unit] = part.text;
      else
        own += part.text;
    }
    UnitCandidate c = checked(has_later ? own : reply.text);
    context.interview.report_usable("coder", reply, c.valid());
    more_room = more_room || (reply.was_cut && !c.valid());
    tried.push_back({std::move(c), std::move(reply), std::move(unchecked)});
    std::stable_sort(tried.begin(), tried.end(), better);
    return true;
  };
  if (const auto written = draft.unchecked.find(unit.name); after.empty() && written != draft.unchecked.end())
    tried.push_back({checked(written->second), {}, draft.unchecked});
  for (auto i = std::ssize(tried); i < (s.checker ? s.candidates : 1); ++i)
    if (auto ok = ask(after, draft.unchecked); !ok) return tl::unexpected(ok.error());
  for (int i = 0; s.checker && i < s.repairs && !tried[0].candidate.valid(); ++i) {
    // The search is best-first: the candidate with the fewest errors goes back to the coder. If the repair is
    // no better, the candidate is tried once more; after that others get their turn.
    Tried best = tried[0];
    tried.erase(tried.begin());
    auto said = after;
    if (!best.candidate.text.empty())
      said.push_back({chat::MessageAuthor::kAssistant, shortened(best.candidate.text, kLongestEcho)});
    said.push_back({chat::MessageAuthor::kUser, repair_request(best.candidate, best.reply)});
    ++stats.repairs;
    ++best.repair_requests;
    if (auto ok = ask(std::move(said), best.unchecked); !ok) return tl::unexpected(ok.error());
    if (!better(tried[0], best) && best.repair_requests < 2) tried.push_back(std::move(best));
    std::stable_sort(tried.begin(), tried.end(), better);
  }
  return tried;
}

Draft extended(const Draft& draft, const Tried& tried) {
  const UnitCandidate& c = tried.candidate;
  Draft out = draft;
  out.unchecked = tried.unchecked;
  out.items = with_items(std::move(out.items), c.items);
  out.errors.insert(out.errors.end(), c.errors.begin(), c.errors.end());
  out.sort_key[0] += static_cast<std::size_t>(c.broken_promises);
  out.sort_key[1] += c.text.size();
  return out;
}

tl::unexpected<Error> unit_failure(const PlannedUnit& unit, const UnitCandidate& c) {
  return fail("unit", fmt::format("{}: {}", unit.name, shortened(c.errors[0].message, kLongestMessage)),
              c.errors[0].hint);
}

}  // namespace

Result<std::vector<Draft>> write_units(Interview& interview, const Proposal& proposal, const UnitPlan& plan,
                                       const Base& base) {
  const CodingContext context{interview, proposal, plan, base};
  std::vector<Draft> drafts{{}};
  for (const PlannedUnit& unit : plan.units) {
    record::WrittenUnit stats;
    stats.name = unit.name;
    std::vector<Draft> next;
    Result<std::vector<Tried>> tried;
    for (const Draft& draft : drafts) {
      tried = search(context, unit, draft, {}, stats);
      if (!tried) break;
      for (const Tried& t : *tried)
        if (t.candidate.valid() || !interview.settings().checker) next.push_back(extended(draft, t));
    }
    interview.report().units.push_back(stats);
    if (!tried) return tl::unexpected(tried.error());
    if (next.empty()) return unit_failure(unit, tried->front().candidate);
    std::stable_sort(next.begin(), next.end(),
                     [](const Draft& a, const Draft& b) { return a.sort_key < b.sort_key; });
    next.resize(std::min(next.size(), static_cast<std::size_t>(interview.settings().beam)));
    drafts = std::move(next);
  }
  return drafts;
}

Result<Draft> rewrite_unit(Interview& interview, const Proposal& proposal, const UnitPlan& plan,
                           const Base& base, Draft draft, const std::string& name, const std::string& fault) {
  const auto unit = std::find_if(plan.units.begin(), plan.units.end(),
                                 [&](const PlannedUnit& u) { return u.name == name; });
  if (unit == plan.units.end()) return fail("unit", "the plan has no unit named " + shortened(name, 80));
  std::string before;
  for (const lang::Item& item : draft.items)
    if (lang::item_name(item) == name) before = lang::print(item);
  const std::vector<chat::Message> after{
      {chat::MessageAuthor::kAssistant, before},
      {chat::MessageAuthor::kUser, fault + " Write the whole unit again, changed so."}};
  auto stats = std::find_if(interview.report().units.begin(), interview.report().units.end(),
                            [&](const record::WrittenUnit& w) { return w.name == name; });
  GABBRO_CHECK(stats != interview.report().units.end());
  ++stats->repairs;
  GABBRO_TRY(tried, search({interview, proposal, plan, base}, *unit, draft, after, *stats));
  if (!tried[0].candidate.valid()) return unit_failure(*unit, tried[0].candidate);
  draft.items = with_items(std::move(draft.items), tried[0].candidate.items);
  return draft;
}

Result<lang::Program> finish_draft(Interview& interview, const Proposal& proposal, UnitPlan& plan,
                                   const Base& base, const Draft& draft, lang::CheckReport& report) {
  const AgentSettings& s = interview.settings();
  if (!draft.errors.empty()) return fail("unit", draft.errors[0].message, draft.errors[0].hint);
  const auto build = [&](const std::string& instance) {
    report = {};
    return assemble(base, draft.items, instance, proposal.title, {interview.resources().library, &report});
  };
  auto built = build(plan.instance);
  bool more_room = false;  // the last reply was cut
  for (int i = 0; !built && s.checker && i < s.repairs; ++i) {
    const std::string fault = report.errors.empty()
                                  ? describe_errors({built.error()}, /*source=*/"")
                                  : describe_errors(report.errors, lang::print(report.program), kMaxErrors);
    interview.report_step("checker", StepKind::kRefused, "instance " + plan.instance + "\n" + fault);
    Question q{.role = "coder", .prompt = "instance.md", .knowledge = Knowledge::kCode, .variant = i};
    q.values["instance"] = instance_text(base, plan.units.empty() ? "" : plan.units.back().name);
    q.values["proposal"] = quoted("proposal", describe(proposal));
    q.values["written"] = quoted("written", printed(draft.items));
    q.grammar = lang::gbnf_expression();
    q.after = {
        {chat::MessageAuthor::kAssistant, plan.instance.empty() ? "(none)" : shortened(plan.instance, 2000)},
        {chat::MessageAuthor::kUser,
         fmt::format("The checker refuses this:\n{}Write the expression again, corrected.", fault)}};
    q.more_room = more_room;
    GABBRO_TRY(reply, interview.ask(q));
    more_room = reply.was_cut;
    plan.instance = find_expression(reply.text);
    built = build(plan.instance);
  }
  if (built) return built;
  const Error refused = built.error();
  const std::string plain = plain_instance(plan, base);
  if (s.checker && !plain.empty() && plain != plan.instance) {
    built = build(plain);
    if (built) {
      interview.report_step("checker", StepKind::kNote,
                            fmt::format("instance {}: using {} with its defaults", plan.instance, plain));
      plan.instance = plain;
      return built;
    }
  }
  return fail("assembly", refused.message, refused.hint);
}

}  // namespace gabbro::agents
