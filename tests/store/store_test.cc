// Tests of the record: appended events are stored, events that do not follow are refused, and the tables
// equal a replay of the events.
#include "store/store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "store/draw.h"

namespace gabbro::store {
namespace {

namespace fs = std::filesystem;
using namespace record;

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder =
        fs::path(::testing::TempDir()) / ("gabbro_store" + std::to_string(getpid()) + "_" +
                                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder);
    path = folder / "campaign.db";
  }
  void TearDown() override { fs::remove_all(folder); }

  Store open() const {
    auto store = Store::open(path);
    EXPECT_TRUE(store.has_value()) << (store ? "" : store.error().message);
    return std::move(*store);
  }
  // Returns a store with design 1 and its trial 1, which is running.
  Store with_first_trial() const {
    Store store = open();
    EXPECT_TRUE(store.append({Draw::campaign(), design(1), first_trial()}).has_value());
    return store;
  }
  static DesignCreated design(std::int64_t id) {
    DesignCreated out;
    out.id = id;
    out.attempt = 10 * id;
    out.name = "D";
    out.program = "design D:\n";
    out.strategy = "ours";
    return out;
  }
  static TrialBegun first_trial() {
    return {.id = 1, .design = 1, .rung = 0, .seed = 9, .purpose = record::Purpose::kRung};
  }
  static TrialEnded done(std::int64_t trial, double bits) {
    return {.id = trial,
            .end = record::RunEnd::kResult,
            .seconds = 2.5,
            .result = to_json(Draw::result(record::Status::kDone, bits))};
  }
  static TaskBegun task(std::int64_t id, record::Mode mode, std::int64_t parent) {
    return {
        .id = id, .strategy = "agents", .mode = mode, .parent = parent, .second_parent = 0, .brief = "{}"};
  }
  // Runs SQL on the file, bypassing the store.
  void tamper(const char* sql) const {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  fs::path folder;
  std::string path;
};

void expect_refused(const Result<bool>& result, const std::string& says) {
  ASSERT_FALSE(result.has_value()) << says;
  EXPECT_EQ(result.error().code, "store");
  EXPECT_NE(result.error().message.find(says), std::string::npos) << result.error().message;
}

// Returns the results of all queries as text.
std::string everything(const Store& s) {
  std::string out;
  const auto design = [&](const DesignRow& d) {
    out += fmt::format("{} | {} {} {}\n", to_json(d.created), d.time, d.rung, d.bits);
  };
  for (const DesignRow& d : s.designs()) design(d);
  for (int rung = 0; rung < 3; ++rung)
    for (const DesignRow& d : s.best(rung, 5)) design(d);
  for (const TrialRow& t : s.trials())
    out += fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {}\n", to_json(t.begun), status_of(t), t.end,
                       t.cause, t.time_begun, t.time_ended, t.seconds, t.bits, t.bits_low, t.bits_high,
                       t.last_loss, t.tokens_per_second, t.params, t.tokens);
  for (const RungRow& r : s.rungs())
    out += fmt::format("{} {} {} {} {} {} {} {} {}\n", r.rung, r.designs, r.running, r.done, r.refused,
                       r.failed, r.hurdle, r.seconds, r.tokens);
  for (const auto& c : s.refusals()) out += fmt::format("{} {} {}\n", c.what, c.cause, c.count);
  for (const auto& c : s.failures()) out += fmt::format("{} {} {}\n", c.what, c.cause, c.count);
  for (const Promoted& p : s.promotions()) out += to_json(p) + "\n";
  return out + fmt::format("{} {}\n", s.design_count(), s.last_attempt());
}

TEST_F(StoreTest, ReturnsWhatWasAppended) {
  {
    Store s = with_first_trial();
    ASSERT_TRUE(s.append(done(1, 1.9)).has_value());
    ASSERT_TRUE(s.append(Refused{.attempt = 99,
                                 .strategy = "ours",
                                 .provenance = {},
                                 .cause = record::Cause::kCost,
                                 .detail = "12 FLOPs",
                                 .parent = 1})
                    .has_value());
    ASSERT_TRUE(s.append(Promoted{.design = 1, .rung = 1, .reason = "1.9 of 2"}).has_value());
  }
  const auto s = Store::read(path);
  ASSERT_TRUE(s.has_value()) << s.error().message;
  EXPECT_EQ(s->event_count(), 6);
  const auto events = s->events(2, 3);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(to_json(events[0].second), to_json(design(1)));
  EXPECT_GT(events[0].first, 1.7e9);
  EXPECT_EQ(s->campaign()->seed, 5U);
  EXPECT_EQ(s->design_count(), 1);
  EXPECT_EQ(s->last_attempt(), 99);

  ASSERT_EQ(s->designs().size(), 1U);
  EXPECT_EQ(s->designs()[0].created.program, "");
  const auto d = s->design(1);
  ASSERT_TRUE(d.has_value());
  EXPECT_EQ(to_json(d->created), to_json(design(1)));
  EXPECT_EQ(d->rung, 0);
  EXPECT_DOUBLE_EQ(d->bits, 1.9);

  const auto trials = s->trials();
  ASSERT_EQ(trials.size(), 1U);
  EXPECT_EQ(trials[0].status, record::Status::kDone);
  EXPECT_EQ(trials[0].begun.seed, 9U);
  EXPECT_DOUBLE_EQ(trials[0].bits_high, 1.91);
  EXPECT_EQ(trials[0].params, 1'000'000);
  EXPECT_EQ(s->trials_of(1).size(), 1U);
  EXPECT_TRUE(s->trials_of(2).empty());
  EXPECT_DOUBLE_EQ(s->result(1)->bits_per_byte, 1.9);
  ASSERT_EQ(s->promotions().size(), 1U);
  EXPECT_EQ(s->promotions()[0].reason, "1.9 of 2");
  ASSERT_EQ(s->refusals().size(), 1U);
  EXPECT_EQ(s->refusals()[0].cause, "cost");
}

TEST_F(StoreTest, RanksByTheMeanOfADesignsTrials) {
  Store s = open();
  ASSERT_TRUE(s.append({Draw::campaign(), design(1), design(2), design(3)}).has_value());
  std::int64_t trial = 0;
  const auto run = [&](std::int64_t design_id, int rung, const TrialResult& r) {
    ++trial;
    ASSERT_TRUE(
        s.append(
             {TrialBegun{.id = trial,
                         .design = design_id,
                         .rung = rung,
                         .seed = 1,
                         .purpose = record::Purpose::kRung},
              TrialEnded{.id = trial, .end = record::RunEnd::kResult, .seconds = 1, .result = to_json(r)}})
            .has_value());
  };
  run(1, 0, Draw::result(record::Status::kDone, 2.0));
  run(1, 0, Draw::result(record::Status::kDone, 2.2));
  run(2, 0, Draw::result(record::Status::kDone, 2.05));
  run(3, 0, Draw::result(record::Status::kHurdle, 1.0));
  run(3, 0, Draw::result(record::Status::kDone, NAN));  // cannot be ranked
  run(2, 1, Draw::result(record::Status::kDone, 1.7));
  run(2, 0, Draw::result(record::Status::kDone, 2.35));

  const auto best = s.best(0, 10);
  ASSERT_EQ(best.size(), 2U);
  EXPECT_EQ(best[0].created.id, 1);
  EXPECT_DOUBLE_EQ(best[0].bits, 2.1);
  EXPECT_EQ(best[1].created.id, 2);
  EXPECT_DOUBLE_EQ(best[1].bits, 2.2);
  EXPECT_EQ(best[1].rung, 0);  // the rung of the ranking
  EXPECT_EQ(s.best(0, 1).size(), 1U);
  const auto second = s.design(2);
  EXPECT_EQ(second->rung, 1);  // the highest rung
  EXPECT_DOUBLE_EQ(second->bits, 1.7);
  EXPECT_EQ(s.design(3)->rung, -1);

  const auto rungs = s.rungs();
  ASSERT_EQ(rungs.size(), 2U);
  EXPECT_EQ(rungs[0].designs, 3);
  EXPECT_EQ(rungs[0].done, 5);
  EXPECT_EQ(rungs[0].hurdle, 1);
  EXPECT_EQ(rungs[0].running, 0);
  EXPECT_DOUBLE_EQ(rungs[0].seconds, 6);
  EXPECT_DOUBLE_EQ(rungs[0].tokens, 3e6);
  EXPECT_EQ(rungs[1].designs, 1);
}

TEST_F(StoreTest, CountsCausesByTheirKind) {
  Store s = with_first_trial();
  const auto fails = [&](std::int64_t trial, const std::string& cause,
                         record::Cause error = record::Cause::kNone) {
    const std::uint64_t seed = trial == 1 ? 9 : 1;  // trial 1 begins again
    ASSERT_TRUE(
        s.append(
             TrialBegun{.id = trial, .design = 1, .rung = 0, .seed = seed, .purpose = record::Purpose::kRung})
            .has_value());
    ASSERT_TRUE(s.append(TrialEnded{.id = trial,
                                    .end = record::RunEnd::kCrash,
                                    .seconds = 1,
                                    .result = failure("train", cause, error)})
                    .has_value());
  };
  fails(1, "the loss is not finite at step 12");
  fails(2, "the loss is not finite at step 7");
  fails(3, "12 anchors do not hold: bigram");
  fails(4, "");
  fails(5, "run/trials/5/design.gab:18:13: error[budget]: M cannot have 300000 parameters\n  hint: free",
        record::Cause::kBudget);
  const auto failures = s.failures();
  ASSERT_EQ(failures.size(), 4U);
  EXPECT_EQ(failures[0].what, "failed");
  EXPECT_EQ(failures[0].cause, "the loss is not finite at step");
  EXPECT_EQ(failures[0].count, 2);
  EXPECT_EQ(failures[1].cause, "");
  EXPECT_EQ(failures[2].cause, "anchors do not hold");
  EXPECT_EQ(failures[3].cause, "budget");
}

TEST_F(StoreTest, RefusesEventsThatDoNotFollow) {
  Store s = open();
  expect_refused(s.append(design(1)), "a record must start with its campaign, not with a design");
  ASSERT_TRUE(s.append({Draw::campaign(), design(1), first_trial()}).has_value());
  DesignCreated orphan = design(2), without_second = design(2);
  orphan.parent = 2, without_second.second_parent = 17;
  TrialEnded stopped{.id = 1,
                     .end = record::RunEnd::kResult,
                     .seconds = 1,
                     .result = to_json(Draw::result(record::Status::kStopped, 2))};
  const std::vector<std::pair<Event, std::string>> cases = {
      {Draw::campaign(), "has already started"},
      {design(1), "design 1 is out of order: expected 2"},
      {design(3), "design 3 is out of order: expected 2"},
      {orphan, "child of unknown design 2"},
      {without_second, "child of unknown design 17"},
      {Refused{.attempt = 1,
               .strategy = "a",
               .provenance = {},
               .cause = record::Cause::kCost,
               .detail = "d",
               .parent = 2},
       "child of unknown design 2"},
      {TrialBegun{.id = 3, .design = 1, .rung = 0, .seed = 1, .purpose = record::Purpose::kRung},
       "trial 3 is out of order: expected 2"},
      {TrialBegun{.id = 2, .design = 2, .rung = 0, .seed = 1, .purpose = record::Purpose::kRung},
       "trial of unknown design 2"},
      {TrialBegun{.id = 1, .design = 1, .rung = 1, .seed = 9, .purpose = record::Purpose::kRung},
       "restarts as another one"},
      {TrialEnded{.id = 2,
                  .end = record::RunEnd::kResult,
                  .seconds = 1,
                  .result = to_json(Draw::result(record::Status::kDone, 2))},
       "result of unknown run 2"},
      {TrialEnded{.id = 1, .end = record::RunEnd::kResult, .seconds = 1, .result = "{\"status\": \"do"},
       "run 1: a result is not valid JSON"},
      {stopped, "status 'stopped' is not a final status"},
      {Promoted{.design = 2, .rung = 1, .reason = ""}, "promotion of unknown design 2"},
  };
  const std::string before = everything(s);
  for (const auto& [event, says] : cases) {
    expect_refused(s.append(event), says);
    expect_refused(s.append({Session{.begins = true}, Promoted{.design = 1, .rung = 2, .reason = ""}, event}),
                   says);
    EXPECT_EQ(s.event_count(), 3);
  }
  EXPECT_EQ(everything(s), before);

  ASSERT_TRUE(s.append({done(1, 1.5), Promoted{.design = 1, .rung = 1, .reason = ""}}).has_value());
  expect_refused(s.append(done(1, 1.2)), "run 1 already has a result (done)");
  expect_refused(s.append(first_trial()), "run 1 has already ended (done)");
  expect_refused(s.append(Promoted{.design = 1, .rung = 1, .reason = ""}),
                 "design 1 was already promoted to rung 1");
  EXPECT_DOUBLE_EQ(s.result(1)->bits_per_byte, 1.5);
}

TEST_F(StoreTest, ALostTrialBeginsAgain) {
  Store s = with_first_trial();
  const double first = s.trials()[0].time_begun;
  ASSERT_TRUE(s.append(first_trial()).has_value());
  EXPECT_EQ(s.trials().size(), 1U);
  EXPECT_GE(s.trials()[0].time_begun, first);
  EXPECT_EQ(s.rungs()[0].running, 1);
  EXPECT_TRUE(s.append(done(1, 2)).has_value());
  EXPECT_EQ(s.rungs()[0].running, 0);
}

TEST_F(StoreTest, QueriesOfMissingRowsAreErrors) {
  Store empty = open();
  EXPECT_NE(empty.campaign().error().message.find("nothing is recorded"), std::string::npos);
  EXPECT_EQ(empty.event_count() + empty.design_count() + empty.last_attempt(), 0);
  ASSERT_TRUE(empty.append({Draw::campaign(), design(1), first_trial()}).has_value());
  EXPECT_NE(empty.design(2).error().message.find("unknown design 2"), std::string::npos);
  EXPECT_NE(empty.result(1).error().message.find("has no result yet"), std::string::npos);
  EXPECT_NE(empty.result(2).error().message.find("unknown run 2"), std::string::npos);
}

TEST_F(StoreTest, RefusesFilesThatAreNotARecord) {
  const auto message = [&](const Result<Store>& s) { return s ? std::string("opened") : s.error().message; };
  EXPECT_NE(message(Store::read(path)).find("not found"), std::string::npos);
  EXPECT_NE(message(Store::open(folder / "none/campaign.db")).find("unable to open"), std::string::npos)
      << message(Store::open(folder / "none/campaign.db"));

  std::ofstream(path) << std::string(5000, 'x');
  EXPECT_NE(message(Store::open(path)).find("not a database"), std::string::npos)
      << message(Store::open(path));
  EXPECT_NE(message(Store::read(path)).find("not a database"), std::string::npos);
  fs::remove(path);

  tamper("CREATE TABLE other (x)");
  EXPECT_NE(message(Store::open(path)).find("is not the record of a campaign"), std::string::npos);
  fs::remove(path);

  std::ofstream(path).close();
  EXPECT_NE(message(Store::read(path)).find("nothing is recorded yet"), std::string::npos);
  { open(); }
  for (const char* const other : {"2", "99"}) {
    tamper(fmt::format("PRAGMA user_version = {}", other).c_str());
    for (const auto& s : {message(Store::open(path)), message(Store::read(path))})
      EXPECT_NE(s.find(fmt::format("unknown schema {} of the record; this program reads schema {}", other,
                                   Store::kSchema)),
                std::string::npos)
          << s;
  }
}

TEST_F(StoreTest, KeepsTasksAndSteering) {
  record::TaskReport report;
  report.outcome = record::TaskOutcome::kDesign;
  report.title = "Gates";
  const std::string report_json = record::to_json(report);
  {
    Store s = with_first_trial();
    EXPECT_FALSE(s.append(task(2, record::Mode::kScratch, /*parent=*/0)));   // not the next id
    EXPECT_FALSE(s.append(task(1, record::Mode::kMutation, /*parent=*/9)));  // unknown parent
    EXPECT_FALSE(s.append(TaskEnded{1, report_json}));                       // not in progress
    ASSERT_TRUE(s.append(task(1, record::Mode::kMutation, /*parent=*/1)));
    EXPECT_TRUE(s.append(task(1, record::Mode::kMutation, /*parent=*/1)));  // lost with its process
    DesignCreated early = design(2);
    early.task = 1;
    EXPECT_FALSE(s.append(early));  // the task has not ended yet
    EXPECT_FALSE(s.append(TaskEnded{1, "{"}));
    ASSERT_TRUE(s.append(TaskEnded{1, report_json}));
    EXPECT_FALSE(s.append(TaskEnded{1, report_json}));
    ASSERT_TRUE(s.append(early));
    DesignCreated twice = design(3);
    twice.task = 1;
    EXPECT_FALSE(s.append(twice));
    ASSERT_TRUE(s.append(task(2, record::Mode::kScratch, /*parent=*/0)));
    ASSERT_TRUE(s.append(TaskEnded{2, report_json}));
    ASSERT_TRUE(s.append(Refused{.attempt = 40,
                                 .strategy = "agents",
                                 .provenance = {.mode = record::Mode::kScratch},
                                 .cause = record::Cause::kDuplicate,
                                 .detail = "known",
                                 .parent = 0,
                                 .task = 2}));
    ASSERT_TRUE(s.append(task(3, record::Mode::kScratch, /*parent=*/0)));
    EXPECT_FALSE(s.append(Steered{.key = "1", .what = record::Steering::kVeto, .text = "", .design = 9}));
    ASSERT_TRUE(s.append(
        Steered{.key = "1", .what = record::Steering::kDirection, .text = "smaller states", .design = 0}));
    EXPECT_FALSE(s.append(
        Steered{.key = "1", .what = record::Steering::kDirection, .text = "smaller states", .design = 0}));
  }
  for (const bool rebuilt : {false, true}) {
    Store s = open();
    if (rebuilt) {
      ASSERT_TRUE(s.rebuild());
    }
    const auto tasks = s.tasks();
    ASSERT_EQ(tasks.size(), 3U);
    EXPECT_EQ(tasks[0].design, 2);
    EXPECT_EQ(tasks[0].report.title, "Gates");
    EXPECT_EQ(tasks[1].refused, record::Cause::kDuplicate);
    EXPECT_FALSE(tasks[2].ended);
    ASSERT_EQ(s.steering().size(), 1U);
    EXPECT_EQ(s.steering()[0].second.text, "smaller states");
  }
}

TEST_F(StoreTest, KeepsComparisonsInTheirOrder) {
  Store s = with_first_trial();
  EXPECT_FALSE(s.append(ComparisonBegun{
      .id = 2, .design = 1, .rung = 0, .seed = 1001, .seeds = 5, .level = 0.03, .reason = ""}))
      << "no first one";
  EXPECT_FALSE(s.append(ComparisonBegun{
      .id = 1, .design = 99, .rung = 0, .seed = 1001, .seeds = 5, .level = 0.03, .reason = ""}))
      << "an unknown design";
  EXPECT_TRUE(s.append(ComparisonBegun{
      .id = 1, .design = 1, .rung = 0, .seed = 1001, .seeds = 5, .level = 0.03, .reason = "why"}));
  for (const bool rebuilt : {false, true}) {
    if (rebuilt) {
      ASSERT_TRUE(s.rebuild());
    }
    const auto all = Store::read(path)->comparisons();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].seeds, 5);
    EXPECT_EQ(all[0].reason, "why");
  }
}

TEST_F(StoreTest, KeepsOneProfileOfADesign) {
  Store s = with_first_trial();
  const std::string result = failure("capabilities", "no reason", record::Cause::kWorker);
  EXPECT_FALSE(s.append(Profiled{99, 1, result})) << "an unknown design";
  EXPECT_FALSE(s.append(Profiled{1, 1, "done"})) << "no result";
  EXPECT_TRUE(s.append(Profiled{1, 31.5, result}));
  EXPECT_FALSE(s.append(Profiled{1, 1, result})) << "a second one";
  for (const bool rebuilt : {false, true}) {
    if (rebuilt) {
      ASSERT_TRUE(s.rebuild());
    }
    const auto all = Store::read(path)->profiles();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].seconds, 31.5);
    EXPECT_EQ(all[0].result, result);
  }
}

// The learning rate is part of a run: it begins again at the same rate, and is read as it was written.
TEST_F(StoreTest, KeepsRatesOfRuns) {
  Store s = with_first_trial();
  const std::int64_t id = static_cast<std::int64_t>(s.trials().size()) + 1;
  ASSERT_TRUE(s.append(TrialBegun{
      .id = id, .design = 1, .rung = 0, .seed = 9, .purpose = record::Purpose::kRate, .rate = 0.5}));
  EXPECT_FALSE(s.append(
      TrialBegun{.id = id, .design = 1, .rung = 0, .seed = 9, .purpose = record::Purpose::kRate, .rate = 2}))
      << "another run";
  EXPECT_TRUE(s.append(TrialBegun{
      .id = id, .design = 1, .rung = 0, .seed = 9, .purpose = record::Purpose::kRate, .rate = 0.5}))
      << "lost with its campaign";
  EXPECT_EQ(Store::read(path)->trials().back().begun.rate, 0.5);
  ASSERT_TRUE(s.rebuild());
  EXPECT_EQ(Store::read(path)->trials().back().begun.rate, 0.5);
}

TEST_F(StoreTest, ReadersDoNotWrite) {
  Store first = with_first_trial();
  auto reader = Store::read(path);
  ASSERT_TRUE(reader.has_value());
  EXPECT_FALSE(reader->append(design(2)).has_value());
  EXPECT_TRUE(first.append(done(1, 2)).has_value());
}

TEST_F(StoreTest, TablesAreTheFoldOfTheEvents) {
  std::string before;
  {
    Draw draw(17);
    Store s = open();
    std::vector<Event> events{Draw::campaign()};
    for (int i = 0; i < 3000; ++i) events.push_back(draw.next());
    ASSERT_TRUE(s.append(events).has_value());
    before = everything(s);
  }
  // A rebuild works whatever the tables hold, and if one is missing.
  tamper(
      "UPDATE design SET bits = 0, rung = 9; DELETE FROM trial WHERE id % 2; DROP TABLE rung; "
      "UPDATE progress SET last_attempt = 1; INSERT INTO failure VALUES ('failed', 'made up', 9)");
  Store s = open();
  ASSERT_TRUE(s.rebuild().has_value());
  EXPECT_EQ(everything(s), before);
}

TEST_F(StoreTest, RebuildOfARecordThatDoesNotFollowChangesNothing) {
  { with_first_trial(); }
  tamper(
      "INSERT INTO event (time, kind, data) VALUES (0, 'promotion', '{\"design\": 9, \"rung\": 1, "
      "\"reason\": \"\"}')");
  Store s = open();
  const std::string before = everything(s);
  expect_refused(s.rebuild(), "event 4: promotion of unknown design 9");
  EXPECT_EQ(everything(s), before);
}

// Recounts the events with code that is independent of the store's.
TEST_F(StoreTest, CountsAgreeWithTheEvents) {
  Draw draw(4);
  Store s = open();
  std::vector<Event> events{Draw::campaign()};
  for (int i = 0; i < 2000; ++i) events.push_back(draw.next());
  ASSERT_TRUE(s.append(events).has_value());

  std::map<std::int64_t, TrialBegun> begun;
  std::map<int, std::map<std::string, int>> by_status;
  std::map<std::int64_t, std::map<int, std::vector<double>>> bits;
  std::int64_t refusals = 0;
  for (const Event& event : events) {
    if (const auto* e = std::get_if<TrialBegun>(&event)) {
      begun[e->id] = *e;
      ++by_status[e->rung]["running"];
    } else if (const auto* end = std::get_if<TrialEnded>(&event)) {
      const TrialResult r = *parse_result(end->result);
      const TrialBegun& t = begun.at(end->id);
      --by_status[t.rung]["running"];
      ++by_status[t.rung][std::string(record::word_of(r.status))];
      if (r.status == record::Status::kDone) bits[t.design][t.rung].push_back(r.bits_per_byte);
    } else if (std::holds_alternative<Refused>(event)) {
      ++refusals;
    }
  }
  for (const RungRow& r : s.rungs()) {
    auto& expected = by_status.at(r.rung);
    EXPECT_EQ(r.running, expected["running"]);
    EXPECT_EQ(r.done, expected["done"]);
    EXPECT_EQ(r.refused, expected["refused"]);
    EXPECT_EQ(r.failed, expected["failed"]);
    EXPECT_EQ(r.hurdle, expected["hurdle"]);
  }
  ASSERT_GT(bits.size(), 100U);
  for (const DesignRow& d : s.designs()) {
    if (!bits.count(d.created.id)) {
      EXPECT_EQ(d.rung, -1);
      continue;
    }
    const auto& [rung, values] = *bits[d.created.id].rbegin();
    double sum = 0;
    for (const double v : values) sum += v;
    EXPECT_EQ(d.rung, rung);
    EXPECT_NEAR(d.bits, sum / static_cast<double>(values.size()), 1e-12);
  }
  std::int64_t counted = 0;
  for (const auto& c : s.refusals()) counted += c.count;
  EXPECT_EQ(counted, refusals);
}

// A reader sees the record of one moment, however long it reads and whatever is appended meanwhile.
// A writer and its readers share files beside the record, of which none is left when the last one ends.
TEST_F(StoreTest, ReadersLeaveNoFiles) {
  { const Store store = with_first_trial(); }
  { EXPECT_EQ(Store::read(path)->design_count(), 1); }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  const auto reader = Store::read(path);
  {
    Store writer = open();
    ASSERT_TRUE(writer.append(design(2)));
    EXPECT_EQ(reader->design_count(), 1);
    EXPECT_EQ(Store::read(path)->design_count(), 2);
  }
  EXPECT_EQ(Store::read(path)->design_count(), 2);
}

TEST_F(StoreTest, ReadersCannotAppend) {
  { const Store store = with_first_trial(); }
  auto reader = Store::read(path);
  ASSERT_TRUE(reader);
  EXPECT_FALSE(reader->append(design(2)));
  EXPECT_EQ(open().design_count(), 1);
}

// A reader that is the last to close the record keeps what a killed writer has appended.
TEST_F(StoreTest, ReadersKeepWhatAKilledWriterAppended) {
  { const Store store = with_first_trial(); }
  {
    const auto reader = Store::read(path);  // there is no write-ahead log yet
    const pid_t child = fork();
    if (child == 0) {
      auto writer = Store::open(path);
      _exit(writer && writer->append(design(2)) ? 0 : 1);  // without closing it
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);
    EXPECT_EQ(reader->design_count(), 1) << "it sees one moment";
    EXPECT_EQ(Store::read(path)->design_count(), 2);
  }
  EXPECT_EQ(Store::read(path)->design_count(), 2);
  EXPECT_EQ(open().design_count(), 2);
}

TEST_F(StoreTest, AReaderSeesOneMomentWhileTheWriterAppends) {
  constexpr std::int64_t kRuns = 150;
  Store writer = with_first_trial();
  ASSERT_TRUE(writer.append(done(1, 2)).has_value());
  std::thread thread([&] {
    for (std::int64_t i = 2; i <= kRuns; ++i)
      for (const std::vector<Event>& events :
           {std::vector<Event>{
                design(i),
                TrialBegun{.id = i, .design = i, .rung = 0, .seed = 1, .purpose = record::Purpose::kRung}},
            std::vector<Event>{done(i, 2)}})
        EXPECT_TRUE(writer.append(events).has_value());
  });
  std::int64_t seen = 0, moments = 0;
  while (seen < 1 + 3 * kRuns && !::testing::Test::HasFailure()) {
    const auto reader = Store::read(path);
    ASSERT_TRUE(reader.has_value());
    const std::int64_t events = reader->event_count();
    EXPECT_GE(events, seen);
    moments += events > seen;
    seen = events;
    const auto runs = static_cast<std::int64_t>(reader->trials().size()), running = 3 * runs + 1 - events;
    EXPECT_TRUE(running == 0 || running == 1) << events << " events, " << runs << " runs";
    EXPECT_EQ(reader->design_count(), runs);
    const auto rungs = reader->rungs();
    ASSERT_EQ(rungs.size(), 1U);
    EXPECT_EQ(std::pair(rungs[0].running, rungs[0].done), std::pair(running, runs - running));
    EXPECT_EQ(reader->event_count(), events);
  }
  thread.join();
  EXPECT_GT(moments, 10);
}

TEST_F(StoreTest, FindsSessionsAndTheReasonsOfOneDesign) {
  {
    Store store = with_first_trial();
    ASSERT_TRUE(
        store
            .append({Session{.begins = true}, design(2), Promoted{.design = 1, .rung = 2, .reason = "later"},
                     Promoted{.design = 2, .rung = 1, .reason = "other"},
                     Promoted{.design = 1, .rung = 1, .reason = "first"},
                     Session{.begins = false, .end = SessionEnd::kBudget}})
            .has_value());
  }
  const auto store = Store::read(path);
  ASSERT_TRUE(store.has_value());
  const auto sessions = store->sessions();
  ASSERT_EQ(sessions.size(), 2U);
  EXPECT_EQ(sessions[0].event_id, 4);
  EXPECT_TRUE(sessions[0].session.begins);
  EXPECT_EQ(sessions[1].event_id, 9);
  EXPECT_EQ(sessions[1].session.end, SessionEnd::kBudget);
  EXPECT_GT(sessions[1].time, 1.6e9);
  const auto promotions = store->promotions_of(1);
  ASSERT_EQ(promotions.size(), 2U);
  EXPECT_EQ(promotions[0].reason, "first");
  EXPECT_EQ(promotions[1].reason, "later");
  EXPECT_TRUE(store->promotions_of(3).empty());
}

}  // namespace
}  // namespace gabbro::store
