// Tests that the tables of a record agree with its events, and tests of texts and figures.
#include "campaign/reading.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <set>
#include <thread>

#include "campaign/format.h"
#include "campaign/record_builder.h"
#include "campaign/record_text.h"
#include "campaign/svg.h"
#include "evolve/adaptive.h"
#include "evolve/archive.h"
#include "evolve/comparison.h"

namespace gabbro::campaign {
namespace {

TEST(Reading, AgreesWithTheFoldOfTheEvents) {
  const RecordBuilder made = whole_campaign();
  const TemporaryFolder folder;
  const store::Store store = made.store(folder);
  const auto r = read_record(store);
  ASSERT_TRUE(r.has_value()) << r.error().message;
  const evolve::Population a = made.population();
  const evolve::Population& b = r->population;
  ASSERT_EQ(a.individuals().size(), b.individuals().size());
  ASSERT_EQ(a.trials().size(), b.trials().size());
  EXPECT_EQ(a.attempts(), b.attempts() + 4);  // the store counts refused draws itself
  for (std::size_t i = 0; i < a.individuals().size(); ++i) {
    const auto &x = a.individuals()[i], &y = b.individuals()[i];
    EXPECT_EQ(evolve::maker_of(x.created), evolve::maker_of(y.created));
    EXPECT_EQ(x.entered, y.entered);
    for (int rung = 0; rung < 3; ++rung) {
      const auto s = a.standing(x, rung), t = b.standing(y, rung);
      EXPECT_EQ(std::tie(s.done, s.open, s.unscored, s.bits), std::tie(t.done, t.open, t.unscored, t.bits));
      for (const auto kind : {evolve::RunKind::kSearch, evolve::RunKind::kVerdict})
        EXPECT_EQ(a.differences(x.created.id, 1, rung, kind), b.differences(y.created.id, 1, rung, kind));
    }
  }
  for (const char* strategy : {"adaptive", "random"}) {
    EXPECT_DOUBLE_EQ(a.spent(strategy), b.spent(strategy));
    EXPECT_GT(a.spent(strategy), 0);
    const auto x = evolve::credit(a, strategy).operators, y = evolve::credit(b, strategy).operators;
    ASSERT_EQ(x.size(), y.size());
    for (const auto& [op, credit] : x)
      EXPECT_EQ(std::pair(credit.offspring, credit.better), std::pair(y.at(op).offspring, y.at(op).better));
  }
  EXPECT_EQ(evolve::leader(a).design, evolve::leader(b).design);
  ASSERT_EQ(b.comparisons().size(), 1U);
  const evolve::ComparisonOutcome x = evolve::outcome_of(a, a.comparisons()[0]),
                                  y = evolve::outcome_of(b, b.comparisons()[0]);
  ASSERT_EQ(x.rows.size(), y.rows.size());
  for (std::size_t k = 0; k < x.rows.size(); ++k) {
    EXPECT_EQ(x.rows[k].difference.low, y.rows[k].difference.low);
    EXPECT_EQ(x.rows[k].difference.high, y.rows[k].difference.high);
  }
  for (int rung = 0; rung < 3; ++rung)
    EXPECT_EQ(evolve::pareto_front(a, rung), evolve::pareto_front(b, rung));
}

// Every reader sees one moment of a record: a run never belongs to a design that is not there yet.
TEST(Reading, SeesARunningCampaignAtOneMoment) {
  const RecordBuilder made = whole_campaign();
  const TemporaryFolder folder;
  auto writer = store::Store::open(folder.file("campaign.db"));
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->append(made.events));
  constexpr int kMoments = 12, kAtOnce = 5;
  std::atomic<int> moments = 0, appended = 0;
  // During each reading the writer adds some designs with their runs, event by event.
  std::thread thread([&] {
    RecordBuilder more;
    more.designs = made.designs, more.trials = made.trials, more.attempts = made.attempts;
    for (int k = 0; k < kMoments * kAtOnce; ++k) {
      more.events.clear();
      more.run(more.design("random", {}, 0), 0, 7, 2.5);
      for (const record::Event& e : more.events) {
        EXPECT_TRUE(writer->append(e));
        ++appended;
      }
      while (moments * kAtOnce < k) std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  std::set<std::string> seen;
  int last = 0;
  for (; moments < kMoments; ++moments) {
    while (appended <= last) std::this_thread::sleep_for(std::chrono::microseconds(100));
    last = appended;
    const auto store = store::Store::read(folder.file("campaign.db"));
    if (!store) {
      ADD_FAILURE() << store.error().message;
      continue;
    }
    const auto status = status_text(*store);
    for (const auto& text : {status, top_text(*store, 5), tree_text(*store, 0)})
      EXPECT_TRUE(text) << text.error().message;
    if (status) seen.insert(*status);
    EXPECT_EQ(*status, *status_text(*store));
  }
  thread.join();
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kMoments));
}

// With several seeds at the first rung, the deviation of runs rests on the texts of all runs. With one seed,
// a reader loads the documents of the thousand best runs only.
TEST(Reading, AgreesWithTheFoldOfManyRunsOnSeveralSeeds) {
  RecordBuilder m;
  m.plan.settings.rungs[0].seeds = 2;
  std::get<record::CampaignBegun>(m.events[0]).config = to_toml(m.plan);
  m.points = 1;
  Random random(11);
  const auto run = [&](std::int64_t design, std::uint64_t seed, double bits, Purpose purpose) {
    m.run(design, 0, seed, purpose, [&](record::TrialResult& r) {
      r.bits_per_byte = bits + 0.02 * random.normal();
      r.text_hash = fmt::format("text of {}", seed);
    });
  };
  const std::int64_t llama = m.baseline("llama");
  for (std::uint64_t seed = 7; seed < 9; ++seed) run(llama, seed, 2.5, Purpose::kBaseline);
  for (int k = 0; k < 600; ++k) {
    const std::int64_t design = m.design("random", {}, 0);
    // The second seed's text is harder for all.
    for (std::uint64_t seed = 7; seed < 9; ++seed)
      run(design, seed, (seed == 7 ? 2.6 : 2.9) + 0.1 * random.normal(), Purpose::kRung);
  }
  const TemporaryFolder folder;
  const store::Store store = m.store(folder);
  const auto read = read_record(store);
  ASSERT_TRUE(read) << read.error().message;
  const evolve::Population folded = m.population();
  const evolve::Variance x = evolve::run_variance(folded, 0), y = evolve::run_variance(read->population, 0);
  EXPECT_EQ(std::pair(x.value, x.freedom), std::pair(y.value, y.freedom));
  EXPECT_GT(x.freedom, 500);
  EXPECT_EQ(evolve::leader(folded).design, evolve::leader(read->population).design);
  CampaignReading other = *read;
  other.population = folded;
  EXPECT_EQ(verdict(other).sentence, verdict(*read).sentence);
  EXPECT_NE(status_text(store)->find(verdict(other).sentence), std::string::npos);
}

TEST(Reading, CountsTheTimeOfSessions) {
  RecordBuilder m;
  m.session(true);
  m.baseline("llama");
  const TemporaryFolder folder;
  const store::Store store = m.store(folder);
  const auto r = read_record(store);
  ASSERT_TRUE(r.has_value());
  ASSERT_EQ(r->sessions.size(), 1U);
  EXPECT_EQ(r->sessions[0].event_id, 2);
  EXPECT_GE(r->seconds, 0);
  EXPECT_LT(r->seconds, 60);
  EXPECT_GT(r->begun, 1.6e9);
}

TEST(Reading, AdvisesHowToTrainABetterVariant) {
  std::vector<AblatedPart> all(3);
  all[0] = {.what = "stack.1: RMSNorm removed", .effect = AblatedPart::Effect::kHelps, .design = 12};
  all[1] = {.what = "stack.2: GLA removed", .effect = AblatedPart::Effect::kUnclear, .design = 13};
  all[2] = {.what = "stack.3: MLP removed", .effect = AblatedPart::Effect::kHurts, .design = 14};
  EXPECT_NE(advice_on_parts(all).find("design #14."), std::string::npos) << advice_on_parts(all);
  all.pop_back();
  EXPECT_EQ(advice_on_parts(all), "");
}

TEST(Pareto, TheFrontHoldsTheDesignsThatNoneBeats) {
  RecordBuilder m;
  Random random(3);
  const auto one_of_few = [&] { return std::floor(4 * random.uniform()); };  // gives many ties
  for (int k = 0; k < 200; ++k) {
    const std::int64_t id = m.design("random", {}, 0);
    m.last_design().decode_flops = 1 + one_of_few(), m.last_design().train_flops = 1 + one_of_few();
    m.run(id, 0, 7, 2 + one_of_few());
  }
  const evolve::Population p = m.population();
  const auto front = evolve::pareto_front(p, 0);
  std::size_t on_front = 0;
  for (const auto& i : p.individuals()) {
    const auto values = [&](const evolve::Individual& x) {
      return std::array{p.standing(x, 0).bits, x.created.decode_flops, x.created.train_flops};
    };
    const auto mine = values(i);
    const bool beaten =
        std::any_of(p.individuals().begin(), p.individuals().end(), [&](const evolve::Individual& o) {
          const auto other = values(o);
          return other != mine && other[0] <= mine[0] && other[1] <= mine[1] && other[2] <= mine[2];
        });
    on_front += !beaten;
    EXPECT_EQ(beaten, std::find(front.begin(), front.end(), i.created.id) == front.end()) << i.created.id;
  }
  EXPECT_GT(on_front, 0U);
  EXPECT_EQ(front.size(), on_front);
}

TEST(Words, AreShortAndCutBetweenCharacters) {
  EXPECT_EQ(amount(0), "0");
  EXPECT_EQ(amount(999.7), "1k");
  EXPECT_EQ(amount(1.53e6), "1.53M");
  EXPECT_EQ(amount(std::numeric_limits<double>::infinity()), "-");
  EXPECT_EQ(duration(59), "59 s");
  EXPECT_EQ(duration(3600), "60 min");
  EXPECT_EQ(duration(36000), "10.0 h");
  EXPECT_EQ(one_line("abcdef", 6), "abcdef");
  EXPECT_EQ(one_line("abcdefg", 6), "abc...");
  EXPECT_EQ(one_line("a\nb", 6), "a b");
  EXPECT_EQ(one_line("\xff\xc3\xa9", 9), "?\xc3\xa9");
  EXPECT_EQ(one_line("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 7), "\xc3\xa9\xc3\xa9...");
  EXPECT_EQ(date(0), "-");
  EXPECT_EQ(date(86400.0 * 365), "1971-01-01 00:00");
}

TEST(Svg, EscapesMarkupAndInvalidCharacters) {
  EXPECT_EQ(escape("<a b=\"c\">&'"), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
  EXPECT_EQ(escape(std::string_view("a\0b\x01\x7f", 5)), "a\\u0000b\\u0001\\u007f");
  EXPECT_EQ(escape("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(escape("\xc3"), "\ufffd");               // cut off
  EXPECT_EQ(escape("\xef\xbf\xbf"), "\\uffff");      // not allowed in XML
  EXPECT_EQ(escape("<\u202e>"), "&lt;\\u202e&gt;");  // reverses the direction of writing
}

TEST(Svg, ScalesMapTheirRangeToTheirCoordinates) {
  const Scale x{1, 100, 0, 200, true};
  EXPECT_DOUBLE_EQ(x.at(1), 0);
  EXPECT_DOUBLE_EQ(x.at(10), 100);
  EXPECT_DOUBLE_EQ(x.at(100), 200);
  EXPECT_EQ((Scale{0, 1, 0, 1}.ticks(5)), (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}));
  for (const auto& [low, high] : {std::pair{0.0, 0.0}, {2.5, 2.5}, {-3.0, 5.0}, {1e-9, 1e9}})
    for (const bool log : {false, true}) {
      if (log && low <= 0) continue;
      const Scale s = scale_of(low, high, 0, 100, log);
      EXPECT_TRUE(std::isfinite(s.at(low)) && std::isfinite(s.at(high))) << low << " " << high;
      EXPECT_GE(s.at(low), 0);
      EXPECT_LE(s.at(high), 100);
      EXPECT_LE(s.ticks(6).size(), 40U);
    }
}

TEST(Svg, LeavesOutMarksThatAreNotFinite) {
  Picture out(10, 10, "t");
  const std::string empty = out.str();
  out.dot(NAN, 1, 2, "x");
  out.line(0, INFINITY, 1, 1, "x");
  out.rect(0, 0, NAN, 1, "x");
  out.polyline({{NAN, 1}}, "x");
  EXPECT_EQ(out.str(), empty);
  out.dot(1, 1, 2, "x");
  EXPECT_NE(out.str(), empty);
}

TEST(Svg, LabelsKeepTheirDistance) {
  const std::vector<double> places = spread_labels({50, 10, 52, 99}, 10, 0, 100);
  std::vector<double> sorted = places;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t k = 1; k < sorted.size(); ++k) EXPECT_GE(sorted[k] - sorted[k - 1], 10 - 1e-9);
  EXPECT_LT(places[1], places[0]);
  EXPECT_LT(places[0], places[2]);
  EXPECT_LE(sorted.back(), 100);
  EXPECT_TRUE(spread_labels({}, 10, 0, 1).empty());
}

}  // namespace
}  // namespace gabbro::campaign
