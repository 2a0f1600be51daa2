// Records for tests of the dashboard.
#pragma once

#include <filesystem>
#include <string>

#include "campaign/literature.h"
#include "campaign/record_builder.h"
#include "chat/call_log.h"
#include "record/task.h"

namespace gabbro::web {

/// A text that would do something if a page took it for HTML, or for a direction of writing.
inline const std::string kHostile =
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>\u202egnp.";

/// Writes a record into a folder, which is created.
inline void write_record(const campaign::RecordBuilder& builder, const std::string& dir) {
  std::filesystem::create_directories(dir);
  auto store = store::Store::open(dir + "/campaign.db");
  GABBRO_CHECK(store.has_value());
  const auto ok = store->append(builder.events);
  GABBRO_CHECK(ok.has_value());
}

/// Returns a campaign whose first leader lost its comparison, and whose second has not begun one.
inline campaign::RecordBuilder campaign_with_two_leaders() {
  campaign::RecordBuilder m = campaign::whole_campaign(0.0);
  m.session(true);
  const std::int64_t next = m.design("random", {}, 5);
  for (const int rung : {0, 1, 2}) m.run(next, rung, 7, 1.5);
  m.run(next, 2, 8, 1.5, record::Purpose::kReplicate);
  return m;
}

/// Returns a campaign in which names, reasons, causes and the reports of agents are hostile.
inline campaign::RecordBuilder hostile_campaign() {
  campaign::RecordBuilder m;
  m.plan.settings.strategies = {"agents"};
  m.plan.settings.rungs[0].name = "150k" + kHostile;
  std::get<record::CampaignBegun>(m.events[0]).config = campaign::to_toml(m.plan);
  m.session(true);
  const std::int64_t llama = m.baseline("llama");
  m.run(llama, 0, 7, 2.5, record::Purpose::kBaseline);
  m.events.emplace_back(record::TaskBegun{.id = 1, .strategy = "agents", .parent = llama, .brief = "{}"});
  record::TaskReport report;
  report.outcome = record::TaskOutcome::kDesign;
  report.title = kHostile;
  report.proposal = kHostile;
  report.promises = {{record::Property::kReach, kHostile, kHostile, false}};
  report.reviews = {{kHostile, 0.7, 4, kHostile}};
  report.program = "design Made:\n    stack = [Block(mixer=Attention)]\n";
  report.calls = 3, report.input_tokens = 1000, report.output_tokens = 100, report.cost = 0.01;
  m.events.emplace_back(record::TaskEnded{.id = 1, .report = record::to_json(report)});
  const std::int64_t made =
      m.design("agents", {.mode = record::Mode::kMutation, .description = kHostile}, llama,
               "# " + kHostile + "\ndesign Made:\n    stack = [Block(mixer=Attention)]\n", kHostile);
  m.last_design().task = 1;
  m.last_design().species = kHostile;
  m.run(made, 0, 7, 2.4);
  m.crash(m.design("agents", {}, made), 0, 7, kHostile);
  m.refuse("agents", record::Cause::kDuplicate, kHostile);
  m.promote(made, 1, kHostile);
  m.events.emplace_back(record::Steered{.key = "1", .what = record::Steering::kDirection, .text = kHostile});
  return m;
}

/// Records a call of task 1 in a log that is open for writing.
inline void add_call(chat::CallLog& log, const std::string& model, const chat::ChatRequest& request,
                     const std::string& text, const chat::TokenUsage& usage, chat::Micro money) {
  const chat::Amount cost{.money = money, .tokens = usage.input + usage.output};
  const auto call = log.begin(request, log.count(chat::request_key(request)), model, cost, 1.7e9);
  GABBRO_CHECK(call.has_value());
  chat::Reply reply;
  reply.text = text, reply.model = model, reply.usage = usage;
  GABBRO_CHECK(log.settle(*call, reply, cost, usage, 2.5).has_value());
}

/// Writes the calls of hostile_campaign's task beside its record: a librarian with a query and what it found,
/// a proposer, the automatic search for the papers nearest to the proposal, and a reviewer. Texts that others
/// wrote are hostile.
inline void write_hostile_calls(const std::string& dir) {
  const auto log = chat::CallLog::open(dir + "/calls.db");
  GABBRO_CHECK(log.has_value());
  const auto asks = [](const std::string& role, const std::string& text) {
    chat::ChatRequest out;
    out.role = role, out.task = 1;
    out.messages = {{chat::MessageAuthor::kSystem, "You work on Gab."}, {chat::MessageAuthor::kUser, text}};
    return out;
  };
  const auto finds = [&](const std::string& query, const std::vector<agents::Excerpt>& found) {
    add_call(**log, "library", campaign::literature_request(query, 2, 1), campaign::literature_text(found),
             {}, 0);
  };
  const agents::Excerpt gla{"gla", "Gated linear attention",
                            "Gated linear attention\nYang et al. (2023)\nIts state decays by gates."};
  const agents::Excerpt strange{"own/1", kHostile, kHostile + "\n" + kHostile + "\n" + kHostile};
  add_call(**log, "small-model", asks("librarian", kHostile), R"({"queries": ["gated memory"]})",
           {.input = 1000, .output = 50}, 2'000);
  finds("gated memory" + kHostile, {gla, strange});
  add_call(**log, "large-model", asks("proposer", kHostile), kHostile,
           {.input = 4000, .cache_read = 3000, .output = 500}, 70'000);
  finds("a proposal of several sentences", {gla});
  add_call(**log, "small-model", asks("reviewer", kHostile), kHostile, {.input = 3000, .output = 100}, 5'000);
}

/// Writes a campaign of `designs` designs.
inline void write_large_record(const std::string& dir, std::int64_t designs) {
  std::filesystem::create_directories(dir);
  auto store = store::Store::open(dir + "/campaign.db");
  GABBRO_CHECK(store.has_value());
  campaign::large_campaign(*store, designs, designs + designs / 10, 3 * designs + designs / 5);
}

}  // namespace gabbro::web
