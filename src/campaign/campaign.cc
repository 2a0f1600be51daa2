#include "campaign/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>

#include "campaign/preset.h"
#include "evolve/ablate.h"
#include "evolve/depth.h"
#include "evolve/screen.h"
#include "evolve/twins.h"
#include "lang/printer.h"
#include "record/job.h"
#include "zoo/library.h"

namespace gabbro::campaign {

namespace fs = std::filesystem;

using evolve::Individual;
using evolve::Phase;
using evolve::Population;
using evolve::Rung;
using evolve::Wanted;
using record::Event;

namespace {

constexpr std::uint64_t kLeastDisk = 64 << 20;  // bytes; below, no run is begun
constexpr int kDraws = 2000;                    // in a row without a design: the search has nothing new

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Result<bool> write_text(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp";
  std::ofstream file(temporary, std::ios::binary);
  file << text;
  file.close();
  std::error_code error;
  if (file) fs::rename(temporary, path, error);
  if (!file || error) return fail("io", fmt::format("cannot write {}", path), "is the disk full?");
  return true;
}

}  // namespace

// What is left of a budget, and the whole of it; infinite where there is no bound.
struct Left {
  double seconds = std::numeric_limits<double>::infinity(), all_seconds = seconds;
  double trials = std::numeric_limits<double>::infinity(), all_trials = trials;
};

struct Campaign::State {
  State(Place where, Plan what, store::Store record)
      : place(std::move(where)),
        plan(std::move(what)),
        store(std::move(record)),
        population(plan.settings),
        book(zoo::library()) {
    for (const std::string& arm : plan.settings.arms) arms.emplace_back(arm, evolve::make_strategy(arm));
  }

  // Written first, believed after.
  Result<bool> record(const std::vector<Event>& events) {
    if (const auto ok = store.append(events); !ok) return ok;
    for (const Event& e : events)
      if (const auto ok = population.apply(e); !ok) return ok;
    return true;
  }

  Result<bool> begin_designs();
  [[nodiscard]] Phase phase(const Left& left) const;
  [[nodiscard]] int highest_rung(const Left& left) const;
  Result<std::optional<Wanted>> decide(Phase& phase, const Left& left);
  Result<std::optional<Wanted>> propose();
  Result<bool> make_ablations();
  Result<bool> start(const Wanted& wanted, jobs::Executor& executor);
  Result<bool> launch(const record::TrialBegun& begun, jobs::Executor& executor);
  Result<bool> take(const jobs::Ended& ended);
  void tidy(const evolve::Trial& trial) const;
  [[nodiscard]] const Rung& rung(int r) const { return plan.settings.rungs.at(static_cast<std::size_t>(r)); }
  [[nodiscard]] double work(int r) const {
    return static_cast<double>(rung(r).params) * static_cast<double>(rung(r).tokens);
  }
  [[nodiscard]] double expected_seconds(int r) const;

  Place place;
  Plan plan;
  store::Store store;
  Population population;
  edit::CodeBook book;
  std::vector<std::pair<std::string, std::unique_ptr<evolve::Strategy>>> arms;
  std::map<std::int64_t, Running> running;
  std::map<std::int64_t, double> started;
  std::map<int, std::pair<double, int>> took;  // seconds and runs, by rung, of this session
  int slots = 1;
  bool exhausted = false;  // nothing new was drawn: no more proposals
};

// ---- beginnings -------------------------------------------------------------------------------------------------------------

Result<bool> Campaign::State::begin_designs() {
  std::vector<Event> events;
  std::int64_t id = 0;
  const auto add = [&](const std::string& file, const std::string& arm) -> Result<bool> {
    const lang::Program& known = *zoo::program(file + ".gab");
    const double factor =
        plan.settings.blocks > 0 ? static_cast<double>(plan.settings.blocks) / evolve::repetitions(known) : 1;
    auto born = evolve::measure(evolve::deepened(known, factor), plan.settings, zoo::library());
    if (!born) {
      Error error = born.error();
      error.message = fmt::format("the baseline {} at the first rung: {}", file, error.message);
      return tl::unexpected(error);
    }
    born->id = ++id;
    born->arm = arm;
    born->op = file;
    events.emplace_back(*born);
    return true;
  };
  if (plan.twins) {
    for (int i = 0; i < evolve::kTwins; ++i)
      if (const auto ok = add(plan.settings.baselines.at(0), "twin"); !ok) return ok;
  } else {
    for (const std::string& file : plan.settings.baselines)
      if (const auto ok = add(file, "baseline"); !ok) return ok;
  }
  return record(events);
}

Result<Campaign> Campaign::create(const Place& place, const Plan& plan) {
  std::error_code error;
  if (fs::exists(place.store(), error))
    return fail("campaign", "there is a campaign in " + place.dir,
                "gabbro resume goes on with it; another --dir begins a new one");
  fs::create_directories(place.dir + "/trials", error);
  if (error) return fail("io", fmt::format("cannot make {}: {}", place.dir, error.message()));
  // Made under another name first: a folder has a whole campaign or none.
  const std::string temporary = place.store() + ".new";
  for (const char* end : {"", "-wal", "-shm"}) fs::remove(temporary + end, error);
  {
    GABBRO_TRY(store, store::Store::open(temporary));
    auto state = std::make_unique<State>(place, plan, std::move(store));
    if (const auto ok = state->record({record::CampaignBegun{to_toml(plan), plan.seed, "1"}}); !ok)
      return tl::unexpected(ok.error());
    if (const auto ok = state->begin_designs(); !ok) return tl::unexpected(ok.error());
  }
  if (fs::exists(temporary + "-wal", error))
    return fail("io", "cannot complete " + temporary, "is the disk full?");
  fs::remove(temporary + ".lock");
  fs::rename(temporary, place.store(), error);
  if (error) return fail("io", fmt::format("cannot make {}: {}", place.store(), error.message()));
  return open(place);
}

Result<Campaign> Campaign::open(const Place& place) {
  std::error_code error;
  if (!fs::exists(place.store(), error))
    return fail("campaign", "there is no campaign in " + place.dir, "gabbro evolve --dir DIR begins one");
  GABBRO_TRY(store, store::Store::open(place.store()));
  GABBRO_TRY(begun, store.campaign());
  GABBRO_TRY(plan, parse_plan(begun));
  auto state = std::make_unique<State>(place, std::move(plan), std::move(store));
  constexpr std::int64_t kPage = 10'000;
  for (std::int64_t from = 1;; from += kPage) {
    const auto page = state->store.events(from, kPage);
    for (const auto& [time, event] : page)
      if (const auto ok = state->population.apply(event); !ok) return tl::unexpected(ok.error());
    if (static_cast<std::int64_t>(page.size()) < kPage) break;
  }
  return Campaign(std::move(state));
}

Campaign::Campaign(std::unique_ptr<State> state) : state_(std::move(state)) {}
Campaign::Campaign(Campaign&&) noexcept = default;
Campaign::~Campaign() = default;
const Plan& Campaign::plan() const { return state_->plan; }
const evolve::Population& Campaign::population() const { return state_->population; }

// ---- what comes next --------------------------------------------------------------------------------------------------------

// The last comparison is begun when what is left is just enough for it, and never takes more than 1 - search_share of a budget.
Phase Campaign::State::phase(const Left& left) const {
  const evolve::Leader best = evolve::leader(population);
  if (best.rung < 0) return Phase::kSearch;
  const double runs = plan.settings.final_seeds * static_cast<double>(plan.settings.baselines.size() + 1);
  const double most = 1 - plan.settings.search_share;
  const bool time =
      left.seconds <= std::min(runs * expected_seconds(best.rung) / slots, most * left.all_seconds);
  const bool trials = left.trials <= std::min(runs, most * left.all_trials);
  return time || trials ? Phase::kFinal : Phase::kSearch;
}

// The highest rung at which there is time for a design, the baselines that it is held against, and two seeds of the last comparison.
int Campaign::State::highest_rung(const Left& left) const {
  int top = 0;
  for (int r = 1; r < static_cast<int>(plan.settings.rungs.size()); ++r) {
    double runs = 2 * static_cast<double>(plan.settings.baselines.size() + 1) + rung(r).seeds;
    for (const Individual& i : population.individuals())
      if (is_baseline(i)) runs += std::max(0, rung(r).seeds - population.standing(i, r).done);
    if (runs * expected_seconds(r) / slots > left.seconds) break;
    top = r;
  }
  return top;
}

Result<std::optional<Wanted>> Campaign::State::decide(Phase& phase, const Left& left) {
  if (plan.twins) return evolve::next_twin_run(population, plan.seed);
  if (phase == Phase::kSearch) {
    if (auto run = evolve::next_run(population, plan.seed, phase, highest_rung(left))) return run;
    if (!exhausted) {
      GABBRO_TRY(proposed, propose());
      if (proposed) return proposed;
      exhausted = true;
    }
    if (!running.empty()) return std::nullopt;  // what runs may promote somebody
    phase = Phase::kFinal;
  }
  if (plan.settings.ablate)
    if (const auto ok = make_ablations(); !ok) return tl::unexpected(ok.error());
  return evolve::next_run(population, plan.seed, Phase::kFinal);
}

// Draws until a design passes the screen; what did not is recorded with its cause.
Result<std::optional<Wanted>> Campaign::State::propose() {
  // The arm that has spent the least, runs under way counted as if they cost what its designs do.
  std::size_t arm = 0;
  double least = 0;
  for (std::size_t i = 0; i < arms.size(); ++i) {
    double spent = population.spent(arms[i].first);
    for (const auto& [id, r] : running) {
      const evolve::Trial& t = population.trial(id);
      const record::DesignBorn& born = population.individual(t.begun.design).born;
      if (t.begun.rung == 0 && born.arm == arms[i].first)
        spent += born.train_flops * static_cast<double>(rung(0).tokens);
    }
    if (i == 0 || spent < least) arm = i, least = spent;
  }
  if (rung(0).designs > 0) {
    const auto count =
        std::count_if(population.individuals().begin(), population.individuals().end(), evolve::is_candidate);
    if (count >= rung(0).designs) return std::nullopt;
  }
  std::vector<Event> events;
  const Random random = Random(plan.seed).split("draws");
  const std::int64_t first = population.attempts() + 1;
  for (std::int64_t attempt = first; attempt < first + kDraws; ++attempt) {
    const auto refuse = [&](const evolve::Offspring& o, const Error& e) {
      events.emplace_back(record::Refused{attempt, arms[arm].first, o.op, e.code, e.message, o.parent});
    };
    auto offspring =
        arms[arm].second->propose(population, book, random.split(static_cast<std::uint64_t>(attempt)));
    if (!offspring) {
      refuse({{}, std::nullopt, "", 0, 0}, offspring.error());
      continue;
    }
    auto born = evolve::screen(*offspring, population, zoo::library());
    if (!born) {
      refuse(*offspring, born.error());
      continue;
    }
    born->id = static_cast<std::int64_t>(population.individuals().size()) + 1;
    born->attempt = attempt;
    born->arm = arms[arm].first;
    events.emplace_back(*born);
    if (const auto ok = record(events); !ok) return tl::unexpected(ok.error());
    return Wanted{born->id, 0, plan.seed, "rung", {}};
  }
  if (const auto ok = record(events); !ok) return tl::unexpected(ok.error());
  return std::nullopt;
}

Result<bool> Campaign::State::make_ablations() {
  const evolve::Leader best = evolve::leader(population);
  if (best.rung < 0) return true;
  for (const Individual& i : population.individuals())
    if (i.born.arm == "ablation" && i.born.parent == best.design) return true;
  // The oldest ancestor is what the winner grew from.
  const Individual* winner = &population.individual(best.design);
  const Individual* ancestor = winner;
  while (ancestor->born.parent > 0) ancestor = &population.individual(ancestor->born.parent);
  std::vector<Event> events;
  std::int64_t id = static_cast<std::int64_t>(population.individuals().size());
  for (const evolve::Ablation& a : evolve::ablations(
           *winner->program, ancestor == winner ? nullptr : ancestor->program.get(), zoo::library())) {
    auto born = evolve::measure(a.program, plan.settings, zoo::library());
    if (!born) continue;  // it cannot be made as large as the winner
    born->id = ++id;
    born->arm = "ablation";
    born->op = a.what;
    born->parent = best.design;
    events.emplace_back(*born);
  }
  return events.empty() ? Result<bool>(true) : record(events);
}

// ---- runs -------------------------------------------------------------------------------------------------------------------

double Campaign::State::expected_seconds(int r) const {
  const auto at = took.find(r);
  if (at != took.end()) return at->second.first / at->second.second;
  for (int below = r - 1; below >= 0; --below)
    if (const auto b = took.find(below); b != took.end())
      return b->second.first / b->second.second * work(r) / work(below);
  return 0;
}

Result<bool> Campaign::State::start(const Wanted& wanted, jobs::Executor& executor) {
  std::vector<Event> events;
  if (!wanted.promotion.empty())
    events.emplace_back(record::Promoted{wanted.design, wanted.rung, wanted.promotion});
  const record::TrialBegun begun{static_cast<std::int64_t>(population.trials().size()) + 1, wanted.design,
                                 wanted.rung, wanted.seed, wanted.purpose};
  events.emplace_back(begun);
  if (const auto ok = record(events); !ok) return ok;
  return launch(begun, executor);
}

Result<bool> Campaign::State::launch(const record::TrialBegun& begun, jobs::Executor& executor) {
  std::error_code error;
  const fs::space_info disk = fs::space(place.dir, error);
  if (!error && disk.available < kLeastDisk)
    return fail("io", fmt::format("{} MiB are left on the disk of {}", disk.available >> 20, place.dir),
                "make room; gabbro resume goes on from here");
  const Rung& r = rung(begun.rung);
  const Individual& design = population.individual(begun.design);
  record::TrialSpec spec;
  spec.program = r.depth == 1 ? design.born.program : lang::print(evolve::deepened(*design.program, r.depth));
  spec.corpus = plan.corpus;
  spec.folder = fs::absolute(place.trial(begun.id), error);
  spec.params = r.params;
  spec.tokens = r.tokens;
  spec.sequences = r.sequences;
  spec.length = r.length;
  spec.rate = r.rate;
  spec.seed = begun.seed;
  spec.device = plan.device;
  spec.threads = plan.threads;
  spec.memory = plan.settings.worker_bytes;
  spec.valid_documents = static_cast<std::uint64_t>(r.documents);
  spec.document_tokens = static_cast<std::uint64_t>(r.document_tokens);
  if (design.born.arm == "twin") spec.start = mix(plan.seed, static_cast<std::uint64_t>(design.born.id)) | 1;
  const std::vector<double> losses = evolve::hurdles(population, begun.rung, begun.seed);
  for (std::size_t h = 0; h < losses.size(); ++h)
    if (is_candidate(design) && std::isfinite(losses[h]))
      spec.hurdles.push_back(
          {static_cast<std::int64_t>(plan.settings.hurdles[h] * static_cast<double>(r.tokens)), losses[h]});
  // Runs of one rung and seed read the same text: the first says which.
  for (const evolve::Trial& t : population.trials())
    if (t.begun.rung == begun.rung && t.begun.seed == begun.seed && t.ended && t.status == "done") {
      spec.text_hash = t.text_hash;
      break;
    }
  fs::create_directories(spec.folder, error);
  if (error) return fail("io", fmt::format("cannot make {}: {}", spec.folder, error.message()));
  const std::string spec_file = spec.folder + "/spec.json";
  if (const auto ok = write_text(spec_file, to_json(spec)); !ok) return ok;
  const double scale = std::max(1.0, work(begun.rung) / work(0));
  if (const auto ok = executor.start(
          {begun.id,
           spec_file,
           spec.folder + "/result.json",
           {plan.settings.worker_seconds * scale, static_cast<std::uint64_t>(plan.settings.worker_bytes)},
           spec.folder + "/log"});
      !ok)
    return ok;
  running[begun.id] = {begun.id, {}, 0};
  started[begun.id] = now();
  return true;
}

Result<bool> Campaign::State::take(const jobs::Ended& ended) {
  running.erase(ended.id);
  started.erase(ended.id);
  record::TrialEnded event{ended.id, "result", ended.seconds, ended.result};
  using Kind = jobs::Ended::Kind;
  if (ended.kind == Kind::kStopped) return true;  // to be begun again
  if (ended.kind == Kind::kResult) {
    const auto result = record::parse_result(ended.result);
    if (result && result->status == "stopped") return true;  // to be gone on with
    if (!result) event.result = record::failure("train", result.error().message);
  } else {
    event.end = ended.kind == Kind::kTimeLimit     ? "time limit"
                : ended.kind == Kind::kMemoryLimit ? "memory limit"
                                                   : "crash";
    event.result = record::failure("train", ended.cause);
  }
  if (const auto ok = record({event}); !ok) return ok;
  const evolve::Trial& trial = population.trial(ended.id);
  auto& [seconds, count] = took[trial.begun.rung];
  if (trial.status == "done") seconds += ended.seconds, ++count;
  if (count == 0) took.erase(trial.begun.rung);
  tidy(trial);
  // A baseline that cannot be trained says that something else is wrong: the corpus, the machine, the preset.
  const Individual& design = population.individual(trial.begun.design);
  if ((is_baseline(design) || design.born.arm == "twin") && trial.status == "failed")
    return fail("campaign",
                fmt::format("the baseline {} could not be trained: {}", design.born.name, trial.cause),
                "nothing was lost; mend the cause, and begin a new campaign");
  return true;
}

// Checkpoints go, and the weights of the first rung: what went higher can be exported.
void Campaign::State::tidy(const evolve::Trial& trial) const {
  std::error_code error;
  const std::string folder = place.trial(trial.begun.id);
  fs::remove(folder + "/checkpoint.safetensors", error);
  if (trial.begun.rung == 0 && plan.settings.rungs.size() > 1)
    fs::remove(folder + "/weights.safetensors", error);
}

Result<std::string> Campaign::run(const Budget& budget, jobs::Executor& executor,
                                  const std::function<int()>& stop,
                                  const std::function<void(const Snapshot&)>& view) {
  State& s = *state_;
  s.slots = executor.slots();
  const double begun = now();
  double searching = 0;
  std::int64_t ended_here = 0;
  Phase phase = Phase::kSearch;
  std::string why;
  int stopped = 0;
  if (const auto ok = s.record({record::Session{true, ""}}); !ok) return tl::unexpected(ok.error());
  std::vector<record::TrialBegun> lost;  // begun by an earlier process, and not ended
  for (const evolve::Trial& t : s.population.trials())
    if (!t.ended) lost.push_back(t.begun);
  const auto show = [&] {
    Snapshot shot{s.population, phase, {}, now() - begun, -1, searching, ended_here};
    if (budget.minutes > 0) shot.left = std::max(0.0, 60 * budget.minutes - shot.seconds);
    for (auto& [id, r] : s.running) shot.running.push_back({id, r.progress, now() - s.started[id]});
    view(shot);
  };
  Error broken;
  while (true) {
    const double elapsed = now() - begun;
    const bool over =
        (budget.minutes > 0 && elapsed >= 60 * budget.minutes) ||
        (budget.trials > 0 && static_cast<std::int64_t>(s.population.trials().size()) >= budget.trials &&
         lost.empty());
    if (over && why.empty()) why = "budget";
    if (budget.minutes > 0 && elapsed >= 60 * budget.minutes && stopped == 0) executor.stop(), stopped = 1;
    if (const int asked = stop(); asked > stopped) {
      why = "signal";
      stopped = asked;
      asked >= 2 ? executor.kill() : executor.stop();
    }
    const double before = now();
    while (why.empty() && executor.running() < executor.slots()) {
      if (!lost.empty()) {
        const record::TrialBegun again = lost.front();
        lost.erase(lost.begin());
        if (const auto ok = s.record({again}); !ok)
          broken = ok.error();
        else if (const auto started = s.launch(again, executor); !started)
          broken = started.error();
      } else {
        Left left;
        if (budget.minutes > 0)
          left.all_seconds = 60 * budget.minutes, left.seconds = left.all_seconds - elapsed;
        if (budget.trials > 0) {
          left.all_trials = static_cast<double>(budget.trials);
          left.trials = left.all_trials - static_cast<double>(s.population.trials().size());
        }
        if (phase == Phase::kSearch) phase = s.phase(left);
        auto wanted = s.decide(phase, left);
        if (!wanted)
          broken = wanted.error();
        else if (!*wanted)
          break;
        // What cannot end in time is not begun.
        else if (budget.minutes > 0 && s.expected_seconds((*wanted)->rung) > 60 * budget.minutes - elapsed) {
          why = "budget";
          break;
        } else if (const auto started = s.start(**wanted, executor); !started)
          broken = started.error();
      }
      if (!broken.code.empty()) break;
      if (budget.trials > 0 && static_cast<std::int64_t>(s.population.trials().size()) >= budget.trials &&
          lost.empty())
        break;
    }
    searching += now() - before;
    if (!broken.code.empty() && why.empty()) {
      why = "error";
      executor.stop();
      stopped = 1;
    }
    if (executor.running() == 0) break;
    show();
    const jobs::News news = executor.wait(0.25);
    const double after = now();
    for (const jobs::Update& u : news.updates)
      if (const auto at = s.running.find(u.id); at != s.running.end()) at->second.progress = u.progress;
    for (const jobs::Ended& e : news.ended) {
      ++ended_here;
      if (const auto ok = s.take(e); !ok && broken.code.empty()) broken = ok.error();
    }
    searching += now() - after;
  }
  if (why.empty()) why = "done";
  show();
  if (!broken.code.empty()) return tl::unexpected(broken);
  if (const auto ok = s.record({record::Session{false, why}}); !ok) return tl::unexpected(ok.error());
  return why;
}

}  // namespace gabbro::campaign
