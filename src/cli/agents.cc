#include "cli/agents.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "agents/check.h"
#include "campaign/campaign.h"
#include "chat/call_log.h"
#include "cli/agents_bench.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "store/store.h"

namespace gabbro::cli {

using chat::CallLog;
using nlohmann::json;

namespace {

struct AgentOptions {
  std::string config = "agents.toml", run;
  bool json = false;
};

void print_line(const char* what, bool is_good, const std::string& text) {
  print("  {:<12} {}\n", what, is_good ? text : paint(Ink::kRed, text));
}

// `answer`: the text to print if there is a reply.
void print_outcome(const char* what, const Result<chat::Reply>& reply, const std::string& answer) {
  if (reply) return print_line(what, true, answer);
  print_line(what, false, fmt::format("no [{}]: {}", reply.error().code, reply.error().message));
  if (!reply.error().hint.empty()) print("  {:<12} hint: {}\n", "", reply.error().hint);
}

void print_checked(const agents::ModelCheck& c) {
  print("{}\n", paint(Ink::kBold, fmt::format("{} at {}", c.model, c.endpoint)));
  print_outcome("answers", c.text, fmt::format("yes, in {:.1f} s", c.seconds));
  if (c.structured) print_outcome("structured", *c.structured, "yes");
  if (c.grammar) print_outcome("grammar", *c.grammar, "yes");
  if (c.prompt)
    print_outcome("long prompt", *c.prompt,
                  *c.prompt ? fmt::format("yes, {} tokens", (*c.prompt)->usage.input) : "");
  if (!c.doubt.empty()) print_line("note", /*is_good=*/true, c.doubt);
  print("  {:<12} {:.6f} for {} call{}, {} tokens\n", "price", c.money, c.calls, c.calls == 1 ? "" : "s",
        c.tokens);
  std::fflush(stdout);
}

int run_test(const AgentOptions& o) {
  const auto config = chat::load_config(o.config);
  if (!config) {
    print(stderr, "{}\n", format_error(o.config, config.error()));
    return kUsage;
  }
  bool good = true;
  const auto done = agents::check_models(*config, [&](const agents::ModelCheck& c) {
    print_checked(c);
    good = good && c.passed();
  });
  if (!done) return failed("agents test", done.error());
  return good ? kValid : kInvalid;
}

// Returns money in units of the currency.
double units(chat::Micro money) { return static_cast<double>(money) / 1e6; }

json to_json(const chat::Amount& a) { return {{"money", units(a.money)}, {"tokens", a.tokens}}; }

json to_json(const std::vector<chat::CallTotals>& totals) {
  json out = json::array();
  for (const chat::CallTotals& t : totals)
    out.push_back({{"name", t.name},
                   {"calls", t.calls},
                   {"failed", t.failed},
                   {"input", t.usage.input},
                   {"cached", t.usage.cache_read},
                   {"output", t.usage.output},
                   {"counted", to_json(t.counted)},
                   {"held", to_json(t.held)}});
  return out;
}

void print_totals(const char* what, const std::vector<chat::CallTotals>& totals, chat::Micro all) {
  print("\n{}\n",
        paint(Ink::kBold, fmt::format("{:<16} {:>7} {:>7} {:>11} {:>11} {:>10} {:>11} {:>6}", what, "calls",
                                      "failed", "input", "cached", "output", "cost", "share")));
  for (const chat::CallTotals& t : totals)
    print("{:<16} {:>7} {:>7} {:>11} {:>11} {:>10} {:>11} {:>5.0f}%\n", t.name.empty() ? "(none)" : t.name,
          t.calls, t.failed, t.usage.input, t.usage.cache_read, t.usage.output,
          chat::money_text(t.counted.money),
          all > 0 ? 100.0 * static_cast<double>(t.counted.money) / static_cast<double>(all) : 0.0);
}

// Returns "1.25 of 5.00, 3.75 left", or "1.25, no cap".
std::string spent_of_cap(const std::string& spent, bool capped, const std::string& cap,
                         const std::string& left) {
  return capped ? fmt::format("{} of {}, {} left", spent, cap, left) : spent + ", no cap";
}

// Names tasks "17 #9", the task and the design that it made, if the campaign's record has the design.
void name_designs(const std::string& run, std::vector<chat::CallTotals>& tasks) {
  const auto store = store::Store::read(campaign::CampaignPaths{run}.store());
  if (!store) return;
  for (const store::TaskRow& task : store->tasks())
    for (chat::CallTotals& t : tasks)
      if (task.design > 0 && t.name == std::to_string(task.begun.id))
        t.name += fmt::format(" #{}", task.design);
}

int run_cost(const AgentOptions& o) {
  const std::string path = o.run + "/calls.db";
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return failed(
        "cost", Error{"campaign",
                      fmt::format("there are no conversations in {}", o.run),
                      "only campaigns with agents record conversations: `gabbro evolve --agents agents.toml`",
                      {}});
  const auto log = CallLog::read(path);
  if (!log) return failed("cost", log.error());
  const CallLog& calls = **log;
  const chat::Cap cap = calls.cap();
  const chat::Amount spent = calls.spent();
  const auto roles = calls.totals(CallLog::By::kRole), models = calls.totals(CallLog::By::kModel);
  auto tasks = calls.totals(CallLog::By::kTask);
  chat::Amount held;  // the part of `spent` that belongs to open and lost calls
  for (const chat::CallTotals& t : roles) held = {held.money + t.held.money, held.tokens + t.held.tokens};
  const chat::Amount left{std::max<chat::Micro>(0, cap.money - spent.money),
                          std::max<std::int64_t>(0, cap.tokens - spent.tokens)};
  if (o.json) {
    json out{{"cap", to_json({cap.money, cap.tokens})},
             {"spent", to_json(spent)},
             {"held", to_json(held)},
             {"roles", to_json(roles)},
             {"models", to_json(models)},
             {"tasks", to_json(tasks)}};
    out["left"] = {{"money", cap.money > 0 ? json(units(left.money)) : json()},
                   {"tokens", cap.tokens > 0 ? json(left.tokens) : json()}};
    print("{}\n", out.dump());
    return kValid;
  }
  print("cost    {}\n", spent_of_cap(chat::money_text(spent.money), cap.money > 0,
                                     chat::money_text(cap.money), chat::money_text(left.money)));
  print("tokens  {}\n", spent_of_cap(std::to_string(spent.tokens), cap.tokens > 0, std::to_string(cap.tokens),
                                     std::to_string(left.tokens)));
  if (held.tokens > 0)
    print("held    {} and {} tokens of these, by calls in progress or lost with their process\n",
          chat::money_text(held.money), held.tokens);
  print_totals("role", roles, spent.money);
  print_totals("model", models, spent.money);
  name_designs(o.run, tasks);
  print_totals("task #design", tasks, spent.money);
  return kValid;
}

}  // namespace

void add_agent_commands(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen) {
  const auto options = std::make_shared<AgentOptions>();
  CLI::App* agents = app.add_subcommand("agents", "Test and benchmark the language models behind the agents");
  agents->fallthrough()->require_subcommand(1);
  names.emplace_back("agents");
  CLI::App* test = agents->add_subcommand(
      "test",
      "Ask each model a question; show whether it answers, also with structured output, and at what price");
  test->add_option("--agents", options->config, "configuration file (default agents.toml)");
  test->callback([&chosen, options] { chosen = [options] { return run_test(*options); }; });

  add_agents_bench(*agents, chosen);

  CLI::App* cost =
      app.add_subcommand("cost", "Show what the agents of a campaign cost, by role, model and design");
  cost->fallthrough();
  names.emplace_back("cost");
  cost->add_option("RUN", options->run, "campaign folder")->required();
  cost->add_flag("--json", options->json, "print one JSON object");
  cost->callback([&chosen, options] { chosen = [options] { return run_cost(*options); }; });
}

}  // namespace gabbro::cli
