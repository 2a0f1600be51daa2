#include "campaign/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "campaign/preset.h"
#include "campaign/state.h"
#include "evolve/comparison.h"
#include "evolve/depth.h"
#include "evolve/replicates.h"
#include "lang/parser.h"

namespace gabbro::campaign {

namespace fs = std::filesystem;

using evolve::Phase;
using record::Event;
using record::Origin;

Result<bool> Campaign::State::begin_designs() {
  std::vector<Event> events;
  evolve::Population known_so_far(plan.settings);
  std::int64_t id = 0;
  const auto add = [&](const lang::Program& program, Origin origin, const std::string& op,
                       const std::string& name) -> Result<bool> {
    auto created = judge->measure(program, plan.settings);
    if (!created) {
      Error error = created.error();
      error.message = fmt::format("{} at the first rung: {}", name, error.message);
      return tl::unexpected(error);
    }
    if (origin == Origin::kUser) {
      GABBRO_TRY(other, judge->equal_known(*created, known_so_far));
      if (!other.empty())
        return fail("duplicate",
                    fmt::format("{}, {}, is the same function as {}", name, created->name, other),
                    "every design is trained once: leave it out");
    }
    created->id = ++id;
    created->origin = origin;
    created->op = op;
    events.emplace_back(*created);
    return known_so_far.apply(events.back());
  };
  std::int64_t length = 0;
  for (const evolve::Rung& r : plan.settings.rungs) length = std::max(length, r.length);
  const auto known = [&](const std::string& file, Origin origin) {
    return add(evolve::as_baseline(*zoo::program(file + ".gab"), plan.settings.blocks, length), origin, file,
               "the baseline " + file);
  };
  if (plan.aa_test) {
    for (int i = 0; i < evolve::kReplicates; ++i)
      if (const auto ok = known(plan.settings.baselines.at(0), Origin::kAaReplicate); !ok) return ok;
    return record(events);
  }
  for (const std::string& file : plan.settings.baselines)
    if (const auto ok = known(file, Origin::kBaseline); !ok) return ok;
  for (const std::string& file : plan.settings.controls)
    if (const auto ok = known(file, Origin::kControl); !ok) return ok;
  for (const std::string& text : plan.given) {
    const lang::ParseResult parsed = lang::parse(text);
    if (!parsed.errors.empty()) return tl::unexpected(parsed.errors.front());
    if (const auto ok = add(parsed.program, Origin::kUser, "user", "your design"); !ok) return ok;
  }
  return record(events);
}

Result<Campaign> Campaign::create(const Place& place, const Plan& plan, const MakeJudge& judge) {
  std::error_code error;
  if (fs::exists(place.store(), error))
    return fail("campaign", "there is a campaign in " + place.dir,
                "gabbro resume goes on with it; another --dir begins a new one");
  // Seeds of comparisons are larger than this seed, and must not overflow to 0.
  constexpr std::uint64_t kMostSeed = std::uint64_t{1} << 62;
  if (plan.seed > kMostSeed)
    return fail("usage", fmt::format("a seed of {}: the largest is {}", plan.seed, kMostSeed));
  fs::create_directories(place.dir + "/trials", error);
  if (error) return fail("io", fmt::format("cannot make {}: {}", place.dir, error.message()));
  // The record is created under a temporary name, so that a folder holds either a complete campaign or none.
  const std::string temporary = place.store() + ".new";
  for (const char* end : {"", "-wal", "-shm"}) fs::remove(temporary + end, error);
  {
    GABBRO_TRY(store, store::Store::open(temporary));
    auto state = std::make_unique<State>(place, plan, std::move(store), judge);
    if (const auto ok = state->record({record::CampaignBegun{to_toml(plan), plan.seed, "1"}}); !ok)
      return tl::unexpected(ok.error());
    if (const auto ok = state->begin_designs(); !ok) return tl::unexpected(ok.error());
  }
  if (fs::exists(temporary + "-wal", error))
    return fail("io", "cannot complete " + temporary, "is the disk full?");
  fs::remove(temporary + ".lock");
  fs::rename(temporary, place.store(), error);
  if (error) return fail("io", fmt::format("cannot make {}: {}", place.store(), error.message()));
  return open(place, judge);
}

Result<Campaign> Campaign::open(const Place& place, const MakeJudge& judge) {
  std::error_code error;
  if (!fs::exists(place.store(), error))
    return fail("campaign", "there is no campaign in " + place.dir, "gabbro evolve --dir DIR begins one");
  GABBRO_TRY(store, store::Store::open(place.store()));
  GABBRO_TRY(begun, store.campaign());
  const auto named = [&](Error wrong) {
    wrong.message = place.store() + ": " + wrong.message;
    return tl::unexpected(std::move(wrong));
  };
  auto plan = parse_plan(begun);
  if (!plan) return named(plan.error());
  auto state = std::make_unique<State>(place, std::move(*plan), std::move(store), judge);
  constexpr std::int64_t kPage = 10'000;
  for (std::int64_t from = 1;; from += kPage) {
    const auto page = state->store.events(from, kPage);
    for (const auto& [time, event] : page)
      if (auto ok = state->believe(event); !ok) return named(ok.error());
    if (static_cast<std::int64_t>(page.size()) < kPage) break;
  }
  return Campaign(std::move(state));
}

Campaign::Campaign(std::unique_ptr<State> state) : state_(std::move(state)) {}
Campaign::Campaign(Campaign&&) noexcept = default;
Campaign::~Campaign() = default;
const Plan& Campaign::plan() const { return state_->plan; }
void Campaign::move_corpus(std::string folder) { state_->plan.corpus = std::move(folder); }
const evolve::Population& Campaign::population() const { return state_->population; }
void Campaign::ask(Agents* agents) { state_->agents = agents; }
void Campaign::follow(std::vector<Moment> course) { state_->following = std::move(course); }

Result<std::string> Campaign::run(const Budget& budget, jobs::Executor& executor,
                                  const std::function<int()>& stop,
                                  const std::function<void(const Snapshot&)>& view) {
  State& s = *state_;
  s.slots = executor.slots();
  s.asked_to_stop = stop;
  const double begun = seconds_now();
  std::int64_t ended_here = 0;
  Phase phase = Phase::kSearch;
  std::string why;
  int stopped = 0;
  if (const auto ok = s.record({record::Session{true, "", executor.sandbox()}}); !ok)
    return tl::unexpected(ok.error());
  s.again.clear();  // state of an earlier session, as in the following lines
  s.tries.clear();
  s.held_up.reset();
  for (const evolve::Trial& t : s.population.trials())  // begun by an earlier process
    if (!t.ended) s.again.push_back(t.begun);
  const auto left_after = [&](double elapsed) {
    Left left;
    if (budget.minutes > 0) left.all_seconds = 60 * budget.minutes, left.seconds = left.all_seconds - elapsed;
    if (budget.trials > 0) {
      left.all_trials = static_cast<double>(budget.trials);
      left.trials = left.all_trials - static_cast<double>(s.population.trials().size());
    }
    return left;
  };
  const auto has_all_trials = [&] {
    return budget.trials > 0 && static_cast<std::int64_t>(s.population.trials().size()) >= budget.trials &&
           s.again.empty();
  };
  // A comparison that has begun is completed whatever it takes.
  const bool goes_on = evolve::comparison_of(s.population, evolve::leader(s.population)) != nullptr;
  const auto show = [&] {
    Snapshot shot{s.population, phase, {}, {}, seconds_now() - begun, -1, ended_here};
    if (!goes_on) shot.warning = s.too_short(left_after(shot.seconds));
    if (budget.minutes > 0) shot.left = std::max(0.0, 60 * budget.minutes - shot.seconds);
    for (const auto& [id, r] : s.running) shot.running.push_back(r);
    for (const auto& [id, r] : s.profiling) shot.profiling.push_back(r);
    shot.agents = s.news_of_agents();
    view(shot);
  };
  Error broken;
  std::size_t searched_after = 0;  // number of comparisons after which the search continued
  while (true) {
    const double elapsed = seconds_now() - begun;
    const bool over = (budget.minutes > 0 && elapsed >= 60 * budget.minutes) || has_all_trials();
    if (over && why.empty()) why = "budget";
    if (budget.minutes > 0 && elapsed >= 60 * budget.minutes && stopped == 0) executor.stop(), stopped = 1;
    if (const int asked = stop(); asked > stopped) {
      why = "signal";
      stopped = asked;
      if (s.agents) s.agents->team->stop();
      asked >= 2 ? executor.kill() : executor.stop();
    }
    if (why.empty())
      if (const auto ok = s.tend(phase == Phase::kSearch); !ok) broken = ok.error();
    while (why.empty() && broken.code.empty() && executor.running() < executor.slots()) {
      // External events are recorded before each decision. Agents begin no tasks once there is no time to
      // train their designs.
      if (const auto ok = s.tend(phase == Phase::kSearch); !ok) {
        broken = ok.error();
        break;
      }
      if (s.population.paused()) break;
      if (!s.again.empty()) {
        const record::TrialBegun again = s.again.front();
        s.again.erase(s.again.begin());
        if (const auto ok = s.record({again}); !ok)
          broken = ok.error();
        else if (const auto started = s.launch(again, executor); !started)
          broken = started.error();
      } else if (const auto profiles = s.wanted_profiles();
                 !profiles.empty() &&
                 (budget.minutes == 0 || s.profile_seconds() < 60 * budget.minutes - elapsed)) {
        if (const auto ok = s.ask_profile(profiles.front(), executor); !ok) broken = ok.error();
      } else {
        const Left left = left_after(elapsed);
        if (phase == Phase::kSearch) phase = s.phase(left);
        auto wanted = s.decide(phase, left);
        if (!wanted)
          broken = wanted.error();
        else if (!*wanted) {
          // Runs of the budget that the comparison did not need go to the search, as they do after a resume.
          const std::size_t compared = s.population.comparisons().size();
          if (phase != Phase::kFinal || budget.trials == 0 || compared == searched_after || !s.has_compared())
            break;
          searched_after = compared;
          phase = Phase::kSearch;
          continue;
        }
        // A run that cannot end in time is not begun.
        else if (budget.minutes > 0 && s.expected_seconds((*wanted)->rung) > 60 * budget.minutes - elapsed) {
          why = "budget";
          break;
        } else if (const auto started = s.start(**wanted, executor); !started)
          broken = started.error();
      }
      if (!broken.code.empty()) break;
      if (has_all_trials()) break;
    }
    if (!broken.code.empty() && why.empty()) {
      why = "error";
      executor.stop();
      stopped = 1;
    }
    const bool idles = why.empty() && (s.population.paused() || s.awaits_agents(phase));
    if (executor.running() == 0 && !idles) {
      if (why.empty() && stop() > stopped) continue;  // a stop was requested during draws
      if (why.empty() && s.held_up) broken = s.held_up->error;
      break;
    }
    show();
    if (executor.running() == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    const jobs::News news = executor.wait(0.25);
    for (const jobs::Update& u : news.updates) {
      if (const auto at = s.running.find(u.id); at != s.running.end()) at->second.progress = u.progress;
      if (const auto at = s.profiling.find(-u.id); at != s.profiling.end()) at->second.progress = u.progress;
    }
    for (const jobs::Ended& e : news.ended) {
      if (e.id < 0) {
        if (const auto ok = s.take_profile(e, stopped > 0); !ok && broken.code.empty()) broken = ok.error();
        continue;
      }
      ++ended_here;
      if (const auto ok = s.take(e, stopped > 0); !ok && broken.code.empty()) broken = ok.error();
    }
  }
  if (why.empty()) why = "done";
  if (s.agents) s.agents->team->stop();
  show();
  if (!broken.code.empty()) return tl::unexpected(broken);
  if (const auto ok = s.record({record::Session{false, why, executor.sandbox()}}); !ok)
    return tl::unexpected(ok.error());
  return why;
}

}  // namespace gabbro::campaign
