// Tests of events as JSON: written events are read back, and invalid ones are refused with the name of the
// field.
#include "record/event.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gabbro::record {
namespace {

// Returns one event of each kind, with few fields at their defaults.
std::vector<Event> one_of_each() {
  DesignCreated created;
  created.id = 7;
  created.attempt = 12;
  created.name = "Lynx";
  created.program = "design Lynx:\n    width = 64\n    # \"quoted\" \\ \t ü\n";
  created.hash = "h1";
  created.fingerprint = "f1";
  created.strategy = "ours";
  created.provenance = {Operator::kSwapOperator, Mode::kMutation, "stack.1 removed"};
  created.parent = 3;
  created.second_parent = 2;
  created.species = "attention + shift";
  created.train_flops = 1.5e6;
  created.decode_flops = 0.1 + 0.2;
  created.state_bytes = 4096;
  created.task = 6;
  return {
      CampaignBegun{
          .config = "[a]\nb = 1\n", .seed = std::numeric_limits<std::uint64_t>::max(), .version = "0.1.0"},
      Session{.begins = false, .end = SessionEnd::kBudget},
      created,
      Refused{.attempt = 9,
              .strategy = "random",
              .provenance = {Operator::kWrap},
              .cause = Cause::kCost,
              .detail = "3e9 FLOPs",
              .parent = 4,
              .task = 8},
      TrialBegun{.id = 5, .design = 7, .rung = 2, .seed = 11, .purpose = record::Purpose::kReplicate},
      TrialEnded{
          .id = 5, .end = RunEnd::kTimeLimit, .seconds = 12.25, .result = "{\"status\": \"failed\"}\n"},
      Promoted{.design = 7, .rung = 3, .reason = "1.92 of 2.01"},
      TaskBegun{.id = 6,
                .strategy = "agents",
                .mode = Mode::kCrossover,
                .parent = 3,
                .second_parent = 2,
                .brief = "{\"task\": 6}"},
      TaskEnded{6, "{\"outcome\": \"design\"}"},
      Steered{.key = "17-veto", .what = record::Steering::kVeto, .text = "too slow", .design = 7},
      ComparisonBegun{.id = 2,
                      .design = 7,
                      .rung = 2,
                      .seed = 2005,
                      .seeds = 11,
                      .level = 0.0076,
                      .reason = "11 seeds see 0.02"},
      Profiled{.design = 7, .seconds = 31.5, .result = "{\"status\": \"done\"}"}};
}

TEST(Event, EveryKindReadsBackAsItWasWritten) {
  const auto events = one_of_each();
  ASSERT_EQ(events.size(), std::variant_size_v<Event>);
  for (const Event& event : events) {
    const std::string json = to_json(event);
    EXPECT_EQ(json.find('\n'), std::string::npos);
    const auto back = parse_event(kind_of(event), json);
    ASSERT_TRUE(back.has_value()) << json << back.error().message;
    EXPECT_EQ(back->index(), event.index());
    EXPECT_EQ(to_json(*back), json);
  }
}

TEST(Event, KeepsItsValues) {
  const auto events = one_of_each();
  const auto campaign = std::get<CampaignBegun>(*parse_event("campaign", to_json(events[0])));
  EXPECT_EQ(campaign.seed, std::numeric_limits<std::uint64_t>::max());
  const auto created = std::get<DesignCreated>(*parse_event("design", to_json(events[2])));
  const auto& first = std::get<DesignCreated>(events[2]);
  EXPECT_EQ(created.program, first.program);
  EXPECT_EQ(created.decode_flops, first.decode_flops);
  EXPECT_EQ(created.second_parent, 2);
  EXPECT_FALSE(std::get<Session>(*parse_event("session", to_json(events[1]))).begins);
}

TEST(Event, ANumberThatIsNotFiniteComesBackAsNan) {
  DesignCreated created;
  created.train_flops = std::numeric_limits<double>::infinity();
  const auto back = parse_event("design", to_json(created));
  ASSERT_TRUE(back.has_value());
  EXPECT_TRUE(std::isnan(std::get<DesignCreated>(*back).train_flops));
}

TEST(Event, InvalidEventsAreRefusedWithAReason) {
  struct Case {
    const char *kind, *json, *says;
  };
  for (const Case& c :
       {Case{"dream", "{}", "unknown event 'dream'"}, Case{"session", "begins", "an event is not valid JSON"},
        Case{"session", R"({"time": 1e999})", "an event has a number that is too large"},
        Case{"session", "[1]", "an event must be a JSON object"},
        Case{"session", R"({"begins": true})", "field end"},
        Case{"trial", R"({"id": 1, "design": 1, "rung": 0, "seed": 1, "purpose": "finale"})",
             "field purpose: unknown purpose 'finale'"},
        Case{"promotion", R"({"design": 1, "rung": "two", "reason": ""})", "field rung"}}) {
    const auto event = parse_event(c.kind, c.json);
    ASSERT_FALSE(event.has_value()) << c.json;
    EXPECT_EQ(event.error().code, "event");
    EXPECT_NE(event.error().message.find(c.says), std::string::npos) << event.error().message;
  }
}

}  // namespace
}  // namespace gabbro::record
