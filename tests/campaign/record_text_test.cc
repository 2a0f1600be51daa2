// Tests of the texts that commands show of a record.
#include "campaign/record_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "campaign/record_builder.h"
#include "campaign/record_csv.h"
#include "campaign/report.h"
#include "campaign/view.h"

namespace gabbro::campaign {
namespace {

class RecordText : public ::testing::Test {
 protected:
  RecordText() : made(whole_campaign()), store(made.store(folder)) {}
  static void expect_says(const Result<std::string>& text, const std::vector<std::string>& parts) {
    ASSERT_TRUE(text.has_value()) << text.error().message;
    for (const std::string& part : parts)
      EXPECT_NE(text->find(part), std::string::npos) << part << "\n" << *text;
  }
  TemporaryFolder folder;
  RecordBuilder made;
  store::Store store;
};

TEST_F(RecordText, StatusShowsVerdictFunnelAndCauses) {
  expect_says(status_text(store),
              {"is ahead of all 3 baselines at 600k", "  against gpt2 ", "ahead", "4 seeds, a difference of",
               "9 designs, 40 runs", "ended normally", ": done",
               "150k                5        0        3        1        1  2.4000 #5",
               "600k                1        0        1        0        0  1.9075 #5",
               "adaptive              3        3", "3  adaptive    cost", "1  failed      signal",
               "1  hurdle      loss"});
}

TEST_F(RecordText, StatusSaysThatASessionHasNotEnded) {
  RecordBuilder m;
  m.session(true);
  m.begin(m.baseline("llama"), 0, 7, record::Purpose::kBaseline);
  const TemporaryFolder other;
  expect_says(status_text(m.store(other)), {"not ended: killed (continue it", "nothing is decided"});
  const auto running = status_text(m.store(TemporaryFolder()), /*is_running=*/true);
  EXPECT_NE(running->find(" UTC, running; last event"), std::string::npos) << *running;
}

TEST_F(RecordText, DesignsAndRunsAsCsv) {
  const std::string designs = *designs_csv(store), runs = *runs_csv(store);
  EXPECT_EQ(std::count(designs.begin(), designs.end(), '\n'), 10) << "titles and 9 designs";
  EXPECT_EQ(std::count(runs.begin(), runs.end(), '\n'), 41) << "titles and 40 runs";
  EXPECT_TRUE(designs.starts_with("id,name,origin,strategy,made_by,parent,")) << designs;
  expect_says(designs,
              {",hash,bits_150k,seeds_150k,bits_300k,seeds_300k,bits_600k,seeds_600k\n",
               "\n5,Made,search,adaptive,set_hyper,4,,,attention,1005000,450000,4096,0,h5,2.4,1,2.2,1,"});
  expect_says(runs, {"\n1,1,llama,150k,7,baseline,0.003,done,2.5,2.49,2.51,", ",loss 5.1 above 4.0\n",
                     ",failed,,,,,,,,3,"});
}

TEST_F(RecordText, CsvHoldsForeignTextsInTheirCells) {
  RecordBuilder m;
  m.session(true);
  const std::int64_t id = m.design("random", {}, 0, "design Made:\n    stack = [Block(mixer=Attention)]\n",
                                   "=HYPERLINK(\"x\",1)\nnext");
  m.crash(id, 0, 7, "a, \"b\"\nc");
  const TemporaryFolder other;
  const store::Store written = m.store(other);
  expect_says(*designs_csv(written), {"\n1,\"'=HYPERLINK(\"\"x\"\",1) next\",search,random,"});
  expect_says(*runs_csv(written), {",\"a, \"\"b\"\" c\"\n"});
}

TEST_F(RecordText, SaysWhatIsLeftOfASession) {
  const evolve::Population population = made.population();  // of 40 runs
  Snapshot s{.population = population, .phase = evolve::Phase::kSearch};
  s.seconds = 1000, s.seconds_left = -1, s.ended_in_session = 10;
  EXPECT_EQ(left_text(s), "no limit set");
  s.trials_limit = 45, s.running.resize(1);
  EXPECT_EQ(left_text(s), "6 of 45 runs left, about 10 min");
  s.seconds_left = 720;
  EXPECT_EQ(left_text(s), "12 min left, 6 of 45 runs left");
  s.trials_limit = 0;
  EXPECT_EQ(left_text(s), "12 min left");
  s.running.clear(), s.workers = 4, s.busy = 3;
  EXPECT_NE(view_lines(s)[0].find("12 min left, 4 workers (1 idle)"), std::string::npos) << view_lines(s)[0];
}

TEST_F(RecordText, StatusAsJsonHasTheJobsOfACluster) {
  EXPECT_TRUE(nlohmann::json::parse(*status_json(store))["cluster"].is_null());
  EXPECT_EQ(nlohmann::json::parse(*status_json(store, "1 job running"))["cluster"], "1 job running");
}

// A campaign begins with its baselines, which are no candidates.
TEST_F(RecordText, BaselinesInProgressAreCounted) {
  RecordBuilder m;
  m.session(true);
  const std::int64_t llama = m.baseline("llama"), gpt2 = m.baseline("gpt2");
  m.run(gpt2, 0, 7, 2.6, record::Purpose::kBaseline);
  m.begin(llama, 0, 7, record::Purpose::kBaseline);
  m.crash(m.baseline("retnet"), 0, 7, "signal 11");
  const TemporaryFolder other;
  const store::Store written = m.store(other);
  expect_says(status_text(written), {"1 running, 1 done, 1 failed"});
  const auto j = nlohmann::json::parse(*status_json(written));
  EXPECT_EQ(j["rungs"][0]["known"], nlohmann::json({{"running", 1}, {"done", 1}, {"failed", 1}}));
  EXPECT_EQ(j["rungs"][0]["designs"], 0);
  EXPECT_EQ(j["rungs"][1]["known"]["running"], 0);
  const evolve::Population population = m.population();
  const Snapshot snapshot{.population = population, .phase = evolve::Phase::kSearch};
  std::string view;
  for (const std::string& line : view_lines(snapshot)) view += line + "\n";
  EXPECT_NE(view.find("1 running, 1 done, 1 failed"), std::string::npos) << view;
  EXPECT_NE(log_line(snapshot).find("search: baselines and controls at 150k: 1 running, 1 done, 1 failed"),
            std::string::npos)
      << log_line(snapshot);
}

TEST_F(RecordText, StatusAsJson) {
  const auto text = status_json(store);
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(text->find('\n'), std::string::npos);
  const auto j = nlohmann::json::parse(*text);
  EXPECT_EQ(j["rungs"][0]["designs"], 5);
  EXPECT_EQ(j["rungs"][0]["stopped"], 1);
  EXPECT_EQ(j["rungs"][0]["failed"], 1);
  EXPECT_DOUBLE_EQ(j["rungs"][0]["best"].get<double>(), 2.4);
  EXPECT_EQ(j["verdict"]["design"], 5);
  EXPECT_EQ(j["verdict"]["fresh_seeds"], true);
  ASSERT_EQ(j["verdict"]["against"].size(), 3U);
  EXPECT_EQ(j["verdict"]["against"][0]["baseline"], "llama");
  EXPECT_NEAR(j["verdict"]["against"][0]["mean"].get<double>(), -0.0495, 1e-9);
  EXPECT_EQ(j["verdict"]["against"][0]["word"], "ahead");
  EXPECT_EQ(j["verdict"]["claims"], false) << "there are no controls";
  EXPECT_EQ(j["comparison"]["seeds"], 4);
  EXPECT_EQ(j["comparison"]["ended"], 4);
  EXPECT_LT(j["comparison"]["visible_effect"].get<double>(), 0.02);
  EXPECT_EQ(j["strategies"][1]["name"], "random");
  EXPECT_EQ(j["refusals"][0]["count"], 3);
  EXPECT_EQ(j["session"]["ended"], true);
  const TemporaryFolder other;
  const auto& baseline = j["rungs"][0]["best_baseline"];
  ASSERT_TRUE(baseline.is_object()) << j["rungs"];
  EXPECT_LE(baseline["design"], 3);
  EXPECT_GT(baseline["bits_per_byte"], 0);
  const auto empty = nlohmann::json::parse(*status_json(RecordBuilder().store(other)));
  EXPECT_TRUE(empty["verdict"]["design"].is_null());
  EXPECT_TRUE(empty["session"].is_null());
}

// Every reader of a verdict learns if its seeds could be known beforehand.
TEST_F(RecordText, WarnsOfSeedsThatCouldBeKnown) {
  const std::string known = "were not drawn at random but given (--secret)";
  for (const bool is_given : {true, false})
    for (const bool has_comparison : {true, false}) {
      RecordBuilder m = has_comparison ? whole_campaign() : RecordBuilder();
      if (!has_comparison) m.run(m.baseline("llama"), 0, 7, 2.5, Purpose::kBaseline);
      m.plan.secret = "7", m.plan.secret_given = is_given;
      std::get<record::CampaignBegun>(m.events[0]).config = to_toml(m.plan);
      const TemporaryFolder other;
      const store::Store record = m.store(other);
      for (const auto& text : {status_text(record), top_text(record, 3), report_html(record)}) {
        ASSERT_TRUE(text) << text.error().message;
        EXPECT_EQ(text->find(known) != std::string::npos, is_given && has_comparison) << *text;
      }
      const auto j = nlohmann::json::parse(*status_json(record));
      EXPECT_FALSE(j.contains("secret")) << "whoever has it can compute the texts that judge";
      EXPECT_EQ(j["secret_given"], is_given);
    }
}

TEST_F(RecordText, TopIsRankedAndAlwaysShowsBaselines) {
  const auto text = top_text(store, 10);
  expect_says(text, {"at 600k", "against llama", "-0.0700"});
  EXPECT_LT(text->find("#5 set_hyper"), text->find("\nllama"));
  EXPECT_LT(text->find("\nllama"), text->find("\nretnet"));
  EXPECT_LT(text->find("\nretnet"), text->find("\ngpt2"));
  EXPECT_EQ(text->find("removed"), std::string::npos);  // no ablations
  const auto none = top_text(store, 0);
  expect_says(none, {"llama", "gpt2"});
  EXPECT_EQ(none->find("#5"), std::string::npos);
  const auto j = nlohmann::json::parse(*top_json(store, 1));
  EXPECT_EQ(j["rung"], "600k");
  ASSERT_EQ(j["designs"].size(), 4U);
  EXPECT_EQ(j["designs"][0]["id"], 5);
  EXPECT_NEAR(j["designs"][0]["against_baseline"]["mean"].get<double>(), -0.07, 1e-9);
  EXPECT_TRUE(j["designs"][1]["against_baseline"].is_null());
  const TemporaryFolder other;
  expect_says(top_text(RecordBuilder().store(other), 3), {"no run has ended with a score yet"});
}

TEST_F(RecordText, ShowsADesignWithItsOriginAndRuns) {
  const auto text = design_text(store, 5);
  expect_says(text, {"#5 Made  set_hyper by adaptive", "at 600k, D = 56",
                     "16 x Block",                             // the tree of instances, as trained
                     "\n  design Llama:", "LayerNorm]",        // the program
                     "lineage", "#4 swap_operator", "2.4800",  // its parents
                     "final", "replicate", "1007",             // runs with their seeds
                     "training loss of run", "tokens",         // the curve
                     "entered 300k: 2.4000 bits per byte, rank 1 of 5 at 150k", "is ahead of all 3 baselines",
                     "against gpt2", "helps           without stack.1: LayerNorm removed"});
  EXPECT_LT(text->find("#5 set_hyper"), text->find("#4 swap_operator"));
  EXPECT_LT(text->find("#4 swap_operator"), text->find("\n  llama"));
  EXPECT_GE(std::count(text->begin(), text->end(), '*'), 8);  // points of the curve
  expect_says(design_text(store, 6),
              {"against llama at 150k, on the seeds of the search: +0.4000 (1 seed, no interval)"});
  expect_says(design_text(store, 8), {"failed", "signal 11"});
  expect_says(design_text(store, 1), {"llama"});
  EXPECT_EQ(design_text(store, 99).error().code, "store");
  EXPECT_EQ(design_text(store, 0).error().code, "store");
}

TEST_F(RecordText, ATreeIsIndentedByDescent) {
  const auto text = tree_text(store, 0);
  expect_says(text,
              {"\n  #4 swap_operator", "\n    #5 set_hyper", "\n      #8 wrap", "no score", "up to rung 3"});
  EXPECT_EQ(text->find("removed"), std::string::npos);
  const auto from = tree_text(store, 4);
  ASSERT_TRUE(from.has_value());
  EXPECT_TRUE(from->starts_with("#4 swap_operator")) << *from;
  EXPECT_EQ(from->find("gpt2"), std::string::npos);
  expect_says(tree_text(store, 0, {.depth = 1, .lines = 100}), {"#4 swap_operator", "2 designs not shown"});
  const auto few = tree_text(store, 0, {.depth = 10, .lines = 2});
  expect_says(few, {"6 designs not shown"});
  EXPECT_EQ(std::count(few->begin(), few->end(), '\n'), 3);
  EXPECT_EQ(tree_text(store, 99).error().code, "store");
}

}  // namespace
}  // namespace gabbro::campaign
