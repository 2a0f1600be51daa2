#include "agents/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>

#include "agents/prompts.h"
#include "agents/replies.h"
#include "agents/roles.h"
#include "lang/ascii_hint.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"

namespace gabbro::agents {

namespace {

// Parts of the observer's reply that are kept, and of an error's text, in bytes.
constexpr std::size_t kMaxDifferences = 8, kLongestDifference = 600, kLongestChange = 1000,
                      kLongestDetail = 2000;

constexpr std::size_t kLongestProgram = 8000;  // bytes of a refused program that are sent back

// Returns the lines of comment with which a program begins: the idea in its author's words.
std::string leading_comment(std::string_view code) {
  std::string out;
  while (code.starts_with('#')) {
    const std::string_view line = code.substr(0, code.find('\n'));
    const std::size_t text = line.find_first_not_of("# ");
    if (text != std::string_view::npos) out += std::string(line.substr(text)) + "\n";
    code.remove_prefix(std::min(code.size(), line.size() + 1));
  }
  return shortened(out, kLongestDetail);
}

std::string refusal_text(const Error& error) {
  return error.hint.empty() ? error.message : fmt::format("{} ({})", error.message, error.hint);
}

// Asks the campaign whether it accepts the program. Errors: those of Brief::admit; "duplicate" if it returns
// false.
Result<bool> check_admitted(const Brief& brief, const lang::Program& program) {
  if (!brief.admit) return true;
  GABBRO_TRY(ok, brief.admit(program));
  if (!ok) return fail("duplicate", "the campaign already has this design");
  return true;
}

// Turns a draft into a design: builds it, compares it with its promises, and has it observed.
class DesignBuilder {
 public:
  DesignBuilder(Interview& interview, const Accepted& accepted, UnitPlan plan, Draft draft)
      : interview_(interview), accepted_(accepted), plan_(std::move(plan)), draft_(std::move(draft)) {}

  Result<std::string> run() {
    if (auto ok = build(); !ok) return tl::unexpected(ok.error());
    if (auto ok = check_promises(); !ok) return tl::unexpected(ok.error());
    if (auto ok = check_observation(); !ok) return tl::unexpected(ok.error());
    return lang::print(program_);
  }

 private:
  Result<bool> build() {
    GABBRO_TRY(program, finish_draft(interview_, accepted_.proposal, plan_, accepted_.base, draft_, report_));
    program_ = std::move(program);
    interview_.report().promises = verify_promises(accepted_.proposal, facts());
    for (const record::Promise& p : interview_.report().promises)
      interview_.report_step(
          "checker", p.kept ? StepKind::kPromiseKept : StepKind::kPromiseBroken,
          fmt::format("{}: promised {}, found {}", record::word_of(p.property), p.said, p.found));
    return true;
  }

  Result<bool> rewrite(const std::string& unit, const std::string& fault) {
    interview_.report_step("observer", StepKind::kRepair, unit + ": " + fault);
    GABBRO_TRY(draft,
               rewrite_unit(interview_, accepted_.proposal, plan_, accepted_.base, draft_, unit, fault));
    draft_ = std::move(draft);
    return build();
  }

  // Compares derived facts with the promises, and asks whether the campaign accepts the program. If either
  // fails, the last unit is rewritten once. A duplicate, or a design without a unit to rewrite, fails at
  // once.
  Result<bool> check_promises() {
    for (bool may_rewrite : {true, false}) {
      const std::string broken = broken_promises(interview_.report().promises);
      const auto admitted = check_admitted(interview_.brief(), program_);
      if (broken.empty() && admitted) return true;
      // If no screener works, the machine is at fault and not the unit.
      if (!admitted && is(admitted.error(), record::Cause::kScreener))
        return tl::unexpected(admitted.error());
      // Without a checker, broken promises are recorded but not repaired.
      if (admitted && !interview_.settings().checker) return true;
      const bool duplicate = !admitted && (is(admitted.error(), record::Cause::kDuplicate) ||
                                           is(admitted.error(), record::Cause::kSameFunction));
      may_rewrite = may_rewrite && !duplicate && !plan_.units.empty() && interview_.settings().checker;
      if (!may_rewrite && !admitted) return tl::unexpected(admitted.error());
      if (!may_rewrite) return fail("observation", "broken promises: " + broken);
      const std::string fault =
          broken.empty() ? "The campaign refuses the finished design: " + refusal_text(admitted.error()) + "."
                         : "The finished design breaks its promises: " + broken + ".";
      if (auto ok = rewrite(plan_.units.back().name, fault); !ok) return ok;
    }
    return true;
  }

  Result<bool> check_observation() {
    if (!interview_.settings().observer) return true;
    for (const bool may_rewrite : {true, false}) {
      GABBRO_TRY(observation, observe(interview_, accepted_.proposal, lang::print(program_), facts()));
      interview_.report().observation = observation.rating;
      std::string& text = interview_.report().observed;
      text.clear();
      for (std::size_t i = 0; i < std::min(observation.differences.size(), kMaxDifferences); ++i)
        text += "- " + shortened(observation.differences[i], kLongestDifference) + "\n";
      const bool passed = observation.rating >= interview_.settings().observer_pass;
      interview_.report_step("observer", passed ? StepKind::kPassed : StepKind::kRefused,
                             fmt::format("rated {}\n{}", observation.rating, text));
      if (passed) return true;
      if (!may_rewrite || plan_.units.empty())
        return fail("observation",
                    fmt::format("rated {}, but at least {:g} is needed: {}", observation.rating,
                                interview_.settings().observer_pass, text));
      // A unit that the plan does not have cannot be rewritten; then the last one is.
      const auto named = [&](const PlannedUnit& u) { return u.name == observation.unit; };
      const std::string unit = std::any_of(plan_.units.begin(), plan_.units.end(), named)
                                   ? observation.unit
                                   : plan_.units.back().name;
      if (auto ok = rewrite(unit, fmt::format("It departs from the proposal:\n{}{}", text,
                                              shortened(observation.change, kLongestChange)));
          !ok)
        return ok;
      if (auto ok = check_promises(); !ok) return ok;
    }
    return true;
  }

  [[nodiscard]] const ir::Facts& facts() const { return report_.subjects.front().facts; }

  Interview& interview_;
  const Accepted& accepted_;
  UnitPlan plan_;
  Draft draft_;
  lang::Program program_;
  lang::CheckReport report_;
};

Result<std::string> write_by_units(Interview& interview) {
  GABBRO_TRY(parents, parse_parents(interview.brief(), interview.resources().library));
  if (auto ok = find_literature(interview); !ok) return tl::unexpected(ok.error());
  GABBRO_TRY(accepted, find_proposal(interview, parents));
  GABBRO_TRY(plan, make_plan(interview, accepted.proposal, accepted.base));
  GABBRO_TRY(drafts, write_units(interview, accepted.proposal, plan, accepted.base));
  return DesignBuilder(interview, accepted, std::move(plan), std::move(drafts.front())).run();
}

// Checks a whole program: the language, the campaign and the reviewers. Errors, all of which but those of
// chat and the screener are about this program: those of the checker, of Brief::admit, and "review" with the
// objections.
Result<lang::Program> check_program(Interview& interview, const std::string& code) {
  lang::CheckReport report = check_single_design(code, interview.resources().library);
  if (!report.valid()) {
    const std::string fault = describe_errors(report.errors, code, report.errors.size());
    interview.report_step("checker", StepKind::kRefused, fault);
    return fail("assembly", fault);
  }
  record::TaskReport& task = interview.report();
  task.title = edit::design_of(report.program).value()->name;
  task.proposal = fmt::format("{}\n\n{}", task.title, leading_comment(code));
  if (auto ok = check_admitted(interview.brief(), report.program); !ok) return tl::unexpected(ok.error());
  if (interview.writing() == record::Writing::kDirect) return std::move(report.program);
  const std::string reviewed =
      fmt::format("{}\n\nThe program:\n{}\nFacts:\n{}", task.proposal, lang::print(report.program),
                  facts_text(report.subjects.front().facts));
  if (auto ok = pass_review(interview, reviewed); !ok) return tl::unexpected(ok.error());
  return std::move(report.program);
}

// Returns true if a repaired program may pass where this one failed. A duplicate needs another idea, and
// errors of chat or of the screener are none of the program's.
bool is_repairable(const Error& e) {
  using record::Cause;
  static constexpr std::array kOthers{Cause::kDuplicate, Cause::kSameFunction, Cause::kScreener,
                                      Cause::kStopped,   Cause::kCap,          Cause::kChatDown,
                                      Cause::kChatKey,   Cause::kChatReply,    Cause::kChatContext,
                                      Cause::kReplay,    Cause::kStore};
  return std::none_of(kOthers.begin(), kOthers.end(), [&](Cause cause) { return is(e, cause); });
}

// Asks for the whole program. Unless it is to be written in one reply, the coder may repair it.
Result<std::string> write_program(Interview& interview) {
  GABBRO_TRY(parents, parse_parents(interview.brief(), interview.resources().library));
  const bool direct = interview.writing() == record::Writing::kDirect;
  if (!direct)
    if (auto ok = find_literature(interview); !ok) return tl::unexpected(ok.error());
  const AgentSettings& s = interview.settings();
  Question q{
      .role = "coder", .prompt = "program.md", .knowledge = Knowledge::kCode, .temperature = s.temperature};
  const int most = direct ? 1 : 1 + s.repairs;
  Error last;
  for (int i = 0; i < most; ++i) {
    interview.report().attempts = i + 1;
    q.variant = i;
    GABBRO_TRY(reply, interview.ask(q));
    const std::string code = find_code(lang::with_ascii_signs(reply.text));
    auto program = check_program(interview, code);
    interview.report_usable("coder", reply, program.has_value());
    if (program) return lang::print(*program);
    last = program.error();
    if (!is_repairable(last)) return tl::unexpected(last);
    q.more_room = q.more_room || reply.was_cut;
    // Only the last program and what is wrong with it are sent back, since earlier ones cost tokens.
    q.after = {{chat::MessageAuthor::kAssistant, shortened(code, kLongestProgram)},
               {chat::MessageAuthor::kUser,
                fmt::format("{}This is refused:\n{}{}{}\nReply with the whole program, corrected.",
                            reply.was_cut ? "The reply was cut at its limit of tokens. " : "", last.message,
                            last.hint.empty() ? "" : "; ", last.hint)}};
    if (code.empty()) q.after.erase(q.after.begin());
  }
  return tl::unexpected(last);
}

// Returns the roles that the settings leave out of this way of writing; one that is written in one reply has
// none of them.
std::vector<std::string> roles_left_out(const AgentSettings& s, record::Writing writing) {
  std::vector<std::string> out;
  if (writing == record::Writing::kDirect) return out;
  if (s.queries == 0) out.emplace_back("librarian");
  if (s.reviewers == 0) out.emplace_back("reviewer");
  if (writing == record::Writing::kProgram) return out;
  if (!s.planner) out.emplace_back("planner");
  if (!s.checker) out.emplace_back("checker");
  if (!s.observer) out.emplace_back("observer");
  return out;
}

void set_failure(record::TaskReport& report, const Error& error) {
  report.outcome = record::TaskOutcome::kFailed;
  report.cause = record::cause_of(error);
  report.detail = shortened(refusal_text(error), kLongestDetail);
}

// Calls `work`. Libraries may run out of memory or throw unexpectedly; then this task fails, and the campaign
// goes on.
template <class F>
void run_catching(record::TaskReport& report, F&& work) {
  try {
    work();
  } catch (const std::exception& e) {
    set_failure(report, {"internal", e.what(), "", {}});
  }
}

}  // namespace

record::TaskReport run_task(const Brief& brief, const TaskResources& resources) {
  record::TaskReport report;
  report.mode = brief.mode;
  run_catching(report, [&] {
    report.prompts = prompts_version();
    Interview interview(brief, resources, report);
    report.writing = interview.writing();
    report.without = roles_left_out(resources.settings, report.writing);
    auto program =
        report.writing == record::Writing::kUnits ? write_by_units(interview) : write_program(interview);
    interview.count_failed_calls();
    if (program) {
      report.outcome = record::TaskOutcome::kDesign;
      report.program = std::move(*program);
    } else {
      set_failure(report, program.error());
    }
    interview.report_step("checker", StepKind::kNote,
                          program ? "a design" : fmt::format("{}: {}", report.cause, report.detail));
  });
  return report;
}

record::TaskReport review_program(const std::string& program, const Brief& brief,
                                  const TaskResources& resources) {
  record::TaskReport report;
  run_catching(report, [&] {
    report.prompts = prompts_version();
    const lang::CheckReport checked = check_single_design(program, resources.library);
    if (!checked.valid())
      return set_failure(report, {"program", checked.errors[0].message, checked.errors[0].hint, {}});
    Interview interview(brief, resources, report);
    report.title = checked.subjects.front().name;
    report.proposal = fmt::format("{}\n\nA finished design:\n{}\nFacts:\n{}", report.title,
                                  lang::print(checked.program), facts_text(checked.subjects.front().facts));
    auto reviews = review(interview, report.proposal);
    interview.count_failed_calls();
    if (!reviews) return set_failure(report, reviews.error());
    report.reviews = std::move(*reviews);
    const double rating = mean_rating(report.reviews, brief.reviewer_weights);
    if (rating >= resources.settings.pass)
      report.outcome = record::TaskOutcome::kDesign;
    else
      set_failure(report,
                  {"review",
                   fmt::format("rated {:.1f}, but at least {:g} is needed", rating, resources.settings.pass),
                   "",
                   {}});
  });
  return report;
}

}  // namespace gabbro::agents
