// Records for tests of the dashboard.
#pragma once

#include <filesystem>
#include <string>

#include "campaign/record_builder.h"
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

/// Writes a campaign of `designs` designs.
inline void write_large_record(const std::string& dir, std::int64_t designs) {
  std::filesystem::create_directories(dir);
  auto store = store::Store::open(dir + "/campaign.db");
  GABBRO_CHECK(store.has_value());
  campaign::large_campaign(*store, designs, designs + designs / 10, 3 * designs + designs / 5);
}

}  // namespace gabbro::web
