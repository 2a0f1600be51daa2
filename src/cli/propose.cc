#include "cli/propose.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string_view>

#include "agents/pipeline.h"
#include "agents/prompts.h"
#include "base/files.h"
#include "base/text.h"
#include "campaign/agents_text.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/literature.h"
#include "cli/model_access.h"
#include "cli/terminal.h"
#include "record/task.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::cli {

using record::Mode;

namespace {

constexpr std::string_view kIndent = "    ";

std::string indented(const std::string& text) {
  std::string out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    out += fmt::format("{}{}\n", kIndent, text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

void print_step(const agents::Step& step) {
  if (step.kind == agents::StepKind::kReply) {
    const chat::Reply& r = step.reply;
    print(stderr, "{} {} ({} + {} tokens{}, {:.4f}, {:.1f} s)\n", paint(Ink::kBold, step.role), r.model,
          r.usage.input, r.usage.output,
          r.usage.cache_read > 0 ? fmt::format(", {} cached", r.usage.cache_read) : "", r.cost, r.seconds);
    print(stderr, "{}", indented(step.text));
    return;
  }
  using enum agents::StepKind;
  const bool is_good = step.kind == kPassed || step.kind == kValid || step.kind == kPromiseKept;
  const bool is_bad = step.kind == kRefused || step.kind == kPromiseBroken;
  std::string kind(record::word_of(step.kind));
  if (is_good || is_bad) kind = paint(is_good ? Ink::kGreen : Ink::kRed, kind);
  const std::string text = indented(step.text);
  const bool one_line = std::count(text.begin(), text.end(), '\n') <= 1;
  print(stderr, "  {} {}:{}{}", step.role, kind, one_line ? " " : "\n",
        !one_line                      ? text
        : text.size() > kIndent.size() ? text.substr(kIndent.size())
                                       : "\n");
}

// Returns the program of a file, or of a file of the zoo given by its name with or without ".gab".
Result<agents::Parent> parent_of(const std::string& name, std::int64_t id) {
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    if (entry.file == name || entry.file == name + ".gab")
      return agents::Parent{id, name, std::string(entry.text), {}};
  GABBRO_TRY(text, read_program(name));
  return agents::Parent{id, name, text, {}};
}

Result<agents::Brief> brief_of(const ProposeCommand& c, std::int64_t task) {
  agents::Brief brief;
  brief.task = task;
  brief.directions = c.directions;
  for (const std::string& name : c.parents) {
    GABBRO_TRY(parent, parent_of(name, static_cast<std::int64_t>(brief.parents.size()) + 1));
    brief.parents.push_back(std::move(parent));
  }
  brief.mode = !c.mode.empty()             ? record::parse_word<Mode>(c.mode).value()
               : brief.parents.empty()     ? Mode::kScratch
               : brief.parents.size() == 1 ? Mode::kMutation
                                           : Mode::kCrossover;
  return brief;
}

void print_summary(const record::TaskReport& r) {
  print(stderr, "\n{}\n",
        r.outcome == record::TaskOutcome::kDesign ? paint(Ink::kGreen, printable_line(r.title))
                                                  : paint(Ink::kRed, fmt::format("no design: {}", r.cause)));
  if (!r.detail.empty()) print(stderr, "{}", indented(r.detail));
  for (const record::Promise& p : r.promises)
    print(stderr, "  {}: promised {}, found {}{}\n", record::word_of(p.property), p.said, p.found,
          p.kept ? "" : " (broken)");
  for (const record::Review& v : r.reviews)
    print(stderr, "  {} rates it {} of 5 and gives it probability {:.2f} of beating its parent\n", v.model,
          v.rating, v.probability);
  print(stderr, "{}", campaign::papers_text(r));
  for (const record::WrittenUnit& u : r.units)
    print(stderr, "  unit {}: {} replies, {} valid, {} repairs\n", u.name, u.candidates, u.valid, u.repairs);
  print(stderr, "  {} attempts, {} calls, {} + {} tokens, cost {:.4f}, {:.1f} s of replies\n", r.attempts,
        r.calls, r.input_tokens, r.output_tokens, r.cost, r.seconds);
}

// Returns true if the cause lies with the user or the environment.
bool is_usage(record::Cause cause) {
  using record::Cause;
  return cause == Cause::kBrief || cause == Cause::kChatDown || cause == Cause::kChatKey ||
         cause == Cause::kStore;
}

template <class F>
int with_models(const char* command, const ProposeCommand& c, F&& run) {
  auto access = ModelAccess::open(c.agents, c.dir);
  if (!access) return failed_in(fmt::format("gabbro {}: {}", command, c.agents), access.error());
  const int code = run(**access);
  for (const std::string& doubt : (*access)->doubts()) print(stderr, "note: {}\n", doubt);
  return code;
}

}  // namespace

int propose_with(chat::Chat& chat, const agents::AgentSettings& settings, std::int64_t task,
                 const ProposeCommand& c) {
  const auto brief = brief_of(c, task);
  if (!brief) return failed_in("gabbro propose: parent", brief.error());
  agents::TaskResources resources{chat, zoo::library(), settings};
  const auto papers = open_literature();
  if (!papers) return failed_in("gabbro propose: library", papers.error());
  resources.literature = literature_of(*papers);
  if (!c.json) resources.watch = print_step;
  const record::TaskReport r = agents::run_task(*brief, resources);
  if (c.json)
    print("{}\n", to_json(r));
  else
    print_summary(r);
  if (r.outcome != record::TaskOutcome::kDesign) return is_usage(r.cause) ? kUsage : kInvalid;
  if (!c.out.empty()) {
    if (const auto ok = replace_file(c.out, r.program); !ok)
      return failed_in("gabbro propose: " + c.out, ok.error());
  } else if (!c.json) {
    print("{}", r.program);
  }
  return kValid;
}

int review_with(chat::Chat& chat, const agents::AgentSettings& settings, std::int64_t task,
                const ProposeCommand& c) {
  const auto brief = brief_of(c, task);
  if (!brief) return failed_in("gabbro review: parent", brief.error());
  const auto text = read_program(c.file);
  if (!text) return failed_in("gabbro review: " + c.file, text.error());
  agents::AgentSettings review_settings = settings;
  review_settings.reviewers = std::max(1, review_settings.reviewers);
  agents::TaskResources resources{chat, zoo::library(), review_settings};
  const auto papers = open_literature();
  if (!papers) return failed_in("gabbro review: library", papers.error());
  resources.literature = literature_of(*papers);
  const record::TaskReport r = agents::review_program(*text, *brief, resources);
  if (c.json) {
    print("{}\n", to_json(r));
  } else {
    for (const record::Review& v : r.reviews)
      print("{}: rated {} of 5, probability {:.2f} of beating its parent\n{}", v.model, v.rating,
            v.probability, indented(v.text));
    print(stderr, "{}", campaign::papers_text(r));
    if (r.cause != record::Cause::kNone) print(stderr, "{}: {}\n", r.cause, r.detail);
    print(stderr, "{} calls, {} + {} tokens, cost {:.4f}\n", r.calls, r.input_tokens, r.output_tokens,
          r.cost);
  }
  return r.outcome == record::TaskOutcome::kDesign ? kValid : is_usage(r.cause) ? kUsage : kInvalid;
}

int run_propose(const ProposeCommand& c) {
  return with_models("propose", c,
                     [&](ModelAccess& m) { return propose_with(m.chat(), m.settings(), m.new_task(), c); });
}

int run_review(const ProposeCommand& c) {
  return with_models("review", c,
                     [&](ModelAccess& m) { return review_with(m.chat(), m.settings(), m.new_task(), c); });
}

void add_propose_commands(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen) {
  const auto c = std::make_shared<ProposeCommand>();
  const auto add_command = [&](const char* name, const char* help, int (*run)(const ProposeCommand&)) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->fallthrough();
    names.emplace_back(name);
    sub->add_option("--agents", c->agents, "configuration file (default agents.toml)");
    sub->add_option("--dir", c->dir,
                    "folder of the call log, to which the cap applies (default runs/agents)");
    sub->add_option("--parent", c->parents,
                    "parent design: a program, or the name of a zoo design such as llama; may be repeated");
    sub->add_option("--direction", c->directions, "direction for the agents to try; may be repeated");
    sub->add_flag("--json", c->json, "print the report as one JSON object");
    sub->callback([&chosen, c, run] { chosen = [c, run] { return run(*c); }; });
    return sub;
  };
  CLI::App* propose = add_command(
      "propose", "Have language models write a design, step by step: proposal, review, units, checks",
      run_propose);
  propose
      ->add_option("--mode", c->mode,
                   "mutation (one parent), crossover (two) or scratch (default: by the number of parents)")
      ->check(CLI::IsMember(record::words<Mode>()));
  propose->add_option("--out", c->out, "file to write the program to (default: standard output)");
  CLI::App* review = add_command(
      "review", "Have language models review a design: objections, rating, probability", run_review);
  review->add_option("FILE", c->file, "program to review; - reads standard input")->required();
}

}  // namespace gabbro::cli
