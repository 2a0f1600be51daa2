// Tests of agents and steering in the campaign loop. Edit operators play the part of the agents, so that no
// model is needed.
#include "campaign/agents.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

#include "campaign/reading.h"
#include "edit/vary.h"
#include "evolve/reviewers.h"
#include "fake_executor.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "story.h"
#include "zoo/library.h"

namespace gabbro::campaign {
namespace {

// Makes a design from a brief by edit operators. The result depends on the brief alone.
record::TaskReport write_design(const agents::Brief& brief) {
  record::TaskReport out;
  out.mode = brief.mode;
  out.title = fmt::format("Idea {}", brief.task);
  out.proposal = "what it would do";
  edit::UnitCatalogue catalogue(zoo::library());
  Random random(static_cast<std::uint64_t>(brief.task));
  const std::string parent =
      brief.parents.empty() ? lang::print(*zoo::program("gla.gab")) : brief.parents[0].program;
  lang::Program program = lang::parse(parent).program;
  for (int tries = 0; tries < 40; ++tries) {
    const auto child = edit::vary(edit::Operator::kNewUnit, program, nullptr, catalogue, random);
    if (!child || (brief.admit && !brief.admit(*child))) continue;
    out.outcome = record::TaskOutcome::kDesign;
    out.input_tokens = 900, out.output_tokens = 100, out.cost = 0.25;
    out.program = lang::print(*child);
    out.reviews = {{.model = "optimist", .probability = 0.9, .rating = 5, .text = "good"},
                   {.model = "coin", .probability = random.uniform(), .rating = 4, .text = "perhaps"}};
    return out;
  }
  out.cause = record::Cause::kUnit;
  out.detail = "nothing was admitted";
  return out;
}

CampaignPlan plan_with_agents(std::vector<std::string> strategies = {"agents"}) {
  CampaignPlan plan = small_plan();
  plan.settings.strategies = std::move(strategies);
  return plan;
}

// Every second run waits until no task is in progress, so that agents deliver designs on a busy machine too.
FakeExecutor::Change waiting_for_tasks(const agents::TaskPool& pool) {
  return [&pool, runs = 0](const auto&, auto&, auto&) mutable {
    if (++runs % 2 == 0)
      while (pool.running() > 0) usleep(1000);
  };
}

int designs_of_agents(const evolve::Population& p) {
  int out = 0;
  for (const evolve::Individual& i : p.individuals()) out += i.created.task != 0 ? 1 : 0;
  return out;
}

TEST(Agents, WriteDesignsThatTheCampaignTrains) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, plan_with_agents(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  agents::TaskPool pool(write_design, 2);
  std::vector<agents::TaskCosts> costs;
  Agents agents{.pool = &pool, .modes = {}, .account = [&](const agents::TaskCosts& so_far) {
                  costs.push_back(so_far);
                  return std::string("nothing spent");
                }};
  c->use_agents(&agents);
  FakeExecutor executor(2, 2000, waiting_for_tasks(pool));
  std::string status;
  const auto why =
      c->run({.trials = 60}, executor, kNeverStop, [&](const Snapshot& s) { status = s.agents; });
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_GT(designs_of_agents(c->population()), 3);
  EXPECT_NE(status.find("nothing spent"), std::string::npos) << status;
  // The costs follow the tasks during the session.
  ASSERT_FALSE(costs.empty());
  EXPECT_EQ(costs.front().designs, 0);
  EXPECT_GT(costs.back().designs, 3);
  for (const agents::TaskCosts& so_far : costs) {
    EXPECT_EQ(so_far.tokens, 1000 * so_far.designs);
    EXPECT_DOUBLE_EQ(so_far.money, 0.25 * static_cast<double>(so_far.designs));
  }
  const auto credit = evolve::reviewer_scores(c->population());
  ASSERT_EQ(credit.size(), 2U);
  EXPECT_EQ(credit[1].model, "optimist");
  EXPECT_EQ(credit[0].scored, credit[1].scored);
  EXPECT_GE(credit[1].base_rate_brier, 0);
  // A brief contains measurements, and later briefs contain more than the first.
  const auto& tasks = c->population().tasks();
  EXPECT_GT(tasks.back().begun.brief.size(), 0U);
  const auto brief = brief_of(c->population(), tasks.back());
  ASSERT_TRUE(brief) << brief.error().message;
  EXPECT_FALSE(brief->parents.empty() && brief->mode != record::Mode::kScratch);
  EXPECT_LE(brief->proposals.size(), static_cast<std::size_t>(tasks.back().ended_before));
  EXPECT_GT(brief->proposals.size(), 0U);
}

// If no screener works, the session ends, and the next one begins the task again.
TEST(Agents, ABrokenScreenerFailsNoTask) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, plan_with_agents(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  std::atomic<bool> is_broken = true;
  agents::TaskPool pool(
      [&](const agents::Brief& brief) {
        record::TaskReport out = write_design(brief);
        if (is_broken) {
          out.outcome = record::TaskOutcome::kFailed;
          out.cause = record::Cause::kScreener, out.detail = "no program can be screened";
        }
        return out;
      },
      1);
  Agents agents{.pool = &pool};
  c->use_agents(&agents);
  FakeExecutor executor(1, 1000, waiting_for_tasks(pool));
  const auto why = c->run({.trials = 60}, executor, kNeverStop, kNoView);
  ASSERT_FALSE(why);
  EXPECT_EQ(why.error().code, "screener") << why.error().message;
  ASSERT_FALSE(c->population().tasks().empty());
  EXPECT_FALSE(c->population().tasks().front().ended);
  is_broken = false;
  FakeExecutor healthy(1, 1000, waiting_for_tasks(pool));
  const auto then = c->run({.trials = 60}, healthy, kNeverStop, kNoView);
  ASSERT_TRUE(then) << then.error().message;
  EXPECT_TRUE(c->population().tasks().front().ended);
  EXPECT_GT(designs_of_agents(c->population()), 0);
}

// Replies take as long as many runs. No slot ever idles for them, and their designs are still trained.
TEST(Agents, NeverBlockAWorker) {
  SKIP_UNDER_SANITIZERS();
  class Watched : public FakeExecutor {
   public:
    using FakeExecutor::FakeExecutor;
    jobs::JobEvents wait(double seconds) override {
      ++waits;
      if (population->comparisons().empty()) idle += slots() - running();
      auto events = FakeExecutor::wait(seconds);
      const std::lock_guard lock(mutex);
      runs_ended += static_cast<int>(events.ended.size());
      ended.notify_all();
      return events;
    }
    std::mutex mutex;
    std::condition_variable ended;
    int runs_ended = 0, waits = 0;
    int idle = 0;  // free slots, over all waits of the search
    const evolve::Population* population = nullptr;
  };
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, plan_with_agents(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  Watched executor(4, 500);
  executor.population = &c->population();
  std::atomic<bool> stopped{false};
  agents::TaskPool pool(
      [&](const agents::Brief& brief) {
        {
          std::unique_lock lock(executor.mutex);
          const int until = executor.runs_ended + 20;
          executor.ended.wait(lock, [&] { return executor.runs_ended >= until || stopped; });
        }
        record::TaskReport out = write_design(brief);
        if (stopped) out.cause = record::Cause::kStopped;
        return out;
      },
      4,
      [&](double) {
        stopped = true;
        executor.ended.notify_all();
      });
  Agents agents{.pool = &pool};
  c->use_agents(&agents);
  const auto why = c->run({.trials = 80}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_GT(designs_of_agents(c->population()), 0);
  // At its end the search has fewer runs than slots, and the next phase waits for the last of them.
  EXPECT_LT(executor.idle, 0.05 * 4 * executor.waits);
}

TEST(Agents, AReplayReproducesTheRecordedCampaign) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  std::string first;
  {
    auto c = Campaign::create({folder / "a"}, plan_with_agents({"agents", "random"}), quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    // There are two places, and the order of replies is not fixed.
    agents::TaskPool pool(write_design, 2);
    Agents agents{.pool = &pool};
    c->use_agents(&agents);
    FakeExecutor executor(1, 3000, waiting_for_tasks(pool));
    ASSERT_TRUE(deliver(folder / "a",
                        {.key = "1-x", .what = record::Steering::kDirection, .text = "use fewer gates"}));
    ASSERT_TRUE(c->run({.trials = 40}, executor, kNeverStop, kNoView));
    ASSERT_GT(designs_of_agents(c->population()), 2);
    first = story(c->population());
  }
  auto record = store::Store::read(CampaignPaths{folder / "a"}.store());
  ASSERT_TRUE(record);
  auto c = Campaign::create({folder / "b"}, plan_with_agents({"agents", "random"}), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  agents::TaskPool pool(write_design, 2);
  Agents agents{.pool = &pool};
  c->use_agents(&agents);
  c->replay(recorded_actions(*record));
  FakeExecutor executor(1);
  const auto why = c->run({.trials = 40}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_EQ(story(c->population()), first);
}

TEST(Agents, AReplayInAnotherCampaignFails) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  agents::TaskPool pool(write_design, 1);
  Agents agents{.pool = &pool};
  {
    auto c = Campaign::create({folder / "a"}, plan_with_agents(), quick_screener);
    c->use_agents(&agents);
    FakeExecutor executor(1, 1000);
    ASSERT_TRUE(c->run({.trials = 20}, executor, kNeverStop, kNoView));
  }
  auto record = store::Store::read(CampaignPaths{folder / "a"}.store());
  CampaignPlan other = plan_with_agents();
  other.seed = 2;
  auto c = Campaign::create({folder / "b"}, other, quick_screener);
  agents::TaskPool again(write_design, 1);
  Agents others{.pool = &again};
  c->use_agents(&others);
  c->replay(recorded_actions(*record));
  FakeExecutor executor(1);
  const auto why = c->run({.trials = 20}, executor, kNeverStop, kNoView);
  ASSERT_FALSE(why);
  EXPECT_EQ(why.error().code, "replay") << why.error().message;
}

TEST(Agents, AnInterruptedTaskBeginsAgainWithItsBrief) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  std::vector<std::string> asked;
  std::mutex mutex;
  const auto remember = [&](const agents::Brief& brief) {
    const std::lock_guard lock(mutex);
    asked.push_back(to_json(brief));
  };
  {
    auto c = Campaign::create({folder / "run"}, plan_with_agents(), quick_screener);
    agents::TaskPool pool(
        [&](const agents::Brief& brief) {
          remember(brief);
          record::TaskReport out;
          out.cause = record::Cause::kStopped;
          return out;
        },
        1);
    Agents agents{.pool = &pool};
    c->use_agents(&agents);
    FakeExecutor executor;
    // The first task waits for the baselines.
    const auto baselines = static_cast<std::int64_t>(c->plan().settings.baselines.size());
    ASSERT_TRUE(c->run({.trials = baselines}, executor, kNeverStop, kNoView));
    EXPECT_TRUE(c->population().tasks().empty());
    ASSERT_TRUE(c->run({.trials = baselines + 5}, executor, kNeverStop, kNoView));
    EXPECT_FALSE(c->population().tasks().empty());
  }
  ASSERT_FALSE(asked.empty());
  const std::string first = asked.front();
  asked.clear();
  auto c = Campaign::open({folder / "run"}, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  agents::TaskPool pool(
      [&](const agents::Brief& brief) {
        remember(brief);
        return write_design(brief);
      },
      1);
  Agents agents{.pool = &pool};
  c->use_agents(&agents);
  FakeExecutor executor(1, 1000);
  ASSERT_TRUE(c->run({.trials = 20}, executor, kNeverStop, kNoView));
  ASSERT_FALSE(asked.empty());
  EXPECT_EQ(asked.front(), first);
  EXPECT_EQ(c->population().tasks().front().begun.id, 1);
}

// A call in progress is billed, so that its task is completed and recorded if it ends within some seconds; no
// question is asked that cannot end in a run.
TEST(Agents, CallsInProgressAtTheEndAreWaitedFor) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, plan_with_agents(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  std::vector<double> given;  // seconds that calls had to end, at each stop
  std::mutex mutex;
  std::atomic<bool> at_end = false;
  agents::TaskPool pool(
      [&](const agents::Brief& brief) {
        while (!at_end) usleep(1000);
        usleep(30'000);
        return write_design(brief);
      },
      1,
      [&](double seconds) {
        const std::lock_guard lock(mutex);
        given.push_back(seconds);
        at_end = true;
      });
  Agents agents{.pool = &pool};
  c->use_agents(&agents);
  FakeExecutor executor;
  // The first task waits for the baselines.
  const auto baselines = static_cast<std::int64_t>(c->plan().settings.baselines.size());
  ASSERT_TRUE(c->run({.trials = baselines + 1}, executor, kNeverStop, kNoView));
  ASSERT_GE(given.size(), 2U);
  EXPECT_EQ(given[0], agents::kSecondsForLastCalls);
  EXPECT_EQ(given.back(), 0);
  ASSERT_EQ(c->population().tasks().size(), 1U) << "only one run is left for a design";
  EXPECT_TRUE(c->population().tasks()[0].ended);
  EXPECT_EQ(c->population().tasks()[0].report.outcome, record::TaskOutcome::kDesign);
}

// Whatever agents deliver, the campaign continues and counts the reasons.
TEST(Agents, RepliesThatAreNotDesignsAreCounted) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, plan_with_agents());
  std::atomic<int> count{0};
  agents::TaskPool pool(
      [&](const agents::Brief& brief) {
        record::TaskReport out;
        out.mode = brief.mode;
        out.outcome = record::TaskOutcome::kDesign;
        switch (count++ % 6) {
          case 0:
            out.program = "";
            break;
          case 1:
            out.program = "def forward(x): return x";
            break;
          case 2:
            out.program = std::string(1 << 20, '\xff');
            break;
          case 3:  // equal to a known design
            out.program = brief.parents.empty() ? "" : brief.parents[0].program;
            break;
          case 4:
            out.program = "design Flat:\n    stack = [Identity]\n";  // mixes no tokens
            break;
          default:
            out.outcome = record::TaskOutcome::kFailed;
            out.cause = record::Cause::kChatDown;
            out.detail = "no endpoint answers";
        }
        return out;
      },
      2);
  Agents agents{.pool = &pool};
  c->use_agents(&agents);
  FakeExecutor executor(2, 2000, waiting_for_tasks(pool));
  executor.hashed_vocab = c->plan().settings.vocab;
  const auto why = c->run({.trials = 40}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_GE(count.load(), 6);
  EXPECT_TRUE(c->population().failures().tasks.contains(record::Cause::kChatDown));
  EXPECT_TRUE(c->population().failures().draws.contains(record::Cause::kNoMixing));
  EXPECT_TRUE(c->population().failures().draws.contains(record::Cause::kDuplicate));
  EXPECT_EQ(designs_of_agents(c->population()), 0);
  EXPECT_EQ(static_cast<int>(c->population().trials().size()), 40);
}

// A clock that was set back between two requests does not change their order.
TEST(Steering, KeepsItsOrder) {
  const Folder folder;
  ASSERT_TRUE(Campaign::create({folder / "run"}, small_plan(), quick_screener));
  auto store = store::Store::open(folder / "run/campaign.db");
  ASSERT_TRUE(store);
  const std::int64_t now = steering_time(folder / "run", *store);
  EXPECT_GT(now, std::int64_t{1} << 50);
  ASSERT_TRUE(
      deliver(folder / "run", {.key = fmt::format("{:020}-7-0", 2 * now), .what = record::Steering::kPause}));
  EXPECT_EQ(steering_time(folder / "run", *store), 2 * now + 1);
  ASSERT_TRUE(store->append(
      record::Steered{.key = fmt::format("{:020}-7-0", 3 * now), .what = record::Steering::kResume}));
  ASSERT_TRUE(
      store->append(record::Steered{.key = "x", .what = record::Steering::kDirection, .text = "not a time"}));
  EXPECT_EQ(steering_time(folder / "run", *store), 3 * now + 1);
}

TEST(Agents, ADirectStrategyAloneWaitsForReplies) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, plan_with_agents({"direct"}), quick_screener);
  std::atomic<bool> direct{true};
  agents::TaskPool pool(
      [&](const agents::Brief& brief) {
        direct = direct && brief.writing == record::Writing::kDirect;
        return write_design(brief);
      },
      1);
  Agents agents{.pool = &pool};
  c->use_agents(&agents);
  FakeExecutor executor(2);
  const auto why = c->run({.trials = 20}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_TRUE(direct);
  EXPECT_GT(designs_of_agents(c->population()), 2);
  for (const evolve::Individual& i : c->population().individuals())
    EXPECT_TRUE(i.created.strategy != "direct" || i.created.task != 0);
}

TEST(Steering, ADirectionReachesTheNextBriefOnce) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, plan_with_agents(), quick_screener);
  agents::TaskPool pool(write_design, 1);
  Agents agents{.pool = &pool};
  c->use_agents(&agents);
  const record::Steered direction{
      .key = "1-a", .what = record::Steering::kDirection, .text = "prefer short convolutions"};
  ASSERT_TRUE(deliver(folder / "run", direction));
  FakeExecutor executor(1, 1000);
  ASSERT_TRUE(c->run({.trials = 15}, executor, kNeverStop, kNoView));
  EXPECT_TRUE(inbox(folder / "run").empty());
  ASSERT_EQ(c->population().directions().size(), 1U);
  EXPECT_NE(c->population().tasks().back().begun.brief.find("prefer short convolutions"), std::string::npos);
  // The request is delivered a second time, as after a crash between recording and removal, and counts once.
  ASSERT_TRUE(deliver(folder / "run", direction));
  ASSERT_TRUE(c->run({.trials = 16}, executor, kNeverStop, kNoView));
  EXPECT_EQ(c->population().directions().size(), 1U);
  EXPECT_TRUE(inbox(folder / "run").empty());
}

TEST(Steering, AVetoExcludesADesignFromTheSearch) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  FakeExecutor executor;
  ASSERT_TRUE(c->run({.trials = 25}, executor, kNeverStop, kNoView));
  const evolve::Leader best = evolve::leader(c->population());
  ASSERT_GT(best.design, 0);
  ASSERT_TRUE(
      deliver(folder / "run", {.key = "1-v", .what = record::Steering::kVeto, .design = best.design}));
  ASSERT_TRUE(deliver(
      folder / "run",
      {.key = "2-v", .what = record::Steering::kVeto, .design = 100'000}));  // no such design: dropped
  const std::size_t before = c->population().individual(best.design).trials.size();
  ASSERT_TRUE(c->run({.trials = 45}, executor, kNeverStop, kNoView));
  EXPECT_TRUE(c->population().individual(best.design).vetoed);
  EXPECT_NE(evolve::leader(c->population()).design, best.design);
  EXPECT_EQ(c->population().individual(best.design).trials.size(), before);
  EXPECT_TRUE(inbox(folder / "run").empty());
}

TEST(Steering, AVetoStopsRunsInProgress) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  FakeExecutor executor(3);
  std::int64_t vetoed = 0, run = 0;
  const auto end = c->run({.trials = 30}, executor, kNeverStop, [&](const Snapshot& s) {
    if (vetoed > 0) return;
    for (const Running& r : s.running) {
      const evolve::Trial& t = s.population.trial(r.trial);
      if (!evolve::is_candidate(s.population.individual(t.begun.design))) continue;
      vetoed = t.begun.design, run = r.trial;
      EXPECT_TRUE(deliver(folder / "run", {.key = "1-v", .what = record::Steering::kVeto, .design = vetoed}));
      return;
    }
  });
  ASSERT_TRUE(end) << end.error().message;
  ASSERT_GT(vetoed, 0);
  EXPECT_EQ(executor.discarded, 1U);
  const evolve::Trial& stopped = c->population().trial(run);
  EXPECT_TRUE(stopped.ended);
  EXPECT_EQ(stopped.status, record::Status::kStopped);
  EXPECT_EQ(stopped.cause, "its design was vetoed");
  EXPECT_FALSE(c->population().failures().runs.contains(record::Status::kStopped));
  // A reader of the record sees the same.
  const auto store = store::Store::read(CampaignPaths{folder / "run"}.store());
  ASSERT_TRUE(store) << store.error().message;
  const auto read = read_record(*store);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->population.trial(run).status, record::Status::kStopped);
}

// A run that an earlier process has begun ends with the veto, too.
TEST(Steering, AVetoEndsRunsThatWouldGoOn) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  FakeExecutor executor(2);
  std::int64_t open = 0;
  const auto stop = [&] { return open > 0 ? 2 : 0; };
  ASSERT_TRUE(c->run({.trials = 30}, executor, stop, [&](const Snapshot& s) {
    for (const Running& r : s.running)
      if (evolve::is_candidate(s.population.individual(s.population.trial(r.trial).begun.design)))
        open = r.trial;
  }));
  ASSERT_GT(open, 0);
  if (c->population().trial(open).ended) GTEST_SKIP() << "the run ended before the session was stopped";
  const std::int64_t design = c->population().trial(open).begun.design;
  ASSERT_TRUE(deliver(folder / "run", {.key = "1-v", .what = record::Steering::kVeto, .design = design}));
  const int before = executor.started;
  const auto end = c->run({.trials = 1}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_TRUE(c->population().trial(open).ended);
  EXPECT_EQ(c->population().trial(open).status, record::Status::kStopped);
  EXPECT_EQ(c->population().individual(design).trials.size(), 1U);
  EXPECT_LE(executor.started, before + 2);
}

TEST(Steering, APromotionByHandIsTrainedAndDecidesNothing) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  FakeExecutor executor;
  ASSERT_TRUE(c->run({.trials = 25}, executor, kNeverStop, kNoView));
  std::int64_t design = 0;
  for (const evolve::Individual& i : c->population().individuals())
    if (evolve::is_candidate(i) && i.entered == 0 && c->population().standing(i, 0).done > 0)
      design = i.created.id;
  ASSERT_GT(design, 0);
  ASSERT_TRUE(deliver(folder / "run", {.key = "1-h", .what = record::Steering::kPromote, .design = design}));
  ASSERT_TRUE(deliver(folder / "run", {.key = "2-h", .what = record::Steering::kPromote, .design = 100'000}));
  ASSERT_TRUE(c->run({.trials = 45}, executor, kNeverStop, kNoView));
  const evolve::Individual& i = c->population().individual(design);
  EXPECT_EQ(i.by_hand, 1);
  EXPECT_EQ(std::count_if(i.trials.begin(), i.trials.end(),
                          [&](std::int64_t id) { return evolve::is_by_hand(c->population().trial(id)); }),
            1);
  // A reader of the record sees the run, and no rank of the design at that rung.
  const auto store = store::Store::read(folder / "run/campaign.db");
  ASSERT_TRUE(store);
  const auto reading = read_record(*store);
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->population.individual(design).by_hand, 1);
  EXPECT_EQ(store->design(design)->rung, reading->population.individual(design).entered);
}

// Returns the first design of the search that has been at the first rung alone; 0 if there is none.
std::int64_t design_of_first_rung(const Campaign& c) {
  for (const evolve::Individual& i : c.population().individuals())
    if (evolve::is_candidate(i) && i.entered == 0 && c.population().standing(i, 0).done > 0)
      return i.created.id;
  return 0;
}
std::int64_t runs_by_hand(const Campaign& c) {
  const auto& trials = c.population().trials();
  return std::count_if(trials.begin(), trials.end(), [](const auto& t) { return evolve::is_by_hand(t); });
}

// Whatever a run by hand does, sessions go on to the verdict.
TEST(Steering, ARunByHandThatFailsEndsNoSession) {
  SKIP_UNDER_SANITIZERS();
  using Kind = jobs::JobEnd::Kind;
  for (const Kind kind :
       {Kind::kCrash, Kind::kTimeLimit, Kind::kMemoryLimit, Kind::kStopped, Kind::kResult}) {
    SCOPED_TRACE(static_cast<int>(kind));
    const Folder folder;
    auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    FakeExecutor first;
    ASSERT_TRUE(c->run({.trials = 25}, first, kNeverStop, kNoView));
    const std::int64_t design = design_of_first_rung(*c);
    ASSERT_GT(design, 0);
    ASSERT_TRUE(
        deliver(folder / "run", {.key = "1-h", .what = record::Steering::kPromote, .design = design}));
    FakeExecutor second(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& end) {
      const std::int64_t id = std::stoll(spec.folder.substr(spec.folder.rfind('/') + 1));
      if (id < 1 || !evolve::is_by_hand(c->population().trial(id))) return;
      end.kind = kind;
      if (kind == Kind::kResult) r = {}, r.status = record::Status::kFailed, r.cause = "the disk is full";
    });
    const auto end = c->run({.trials = 60}, second, kNeverStop, kNoView);
    ASSERT_TRUE(end) << end.error().message;
    ASSERT_EQ(runs_by_hand(*c), 1);
    for (const evolve::Trial& t : c->population().trials()) {
      EXPECT_TRUE(t.ended);
      EXPECT_TRUE(!evolve::is_by_hand(t) || t.status == record::Status::kFailed);
    }
    EXPECT_FALSE(c->population().comparisons().empty());
  }
}

// A run by hand that a session has no room for waits, and takes nothing from the rest.
TEST(Steering, ARunByHandWaitsForASessionThatHasRoom) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  const std::int64_t params = small_plan().settings.rungs[1].params;
  const auto slow = [&](const record::TrialSpec& spec, record::TrialResult&, jobs::JobEnd& end) {
    end.seconds = spec.params >= params ? 1000 : 0.001;
  };
  FakeExecutor executor(1, 1000, slow), next(1, 1000, slow);
  ASSERT_TRUE(c->run({.trials = 25}, executor, kNeverStop, kNoView));
  const std::int64_t design = design_of_first_rung(*c);
  ASSERT_GT(design, 0);
  ASSERT_TRUE(deliver(folder / "run", {.key = "1-h", .what = record::Steering::kPromote, .design = design}));
  const std::size_t before = c->population().trials().size();
  ASSERT_TRUE(c->run({.minutes = 0.05}, executor, kNeverStop, kNoView));
  EXPECT_EQ(runs_by_hand(*c), 0);
  const std::size_t after = c->population().trials().size();
  EXPECT_GT(after, before + 10) << "the search goes on";
  const auto end = c->run({.trials = static_cast<std::int64_t>(after) + 40}, next, kNeverStop, kNoView);
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(runs_by_hand(*c), 1) << "a budget of runs has room for it";
}

TEST(Steering, PromotionsThatCannotBeAreRefused) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  FakeExecutor executor;
  ASSERT_TRUE(c->run({.trials = 60}, executor, kNeverStop, kNoView));
  const auto promote = [&](std::int64_t design) {
    return steer(folder / "run", {{.what = record::Steering::kPromote, .text = "", .design = design}});
  };
  const evolve::Leader best = evolve::leader(c->population());
  ASSERT_EQ(best.rung, static_cast<int>(small_plan().settings.rungs.size()) - 1);
  EXPECT_NE(promote(best.design).error().message.find("highest rung"), std::string::npos);
  const std::int64_t design = design_of_first_rung(*c);
  ASSERT_GT(design, 0);
  EXPECT_TRUE(promote(design));
  ASSERT_TRUE(deliver(folder / "run", {.key = "1-v", .what = record::Steering::kVeto, .design = design}));
  ASSERT_TRUE(c->run({.trials = 61}, executor, kNeverStop, kNoView));
  const auto vetoed = promote(design);
  ASSERT_FALSE(vetoed);
  EXPECT_NE(vetoed.error().message.find("it was vetoed"), std::string::npos) << vetoed.error().message;
}

TEST(Steering, APausedCampaignStartsNoRuns) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(deliver(folder / "run", {.key = "1-p", .what = record::Steering::kPause}));
  FakeExecutor executor;
  int views = 0;
  const auto why = c->run({.trials = 5}, executor, kNeverStop, [&](const Snapshot& s) {
    if (++views == 3) {
      EXPECT_EQ(executor.started, 0);
      EXPECT_NE(s.agents.find("paused"), std::string::npos);
      EXPECT_TRUE(deliver(folder / "run", {.key = "2-r", .what = record::Steering::kResume}));
    }
  });
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_EQ(executor.started, 5);
}

}  // namespace
}  // namespace gabbro::campaign
