#include "agents/pipeline.h"

#include <fmt/format.h>

#include <exception>

#include "agents/prompts.h"
#include "agents/replies.h"
#include "agents/roles.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"

namespace gabbro::agents {

namespace {

// Returns true if the campaign accepts the program. A refusal without a reason means that the design exists
// already.
Result<bool> admitted(const Brief& brief, const lang::Program& program) {
  if (!brief.admit) return true;
  GABBRO_TRY(ok, brief.admit(program));
  if (!ok) return fail("duplicate", "the campaign already has this design");
  return true;
}

// Turns a draft into a design: builds it, compares it with its promises, and has it observed.
class Build {
 public:
  Build(Conversation& talk, const Accepted& accepted, UnitPlan plan, Draft draft)
      : talk_(talk), accepted_(accepted), plan_(std::move(plan)), draft_(std::move(draft)) {}

  Result<std::string> run() {
    if (auto ok = make(); !ok) return tl::unexpected(ok.error());
    if (auto ok = keep_promises(); !ok) return tl::unexpected(ok.error());
    if (auto ok = be_observed(); !ok) return tl::unexpected(ok.error());
    return lang::print(program_);
  }

 private:
  Result<bool> make() {
    GABBRO_TRY(program, finish_draft(talk_, accepted_.proposal, plan_, accepted_.base, draft_, report_));
    program_ = std::move(program);
    talk_.report().promises = verify_promises(accepted_.proposal, facts());
    for (const record::Promise& p : talk_.report().promises)
      talk_.tell("checker", p.kept ? StepKind::kKept : StepKind::kBroken,
                 fmt::format("{}: promised {}, found {}", record::word_of(p.property), p.said, p.found));
    return true;
  }

  Result<bool> rewrite(const std::string& unit, const std::string& complaint) {
    talk_.tell("observer", StepKind::kRepair, unit + ": " + complaint);
    GABBRO_TRY(draft,
               rewrite_unit(talk_, accepted_.proposal, plan_, accepted_.base, draft_, unit, complaint));
    draft_ = std::move(draft);
    return make();
  }

  // Compares derived facts with the promises, then asks whether the campaign accepts the program. If either
  // fails, the last unit is rewritten once.
  Result<bool> keep_promises() {
    for (bool again : {true, false}) {
      const std::string wrong = broken(talk_.report().promises);
      const auto taken = admitted(talk_.brief(), program_);
      if (wrong.empty() && taken) return true;
      // Without a checker, broken promises are recorded but not repaired.
      if (taken && !talk_.settings().checker) return true;
      const bool duplicate = !taken && (is(taken.error(), record::Cause::kDuplicate) ||
                                        is(taken.error(), record::Cause::kSameFunction));
      again = again && !duplicate && !plan_.units.empty() && talk_.settings().checker;
      if (!again && !taken) return tl::unexpected(taken.error());
      if (!again) return fail("observation", "broken promises: " + wrong);
      const std::string complaint =
          wrong.empty() ? "The campaign refuses the finished design: " + taken.error().message + "."
                        : "The finished design breaks its promises: " + wrong + ".";
      if (auto ok = rewrite(plan_.units.back().name, complaint); !ok) return ok;
    }
    return true;
  }

  Result<bool> be_observed() {
    if (!talk_.settings().observer) return true;
    for (const bool again : {true, false}) {
      GABBRO_TRY(seen, observe(talk_, accepted_.proposal, lang::print(program_), facts()));
      talk_.report().observation = seen.rating;
      std::string& text = talk_.report().observed;
      text.clear();
      for (std::size_t i = 0; i < seen.differences.size() && i < 8; ++i)
        text += "- " + shortened(seen.differences[i], 600) + "\n";
      const bool passed = seen.rating >= talk_.settings().observer_pass;
      talk_.tell("observer", passed ? StepKind::kPassed : StepKind::kRefused,
                 fmt::format("rated {}\n{}", seen.rating, text));
      if (passed) return true;
      if (!again || plan_.units.empty())
        return fail("observation", fmt::format("rated {}, but at least {:g} is needed: {}", seen.rating,
                                               talk_.settings().observer_pass, text));
      const auto named = [&](const PlannedUnit& u) { return u.name == seen.unit; };
      const std::string unit =
          std::any_of(plan_.units.begin(), plan_.units.end(), named) ? seen.unit : plan_.units.back().name;
      if (auto ok = rewrite(
              unit, fmt::format("It departs from the proposal:\n{}{}", text, shortened(seen.change, 1000)));
          !ok)
        return ok;
      if (auto ok = keep_promises(); !ok) return ok;
    }
    return true;
  }

  [[nodiscard]] const ir::Facts& facts() const { return report_.subjects.front().facts; }

  Conversation& talk_;
  const Accepted& accepted_;
  UnitPlan plan_;
  Draft draft_;
  lang::Program program_;
  lang::CheckReport report_;
};

Result<std::string> by_stages(Conversation& talk) {
  GABBRO_TRY(parents, parse_parents(talk.brief(), talk.tools().library));
  GABBRO_TRY(literature, find_literature(talk));
  GABBRO_TRY(accepted, find_proposal(talk, parents, literature));
  GABBRO_TRY(plan, make_plan(talk, accepted.proposal, accepted.base));
  GABBRO_TRY(drafts, write_units(talk, accepted.proposal, plan, accepted.base));
  return Build(talk, accepted, std::move(plan), std::move(drafts.front())).run();
}

// Asks for the whole program in one reply and judges it without repairs. This is the baseline of the
// pipeline.
Result<std::string> in_one_reply(Conversation& talk) {
  GABBRO_TRY(parents, parse_parents(talk.brief(), talk.tools().library));
  talk.report().attempts = 1;
  GABBRO_TRY(reply, talk.ask({.role = "coder",
                              .prompt = "direct.md",
                              .coding = true,
                              .temperature = talk.settings().temperature}));
  const std::string code = find_code(reply.text);
  lang::CheckReport report = lang::check(code, talk.tools().library);
  if (report.valid())
    if (const auto one = edit::design_of(report.program); !one) report.errors.push_back(one.error());
  if (!report.valid()) {
    talk.tell("checker", StepKind::kRefused, describe_errors(report.errors, code));
    return fail("assembly", report.errors[0].message, report.errors[0].hint);
  }
  talk.report().title = edit::design_of(report.program).value()->name;
  if (auto ok = admitted(talk.brief(), report.program); !ok) return tl::unexpected(ok.error());
  return lang::print(report.program);
}

void ended(record::TaskReport& report, const Error& error) {
  report.outcome = record::TaskOutcome::kFailed;
  report.cause = record::cause_of(error);
  report.detail =
      shortened(error.hint.empty() ? error.message : error.message + " (" + error.hint + ")", 2000);
}

// Libraries may run out of memory or throw unexpectedly. In that case one task fails, and the campaign goes
// on.
template <class F>
void guarded(record::TaskReport& report, F&& work) {
  try {
    work();
  } catch (const std::exception& e) {
    ended(report, {"internal", e.what(), "", {}});
  }
}

}  // namespace

record::TaskReport run_task(const Brief& brief, const Tools& tools) {
  record::TaskReport report;
  report.mode = brief.mode;
  guarded(report, [&] {
    report.prompts = prompts_version();
    Conversation talk(brief, tools, report);
    auto program = brief.direct || tools.settings.direct ? in_one_reply(talk) : by_stages(talk);
    if (program) {
      report.outcome = record::TaskOutcome::kDesign;
      report.program = std::move(*program);
    } else {
      ended(report, program.error());
    }
    talk.tell("checker", StepKind::kNote,
              program ? "a design" : fmt::format("{}: {}", report.cause, report.detail));
  });
  return report;
}

record::TaskReport review_program(const std::string& program, const Brief& brief, const Tools& tools) {
  record::TaskReport report;
  guarded(report, [&] {
    report.prompts = prompts_version();
    lang::CheckReport checked = lang::check(program, tools.library);
    if (checked.valid())
      if (const auto one = edit::design_of(checked.program); !one) checked.errors.push_back(one.error());
    if (!checked.valid())
      return ended(report, {"program", checked.errors[0].message, checked.errors[0].hint, {}});
    Conversation talk(brief, tools, report);
    report.title = checked.subjects.front().name;
    report.proposal = fmt::format("{}\n\nA finished design:\n{}\nFacts:\n{}", report.title,
                                  lang::print(checked.program), facts_text(checked.subjects.front().facts));
    auto reviews = review(talk, report.proposal);
    if (!reviews) return ended(report, reviews.error());
    report.reviews = std::move(*reviews);
    const double rating = mean_rating(report.reviews, brief.reviewer_weights);
    if (rating >= tools.settings.pass)
      report.outcome = record::TaskOutcome::kDesign;
    else
      ended(report, {"review",
                     fmt::format("rated {:.1f}, but at least {:g} is needed", rating, tools.settings.pass),
                     "",
                     {}});
  });
  return report;
}

}  // namespace gabbro::agents
