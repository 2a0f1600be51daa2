#include "campaign/campaign.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "campaign/reading.h"
#include "campaign/record_text.h"
#include "campaign/report.h"
#include "campaign/view.h"
#include "evolve/comparison.h"
#include "evolve/depth.h"
#include "evolve/rates.h"
#include "evolve/replicates.h"
#include "fake_executor.h"
#include "sqlite/sqlite.h"
#include "store/store.h"
#include "story.h"

namespace gabbro::campaign {

using record::Purpose;
namespace {

// Returns the story of a campaign that runs without interruption.
std::string whole_story(const std::string& dir, std::int64_t trials, std::uint64_t seed = 1) {
  auto c = Campaign::create({dir}, small_plan(seed), quick_screener);
  EXPECT_TRUE(c) << c.error().message;
  FakeExecutor executor;
  const auto why = c->run({.trials = trials}, executor, kNeverStop, kNoView);
  EXPECT_TRUE(why) << why.error().message;
  return story(c->population());
}

// Returns true for runs of the baselines of small_plan.
bool is_known(const record::TrialSpec& spec) {
  return spec.program.find("design GPT2") != std::string::npos ||
         spec.program.find("design RetNet") != std::string::npos;
}

void expect_climbs_the_ladder(const MakeScreener& screener, std::int64_t hashed_vocab = 0) {
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), screener);
  ASSERT_TRUE(c) << c.error().message;
  // The best design of the search is ahead of the baselines, whose scores start at 2 bits.
  FakeExecutor executor(2, 0, [](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
    if (!is_known(spec)) set_score(r, r.bits_per_byte - 0.1);
  });
  executor.hashed_vocab = hashed_vocab;
  int views = 0;
  const auto why = c->run({.trials = 120}, executor, kNeverStop, [&](const Snapshot& s) {
    ++views;
    EXPECT_FALSE(view_lines(s).empty());
    EXPECT_FALSE(log_line(s).empty());
  });
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_GT(views, 0);
  const evolve::Population& p = c->population();
  const evolve::Leader best = evolve::leader(p);
  EXPECT_EQ(best.rung, 2);
  ASSERT_FALSE(p.comparisons().empty());
  const evolve::ComparisonOutcome outcome = evolve::outcome_of(p, p.comparisons().back());
  EXPECT_EQ(outcome.begun->design, best.design);
  EXPECT_EQ(outcome.begun->seeds, 3);
  EXPECT_TRUE(outcome.complete);
  // Strategies had equal FLOPs at the first rung, up to one run.
  const double one = 6.0 * 20'000 * 10'000;
  EXPECT_NEAR(p.spent("adaptive"), p.spent("random"), 2 * one);
  int ablations = 0, stopped = 0;
  for (const evolve::Individual& i : p.individuals()) ablations += is_ablation(i);
  for (const evolve::Trial& t : p.trials()) stopped += t.status == record::Status::kHurdle;
  EXPECT_GT(ablations, 0);
  EXPECT_GT(stopped, 0);
}

TEST(Campaign, ClimbsTheLadderAndComparesAtTheEnd) { expect_climbs_the_ladder(quick_screener); }
TEST(Campaign, ClimbsTheLadderWithAScreenSlow) {
  expect_climbs_the_ladder(screener_in_process, small_plan().settings.vocab);
}

TEST(Campaign, CompletesItsComparisonBeforeItSearchesOnWithMoreBudget) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  CampaignPlan plan = small_plan();
  plan.settings.final_seeds = 5;
  plan.settings.ablate = false;
  auto c = Campaign::create({folder / "run"}, plan, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  const std::vector<evolve::Trial>& runs = c->population().trials();
  // Number of runs of the first session, which stops soon after the comparison began.
  std::int64_t before = 0;
  for (const std::int64_t trials : {40, 80}) {
    FakeExecutor executor;
    const auto stop = [&] {
      return trials == 40 && !runs.empty() && runs.back().begun.purpose == Purpose::kFinal ? 1 : 0;
    };
    const auto why = c->run({.trials = trials}, executor, stop, kNoView);
    ASSERT_TRUE(why) << why.error().message;
    if (trials == 40) before = static_cast<std::int64_t>(runs.size());
  }
  const auto compares = [](const evolve::Trial& t) {
    return t.begun.purpose == Purpose::kFinal || t.begun.purpose == Purpose::kAblation;
  };
  const auto first = std::find_if(runs.begin(), runs.end(), compares);
  const auto more = runs.begin() + before, searched = std::find_if_not(more, runs.end(), compares);
  ASSERT_LT(first, more);
  ASSERT_NE(searched, runs.end());
  // Counts the seeds of the leader's comparison before `end`.
  const auto seeds_of_leader = [&](auto end) {
    return std::count_if(runs.begin(), end, [&](const evolve::Trial& t) {
      return t.begun.purpose == Purpose::kFinal && t.begun.design == first->begun.design;
    });
  };
  const record::ComparisonBegun& begun = c->population().comparisons().at(0);
  EXPECT_EQ(begun.design, first->begun.design);
  EXPECT_LT(seeds_of_leader(more), begun.seeds);
  EXPECT_EQ(seeds_of_leader(searched), begun.seeds);
}

// A killed worker, a limit or a full disk says nothing about a learning rate: the session ends, and the next
// one tries the rate again.
TEST(Campaign, OnlyLossesCountAgainstALearningRate) {
  SKIP_UNDER_SANITIZERS();
  using Kind = jobs::JobEnd::Kind;
  struct Case {
    Kind kind;
    std::string cause;
    bool counts;  // against the learning rate
    record::Cause error = record::Cause::kNone;
  };
  for (const Case& x :
       {Case{Kind::kResult, "the average loss rose by more than 3 above its best, at step 40", true},
        Case{Kind::kCrash, "was terminated by signal 9 (Killed)", false},
        Case{Kind::kTimeLimit, "time limit: 300 s", false},
        Case{Kind::kMemoryLimit, "memory limit: 4 GiB", false},
        Case{Kind::kResult, "trial: error[io]: cannot write: No space left on device", false,
             record::Cause::kIo},
        Case{Kind::kResult, "trial: error[exception]: out of memory", false, record::Cause::kException}}) {
    const Folder folder;
    CampaignPlan plan = small_plan();
    plan.settings.tune_rates = true;
    plan.settings.rungs.resize(1);
    const double rate = plan.settings.rungs[0].rate;
    // Returns whether a session ended without an error, and whether it recorded failed runs of rate searches.
    const auto session = [&](bool first) {
      FakeExecutor executor(1, 0,
                            [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
                              if (!first || !is_known(spec) || spec.rate == rate) return;
                              ended.kind = x.kind;
                              if (x.kind == Kind::kResult)
                                r = {}, r.cause = x.cause, r.error = x.error;
                              else
                                ended.cause = x.cause;
                            });
      auto c = first ? Campaign::create({folder / "run"}, plan, quick_screener)
                     : Campaign::open({folder / "run"}, quick_screener);
      EXPECT_TRUE(c) << c.error().message;
      const bool in_order = c->run({.trials = 60}, executor, kNeverStop, kNoView).has_value();
      const auto& all = c->population().trials();
      const auto lost = std::count_if(all.begin(), all.end(), [](const evolve::Trial& t) {
        return t.begun.purpose == Purpose::kRate && t.ended && t.status == record::Status::kFailed;
      });
      return std::pair(in_order, lost > 0);
    };
    EXPECT_EQ(session(true), std::pair(x.counts, x.counts)) << x.cause;
    if (!x.counts) {
      EXPECT_EQ(session(false), std::pair(true, false)) << x.cause;
    }
  }
}

// Every design gets a search for its rate before a comparison, and the verdict says whether the rung can
// judge mixers.
TEST(Campaign, SearchesLearningRatesAndTestsTheRungByControls) {
  SKIP_UNDER_SANITIZERS();
  for (const bool control_leads : {true, false}) {
    const Folder folder;
    CampaignPlan plan = small_plan();
    plan.settings.tune_rates = true;
    plan.settings.controls = {"ngram"};
    plan.settings.ablate = false;
    plan.settings.strategies = {"adaptive"};
    plan.settings.rungs.resize(1);
    plan.settings.rungs[0].stop_fraction = 0;
    auto c = Campaign::create({folder / "run"}, plan, quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    const double rate = plan.settings.rungs[0].rate;
    FakeExecutor executor(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
      // Baselines score best at twice the rung's rate, the control at half of it, and all others at the
      // rung's rate.
      const bool control = spec.program.find("NgramControl") != std::string::npos;
      const double best = control ? 0.5 : is_known(spec) ? 2 : 1;
      const double own = control ? (control_leads ? 1.9 : 2.4) : is_known(spec) ? 2.1 : 1.8;
      r.rate = spec.rate;
      // This is neither a loss of the design nor the end of the campaign.
      if (is_known(spec) && spec.rate > 3 * rate) {
        r = {};
        r.status = record::Status::kFailed;
        r.cause = "the average loss rose by more than 3 above its best, at step 40";
        return;
      }
      Random random(mix(hash64(spec.program), spec.seed));
      set_score(r, own + 0.001 * random.normal() + 0.05 * std::pow(std::log2(spec.rate / rate / best), 2));
    });
    const auto why = c->run({.trials = 90}, executor, kNeverStop, kNoView);
    ASSERT_TRUE(why) << why.error().message;
    const evolve::Population& p = c->population();
    ASSERT_FALSE(p.comparisons().empty());
    const record::ComparisonBegun& begun = p.comparisons().back();
    for (const evolve::Individual& i : p.individuals()) {
      if (!evolve::is_known(i) && i.created.id != begun.design) continue;
      std::set<double> tried, judged;
      for (const std::int64_t id : i.trials)
        (evolve::is_verdict_run(p.trial(id)) ? judged : tried).insert(p.trial(id).begun.rate);
      EXPECT_GE(tried.size(), 3U) << i.created.name;
      ASSERT_EQ(judged.size(), 1U) << i.created.name;
      EXPECT_EQ(*judged.begin(), evolve::compared_rate(p, {0, begun.design}, i.created.id)) << i.created.name;
      EXPECT_LE(std::abs(std::log2(*judged.begin() / p.rate_of(i, 0))), 0.5)
          << "near the best that was tried";
      if (evolve::is_baseline(i)) {
        EXPECT_EQ(p.rate_of(i, 0), 2);
      }
      if (evolve::is_control(i)) {
        EXPECT_EQ(p.rate_of(i, 0), 0.5);
      }
    }
    const evolve::ComparisonOutcome o = evolve::outcome_of(p, begun);
    ASSERT_TRUE(o.complete);
    EXPECT_EQ(o.can_judge(), !control_leads);
    EXPECT_EQ(o.claims(), o.ahead && !o.held_back() && !control_leads);
    const auto store = store::Store::read(folder / "run/campaign.db");
    ASSERT_TRUE(store);
    const std::string status = *status_text(*store);
    EXPECT_NE(status.find("learning rates tried"), std::string::npos) << status;
    EXPECT_NE(status.find("(best)"), std::string::npos);
    EXPECT_EQ(status.find("cannot judge mixers") != std::string::npos, control_leads) << status;
    EXPECT_EQ(status.find("The rung can judge mixers") != std::string::npos, !control_leads) << status;
    EXPECT_NE(status.find("against NgramControl"), std::string::npos) << "controls stand in the table";
  }
}

// Rung 0: every promoted and every known design is profiled once, whatever the result, and the result does
// not influence the search.
TEST(Campaign, PromotedDesignsHaveAProfile) {
  SKIP_UNDER_SANITIZERS();
  std::vector<std::string> trained[2];
  for (const bool has_tasks : {false, true}) {
    const Folder folder;
    CampaignPlan plan = small_plan();
    if (has_tasks) plan.settings.capabilities = {"recall", "parity"};
    auto c = Campaign::create({folder / "run"}, plan, quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    std::vector<std::string> asked;
    for (const bool first : {true, false}) {
      FakeExecutor executor;
      executor.change_profile = [&](record::CapabilityResult& r, jobs::JobEnd& ended) {
        const auto at = std::find(asked.begin(), asked.end(), r.hash) - asked.begin();
        if (at == std::ssize(asked)) asked.push_back(r.hash);
        // Baselines come first.
        if (at == 0) r.hash = "another";
        if (at == 1) ended.kind = jobs::JobEnd::Kind::kCrash, ended.cause = "was terminated by signal 11";
      };
      const auto stop = [&] { return first && executor.started > 30 ? 1 : 0; };
      const auto why = c->run({.trials = 60}, executor, stop, kNoView);
      ASSERT_TRUE(why) << why.error().message;
    }
    const evolve::Population& p = c->population();
    int profiles = 0;
    for (const evolve::Individual& i : p.individuals()) {
      EXPECT_EQ(i.profile != nullptr,
                has_tasks && (evolve::is_known(i) || (i.entered > 0 && !is_ablation(i))))
          << i.created.id << " " << evolve::source_of(i.created);
      profiles += i.profile != nullptr;
      if (!i.profile) continue;
      EXPECT_EQ(i.profile->status, evolve::is_known(i) ? record::Status::kFailed : record::Status::kDone);
      if (i.profile->status == record::Status::kDone) {
        EXPECT_EQ(i.profile->tasks.size(), 2U);
      }
    }
    const auto store = store::Store::read(folder / "run/campaign.db");
    ASSERT_TRUE(store);
    EXPECT_EQ(store->profiles().size(), static_cast<std::size_t>(profiles));
    for (const evolve::Trial& t : p.trials())
      trained[has_tasks].push_back(fmt::format("{} {} {}", t.begun.design, t.begun.rung, t.begun.seed));
    if (!has_tasks) continue;
    EXPECT_GT(profiles, 3);
    const std::string html = *report_html(*store, folder / "run");
    EXPECT_NE(html.find("What promoted designs can learn"), std::string::npos);
    EXPECT_NE(html.find("was terminated by signal 11"), std::string::npos);
    EXPECT_NE(html.find("it belongs to the design with hash another"), std::string::npos);
    EXPECT_NE(design_text(*store, evolve::leader(p).design)->find("recall 75 %, parity 75 %"),
              std::string::npos);
  }
  EXPECT_EQ(trained[0], trained[1]);
}

// A profile's worker that is killed, or reports a failure, is started again like that of a run.
TEST(Campaign, AProfileIsTriedAsOftenAsARun) {
  SKIP_UNDER_SANITIZERS();
  for (const bool is_killed : {true, false})
    for (const int times : {1, 2, 3}) {
      const Folder folder;
      CampaignPlan plan = small_plan();
      plan.settings.capabilities = {"recall"};
      auto c = Campaign::create({folder / "run"}, plan, quick_screener);
      ASSERT_TRUE(c) << c.error().message;
      std::map<std::string, int> started;
      FakeExecutor executor;
      executor.change_profile = [&](record::CapabilityResult& r, jobs::JobEnd& ended) {
        if (started[r.hash]++ >= times) return;
        if (is_killed)
          ended.kind = jobs::JobEnd::Kind::kCrash, ended.cause = "was terminated by signal 9";
        else
          r.status = record::Status::kFailed, r.cause = "memory is short", r.tasks.clear();
      };
      ASSERT_TRUE(c->run({.trials = 60}, executor, kNeverStop, kNoView));
      EXPECT_FALSE(started.empty());
      const int max_starts = is_killed ? 3 : 2;
      for (const evolve::Individual& i : c->population().individuals())
        if (i.profile) {
          EXPECT_EQ(i.profile->status, times < max_starts ? record::Status::kDone : record::Status::kFailed);
          EXPECT_EQ(started[i.created.hash], std::min(times + 1, max_starts));
        }
    }
}

// A worker's profile is checked against the tasks. There is one case for each thing that it could invent.
TEST(Campaign, AnImpossibleProfileIsRefused) {
  SKIP_UNDER_SANITIZERS();
  using record::CapabilityResult;
  const std::vector<std::pair<const char*, std::function<void(CapabilityResult&)>>> lies{
      {"another task", [](CapabilityResult& r) { r.tasks[0].task = "copying"; }},
      {"a task too many", [](CapabilityResult& r) { r.tasks.push_back(r.tasks[0]); }},
      {"a task too few", [](CapabilityResult& r) { r.tasks.pop_back(); }},
      {"scores without end",
       [](CapabilityResult& r) { r.tasks[0].scores.resize(10'000, r.tasks[0].scores[0]); }},
      {"no scores", [](CapabilityResult& r) { r.tasks[1].scores.clear(); }},
      {"scores of a failure",
       [](CapabilityResult& r) { r.tasks[0].outcome = record::CapabilityOutcome::kDiverged; }},
      {"another length", [](CapabilityResult& r) { r.tasks[0].scores[0].length = 8; }},
      {"another chance", [](CapabilityResult& r) { r.tasks[0].scores[0].chance = 0; }},
      {"a score of another task", [](CapabilityResult& r) { r.tasks[0].scores[0].task = "parity"; }},
      {"more than all", [](CapabilityResult& r) { r.tasks[0].scores[0].accuracy = 1.01; }},
      {"nothing asked", [](CapabilityResult& r) { r.tasks[0].scores[0].answers = 0; }},
      {"an error without end", [](CapabilityResult& r) { r.tasks[0].scores[0].error = 1e9; }},
      {"another status", [](CapabilityResult& r) { r.status = record::Status::kHurdle; }},
  };
  std::size_t count = 0;  // of profiles
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const Folder folder;
    CampaignPlan plan = small_plan();
    plan.seed = seed;
    plan.settings.capabilities = {"recall", "parity"};
    auto c = Campaign::create({folder / "run"}, plan, quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    FakeExecutor executor;
    executor.change_profile = [&](CapabilityResult& r, jobs::JobEnd&) {
      lies[count++ % lies.size()].second(r);
    };
    const auto why = c->run({.trials = 60}, executor, kNeverStop, kNoView);
    ASSERT_TRUE(why) << why.error().message;
    for (const evolve::Individual& i : c->population().individuals()) {
      EXPECT_TRUE(!i.profile || i.profile->status == record::Status::kFailed) << i.created.name;
    }
  }
  EXPECT_GE(count, lies.size());
}

// Returns a plan with one user design and no search.
CampaignPlan plan_of_user_design() {
  CampaignPlan plan = small_plan();
  plan.settings.strategies.clear();
  plan.user_programs = {"design Mine:\n    stack = [2 * Block(mixer=Retention, norm=LayerNorm), RMSNorm]\n"};
  return plan;
}

TEST(Campaign, AUserDesignIsPromotedUnconditionallyAndComparedWithoutASearch) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  CampaignPlan plan = plan_of_user_design();
  plan.workers = 2;
  auto c = Campaign::create({folder / "run"}, plan, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  FakeExecutor executor(2);
  const auto why = c->run({}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_EQ(*why, record::SessionEnd::kDone);
  const evolve::Population& p = c->population();
  const evolve::Leader best = evolve::leader(p);
  EXPECT_EQ(best.rung, 2);
  EXPECT_EQ(p.individual(best.design).created.name, "Mine");
  ASSERT_EQ(p.comparisons().size(), 1U);
  EXPECT_EQ(p.comparisons()[0].seeds, plan.settings.final_seeds);
  EXPECT_TRUE(evolve::outcome_of(p, p.comparisons()[0]).complete);
  // The plan is read back with the design, so that a resumed or replayed campaign has the same designs.
  const auto again = parse_plan({to_toml(plan), plan.seed, "1"});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->user_programs, plan.user_programs);
  EXPECT_EQ(again->workers, plan.workers);
}

// The record may lie on another disk than the rest, and is locked there.
TEST(Campaign, TheRecordMayLieElsewhere) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  const CampaignPaths paths{folder / "shared"};
  ASSERT_TRUE(link_record(paths, folder / "local"));
  EXPECT_FALSE(paths.existing_store()) << "no campaign has begun";
  {
    auto c = Campaign::create(paths, plan_of_user_design(), quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    FakeExecutor executor;
    ASSERT_TRUE(c->run({.trials = 2}, executor, kNeverStop, kNoView));
    EXPECT_TRUE(Campaign::is_open(paths));
    EXPECT_TRUE(Lock::is_held(folder / "local") || !std::filesystem::exists("/proc/locks"));
    EXPECT_FALSE(Lock::is_held(folder / "shared"));
  }
  EXPECT_FALSE(Campaign::is_open(paths));
  EXPECT_TRUE(std::filesystem::is_regular_file(folder / "local/campaign.db"));
  auto again = Campaign::open(paths, quick_screener);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->population().trials().size(), 2U);
  EXPECT_FALSE(link_record({folder / "other"}, folder / "local")) << "the folder has a record";
  std::filesystem::rename(folder / "local", folder / "away");
  const auto away = paths.existing_store();
  ASSERT_FALSE(away);
  EXPECT_NE(away.error().message.find("which is not here"), std::string::npos) << away.error().message;
}

// Earlier versions recorded a number as the secret, and the first ones none.
TEST(Campaign, ASecretIsReadBack) {
  CampaignPlan plan = small_plan();
  for (const bool is_given : {true, false}) {
    plan.secret = "0123456789abcdef0123456789abcdef", plan.secret_given = is_given;
    const auto again = parse_plan({to_toml(plan), plan.seed, "1"});
    ASSERT_TRUE(again);
    EXPECT_EQ(std::pair(again->secret, again->secret_given), std::pair(plan.secret, is_given));
  }
  for (const std::int64_t number : {std::int64_t{0}, (std::int64_t{1} << 62) - 1}) {
    std::string text = to_toml(small_plan());
    for (const auto& [line, now] :
         {std::pair{std::string("secret = \"\""), fmt::format("secret = {}", number)},
          {"secret_given = false", ""}}) {
      const std::size_t at = text.find(line);
      ASSERT_NE(at, std::string::npos) << text;
      text.replace(at, line.size(), now);
    }
    const auto old = parse_plan({text, 1, "1"});
    ASSERT_TRUE(old) << old.error().message;
    EXPECT_EQ(std::pair(old->secret, old->secret_given), std::pair(std::to_string(number), number == 0));
  }
}

// After a time limit, a verdict run continues from its checkpoint; for a run of the search the limit is
// final.
TEST(Campaign, AVerdictRunContinuesAfterATimeLimit) {
  SKIP_UNDER_SANITIZERS();
  for (const bool of_verdict : {true, false})
    for (const int times : {1, 2, 3}) {
      const Folder folder;
      auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
      ASSERT_TRUE(c) << c.error().message;
      std::map<std::string, int> late;
      FakeExecutor executor(
          1, 0, [&](const record::TrialSpec& spec, record::TrialResult&, jobs::JobEnd& ended) {
            if (is_known(spec) || (spec.unread_tokens > 0) != of_verdict) return;
            const std::string checkpoint = spec.folder + "/checkpoint.safetensors";
            EXPECT_EQ(std::filesystem::exists(checkpoint), late[spec.folder] > 0);
            if (late[spec.folder]++ >= times) return;
            std::ofstream(checkpoint) << "steps so far";
            ended.kind = jobs::JobEnd::Kind::kTimeLimit, ended.cause = "the worker took 301 s";
          });
      ASSERT_TRUE(c->run({}, executor, kNeverStop, kNoView));
      EXPECT_FALSE(late.empty());
      const bool is_lost = !of_verdict || times == 3;
      for (const auto& [run, starts] : late) {
        EXPECT_EQ(starts, !of_verdict ? 1 : times == 3 ? 3 : times + 1);
        const evolve::Trial& t =
            c->population().trial(std::stoll(std::filesystem::path(run).filename().string()));
        EXPECT_EQ(t.status, is_lost ? record::Status::kFailed : record::Status::kDone);
        EXPECT_EQ(t.cause, is_lost ? "the worker took 301 s" : "");
        EXPECT_FALSE(std::filesystem::exists(run + "/checkpoint.safetensors"));
      }
    }
}

enum class Ending : std::uint8_t { kKilled, kStopped, kException };
// Makes a worker end without a result, which may be the fault of the machine or of the design.
void end_badly(Ending how, record::TrialResult& r, jobs::JobEnd& ended) {
  using Kind = jobs::JobEnd::Kind;
  if (how == Ending::kKilled)
    ended.kind = Kind::kCrash, ended.cause = "the worker was terminated by signal 9 (Killed)";
  if (how == Ending::kStopped) ended.kind = Kind::kStopped;
  if (how == Ending::kException)
    r = {}, r.cause = "trial: error[exception]: DefaultCPUAllocator: can't allocate memory",
    r.error = record::Cause::kException;
}
bool is_machine_check(const record::TrialSpec& spec) { return spec.folder.ends_with("/trials/0"); }

// If no worker works any more, after a library was replaced or because memory is short, the session ends
// after a few runs, and no design is judged by them.
TEST(Campaign, BrokenWorkersJudgeNoDesign) {
  SKIP_UNDER_SANITIZERS();
  for (const int slots : {1, 3})
    for (const Ending how : {Ending::kKilled, Ending::kStopped, Ending::kException}) {
      const Folder folder;
      int failures = 0;
      for (const bool is_broken : {true, false}) {
        auto c = is_broken ? Campaign::create({folder / "run"}, small_plan(), quick_screener)
                           : Campaign::open({folder / "run"}, quick_screener);
        ASSERT_TRUE(c) << c.error().message;
        FakeExecutor executor(
            slots, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
              if (!is_broken || (failures == 0 && (is_known(spec) || executor.started < 12))) return;
              ++failures;
              end_badly(how, r, ended);
            });
        const auto why = c->run({.trials = 20}, executor, kNeverStop, kNoView);
        EXPECT_EQ(why.has_value(), !is_broken);
        if (!why) {
          EXPECT_NE(why.error().message.find("no run can be trained: run "), std::string::npos)
              << why.error().message;
          EXPECT_NE(why.error().hint.find("gabbro resume"), std::string::npos);
        }
        for (const evolve::Trial& t : c->population().trials())
          EXPECT_FALSE(t.ended && t.status == record::Status::kFailed) << t.cause;
      }
      EXPECT_GT(failures, 1);
      EXPECT_LE(failures, 4 * slots);
    }
}

// Memory may suffice for small runs alone: the check has the size of the runs that failed.
TEST(Campaign, AMemoryShortageOfLargeRunsJudgesNoDesign) {
  const Folder folder;
  for (const bool is_short : {true, false}) {
    auto c = is_short ? Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener)
                      : Campaign::open({folder / "run"}, quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    int checks = 0;
    FakeExecutor executor(
        1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
          checks += is_machine_check(spec);
          if (is_short && spec.params == 60'000 && (is_machine_check(spec) || !is_known(spec)))
            end_badly(Ending::kKilled, r, ended);
        });
    EXPECT_EQ(c->run({}, executor, kNeverStop, kNoView).has_value(), !is_short);
    EXPECT_EQ(checks, is_short ? 1 : 0);
    for (const evolve::Trial& t : c->population().trials())
      EXPECT_FALSE(t.ended && t.status == record::Status::kFailed) << t.cause;
  }
}

// A check judges what failed before it began. Whatever happens while it runs, such as a machine that breaks,
// waits for the next one.
TEST(Campaign, ACheckJudgesOnlyRunsThatFailedBeforeIt) {
  SKIP_UNDER_SANITIZERS();
  for (const Ending how : {Ending::kKilled, Ending::kStopped, Ending::kException}) {
    const Folder folder;
    auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    int checks = 0;
    FakeExecutor executor(3, 0,
                          [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
                            if (is_machine_check(spec) ? ++checks > 1 : !is_known(spec))
                              end_badly(how, r, ended);
                          });
    const auto why = c->run({.trials = 40}, executor, kNeverStop, kNoView);
    ASSERT_FALSE(why);
    EXPECT_EQ(checks, 2);
    const auto& trials = c->population().trials();
    EXPECT_EQ(std::count_if(trials.begin(), trials.end(),
                            [](const auto& t) { return t.ended && t.status == record::Status::kFailed; }),
              how == Ending::kException ? 0 : 1)
        << "after a report, the first check begins the run again";
  }
}

// Records the limits of time of its jobs, by job.
class TimingExecutor : public FakeExecutor {
 public:
  using FakeExecutor::FakeExecutor;
  Result<bool> start(const jobs::Job& job) override {
    seconds.emplace(job.id, job.limits.seconds);
    return FakeExecutor::start(job);
  }
  std::multimap<std::int64_t, double> seconds;
};

// A few steps of a large rung may take longer than a run at the first one.
TEST(Campaign, ACheckHasTheTimeLimitOfARunAtItsRung) {
  SKIP_UNDER_SANITIZERS();
  for (const std::int64_t params : {20'000, 40'000, 60'000}) {
    const Folder folder;
    auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    TimingExecutor executor(1, 0,
                            [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
                              if (!is_known(spec) && spec.params == params)
                                end_badly(Ending::kKilled, r, ended);
                            });
    ASSERT_TRUE(c->run({}, executor, kNeverStop, kNoView));
    const auto& trials = c->population().trials();
    const auto failed = std::find_if(trials.begin(), trials.end(),
                                     [](const auto& t) { return t.status == record::Status::kFailed; });
    ASSERT_NE(failed, trials.end());
    ASSERT_EQ(executor.seconds.count(0), 1U);
    EXPECT_EQ(executor.seconds.find(0)->second, executor.seconds.find(failed->begun.id)->second);
    EXPECT_EQ(executor.seconds.find(0)->second > executor.seconds.find(1)->second, params > 20'000);
  }
}

// If a budget is spent while a failure waits for a check of the machine, the check is still made.
TEST(Campaign, ABudgetDoesNotHideThatNoWorkerWorks) {
  SKIP_UNDER_SANITIZERS();
  for (const bool works : {true, false})
    for (const bool of_time : {true, false}) {
      const Folder folder;
      std::int64_t open = 0;  // id of a run that the first session leaves open
      {
        auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
        ASSERT_TRUE(c) << c.error().message;
        int asked = 0;
        FakeExecutor executor(1, 0,
                              [&](const record::TrialSpec& spec, record::TrialResult&, jobs::JobEnd& ended) {
                                ended.seconds = 1e6;
                                if (!is_known(spec)) asked = 1, ended.kind = jobs::JobEnd::Kind::kStopped;
                              });
        const auto stop = [&] { return asked; };
        ASSERT_TRUE(c->run({}, executor, stop, kNoView));
        open = static_cast<std::int64_t>(c->population().trials().size());
      }
      ASSERT_GT(open, 0);
      auto c = Campaign::open({folder / "run"}, quick_screener);
      ASSERT_TRUE(c) << c.error().message;
      ASSERT_FALSE(c->population().trial(open).ended);
      int checks = 0;
      FakeExecutor executor(2, 0,
                            [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
                              checks += is_machine_check(spec);
                              if (!is_known(spec) || (is_machine_check(spec) && !works))
                                end_badly(Ending::kException, r, ended);
                            });
      // Runs took 1e6 seconds. With fewer left, no other run begins.
      const Budget budget{.minutes = of_time ? 1000.0 : 0, .trials = of_time ? 0 : open};
      const auto why = c->run(budget, executor, kNeverStop, kNoView);
      // After the check the run is begun again, which a budget of time leaves to another session.
      EXPECT_EQ(checks, works && !of_time ? 2 : 1);
      ASSERT_EQ(why.has_value(), works);
      EXPECT_EQ(c->population().trial(open).ended, works && !of_time);
      EXPECT_EQ(static_cast<std::int64_t>(c->population().trials().size()), open) << "no run over the budget";
      if (works) {
        EXPECT_EQ(*why, record::SessionEnd::kBudget);
      }
    }
}

// Designs that end their workers have failed, however many they are: they end no session, and their checks
// are not part of the record.
TEST(Campaign, DesignsThatKillTheirWorkersEndNoSession) {
  SKIP_UNDER_SANITIZERS();
  for (const int slots : {1, 2})
    for (const Ending how : {Ending::kKilled, Ending::kStopped, Ending::kException})
      for (const bool all : {true, false}) {
        const Folder folder;
        auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
        ASSERT_TRUE(c) << c.error().message;
        int checks = 0;
        FakeExecutor executor(
            slots, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
              checks += is_machine_check(spec);
              if (!is_known(spec) && (all || hash64(spec.program) % 3 == 0)) end_badly(how, r, ended);
            });
        const auto why = c->run({.trials = 14}, executor, kNeverStop, kNoView);
        ASSERT_TRUE(why) << why.error().message;
        int failed = 0;
        for (const evolve::Trial& t : c->population().trials()) {
          EXPECT_TRUE(t.ended);
          failed += t.status == record::Status::kFailed;
        }
        EXPECT_GT(failed, 0);
        EXPECT_GT(checks, 0);
        EXPECT_LE(checks, how == Ending::kException ? 2 * failed : failed);
        EXPECT_FALSE(std::filesystem::exists(folder / "run/trials/0"));
      }
}

// Files that a worker leaves in its folder beside those of its run are removed, since they may fill the disk.
TEST(Campaign, OnlyTheFilesOfARunStayInItsFolder) {
  SKIP_UNDER_SANITIZERS();
  namespace fs = std::filesystem;
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  std::ofstream(folder / "elsewhere") << "not the worker's";
  int runs = 0;
  FakeExecutor executor(
      1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
        for (const char* name : {"junk", "curve.jsonl", "checkpoint.safetensors", "weights.safetensors"})
          std::ofstream(spec.folder + "/" + name) << "x";
        std::error_code error;
        fs::create_directories(spec.folder + "/deep/er", error);
        fs::create_symlink(folder / "elsewhere", spec.folder + "/link", error);
        if (!is_known(spec) && ++runs > 1) end_badly(Ending::kKilled, r, ended);
      });
  ASSERT_TRUE(c->run({}, executor, kNeverStop, kNoView));
  int folders = 0, with_weights = 0;
  for (const evolve::Trial& t : c->population().trials()) {
    const bool has_weights = t.begun.rung > 0 && t.status == record::Status::kDone;
    std::set<std::string> files, expected{"spec.json", "curve.jsonl"};
    if (has_weights) expected.insert("weights.safetensors");
    for (const auto& entry : fs::directory_iterator(CampaignPaths{folder / "run"}.trial(t.begun.id)))
      files.insert(entry.path().filename());
    EXPECT_EQ(files, expected) << t.begun.id;
    ++folders, with_weights += has_weights;
  }
  EXPECT_GT(folders, with_weights);
  EXPECT_GT(with_weights, 0);
  EXPECT_TRUE(fs::exists(folder / "elsewhere"));
}

// A control that is worse than bigrams is weak, as it is meant to be, and its score says so. Without a valid
// score it may have been ahead.
TEST(Campaign, AControlThatIsRefusedForItsScoreIsBehind) {
  SKIP_UNDER_SANITIZERS();
  const auto fails = [](record::TrialResult& r, const std::string& name) {
    for (record::Anchor& a : r.anchors)
      if (a.name == name) a.holds = false;
  };
  using Change = std::function<void(record::TrialResult&)>;
  const std::tuple<const char*, Change, bool> cases[] = {
      {"its score alone", [](record::TrialResult&) {}, true},
      {"another check too", [&](record::TrialResult& r) { fails(r, "future"); }, false},
      {"another check only",
       [&](record::TrialResult& r) {
         for (record::Anchor& a : r.anchors) a.holds = a.name != "future";
       },
       false},
      {"a check is missing", [](record::TrialResult& r) { r.anchors.pop_back(); }, false},
      {"a score better than bigrams", [](record::TrialResult& r) { r.bigram_bits_per_byte = 3; }, false},
      {"a bigram score that is not a number",
       [](record::TrialResult& r) { r.bigram_bits_per_byte = std::nan(""); }, false},
      {"documents of another score", [](record::TrialResult& r) { r.documents[0].bits_per_byte = 4; }, false},
      {"no score", [](record::TrialResult& r) { r.bits_per_byte = std::nan(""); }, false},
      {"no weights", [](record::TrialResult& r) { r.weights_hash.clear(); }, false},
      {"failed", [](record::TrialResult& r) { r.status = record::Status::kFailed; }, false},
  };
  for (const auto& [name, change, is_behind] : cases) {
    const Folder folder;
    CampaignPlan plan = plan_of_user_design();
    plan.settings.controls = {"ngram"};
    plan.settings.ablate = false;
    plan.settings.rungs.resize(1);
    auto c = Campaign::create({folder / "run"}, plan, quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    FakeExecutor executor(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
      const bool is_control = spec.program.find("NgramControl") != std::string::npos;
      const double bits = is_control ? 2.9 : is_known(spec) ? 2.55 : 2.5;
      set_score(r, bits + 0.001 * Random(hash64(spec.program) + spec.seed).normal());
      r.status = record::Status::kDone;
      if (!is_control) return;
      r.status = record::Status::kRefused, r.cause = "better than bigrams: 2.9 of 2.8 bits";
      r.bigram_bits_per_byte = 2.8;
      fails(r, "better than bigrams");
      change(r);
    });
    ASSERT_TRUE(c->run({}, executor, kNeverStop, kNoView)) << name;
    const evolve::Population& p = c->population();
    ASSERT_EQ(p.comparisons().size(), 1U) << name;
    const auto reading = read_record(*store::Store::read(folder / "run/campaign.db"));
    ASSERT_TRUE(reading) << reading.error().message;
    for (const evolve::Population* of : {&p, &reading->population}) {
      const evolve::ComparisonOutcome o = evolve::outcome_of(*of, of->comparisons()[0]);
      EXPECT_TRUE(o.complete) << name;
      EXPECT_EQ(o.controls, 1) << name;
      EXPECT_EQ(o.untrained_controls, is_behind ? 0 : 1) << name;
      EXPECT_EQ(o.can_judge(), is_behind) << name;
      EXPECT_EQ(o.claims(), is_behind) << name;
    }
    const CampaignVerdict v = verdict(*reading);
    EXPECT_EQ(v.sentence.find("The rung can judge mixers") != std::string::npos, is_behind) << v.sentence;
  }
}

// A worker that is killed from outside is started again: its end says nothing about the design.
TEST(Campaign, AWorkerThatIsKilledIsStartedAgain) {
  SKIP_UNDER_SANITIZERS();
  for (const int kills : {1, 2, 3}) {
    const Folder folder;
    auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    std::map<std::string, int> killed;
    FakeExecutor executor(1, 0,
                          [&](const record::TrialSpec& spec, record::TrialResult&, jobs::JobEnd& ended) {
                            if (is_known(spec) || killed[spec.folder]++ >= kills) return;
                            ended.kind = jobs::JobEnd::Kind::kCrash,
                            ended.cause = "the worker was terminated by signal 9 (Killed)";
                          });
    ASSERT_TRUE(c->run({}, executor, kNeverStop, kNoView));
    int lost = 0, done = 0;
    for (const evolve::Trial& t : c->population().trials())
      if (is_user_design(c->population().individual(t.begun.design)))
        lost += t.status == record::Status::kFailed, done += t.status == record::Status::kDone;
    EXPECT_EQ(lost > 0, kills == 3);
    EXPECT_EQ(done > 0, kills < 3);
  }
}

// Ends after which a run begins again are counted by their kind: kills from outside use up none of the tries
// that time limits have, and vice versa.
TEST(Campaign, CrashesAndTimeLimitsAreCountedSeparately) {
  SKIP_UNDER_SANITIZERS();
  using Kind = jobs::JobEnd::Kind;
  const auto unreadable = [](record::TrialResult& r) {
    r = {}, r.cause = "trial: error[checkpoint]: it is damaged", r.error = record::Cause::kCheckpoint;
  };
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  std::map<std::string, int> started;
  FakeExecutor executor(
      1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
        if (is_known(spec) || spec.unread_tokens == 0) return;
        switch (started[spec.folder]++) {
          case 0:
          case 3:
            ended.kind = Kind::kCrash, ended.cause = "the worker was terminated by signal 9 (Killed)";
            break;
          case 1:
          case 4:
            ended.kind = Kind::kTimeLimit, ended.cause = "the worker took 301 s";
            break;
          case 2:
          case 5:
            unreadable(r);
            break;
          default:
            break;
        }
      });
  ASSERT_TRUE(c->run({}, executor, kNeverStop, kNoView));
  EXPECT_FALSE(started.empty());
  for (const auto& [run, starts] : started) EXPECT_EQ(starts, 7);
  for (const evolve::Trial& t : c->population().trials())
    EXPECT_EQ(t.status, record::Status::kDone) << t.cause;
}

// A checkpoint that cannot be read is removed, and its run starts again: it says nothing about a design or a
// baseline. But a worker that reports one again and again has failed.
TEST(Campaign, AnUnreadableCheckpointIsRemoved) {
  SKIP_UNDER_SANITIZERS();
  for (const bool of_known : {true, false})
    for (const int times : {1, 2, 3}) {
      const Folder folder;
      auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
      ASSERT_TRUE(c) << c.error().message;
      std::map<std::string, int> started;
      FakeExecutor executor(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
        const std::string checkpoint = spec.folder + "/checkpoint.safetensors";
        EXPECT_FALSE(std::filesystem::exists(checkpoint));
        if (is_known(spec) != of_known || started[spec.folder]++ >= times) return;
        std::ofstream(checkpoint) << "damaged";
        r = {}, r.cause = "trial: error[checkpoint]: it is damaged", r.error = record::Cause::kCheckpoint;
      });
      const auto why = c->run({}, executor, kNeverStop, kNoView);
      EXPECT_EQ(why.has_value(), !of_known || times < 3);
      if (!why) {
        EXPECT_NE(why.error().message.find("it is damaged"), std::string::npos) << why.error().message;
      }
      EXPECT_FALSE(started.empty());
      for (const auto& [run, starts] : started) EXPECT_EQ(starts, std::min(times + 1, 3));
      for (const evolve::Trial& t : c->population().trials()) {
        const bool is_of_known = evolve::is_known(c->population().individual(t.begun.design));
        if (t.ended) {
          EXPECT_EQ(t.status == record::Status::kFailed, !is_of_known && !of_known && times == 3) << t.cause;
        }
      }
    }
}

// Training is deterministic: a run on the seed and at the rate of another has its weights. This happens when
// a run that fitted a rate is asked for again as a replicate.
TEST(Campaign, ARepeatedRunIsNotRefusedAsACopy) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  std::int64_t design = 0;
  std::optional<record::Event> fit;
  {
    auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    const auto& trials = c->population().trials();
    FakeExecutor executor;
    const auto stop = [&] { return !trials.empty() && trials.back().ended && trials.back().begun.rung == 2; };
    ASSERT_TRUE(c->run({}, executor, stop, kNoView));
    ASSERT_EQ(trials.back().begun.rung, 2);
    design = trials.back().begun.design;
    ASSERT_FALSE(std::any_of(trials.begin(), trials.end(), [&](const evolve::Trial& t) {
      return t.begun.rung == 2 && t.begun.design == design && t.begun.seed == 2;
    }));
    fit = record::TrialBegun{
        static_cast<std::int64_t>(trials.size()) + 1, design, 2, 2, Purpose::kRate, trials.back().begun.rate};
  }
  {
    auto store = store::Store::open(folder / "run/campaign.db");
    ASSERT_TRUE(store);
    ASSERT_TRUE(store->append(*fit));
  }
  auto c = Campaign::open({folder / "run"}, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  FakeExecutor executor;
  ASSERT_TRUE(c->run({}, executor, kNeverStop, kNoView));
  int repeated = 0;
  for (const evolve::Trial& t : c->population().trials()) {
    EXPECT_EQ(t.status, record::Status::kDone) << t.cause;
    repeated += t.begun.rung == 2 && t.begun.design == design && t.begun.seed == 2;
  }
  EXPECT_EQ(repeated, 2);
}

// A screener that knows structural hashes at every rung's depth, whatever the size. If `has_current_hashes`
// is false, designs get other hashes when they are created, as from an earlier version.
class HashingScreener : public QuickScreener {
 public:
  explicit HashingScreener(bool has_current_hashes) : has_current_hashes_(has_current_hashes) {}
  static std::string hash_of(const std::string& program) {
    return to_hex(lang::check(program, zoo::library()).subjects.back().hash);
  }
  Result<record::DesignCreated> screen(const evolve::Offspring& offspring,
                                       const evolve::Population& population) override {
    auto created = QuickScreener::screen(offspring, population);
    if (created && !has_current_hashes_) created->sized.assign(3, "of an earlier version");
    return created;
  }
  Result<record::DesignCreated> measure(const lang::Program& program,
                                        const evolve::SearchSettings& settings) override {
    auto created = QuickScreener::measure(program, settings);
    if (created)
      for (const evolve::Rung& rung : settings.rungs)
        created->sized.push_back(hash_of(lang::print(evolve::deepened(program, rung.depth))));
    return created;
  }

 private:
  bool has_current_hashes_;
};

// Faults of a machine that may last for a moment only. None of them is a verdict on a run.
const std::pair<const char*, std::function<void(record::TrialResult&, jobs::JobEnd&)>> kTransientFaults[] = {
    {"short of memory",
     [](record::TrialResult& r, jobs::JobEnd&) { r = {}, r.error = record::Cause::kMemory; }},
    {"an exception",
     [](record::TrialResult& r, jobs::JobEnd&) { r = {}, r.error = record::Cause::kException; }},
    {"another spec", [](record::TrialResult& r, jobs::JobEnd&) { r = {}, r.error = record::Cause::kSpec; }},
    {"another language",
     [](record::TrialResult& r, jobs::JobEnd&) { r = {}, r.error = record::Cause::kSyntax; }},
    {"another version",
     [](record::TrialResult& r, jobs::JobEnd& ended) {
       ended.result = record::to_json(r);
       ended.result.replace(ended.result.find("\"version\":"), 10, "\"of\":");
     }},
    {"no result", [](record::TrialResult&, jobs::JobEnd& ended) { ended.result = "{}"; }},
    {"another design", [](record::TrialResult& r, jobs::JobEnd&) { r.hash = "another"; }},
    {"other costs", [](record::TrialResult& r, jobs::JobEnd&) { r.train_flops_per_token *= 1e9; }},
    {"Python is killed",
     [](record::TrialResult& r, jobs::JobEnd&) { r = {}, r.error = record::Cause::kWorker; }}};

TEST(Campaign, ATransientFailureLosesNothing) {
  SKIP_UNDER_SANITIZERS();
  for (const auto& [what, change] : kTransientFaults) {
    const Folder folder;
    CampaignPlan plan = plan_of_user_design();
    plan.settings.worker_bytes = 0;
    auto c = Campaign::create({folder / "run"}, plan, [] { return std::make_shared<HashingScreener>(true); });
    ASSERT_TRUE(c) << c.error().message;
    std::map<std::string, int> started;
    const int times = std::string_view(what) == "Python is killed" ? 2 : 1;
    FakeExecutor executor(1, 0,
                          [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
                            r.hash = HashingScreener::hash_of(spec.program);
                            if (!is_known(spec) && ++started[spec.folder] <= times) change(r, ended);
                          });
    const auto why = c->run({}, executor, kNeverStop, kNoView);
    ASSERT_TRUE(why) << what << ": " << why.error().message;
    EXPECT_FALSE(started.empty());
    for (const auto& [run, starts] : started) EXPECT_EQ(starts, times + 1) << what;
    for (const evolve::Trial& t : c->population().trials())
      EXPECT_EQ(t.status, record::Status::kDone) << what << ": " << t.cause;
  }
}

void fail_an_anchor(record::TrialResult& r) {
  r.status = record::Status::kRefused, r.cause = "backend = reference: 2.1 and 2.2";
  for (record::Anchor& anchor : r.anchors)
    if (anchor.name == "backend = reference") anchor.holds = false;
}
void have_no_finite_loss(record::TrialResult& r) { r = {}, r.cause = "the loss is not finite at step 1"; }

// A worker or a machine that was exchanged, rebuilt or damaged between two runs fails at known architectures
// too, and judges nothing.
TEST(Campaign, AReplacedWorkerJudgesNoDesign) {
  SKIP_UNDER_SANITIZERS();
  std::vector<std::pair<const char*, std::function<void(record::TrialResult&, jobs::JobEnd&)>>> changes(
      std::begin(kTransientFaults), std::end(kTransientFaults));
  changes.emplace_back("wrong weights", [](auto& r, auto&) { fail_an_anchor(r); });
  changes.emplace_back("wrong losses", [](auto& r, auto&) { have_no_finite_loss(r); });
  for (const auto& [what, change] : changes) {
    const Folder folder;
    for (const bool is_exchanged : {true, false}) {
      CampaignPlan plan = plan_of_user_design();
      plan.settings.worker_bytes = 0;
      const auto screener = [] { return std::make_shared<HashingScreener>(true); };
      auto c = is_exchanged ? Campaign::create({folder / "run"}, plan, screener)
                            : Campaign::open({folder / "run"}, screener);
      ASSERT_TRUE(c) << c.error().message;
      bool has_begun = false;
      FakeExecutor executor(1, 0,
                            [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
                              r.hash = HashingScreener::hash_of(spec.program);
                              has_begun = has_begun || !is_known(spec);
                              if (is_exchanged && has_begun) change(r, ended);
                            });
      EXPECT_EQ(c->run({}, executor, kNeverStop, kNoView).has_value(), !is_exchanged) << what;
      for (const evolve::Trial& t : c->population().trials())
        EXPECT_FALSE(t.ended && t.status == record::Status::kFailed) << what << ": " << t.cause;
    }
  }
}

// Where the machine works, a run with wrong numbers has failed: its design is at fault, or the learning rate
// at which a baseline is tried.
TEST(Campaign, WrongNumbersCountAgainstTheirRunIfTheMachineWorks) {
  SKIP_UNDER_SANITIZERS();
  for (const bool of_known : {true, false}) {
    const Folder folder;
    auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    int lost = 0, checks = 0;
    std::set<std::string> runs;
    FakeExecutor executor(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
      checks += is_machine_check(spec);
      if (is_machine_check(spec) || is_known(spec) != of_known || spec.seed % 3 != 0) return;
      runs.insert(spec.folder);
      if (lost++ % 2 == 0)
        fail_an_anchor(r);
      else
        have_no_finite_loss(r);
    });
    const auto why = c->run({.trials = 40}, executor, kNeverStop, kNoView);
    ASSERT_TRUE(why) << why.error().message;
    EXPECT_GT(lost, 0);
    EXPECT_GT(checks, 0);
    EXPECT_LE(checks, lost) << "there is none before another known architecture is done at the rung";
    int failed = 0;
    for (const evolve::Trial& t : c->population().trials())
      failed += t.status == record::Status::kRefused || t.status == record::Status::kFailed;
    EXPECT_EQ(failed, static_cast<int>(runs.size()));
  }
}

// A machine that computes wrong numbers once loses no verdict run: it is trained again, and not from the
// checkpoint that holds these numbers.
TEST(Campaign, NumbersThatAreWrongOnceLoseNoVerdictRun) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  std::map<std::string, int> starts;
  FakeExecutor executor(1, 0,
                        [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
                          if (is_machine_check(spec) || is_known(spec) || spec.unread_tokens == 0) return;
                          const std::string checkpoint = spec.folder + "/checkpoint.safetensors";
                          EXPECT_FALSE(std::filesystem::exists(checkpoint));
                          ended.seconds = 10;
                          if (starts[spec.folder]++ > 0) return;
                          std::ofstream(checkpoint) << "wrong numbers";
                          have_no_finite_loss(r);
                        });
  ASSERT_TRUE(c->run({}, executor, kNeverStop, kNoView));
  EXPECT_EQ(starts.size(), static_cast<std::size_t>(small_plan().settings.final_seeds));
  for (const auto& [run, count] : starts) EXPECT_EQ(count, 2) << run;
  for (const evolve::Trial& t : c->population().trials())
    if (evolve::is_verdict_run(t) && c->population().individual(t.begun.design).created.name == "Mine") {
      EXPECT_EQ(t.status, record::Status::kDone) << t.cause;
      EXPECT_EQ(store::Store::read(folder / "run/campaign.db")
                    ->trials()[static_cast<std::size_t>(t.begun.id - 1)]
                    .seconds,
                20)
          << "both starts";
    }
}

// A checkpoint that a machine with wrong numbers left is not resumed.
TEST(Campaign, CheckpointsOfAMachineWithWrongNumbersAreRemoved) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  bool is_broken = false;
  std::string lost;
  const auto change = [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
    is_broken = is_broken || (lost.empty() && !is_known(spec));
    if (!is_broken) return;
    if (!is_machine_check(spec)) lost = spec.folder;
    std::ofstream(spec.folder + "/checkpoint.safetensors") << "wrong numbers";
    have_no_finite_loss(r);
  };
  FakeExecutor broken(1, 0, change);
  const auto why = c->run({}, broken, kNeverStop, kNoView);
  ASSERT_FALSE(why);
  EXPECT_NE(why.error().message.find("no run can be trained"), std::string::npos) << why.error().message;
  EXPECT_FALSE(lost.empty());
  EXPECT_FALSE(std::filesystem::exists(lost + "/checkpoint.safetensors"));
  is_broken = false;
  FakeExecutor healthy(1, 0, change);
  ASSERT_TRUE(c->run({}, healthy, kNeverStop, kNoView));
  for (const evolve::Trial& t : c->population().trials())
    EXPECT_NE(t.status, record::Status::kFailed) << t.cause;
}

// A session that is stopped or killed during the check leaves checkpoints of wrong numbers behind. The run
// that continues from one is trained anew before its design is judged.
TEST(Campaign, ACheckpointOfAnEarlierProcessJudgesNoDesign) {
  SKIP_UNDER_SANITIZERS();
  using Change = std::function<void(record::TrialResult&)>;
  const std::pair<const char*, Change> ends[] = {{"losses that are not finite", have_no_finite_loss},
                                                 {"a score worse than bigrams", [](record::TrialResult& r) {
                                                    r.status = record::Status::kRefused,
                                                    r.cause = "better than bigrams: 2.9 of 2.8 bits";
                                                    r.bigram_bits_per_byte = r.bits_per_byte - 0.1;
                                                    for (record::Anchor& a : r.anchors)
                                                      if (a.name == "better than bigrams") a.holds = false;
                                                  }}};
  for (const auto& [what, change_result] : ends) {
    SCOPED_TRACE(what);
    const Folder folder;
    auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    bool is_healthy = false;
    int stop = 0, wrong = 0;
    const auto change = [&, &end = change_result](const record::TrialSpec& spec, record::TrialResult& r,
                                                  jobs::JobEnd&) {
      const std::string checkpoint = spec.folder + "/checkpoint.safetensors";
      if (is_healthy) {  // wrong numbers stay wrong
        if (std::filesystem::exists(checkpoint)) end(r), ++wrong;
        return;
      }
      if (is_known(spec)) return;
      std::ofstream(checkpoint) << "wrong numbers";
      r.status = record::Status::kStopped;
      stop = 1;
    };
    FakeExecutor broken(1, 0, change);
    ASSERT_TRUE(c->run(
        {}, broken, [&] { return stop; }, kNoView));
    is_healthy = true;
    FakeExecutor healthy(1, 0, change);
    ASSERT_TRUE(c->run({}, healthy, kNeverStop, kNoView));
    EXPECT_EQ(wrong, 1);
    for (const evolve::Trial& t : c->population().trials())
      EXPECT_TRUE(!t.ended || t.status == record::Status::kDone) << t.cause;
  }
}

// A run that never fits into one session continues in each, and ends without a score in some. It is trained
// anew once, and then its end counts, for a known design as for others.
TEST(Campaign, ARunIsTrainedAnewOnce) {
  SKIP_UNDER_SANITIZERS();
  for (const auto& [of_known, diverges] :
       {std::pair(false, false), std::pair(true, false), std::pair(false, true), std::pair(true, true)}) {
    SCOPED_TRACE(fmt::format("known: {}, diverges: {}", of_known, diverges));
    const Folder folder;
    auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    int stop = 0, trainings = 0;
    const auto change = [&, of_known = of_known, diverges = diverges](const record::TrialSpec& spec,
                                                                      record::TrialResult& r, jobs::JobEnd&) {
      if (is_known(spec) != of_known || (of_known && !spec.folder.ends_with("/1"))) return;
      const std::string checkpoint = spec.folder + "/checkpoint.safetensors";
      if (std::filesystem::exists(checkpoint)) {
        if (diverges) return have_no_finite_loss(r);
        r.status = record::Status::kRefused, r.cause = "better than bigrams: 2.9 of 2.8 bits";
        r.bigram_bits_per_byte = r.bits_per_byte - 0.1;
        for (record::Anchor& a : r.anchors)
          if (a.name == "better than bigrams") a.holds = false;
        return;
      }
      ++trainings;
      std::ofstream(checkpoint) << "half of a training";
      r.status = record::Status::kStopped;
      stop = 1;
    };
    for (int session = 0; session < 4; ++session) {
      stop = 0;
      FakeExecutor executor(1, 0, change);
      const auto ok = c->run(
          {.trials = 8}, executor, [&] { return stop; }, kNoView);
      ASSERT_TRUE(ok) << ok.error().message;
    }
    EXPECT_GE(trainings, 2);
    const auto& trials = c->population().trials();
    EXPECT_TRUE(std::all_of(trials.begin(), trials.end(), [](const evolve::Trial& t) { return t.ended; }));
    EXPECT_TRUE(std::any_of(trials.begin(), trials.end(), [](const evolve::Trial& t) {
      return t.status != record::Status::kDone && t.begun.anew;
    }));
  }
}

// The last runs of a budget of runs are tried as often as others.
TEST(Campaign, TheLastRunOfABudgetIsStartedAgain) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  constexpr std::int64_t kRuns = 3;
  int kills = 0;
  FakeExecutor executor(1, 0, [&](const record::TrialSpec&, record::TrialResult&, jobs::JobEnd& end) {
    if (static_cast<std::int64_t>(c->population().trials().size()) == kRuns && kills < 2) {
      ++kills;
      end.kind = jobs::JobEnd::Kind::kCrash;
      end.cause = "killed by signal 9";
    }
  });
  ASSERT_TRUE(c->run({.trials = kRuns}, executor, kNeverStop, kNoView));
  EXPECT_EQ(kills, 2);
  ASSERT_EQ(c->population().trials().size(), static_cast<std::size_t>(kRuns));
  EXPECT_TRUE(c->population().trials().back().ended);
  EXPECT_EQ(c->population().trials().back().status, record::Status::kDone);
}

// A machine on which nothing can be screened refuses no draw: the session ends, and the next one continues.
TEST(Campaign, ABrokenScreenerRefusesNoDraw) {
  SKIP_UNDER_SANITIZERS();
  struct Broken : QuickScreener {
    explicit Broken(const bool& is_broken) : is_broken_(is_broken) {}
    Result<record::DesignCreated> screen(const evolve::Offspring& offspring,
                                         const evolve::Population& population) override {
      if (is_broken_) return fail("screener", "no program can be screened: exited with code 127");
      return QuickScreener::screen(offspring, population);
    }
    Result<std::vector<evolve::Ablation>> ablations(const lang::Program& program,
                                                    const lang::Program* ancestor) override {
      if (is_broken_) return fail("screener", "no program can be screened: exited with code 127");
      return QuickScreener::ablations(program, ancestor);
    }
    const bool& is_broken_;
  };
  const Folder folder;
  bool is_broken = false;
  const auto screener = [&] { return std::make_shared<Broken>(is_broken); };
  auto c = Campaign::create({folder / "run"}, small_plan(), screener);
  ASSERT_TRUE(c) << c.error().message;
  int started = 0;
  const auto change = [&](const record::TrialSpec&, record::TrialResult&, jobs::JobEnd&) {
    is_broken = is_broken || ++started == 12;
  };
  FakeExecutor broken(1, 0, change);
  const auto why = c->run({.trials = 60}, broken, kNeverStop, kNoView);
  ASSERT_FALSE(why);
  EXPECT_EQ(why.error().code, "screener") << why.error().message;
  const auto attempts = c->population().attempts();
  EXPECT_LT(attempts, 200);
  is_broken = false;
  FakeExecutor healthy(1, 0, change);
  const auto then = c->run({.trials = 60}, healthy, kNeverStop, kNoView);
  ASSERT_TRUE(then) << then.error().message;
  EXPECT_GT(c->population().attempts(), attempts);
  const auto store = store::Store::read(folder / "run/campaign.db");
  ASSERT_TRUE(store);
  for (const store::Store::Count& refused : store->refusals())
    EXPECT_EQ(refused.cause.find("screen"), std::string::npos) << refused.cause;
}

// A run that needs more memory than the plan allows is its design's failure.
TEST(Campaign, TheMemoryLimitOfThePlanCountsAgainstTheDesign) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  CampaignPlan plan = plan_of_user_design();
  plan.settings.worker_bytes = 1 << 30;
  auto c = Campaign::create({folder / "run"}, plan, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  std::map<std::string, int> started;
  FakeExecutor executor(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
    EXPECT_FALSE(is_machine_check(spec));
    if (!is_known(spec)) ++started[spec.folder], r = {}, r.error = record::Cause::kMemory;
  });
  ASSERT_TRUE(c->run({}, executor, kNeverStop, kNoView));
  EXPECT_FALSE(started.empty());
  for (const auto& [run, starts] : started) EXPECT_EQ(starts, 1);
}

// A baseline whose worker is killed now and then is no reason to end a session.
TEST(Campaign, ABaselineThatIsKilledIsStartedAgain) {
  SKIP_UNDER_SANITIZERS();
  for (const int kills : {2, 3}) {
    const Folder folder;
    auto c = Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    std::map<std::string, int> killed;
    FakeExecutor executor(1, 0,
                          [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
                            if (is_known(spec) && killed[spec.folder]++ < kills)
                              end_badly(Ending::kKilled, r, ended);
                          });
    EXPECT_EQ(c->run({}, executor, kNeverStop, kNoView).has_value(), kills < 3);
    for (const evolve::Trial& t : c->population().trials())
      EXPECT_FALSE(t.ended && t.status == record::Status::kFailed) << t.cause;
  }
}

// A run needs more of the disk than a check: the checkpoint before and the next one. Without this room it is
// not begun, and its failure is not its design's, although the check works.
TEST(Campaign, ADiskWithRoomForAFewStepsJudgesNoDesign) {
  SKIP_UNDER_SANITIZERS();
  constexpr std::uint64_t kKept = 64 << 20;          // bytes that stay free
  for (const bool is_full_before : {true, false}) {  // before the run or only after it
    const Folder folder;
    CampaignPlan plan = plan_of_user_design();
    plan.settings.rungs.resize(1);
    const auto checkpoint = static_cast<std::uint64_t>(12 * plan.settings.rungs[0].params);
    auto c = Campaign::create({folder / "run"}, plan, quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    int checks = 0;
    FakeExecutor executor(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
      checks += is_machine_check(spec);
      if (is_known(spec)) return;
      executor.free = kKept + checkpoint;
      r = {}, r.cause = "cannot write: No space left on device", r.error = record::Cause::kIo;
    });
    executor.free = kKept + 2 * checkpoint - (is_full_before ? 1 : 0);
    const auto why = c->run({}, executor, kNeverStop, kNoView);
    ASSERT_FALSE(why);
    EXPECT_NE(why.error().message.find("MiB are left on the disk"), std::string::npos) << why.error().message;
    EXPECT_EQ(checks, is_full_before ? 0 : 1);
    for (const evolve::Trial& t : c->population().trials())
      EXPECT_FALSE(t.ended && t.status == record::Status::kFailed) << t.cause;
  }
}

// Runs in progress will write their checkpoints too.
TEST(Campaign, NeedsRoomOnTheDiskForAllRunsInProgress) {
  SKIP_UNDER_SANITIZERS();
  for (const int runs : {1, 2}) {
    const Folder folder;
    CampaignPlan plan = plan_of_user_design();
    plan.settings.rungs.resize(1);
    auto c = Campaign::create({folder / "run"}, plan, quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    FakeExecutor executor(2);
    executor.free = (64 << 20) + static_cast<std::uint64_t>(runs * 24 * plan.settings.rungs[0].params);
    EXPECT_EQ(c->run({.trials = 8}, executor, kNeverStop, kNoView).has_value(), runs == 2);
  }
}

// A full disk may kill a worker before it is reported. The report counts as the first one, however often the
// run was started.
TEST(Campaign, ACrashDoesNotCountAsAReportOfTheMachine) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  std::map<std::string, int> started;
  FakeExecutor executor(
      1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
        if (is_known(spec)) return;
        const int start = ++started[spec.folder];
        if (start == 1)
          ended.kind = jobs::JobEnd::Kind::kCrash,
          ended.cause = "the worker was terminated by signal 9 (Killed)";
        if (start == 2)
          r = {}, r.cause = "cannot write: No space left on device", r.error = record::Cause::kIo;
      });
  for (int session = 0; session < 20; ++session) {
    auto c = session == 0 ? Campaign::create({folder / "run"}, plan_of_user_design(), quick_screener)
                          : Campaign::open({folder / "run"}, quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    const bool has_ended_in_order = c->run({}, executor, kNeverStop, kNoView).has_value();
    for (const evolve::Trial& t : c->population().trials())
      EXPECT_FALSE(t.ended && t.status == record::Status::kFailed) << t.cause;
    if (has_ended_in_order) return;
  }
  ADD_FAILURE() << "no session ended in order";
}

// A baseline that an anchor refuses at every rung has no runs in the comparison, and the verdict says so. The
// winner's ablations have as many seeds as the winner. An implausibly large lead is no claim before two more
// runs pass every check at every position.
TEST(Campaign, AnImplausibleLeadHasItsChecksRepeated) {
  SKIP_UNDER_SANITIZERS();
  for (const bool holds : {true, false}) {
    const Folder folder;
    const CampaignPlan plan = plan_of_user_design();
    auto c = Campaign::create({folder / "run"}, plan, quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    int checks = 0;
    FakeExecutor executor(2, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
      set_score(r, (is_known(spec) ? 2.6 : 1.1) + 0.001 * Random(hash64(spec.program) + spec.seed).normal());
      r.status = record::Status::kDone;
      if (!spec.thorough) return;
      ++checks;
      EXPECT_EQ(spec.length, c->plan().settings.rungs.back().length);
      EXPECT_TRUE(spec.hurdles.empty());
      if (!holds) r.status = record::Status::kRefused, r.cause = "future: position 201 moves";
    });
    ASSERT_TRUE(c->run({}, executor, kNeverStop, kNoView));
    // A verdict run is repeated once after numbers that may have been the machine's fault.
    EXPECT_EQ(checks, (holds ? 1 : 2) * evolve::kRechecks);
    const auto store = store::Store::read(folder / "run/campaign.db");
    ASSERT_TRUE(store);
    const std::string status = *status_text(*store);
    EXPECT_EQ(status.find("They held in 2 such runs.") != std::string::npos, holds) << status;
    EXPECT_EQ(status.find("They did not hold: refused on seed") != std::string::npos, !holds) << status;
    EXPECT_EQ(status.find("is held back") != std::string::npos, !holds) << status;
  }
}

TEST(Campaign, TheVerdictNamesARefusedBaseline) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  const CampaignPlan plan = plan_of_user_design();
  auto c = Campaign::create({folder / "run"}, plan, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  const auto change = [](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
    const bool mine =
        spec.program.find("Block(mixer=Retention, norm=LayerNorm), RMSNorm") != std::string::npos;
    const double bits = is_known(spec) ? 2.55 : mine ? 2.5 : 2.6;
    set_score(r, bits + 0.001 * Random(hash64(spec.program) + spec.seed).normal());
    r.status = record::Status::kDone;
    if (spec.program.find("design GPT2") != std::string::npos)
      r.status = record::Status::kRefused, r.cause = "better than bigrams: 2.9 of 2.8 bits";
  };
  FakeExecutor executor(2, 0, change);
  ASSERT_TRUE(c->run({}, executor, kNeverStop, kNoView));
  const evolve::Population& p = c->population();
  ASSERT_EQ(p.comparisons().size(), 1U);
  const int seeds = p.comparisons()[0].seeds;
  int ablations = 0, parts = 0;
  for (const evolve::Trial& t : p.trials()) {
    ablations += t.begun.purpose == Purpose::kAblation;
    if (t.begun.purpose == Purpose::kFinal) {
      EXPECT_NE(p.individual(t.begun.design).created.name, "GPT2");
    }
  }
  for (const evolve::Individual& i : p.individuals()) parts += is_ablation(i);
  EXPECT_GT(parts, 0);
  EXPECT_EQ(ablations, parts * seeds);
  const auto reading = read_record(*store::Store::read(folder / "run/campaign.db"));
  ASSERT_TRUE(reading);
  const CampaignVerdict v = verdict(*reading);
  EXPECT_TRUE(v.outcome.stands());
  EXPECT_NE(
      v.sentence.find(
          "is ahead of the 1 of 2 baselines that could be trained at top; against the best of them, RetNet"),
      std::string::npos)
      << v.sentence;
  EXPECT_NE(v.sentence.find("GPT2 could not be trained: refused on seed 1: better than bigrams"),
            std::string::npos)
      << v.sentence;
  EXPECT_EQ(v.duels.size(), 2U);
  ASSERT_EQ(unscored(reading->population, 2).size(), 1U);
  EXPECT_TRUE(unscored(reading->population, 2)[0].why.starts_with(
      "refused on seed 1: better than bigrams: 2.9 of 2.8 bits"));
}

// A program may contain any text: quotes, and lines that look like the plan's own.
TEST(Campaign, APlanIsReadBackWithAnyProgram) {
  CampaignPlan plan = small_plan();
  plan.user_programs = {"# settings\n# \"\"\" \'\'\' \\\n\n# settings\ndesign Mine:\n    stack = [Block]\n",
                        "#\ttab \u00e9\n"};
  const auto again = parse_plan({to_toml(plan), plan.seed, "1"});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->user_programs, plan.user_programs);
  EXPECT_EQ(again->settings.rungs.size(), plan.settings.rungs.size());
}

// With several workers, runs of the search are in progress when the final comparison is due, and any of them
// may become the leader.
TEST(Campaign, TheLastComparisonBeginsOnceWhenTheSearchIsOver) {
  SKIP_UNDER_SANITIZERS();
  for (const int slots : {2, 3}) {
    const Folder folder;
    auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    // The latest run scores best, so that each run of the search that ends changes the leader.
    FakeExecutor executor(slots, 0, [](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
      if (!is_machine_check(spec) && r.status == record::Status::kDone)
        set_score(r, 3 - 0.001 * std::stod(std::filesystem::path(spec.folder).filename()));
    });
    const auto why = c->run({.trials = 48}, executor, kNeverStop, kNoView);
    ASSERT_TRUE(why) << why.error().message;
    const evolve::Population& p = c->population();
    const auto store = store::Store::read(folder / "run/campaign.db");
    ASSERT_TRUE(store);
    std::set<std::int64_t> searched, leaders;  // search runs in progress; winners that were compared
    std::int64_t missing = 0;                  // comparison runs that have not ended
    for (const auto& [time, event] : store->events(1, 10'000)) {
      if (const auto* ended = std::get_if<record::TrialEnded>(&event)) {
        searched.erase(ended->id);
        missing -= p.trial(ended->id).begun.purpose == Purpose::kFinal ? 1 : 0;
      }
      if (const auto* comparison = std::get_if<record::ComparisonBegun>(&event))
        missing = comparison->seeds * (1 + static_cast<std::int64_t>(evolve::compared_with(p).size()));
      const auto* begun = std::get_if<record::TrialBegun>(&event);
      if (!begun || begun->purpose == Purpose::kAblation || begun->purpose == Purpose::kBaseline) continue;
      if (begun->purpose != Purpose::kFinal) {
        EXPECT_EQ(missing, 0) << "run " << begun->id << " of the search before the comparison was complete";
        searched.insert(begun->id);
        continue;
      }
      EXPECT_TRUE(searched.empty()) << "run " << begun->id << " of the comparison beside the search";
      if (is_candidate(p.individual(begun->design))) leaders.insert(begun->design);
    }
    EXPECT_EQ(leaders, (std::set<std::int64_t>{evolve::leader(p).design}));
  }
}

TEST(Campaign, WarnsFromTheStartOfABudgetThatCannotDecide) {
  SKIP_UNDER_SANITIZERS();
  const auto warnings = [](const CampaignPlan& plan, const Budget& budget, int microseconds) {
    const Folder folder;
    std::set<std::string> out;
    auto c = Campaign::create({folder / "run"}, plan, quick_screener);
    EXPECT_TRUE(c) << c.error().message;
    FakeExecutor executor(1, microseconds);  // runs report that they took a second
    const auto why = c->run(budget, executor, kNeverStop, [&](const Snapshot& s) {
      out.insert(s.warning);
      if (!s.warning.empty()) {
        EXPECT_EQ(view_lines(s)[1], s.warning);
      }
    });
    EXPECT_TRUE(why) << why.error().message;
    return out;
  };
  // Three designs on three seeds, with 0.4 of the budget, take 22.5 runs.
  const std::string needs = "too short to decide: a verdict needs at least 3 fresh seeds of 3 designs, but ";
  EXPECT_EQ(warnings(small_plan(), {.trials = 22}, 0),
            (std::set<std::string>{needs + "of 22 runs 8 are left for it; use --trials 23 or more"}));
  EXPECT_EQ(warnings(small_plan(), {.trials = 23}, 0), (std::set<std::string>{""}));
  // Searches for rates take four runs of the leader, and four to eight of each design that it is compared
  // with: 9 + 4 + 2 * 8 of 0.4 of the budget are enough.
  CampaignPlan tuned = small_plan();
  tuned.settings.tune_rates = true;
  for (const std::string& warning : warnings(tuned, {.trials = 35}, 0))
    EXPECT_NE(warning.find(" runs for learning rates, but of 35 runs 14 are left for it; use --trials "),
              std::string::npos)
        << warning;
  EXPECT_EQ(warnings(tuned, {.trials = 73}, 0), (std::set<std::string>{""}));
  const auto minutes = warnings(small_plan(), {.minutes = 0.1}, 100'000);
  EXPECT_TRUE(minutes.contains(needs + "0.1 minutes leave time for 2 runs at low; use --minutes 1 or more"))
      << (minutes.empty() ? "" : *minutes.rbegin());
  CampaignPlan few = small_plan();
  few.settings.strategies.clear();
  few.user_programs = {"design Mine:\n    stack = [2 * Block(mixer=Retention, norm=LayerNorm), RMSNorm]\n"};
  EXPECT_EQ(warnings(few, {.trials = 9}, 0), (std::set<std::string>{""}));
}

TEST(Campaign, SearchesOnWithMoreBudgetAfterACompleteComparison) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  const auto runs = [&] { return static_cast<std::int64_t>(c->population().trials().size()); };
  const auto run_to = [&](std::int64_t trials) {
    FakeExecutor executor;
    const auto why = c->run({.trials = trials}, executor, kNeverStop, kNoView);
    EXPECT_TRUE(why) << why.error().message;
  };
  const auto is_complete = [&] {
    const evolve::Population& p = c->population();
    const record::ComparisonBegun* begun = evolve::comparison_of(p, evolve::leader(p));
    return begun && evolve::outcome_of(p, *begun).complete && !evolve::next_run(p, 1, evolve::Phase::kFinal);
  };
  for (run_to(30); !is_complete() && runs() < 100;) run_to(runs() + 1);
  ASSERT_TRUE(is_complete());
  const std::int64_t before = runs();
  run_to(before + 3);  // fewer runs than another comparison would take
  EXPECT_EQ(runs(), before + 3);
  EXPECT_NE(c->population().trial(before + 1).begun.purpose, Purpose::kFinal);
}

TEST(Campaign, AllStrategiesMayBreedFromAUserDesign) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  CampaignPlan plan = small_plan();
  plan.settings.strategies = {"adaptive", "tournament"};
  plan.user_programs = {"design Mine:\n    stack = [2 * Block(mixer=Retention, norm=LayerNorm), RMSNorm]\n"};
  auto c = Campaign::create({folder / "run"}, plan, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  FakeExecutor executor;
  ASSERT_TRUE(c->run({.trials = 60}, executor, kNeverStop, kNoView));
  const auto given = std::find_if(c->population().individuals().begin(), c->population().individuals().end(),
                                  evolve::is_user_design);
  ASSERT_NE(given, c->population().individuals().end());
  std::set<std::string> strategies;
  for (const evolve::Individual& i : c->population().individuals())
    if (i.created.parent == given->created.id && !is_ablation(i)) strategies.insert(i.created.strategy);
  EXPECT_EQ(strategies, (std::set<std::string>{"adaptive", "tournament"}));
}

TEST(Campaign, OneWorkerAndOneSeedGiveOneCampaign) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  const std::string a = whole_story(folder / "a", 30), b = whole_story(folder / "b", 30);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, whole_story(folder / "c", 30, 2));
}

TEST(Campaign, IsTheSameWhenStoppedAndResumed) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  const std::string whole = whole_story(folder / "whole", 40);
  ASSERT_TRUE(Campaign::create({folder / "parts"}, small_plan(), quick_screener));
  for (int part = 0; part < 200; ++part) {
    auto c = Campaign::open({folder / "parts"}, quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    FakeExecutor executor;
    const auto why = c->run(
        {.trials = 40}, executor, [&] { return executor.started > part % 3 ? 1 : 0; }, kNoView);
    ASSERT_TRUE(why) << why.error().message;
    if (*why == record::SessionEnd::kSignal) continue;
    EXPECT_EQ(story(c->population()), whole);
    EXPECT_GT(part, 10);
    return;
  }
  FAIL() << "the campaign does not come to its end";
}

// A process that is killed at any moment loses nothing and counts nothing twice.
TEST(Campaign, IsTheSameWhenKilledFiftyTimes) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  constexpr std::int64_t kTrials = 100;
  const std::string whole = whole_story(folder / "whole", kTrials);
  ASSERT_TRUE(Campaign::create({folder / "killed"}, small_plan(), quick_screener));
  Random random(5);
  int kills = 0;
  for (int round = 0; round < 2000; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto c = Campaign::open({folder / "killed"}, quick_screener);
      if (!c) _exit(3);
      FakeExecutor executor(1, 2000);
      const auto why = c->run({.trials = kTrials}, executor, kNeverStop, kNoView);
      _exit(why ? 0 : 4);
    }
    // The delay grows with each round, so that slow machines finish too.
    usleep(static_cast<useconds_t>(random.below(20'000 + 2'000 * round)));
    ::kill(child, kills < 50 ? SIGKILL : 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
      ++kills;
      continue;
    }
    ASSERT_EQ(WEXITSTATUS(status), 0);
    if (kills >= 50) break;
    // The campaign ended before it was killed often enough. The remaining kills hit a finished campaign.
  }
  EXPECT_GE(kills, 50);
  auto c = Campaign::open({folder / "killed"}, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(story(c->population()), whole);
}

// A limit on file sizes has the same effect as a full disk.
TEST(Campaign, AFullDiskEndsTheSessionAndItResumesWhenThereIsRoom) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  const std::string whole = whole_story(folder / "whole", 30);
  ASSERT_TRUE(Campaign::create({folder / "full"}, small_plan(), quick_screener));
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{200'000, 200'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    auto c = Campaign::open({folder / "full"}, quick_screener);
    if (!c) _exit(3);
    FakeExecutor executor;
    const auto why = c->run({.trials = 30}, executor, kNeverStop, kNoView);
    if (why) _exit(4);  // the error was not noticed
    _exit(why.error().message.find("full") != std::string::npos ||
                  why.error().hint.find("full") != std::string::npos
              ? 0
              : 5);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  auto c = Campaign::open({folder / "full"}, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_LT(c->population().trials().size(), 30U);
  FakeExecutor executor;
  const auto why = c->run({.trials = 30}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_EQ(story(c->population()), whole);
}

// Recorded times lie in the future of later events.
TEST(Campaign, AClockThatIsSetBackChangesNothing) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  const std::string whole = whole_story(folder / "whole", 30);
  {
    auto c = Campaign::create({folder / "back"}, small_plan(), quick_screener);
    ASSERT_TRUE(c);
    FakeExecutor executor;
    ASSERT_TRUE(c->run(
        {.trials = 30}, executor, [&] { return executor.started > 14 ? 1 : 0; }, kNoView));
  }
  {
    auto db =
        sqlite::Connection::open(CampaignPaths{folder / "back"}.store(), sqlite::Connection::Mode::kWrite);
    ASSERT_TRUE(db);
    ASSERT_TRUE((*db)->script("UPDATE event SET time = time + 1e7"));
  }
  auto c = Campaign::open({folder / "back"}, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  FakeExecutor executor;
  ASSERT_TRUE(c->run({.trials = 30}, executor, kNeverStop, kNoView));
  EXPECT_EQ(story(c->population()), whole);
  auto record = store::Store::read(CampaignPaths{folder / "back"}.store());
  ASSERT_TRUE(record);
  const auto reading = read_record(*record);
  ASSERT_TRUE(reading);
  EXPECT_GE(reading->seconds, 0);
  EXPECT_LT(reading->seconds, 3600);
}

TEST(Campaign, ASeedThatIsTooLargeIsRefused) {
  const Folder folder;
  CampaignPlan plan = small_plan();
  plan.seed = ~std::uint64_t{0} - 1000;
  const auto c = Campaign::create({folder / "run"}, plan, quick_screener);
  ASSERT_FALSE(c);
  EXPECT_NE(c.error().message.find("the largest is"), std::string::npos);
}

TEST(Campaign, ASecondProcessIsRefused) {
  const Folder folder;
  auto first = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(first);
  auto second = Campaign::open({folder / "run"}, quick_screener);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another campaign"), std::string::npos) << second.error().message;
  EXPECT_FALSE(Campaign::create({folder / "run"}, small_plan(), quick_screener));
  EXPECT_TRUE(Campaign::is_open({folder / "run"}));
  // No file in the folder is the lock: each may be removed or replaced.
  const std::string record = folder / "run/campaign.db";
  for (const auto& entry : std::filesystem::directory_iterator(folder / "run"))
    if (entry.is_regular_file() && entry.path() != record) std::filesystem::remove(entry.path());
  EXPECT_FALSE(Campaign::open({folder / "run"}, quick_screener));
  std::filesystem::copy_file(record, record + ".copy");
  std::filesystem::rename(record + ".copy", record);
  EXPECT_FALSE(Campaign::open({folder / "run"}, quick_screener));
  std::filesystem::remove(record);
  EXPECT_FALSE(Campaign::create({folder / "run"}, small_plan(), quick_screener));
  EXPECT_FALSE(Campaign::open({folder / "nowhere"}, quick_screener));
}

TEST(Campaign, RecordsRunsThatFailAndContinues) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c);
  int count = 0;
  FakeExecutor executor(
      1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
        if (spec.program.find("design GPT2") != std::string::npos ||
            spec.program.find("design RetNet") != std::string::npos)
          return;
        using Kind = jobs::JobEnd::Kind;
        switch (++count % 6) {
          case 0:
            ended.kind = Kind::kTimeLimit, ended.cause = "time limit: 300 s";
            break;
          case 1:
            ended.kind = Kind::kMemoryLimit, ended.cause = "memory limit: 4 GiB";
            break;
          case 2:
            ended.kind = Kind::kCrash, ended.cause = "killed by signal 11";
            break;
          case 3:
            r.status = record::Status::kFailed, r.cause = "not finite: the loss is NaN at step 3";
            break;
          case 4:
            ended.result = record::to_json(r).substr(0, 40);
            break;  // truncated
          default:
            break;
        }
      });
  const auto why = c->run({.trials = 60}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  int failed = 0, done = 0;
  for (const evolve::Trial& t : c->population().trials()) {
    EXPECT_TRUE(t.ended);
    failed += t.status == record::Status::kFailed;
    done += t.status == record::Status::kDone;
    if (t.status == record::Status::kFailed) {
      EXPECT_FALSE(t.cause.empty());
    }
  }
  EXPECT_GT(failed, 10);
  EXPECT_GT(done, 5);
}

// Tokens share the work on parameters alone: where the tokens of a step are fewer, each bears more of it.
TEST(Campaign, CostsMayGrowAsTheTokensOfAStepDecrease) {
  SKIP_UNDER_SANITIZERS();
  // Returns how many runs at the second rung were done, and how many were refused for their cost, if they
  // report `factor` times the cost of the first rung.
  const auto done_and_refused = [](double factor) {
    CampaignPlan plan = small_plan();
    plan.settings.rungs[0].sequences = 64;
    plan.settings.rungs[1].sequences = 1;
    const Folder folder;
    auto c = Campaign::create({folder / "run"}, plan, quick_screener);
    EXPECT_TRUE(c);
    const double known = 6 * 20e3;
    FakeExecutor executor(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
      if (spec.params == 40'000 && !is_known(spec)) r.train_flops_per_token = factor * known;
    });
    EXPECT_TRUE(c->run({.trials = 40}, executor, kNeverStop, kNoView));
    int done = 0, refused = 0;
    for (const evolve::Trial& t : c->population().trials()) {
      if (t.begun.rung != 1) continue;
      done += t.status == record::Status::kDone;
      refused += t.cause.find("FLOPs per token, but the design has") != std::string::npos;
    }
    return std::pair{done, refused};
  };
  // Tolerance 8, twice the parameters, twice the depth, and 64 times fewer tokens in a step are allowed.
  const auto [done, refused] = done_and_refused(8 * 2 * 2 * 60);
  EXPECT_GT(done, 0);
  EXPECT_EQ(refused, 0);
  EXPECT_GT(done_and_refused(8 * 2 * 2 * 70).second, 0);
}

// A worker's result is not trusted: impossible numbers make it invalid, whatever its status is.
TEST(Campaign, AnImpossibleResultIsRefused) {
  SKIP_UNDER_SANITIZERS();
  const std::vector<std::function<void(record::TrialResult&)>> lies{
      [](record::TrialResult& r) { r.bits_per_byte = -5; },
      [](record::TrialResult& r) { r.bits_per_byte = NAN; },
      [](record::TrialResult& r) { r.bits_per_byte = 1e308; },
      [](record::TrialResult& r) { r.tokens = 1; },
      [](record::TrialResult& r) { r.params *= 2; },
      [](record::TrialResult& r) {
        r.anchors[11] = {"future", false, "it reads ahead"};
      },
      [](record::TrialResult& r) { r.anchors.pop_back(); },
      [](record::TrialResult& r) { r.curve.back().recent = -1e300; },
      [](record::TrialResult& r) { r.bigram_bits_per_byte = 1e-12; },
      [](record::TrialResult& r) { r.valid_documents = 999; },
      [](record::TrialResult& r) { r.train_flops_per_token = -1e30; },
      [](record::TrialResult& r) { r.bits_low = r.bits_high = NAN; },
      [](record::TrialResult& r) { r.bits_low = r.bits_per_byte + 0.1; },
      [](record::TrialResult& r) { r.text_hash = "another"; },
      [](record::TrialResult& r) { r.documents.clear(); },
      [](record::TrialResult& r) {
        r.documents = {{r.bits_per_byte + 1, 1000}};
      },
      [](record::TrialResult& r) {
        r.status = record::Status::kDone;
        r.held_out_hash.clear();
      },
      [](record::TrialResult& r) { r.train_flops_per_token = 1e308; },
      [](record::TrialResult& r) { r.tokens = std::int64_t{1} << 60; },
      [](record::TrialResult& r) {
        r.status = record::Status::kDone;
        r.rate *= 2;
      },
      [](record::TrialResult& r) {
        r.status = record::Status::kDone;
        r.documents.front().bytes = 0;
      },
      [](record::TrialResult& r) {
        r.status = record::Status::kDone;
        r.documents = {{r.bits_per_byte, 500}, {r.bits_per_byte, 1000}};
      },
      [](record::TrialResult& r) {
        r.status = record::Status::kHurdle;
        for (record::Point& p : r.curve) p.recent = 1e-300;
      },
      [](record::TrialResult& r) {
        r.status = record::Status::kHurdle;
        r.curve.back().recent = INFINITY;
      },
      [](record::TrialResult& r) {
        r.status = record::Status::kFailed;
        for (record::Point& p : r.curve) p.loss = p.recent = 1e-300;
      }};
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c);
  std::map<std::string, std::size_t> lie_of;  // by run
  FakeExecutor executor(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
    if (is_known(spec)) return;
    lies[lie_of.emplace(spec.folder, lie_of.size()).first->second % lies.size()](r);
  });
  const auto why = c->run({.trials = 70}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  const std::size_t count = lie_of.size();
  EXPECT_GE(count, lies.size());
  std::size_t failed = 0;
  for (const evolve::Trial& t : c->population().trials())
    failed += t.cause.find("inconsistent result") != std::string::npos;
  EXPECT_EQ(failed, count);
}

// Unknown fields of a result do not get into the record.
TEST(Campaign, RecordsOnlyKnownFieldsOfAResult) {
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c);
  FakeExecutor executor(1, 0, [&](const record::TrialSpec&, record::TrialResult& r, jobs::JobEnd& ended) {
    ended.result = record::to_json(r);
    ended.result.insert(1, "\"padding\": \"" + std::string(100'000, 'x') + "\", ");
  });
  ASSERT_TRUE(c->run({.trials = 6}, executor, kNeverStop, kNoView));
  const auto store = store::Store::read(folder / "run/campaign.db");
  ASSERT_TRUE(store);
  int ended = 0;
  for (const auto& [time, event] : store->events(1, 1000))
    if (const auto* e = std::get_if<record::TrialEnded>(&event)) {
      EXPECT_EQ(e->end, record::RunEnd::kResult);
      EXPECT_LT(e->result.size(), 20'000U);
      ++ended;
    }
  EXPECT_GE(ended, 6);
}

// The design that a worker trained is identified by its hash. A record may hold hashes of an earlier version,
// or none; then they are computed again.
TEST(Campaign, AResultOfAnotherDesignIsRefused) {
  SKIP_UNDER_SANITIZERS();
  for (const bool has_current_hashes : {true, false}) {
    const Folder folder;
    auto c = Campaign::create({folder / "run"}, small_plan(),
                              [&] { return std::make_shared<HashingScreener>(has_current_hashes); });
    ASSERT_TRUE(c);
    std::set<std::string> liars;  // runs
    std::size_t lies = 0, honest = 0;
    FakeExecutor executor(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
      r.hash = HashingScreener::hash_of(spec.program);
      if (!liars.contains(spec.folder) &&
          (is_known(spec) || r.status != record::Status::kDone || honest < lies)) {
        honest += is_known(spec) ? 0 : 1;
        return;
      }
      r.hash = "another";
      liars.insert(spec.folder);
      lies = liars.size();
    });
    const auto why = c->run({.trials = 70}, executor, kNeverStop, kNoView);
    ASSERT_TRUE(why) << why.error().message;
    std::size_t failed = 0, done = 0;
    for (const evolve::Trial& t : c->population().trials()) {
      failed +=
          t.cause.find("inconsistent result: it trained the design with hash another") != std::string::npos;
      done += t.status == record::Status::kDone || t.status == record::Status::kHurdle;
    }
    EXPECT_GE(lies, 3U);
    EXPECT_EQ(failed, lies) << has_current_hashes;
    EXPECT_EQ(done, c->population().trials().size() - lies) << has_current_hashes;
  }
}

// A worker's report about the machine is the report of one design: its run is tried twice at most.
TEST(Campaign, OneDesignThatBlamesTheMachineEndsNoSession) {
  for (const int slots : {1, 2}) {
    const Folder folder;
    auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
    ASSERT_TRUE(c);
    std::string liar;
    int lies = 0;
    FakeExecutor executor(slots, 0,
                          [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
                            if (is_known(spec)) return;
                            if (liar.empty()) liar = spec.program;
                            if (spec.program != liar) return;
                            r.status = record::Status::kFailed, r.cause = "no space left on device";
                            r.error = record::Cause::kIo;
                            ++lies;
                          });
    const auto why = c->run({.trials = 30}, executor, kNeverStop, kNoView);
    ASSERT_TRUE(why) << why.error().message;
    EXPECT_EQ(lies, 2);
    int failed = 0;
    for (const evolve::Trial& t : c->population().trials()) {
      EXPECT_TRUE(t.ended);
      failed += t.status == record::Status::kFailed;
    }
    EXPECT_EQ(failed, 1);
  }
}

// Ways in which a worker blames the machine: by an error, or by another text than that of other runs.
enum class Blame : std::uint8_t { kReport, kTrainingText, kHeldOutText };
const std::pair<Blame, record::Cause> kBlames[] = {
    {Blame::kReport, record::Cause::kIo},         {Blame::kReport, record::Cause::kCorpus},
    {Blame::kReport, record::Cause::kFormat},     {Blame::kReport, record::Cause::kTokenizer},
    {Blame::kReport, record::Cause::kDevice},     {Blame::kReport, record::Cause::kPython},
    {Blame::kTrainingText, record::Cause::kNone}, {Blame::kHeldOutText, record::Cause::kNone}};
// Makes a worker report a failure of the machine. Returns false if this result cannot show one.
bool blame_machine(Blame how, record::Cause error, record::TrialResult& r) {
  if (how == Blame::kHeldOutText) {
    r.held_out_hash = "another";
    return r.status == record::Status::kDone;
  }
  if (how == Blame::kTrainingText) {
    r.status = record::Status::kRefused, r.cause = "text: consumed one, the corpus holds another";
    for (record::Anchor& a : r.anchors) a.holds = a.name != "text";
  } else {
    r = {}, r.cause = "the machine is at fault", r.error = error;
  }
  return true;
}

// Several such designs do not block the campaign either, whatever they report: where a known architecture can
// be trained, each run is tried twice.
TEST(Campaign, DesignsThatBlameTheMachineEndNoSession) {
  SKIP_UNDER_SANITIZERS();
  for (const auto& [how, error] : kBlames)
    for (const bool all : {true, false}) {
      const Folder folder;
      auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
      ASSERT_TRUE(c) << c.error().message;
      std::map<std::string, int> lies;
      FakeExecutor executor(
          all ? 1 : 3, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
            if (!is_known(spec) && (all || hash64(spec.program) % 3 == 0) && blame_machine(how, error, r))
              ++lies[spec.folder];
          });
      const auto why = c->run({.trials = 14}, executor, kNeverStop, kNoView);
      ASSERT_TRUE(why) << why.error().message;
      EXPECT_GE(lies.size(), all ? 2U : 1U);
      for (const auto& [run, count] : lies) EXPECT_EQ(count, 2);
      std::size_t lost = 0;
      for (const evolve::Trial& t : c->population().trials()) {
        EXPECT_TRUE(t.ended);
        lost += t.status == record::Status::kFailed || t.status == record::Status::kRefused;
      }
      EXPECT_EQ(lost, lies.size());
    }
}

// If the machine is at fault, the session ends with the reason, and no design is judged by it.
TEST(Campaign, AFaultyMachineJudgesNoDesign) {
  SKIP_UNDER_SANITIZERS();
  for (const auto& [how, error] : kBlames) {
    const Folder folder;
    for (const bool is_broken : {true, false}) {
      auto c = is_broken ? Campaign::create({folder / "run"}, small_plan(), quick_screener)
                         : Campaign::open({folder / "run"}, quick_screener);
      ASSERT_TRUE(c) << c.error().message;
      FakeExecutor executor(2, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
        if (is_broken && (!is_known(spec) || is_machine_check(spec))) blame_machine(how, error, r);
      });
      const auto why = c->run({.trials = 20}, executor, kNeverStop, kNoView);
      ASSERT_EQ(why.has_value(), !is_broken);
      if (!why) {
        EXPECT_NE(why.error().message.find("no run can be trained: run "), std::string::npos)
            << why.error().message;
        EXPECT_NE(why.error().hint.find("gabbro resume"), std::string::npos);
      }
      for (const evolve::Trial& t : c->population().trials()) {
        EXPECT_FALSE(t.ended && t.status == record::Status::kFailed) << t.cause;
        EXPECT_NE(t.status, record::Status::kRefused) << t.cause;
        EXPECT_NE(t.held_out_hash, "another");
      }
    }
  }
}

// The first run to end does not determine which text is correct.
TEST(Campaign, RunsOnAnotherTextMakeNoPairAndRefuseNoOthers) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c);
  FakeExecutor executor(2, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
    if (!is_known(spec)) r.text_hash = "another", set_score(r, 0.5);
  });
  ASSERT_TRUE(c->run({.trials = 40}, executor, kNeverStop, kNoView));
  const evolve::Population& p = c->population();
  for (const evolve::Trial& t : p.trials())
    if (evolve::is_baseline(p.individual(t.begun.design))) {
      EXPECT_NE(t.status, record::Status::kFailed) << t.cause;
    }
  int others = 0;
  for (const evolve::Individual& i : p.individuals())
    for (const evolve::Individual& known : p.individuals()) {
      if (i.trials.empty() || !evolve::is_baseline(known)) continue;
      if (p.trial(i.trials[0]).text_hash != "another") continue;
      ++others;
      for (int rung = 0; rung < 3; ++rung)
        for (const auto kind : {evolve::RunKind::kSearch, evolve::RunKind::kVerdict}) {
          EXPECT_TRUE(p.differences(i.created.id, known.created.id, rung, kind).empty());
        }
    }
  EXPECT_GT(others, 0);
}

TEST(Campaign, StopsDuringDrawsWhenAsked) {
  class Refusing : public QuickScreener {
    Result<record::DesignCreated> screen(const evolve::Offspring&, const evolve::Population&) override {
      return fail("cost", "too dear");
    }
  };
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), [] { return std::make_shared<Refusing>(); });
  ASSERT_TRUE(c);
  FakeExecutor executor;
  int asked = 0;
  const auto why = c->run(
      {.trials = 40}, executor, [&] { return ++asked > 30 ? 1 : 0; }, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_EQ(*why, record::SessionEnd::kSignal);
  EXPECT_LE(c->population().attempts(), 40);
}

TEST(Campaign, ARunThatStopsUnaskedIsStartedAgainAndThenFails) {
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c);
  std::map<std::string, int> starts;  // by run
  FakeExecutor executor(1, 0,
                        [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
                          if (is_known(spec)) return;
                          const int before = starts[spec.folder]++;
                          if (starts.size() == 1) r.status = record::Status::kStopped;  // always
                          if (starts.size() == 2 && before == 0)
                            ended.kind = jobs::JobEnd::Kind::kStopped;  // once
                        });
  const auto why = c->run({.trials = 20}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  int failed = 0;
  for (const evolve::Trial& t : c->population().trials()) {
    EXPECT_TRUE(t.ended);
    failed += t.status == record::Status::kFailed && t.cause.find("without a request") != std::string::npos;
  }
  EXPECT_EQ(failed, 1);
}

TEST(Campaign, ABaselineThatCannotBeTrainedEndsTheSession) {
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c);
  FakeExecutor executor(1, 0, [](const record::TrialSpec&, record::TrialResult& r, jobs::JobEnd&) {
    r.status = record::Status::kFailed;
    r.cause = "there is no corpus in nowhere", r.error = record::Cause::kCorpus;
  });
  const auto why = c->run({.trials = 60}, executor, kNeverStop, kNoView);
  ASSERT_FALSE(why);
  EXPECT_NE(why.error().message.find("there is no corpus"), std::string::npos) << why.error().message;
}

// A baseline that diverges on a seed loses that run, as any design would. A changed text, or another fault of
// the machine, ends the session.
TEST(Campaign, ABaselineThatDivergesLosesThatRun) {
  SKIP_UNDER_SANITIZERS();
  for (const bool refused_by_text : {false, true}) {
    const Folder folder;
    CampaignPlan plan = small_plan();
    plan.settings.final_seeds = 5;
    plan.settings.ablate = false;
    auto c = Campaign::create({folder / "run"}, plan, quick_screener);
    ASSERT_TRUE(c);
    std::set<std::uint64_t> fresh;
    FakeExecutor executor(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
      if (spec.unread_tokens == 0) return;
      fresh.insert(spec.seed);
      if (spec.seed != *std::next(fresh.begin(), static_cast<std::ptrdiff_t>(fresh.size()) - 1) ||
          fresh.size() != 2 || spec.program.find("design RetNet") == std::string::npos)
        return;
      if (refused_by_text) {
        r.status = record::Status::kRefused;
        r.cause = "text: consumed one, the corpus holds another";
        for (record::Anchor& a : r.anchors) a.holds = a.name != "text";
      } else {
        r = {};
        r.cause = "the average loss rose by more than 3 above its best, at step 40";
      }
    });
    const auto why = c->run({.trials = 90}, executor, kNeverStop, kNoView);
    ASSERT_EQ(why.has_value(), !refused_by_text);
    if (refused_by_text) {
      EXPECT_NE(why.error().message.find("no run can be trained"), std::string::npos) << why.error().message;
      continue;
    }
    const evolve::ComparisonOutcome o =
        evolve::outcome_of(c->population(), c->population().comparisons().back());
    EXPECT_TRUE(o.complete);
    const auto lost = std::count_if(o.rows.begin(), o.rows.end(), [](const evolve::ComparisonRow& row) {
      return !row.failed_runs.empty();
    });
    EXPECT_EQ(lost, 1);
  }
}

// Rungs of one size train a seed to the same weights; this is not a copied result.
TEST(Campaign, RungsMayBeAlike) {
  SKIP_UNDER_SANITIZERS();
  const Folder folder;
  CampaignPlan plan = small_plan();
  plan.settings.rungs.resize(2);
  plan.settings.rungs[1] = plan.settings.rungs[0];
  plan.settings.rungs[1].name = "confirm";
  plan.settings.rungs[1].seeds = 2;
  auto c = Campaign::create({folder / "run"}, plan, quick_screener);
  ASSERT_TRUE(c);
  FakeExecutor executor;
  const auto why = c->run({.trials = 60}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  for (const evolve::Trial& t : c->population().trials())
    EXPECT_EQ(t.cause.find("inconsistent result"), std::string::npos) << t.cause;
}

TEST(Campaign, AUserDesignThatEqualsABaselineIsRefused) {
  const Folder folder;
  CampaignPlan plan = small_plan();
  plan.user_programs = {"design Mine:\n    stack = [1 * Block(mixer=Retention), RMSNorm]\n"};
  const auto c = Campaign::create({folder / "run"}, plan);
  ASSERT_FALSE(c);
  EXPECT_EQ(c.error().message, "your design (Mine) computes the same function as RetNet");
}

// If something that every run needs is missing, no design is judged. Once it is back, the same runs begin
// again.
TEST(Campaign, StopsWithoutACorpusAndResumesWithIt) {
  const Folder folder;
  {
    auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
    ASSERT_TRUE(c);
    FakeExecutor executor(2, 0, [](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
      const auto id = std::stoll(std::filesystem::path(spec.folder).filename().string());
      if (id > 0 && id < 10) return;
      r.status = record::Status::kFailed;
      r.cause = "there is no corpus in nowhere", r.error = record::Cause::kCorpus;
    });
    const auto why = c->run({.trials = 60}, executor, kNeverStop, kNoView);
    ASSERT_FALSE(why);
    EXPECT_NE(why.error().message.find("there is no corpus"), std::string::npos) << why.error().message;
    EXPECT_NE(why.error().hint.find("continue"), std::string::npos) << why.error().hint;
  }
  auto c = Campaign::open({folder / "run"}, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  FakeExecutor executor(2);
  ASSERT_TRUE(c->run({.trials = 40}, executor, kNeverStop, kNoView));
  EXPECT_GE(c->population().trials().size(), 40U);
  for (const evolve::Trial& t : c->population().trials()) {
    EXPECT_TRUE(t.ended);
    EXPECT_NE(t.status, record::Status::kFailed) << t.cause;
  }
}

// Scores on different held-out texts are not compared, neither with those of a known architecture nor between
// two designs.
TEST(Campaign, HeldOutTextThatChangesBetweenSessionsEndsTheSession) {
  for (const bool of_known : {true, false}) {
    const Folder folder;
    {
      auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
      ASSERT_TRUE(c);
      FakeExecutor executor(1);
      ASSERT_TRUE(c->run({.trials = 12}, executor, kNeverStop, kNoView));
    }
    auto c = Campaign::open({folder / "run"}, quick_screener);
    ASSERT_TRUE(c) << c.error().message;
    const std::size_t before = c->population().trials().size();
    int others = 0;
    FakeExecutor executor(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
      if (r.status != record::Status::kDone) return;
      if (is_known(spec) != of_known && !is_machine_check(spec)) return;
      r.held_out_hash = "another";
      ++others;
    });
    const auto why = c->run({.trials = 200}, executor, kNeverStop, kNoView);
    ASSERT_FALSE(why) << record::word_of(*why);
    EXPECT_NE(why.error().message.find("the held-out text changed: run "), std::string::npos)
        << why.error().message;
    EXPECT_EQ(others, of_known ? 1 : 2) << "a known architecture is trusted at once, a design after a check";
    for (std::size_t k = before; k < c->population().trials().size(); ++k)
      EXPECT_NE(c->population().trials()[k].held_out_hash, "another") << "it was recorded";
  }
}

TEST(Campaign, OneDesignWithAnotherHeldOutTextFails) {
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c);
  std::string liar;
  int lies = 0;
  FakeExecutor executor(1, 0, [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd&) {
    if (is_known(spec) || r.status != record::Status::kDone || (!liar.empty() && spec.program != liar))
      return;
    liar = spec.program;
    r.held_out_hash = "another";
    ++lies;
  });
  const auto why = c->run({.trials = 30}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_EQ(lies, 2) << "it is asked twice";
  int failed = 0;
  for (const evolve::Trial& t : c->population().trials())
    failed += t.cause.find("inconsistent result: run ") != std::string::npos;
  EXPECT_EQ(failed, 1);
}

// A worker may create a folder at the path of the next attempt's spec, nested deeper than the number of files
// that may be open.
TEST(Campaign, AFolderTooDeepToBeRemovedEndsNoSession) {
  const Folder folder;
  auto c = Campaign::create({folder / "run"}, small_plan(), quick_screener);
  ASSERT_TRUE(c);
  struct rlimit limit {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const struct rlimit few { std::min<rlim_t>(limit.rlim_cur, 64), limit.rlim_max };
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const int here = ::open(".", O_RDONLY | O_DIRECTORY);
  int traps = 0;
  FakeExecutor executor(1, 0,
                        [&](const record::TrialSpec& spec, record::TrialResult& r, jobs::JobEnd& ended) {
                          if (is_known(spec) || traps > 0) return;
                          ++traps;
                          for (const char* name : {"/spec.json", "/log"}) {
                            const std::string path = spec.folder + name;
                            std::filesystem::remove(path);
                            ASSERT_EQ(::mkdir(path.c_str(), 0777), 0);
                            ASSERT_EQ(::chdir(path.c_str()), 0);
                            for (int k = 0; k < 3 * static_cast<int>(few.rlim_cur); ++k)
                              ASSERT_TRUE(::mkdir("d", 0777) == 0 && ::chdir("d") == 0);
                            ASSERT_EQ(::fchdir(here), 0);
                          }
                          r.status = record::Status::kStopped;
                          ended.result = record::to_json(r);
                        });
  const auto why = c->run({.trials = 40}, executor, kNeverStop, kNoView);
  EXPECT_EQ(traps, 1);
  EXPECT_TRUE(why) << why.error().message;
  ::close(here);
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  for (const evolve::Trial& t : c->population().trials())
    EXPECT_TRUE(t.status == record::Status::kDone || t.status == record::Status::kHurdle) << t.cause;
}

TEST(Campaign, ReplicatesHaveTheSameDataAndOtherInitialWeights) {
  const Folder folder;
  CampaignPlan plan = small_plan();
  plan.aa_test = true;
  auto c = Campaign::create({folder / "run"}, plan, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  std::set<std::uint64_t> starts;
  FakeExecutor executor(2, 0, [&](const record::TrialSpec& spec, record::TrialResult&, jobs::JobEnd&) {
    starts.insert(spec.start);
  });
  const auto why = c->run({}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  EXPECT_EQ(*why, record::SessionEnd::kDone);
  EXPECT_EQ(starts.size(), static_cast<std::size_t>(evolve::kReplicates));
  const evolve::ReplicateReport report = evolve::replicate_report(c->population(), plan.seed);
  EXPECT_EQ(report.seeds, evolve::kReplicateSeeds);
  EXPECT_GT(report.seed_stddev, 0.005);
  EXPECT_LE(report.significant, report.pairs / 10);
  EXPECT_LE(report.false_positive_rate, 0.05);
  EXPECT_GT(report.p_value, 0);
}

TEST(Campaign, ReplicatesWithoutScoresMakeNoPairs) {
  const Folder folder;
  CampaignPlan plan = small_plan();
  plan.aa_test = true;
  auto c = Campaign::create({folder / "run"}, plan, quick_screener);
  ASSERT_TRUE(c) << c.error().message;
  FakeExecutor executor(2, 0, [](const record::TrialSpec&, record::TrialResult& r, jobs::JobEnd&) {
    r.status = record::Status::kRefused;
    r.cause = "better than bigrams";
  });
  const auto why = c->run({}, executor, kNeverStop, kNoView);
  ASSERT_TRUE(why) << why.error().message;
  const evolve::ReplicateReport report = evolve::replicate_report(c->population(), plan.seed);
  EXPECT_EQ(report.seeds, 0);
  EXPECT_EQ(report.pairs, 0);
}

TEST(Preset, ShippedPresetsAreReadAndWrittenBack) {
  ASSERT_GE(presets().size(), 2U);
  for (const Preset& preset : presets()) {
    const auto s = load_settings(std::string(preset.name));
    ASSERT_TRUE(s) << preset.name << ": " << s.error().message;
    const std::string text = to_toml(*s);
    const auto again = parse_settings(text, "again");
    ASSERT_TRUE(again) << again.error().message << "\n" << text;
    EXPECT_EQ(to_toml(*again), text);
  }
  const auto genesys = load_settings("genesys");
  EXPECT_EQ(genesys->rungs.size(), 7U);
  EXPECT_EQ(genesys->rungs[6].tokens, 6'700'000'000);
  EXPECT_EQ(genesys->rungs[2].designs, 1000);
  for (std::size_t r = 0; r < genesys->rungs.size(); ++r)
    EXPECT_EQ(genesys->rungs[r].engine, r < 2 ? record::Engine::kCpu : record::Engine::kPyTorch);
}

TEST(Preset, ReportsMistakesWithTheirLine) {
  const std::string rung = "[[rung]]\nparams = 20000\ntokens = 10000\n";
  const auto error = [&](const std::string& text) {
    const auto s = parse_settings(text, "x");
    return s ? std::string("none") : std::to_string(s.error().at.line) + ": " + s.error().message;
  };
  EXPECT_EQ(error(rung), "none");
  EXPECT_NE(error("vocab = \n" + rung).substr(0, 2), "no");
  EXPECT_NE(error("\nvocabulary = 3\n" + rung).find("2: unknown key 'vocabulary'"), std::string::npos)
      << error("\nvocabulary = 3\n" + rung);
  EXPECT_NE(error("vocab = -3\n" + rung).find("1: vocab must be"), std::string::npos);
  EXPECT_NE(error("strategies = [\"best\"]\n" + rung).find("strategies must be"), std::string::npos);
  EXPECT_NE(error("baselines = [\"gpt5\"]\n" + rung).find("baselines must be"), std::string::npos);
  EXPECT_NE(error("").find("no [[rung]]"), std::string::npos);
  EXPECT_NE(error("vocab = 3\n" + rung).find("1: vocab is 3, outside 16 to"), std::string::npos);
  EXPECT_NE(error("baselines = []\n" + rung).find("1: baselines is empty"), std::string::npos);
  EXPECT_NE(error("hurdles = [0.5, 0.25]\n" + rung).find("1: hurdles is not in ascending"), std::string::npos)
      << error("hurdles = [0.5, 0.25]\n" + rung);
  EXPECT_NE(error("[worker]\nmegabytes = 1\n" + rung).find("2: worker.megabytes is 1"), std::string::npos);
  EXPECT_NE(error(rung + "name = \"a\"\n" + rung + "name = \"a\"\n").find("8: two rungs are named a"),
            std::string::npos)
      << error(rung + "name = \"a\"\n" + rung + "name = \"a\"\n");
  EXPECT_NE(error(rung + "promote_fraction = 2\n").find("4: rung 1: promote_fraction is 2"),
            std::string::npos)
      << error(rung + "promote_fraction = 2\n");
  EXPECT_NE(load_settings("laptob").error().hint.find("laptop"), std::string::npos);
}

}  // namespace
}  // namespace gabbro::campaign
