#include "campaign/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "campaign/preset.h"
#include "campaign/state.h"
#include "evolve/comparison.h"
#include "evolve/depth.h"
#include "evolve/replicates.h"
#include "lang/parser.h"

namespace gabbro::campaign {

namespace fs = std::filesystem;

using record::Event;
using record::Origin;

std::string CampaignPaths::record_file() const {
  std::error_code error;
  const fs::path target = fs::read_symlink(store(), error);
  return error ? store() : target.string();
}

std::string CampaignPaths::lock_folder() const {
  const fs::path folder = fs::path(record_file()).parent_path();
  return folder.empty() ? "." : folder.string();
}

Result<bool> link_record(const CampaignPaths& paths, const std::string& folder) {
  std::error_code error;
  const auto created = [&](const fs::path& path) -> Result<bool> {
    fs::create_directories(path, error);
    if (error) return fail("io", fmt::format("cannot create {}: {}", path.string(), error.message()));
    return true;
  };
  for (const std::string& each : {paths.dir, folder})
    if (const auto ok = created(each); !ok) return ok;
  const fs::path target = fs::canonical(folder, error);
  if (fs::exists(target / "campaign.db", error))
    return fail("campaign", "there is already a record in " + folder, "choose another --record");
  for (const char* name : {"campaign.db", "calls.db"}) {
    const fs::path link = fs::path(paths.dir) / name;
    if (fs::is_symlink(link, error)) fs::remove(link, error);  // a start that failed has left it
    fs::create_symlink(target / name, link, error);
    if (error) return fail("io", fmt::format("cannot create {}: {}", link.string(), error.message()));
  }
  return true;
}

Result<std::string> CampaignPaths::existing_store() const {
  std::error_code error;
  if (fs::exists(store(), error)) return store();
  if (fs::is_symlink(store(), error))
    return fail("campaign", fmt::format("the record of {} lies in {}, which is not here", dir, record_file()),
                "read it on the machine that runs the campaign");
  return fail("campaign", "there is no campaign in " + (dir.empty() ? "the current folder" : dir),
              "start one with `gabbro evolve --dir DIR`");
}

Result<bool> Campaign::State::create_initial_designs() {
  std::vector<Event> events;
  evolve::Population created_so_far(plan.settings);
  std::int64_t id = 0;
  const auto add = [&](const lang::Program& program, Origin origin, const std::string& description,
                       const std::string& name) -> Result<bool> {
    auto created = screener->measure(program, plan.settings);
    if (!created) {
      Error error = created.error();
      error.message = fmt::format("{} at the first rung: {}", name, error.message);
      return tl::unexpected(error);
    }
    if (origin == Origin::kUser) {
      GABBRO_TRY(other, screener->find_equal(*created, created_so_far));
      if (!other.empty())
        return fail("duplicate",
                    fmt::format("{} ({}) computes the same function as {}", name, created->name, other),
                    "leave it out; every design is trained once");
    }
    created->id = ++id;
    created->origin = origin;
    created->provenance.description = description;
    events.emplace_back(*created);
    return created_so_far.apply(events.back());
  };
  const auto add_from_zoo = [&](const std::string& file, Origin origin) {
    return add(baseline_program(plan.settings, file), origin, file, "the baseline " + file);
  };
  if (plan.aa_test) {
    for (int i = 0; i < evolve::kReplicates; ++i)
      if (const auto ok = add_from_zoo(plan.settings.baselines.at(0), Origin::kAaReplicate); !ok) return ok;
    return record(events);
  }
  for (const std::string& file : plan.settings.baselines)
    if (const auto ok = add_from_zoo(file, Origin::kBaseline); !ok) return ok;
  for (const std::string& file : plan.settings.controls)
    if (const auto ok = add_from_zoo(file, Origin::kControl); !ok) return ok;
  for (const std::string& text : plan.user_programs) {
    const lang::ParseResult parsed = lang::parse(text);
    if (!parsed.errors.empty()) return tl::unexpected(parsed.errors.front());
    if (const auto ok = add(parsed.program, Origin::kUser, "", "your design"); !ok) return ok;
  }
  return record(events);
}

namespace {

// Locks the folder, in which one process works at a time.
Result<Lock> lock_of(const CampaignPaths& paths) {
  auto lock = Lock::take(paths.lock_folder());
  if (!lock && is(lock.error(), record::Cause::kLocked))
    return fail("store", fmt::format("{}: another campaign is writing to it", paths.dir),
                "wait for it, stop it, or choose another folder");
  if (!lock && lock.error().code == "io")
    lock.error().hint +=
        "; the record of a campaign may lie on a local disk alone (`gabbro evolve --record DIR`)";
  return lock;
}

}  // namespace

Result<Campaign> Campaign::create(const CampaignPaths& paths, const CampaignPlan& plan,
                                  const MakeScreener& screener) {
  std::error_code error;
  const auto is_free = [&]() -> Result<bool> {
    if (!fs::exists(paths.store(), error)) return true;
    return fail("campaign", "there is already a campaign in " + paths.dir,
                "continue it with `gabbro resume`, or choose another --dir");
  };
  if (const auto ok = is_free(); !ok) return tl::unexpected(ok.error());
  // Seeds of comparisons are larger than this seed, and must not overflow to 0.
  constexpr std::uint64_t kMaxSeed = std::uint64_t{1} << 62;
  if (plan.seed > kMaxSeed)
    return fail("usage", fmt::format("seed {} is too large; the largest is {}", plan.seed, kMaxSeed));
  fs::create_directories(paths.dir + "/trials", error);
  if (error) return fail("io", fmt::format("cannot create {}: {}", paths.dir, error.message()));
  GABBRO_TRY(lock, lock_of(paths));
  // Another process may have created a campaign before this one had the lock.
  if (const auto ok = is_free(); !ok) return tl::unexpected(ok.error());
  // The record is created under a temporary name, so that a folder holds either a complete campaign or none.
  const std::string temporary = paths.record_file() + ".new";
  for (const char* end : {"", "-wal", "-shm"}) fs::remove(temporary + end, error);
  {
    GABBRO_TRY(store, store::Store::open(temporary));
    auto state = std::make_unique<State>(paths, plan, std::move(store), screener);
    if (const auto ok = state->record(
            {record::CampaignBegun{.config = to_toml(plan), .seed = plan.seed, .version = "1"}});
        !ok)
      return tl::unexpected(ok.error());
    if (const auto ok = state->create_initial_designs(); !ok) return tl::unexpected(ok.error());
  }
  // SQLite removes its write-ahead log when a store is closed, unless writing failed.
  if (fs::exists(temporary + "-wal", error))
    return fail("io", "cannot finish writing " + temporary, "check that the disk is not full");
  fs::rename(temporary, paths.record_file(), error);
  if (error) return fail("io", fmt::format("cannot create {}: {}", paths.record_file(), error.message()));
  return open_locked(std::move(lock), paths, screener);
}

Result<Campaign> Campaign::open(const CampaignPaths& paths, const MakeScreener& screener) {
  if (const auto file = paths.existing_store(); !file) return tl::unexpected(file.error());
  GABBRO_TRY(lock, lock_of(paths));
  return open_locked(std::move(lock), paths, screener);
}

bool Campaign::is_open(const CampaignPaths& paths) {
  const auto lock = Lock::take(paths.lock_folder());
  return !lock && is(lock.error(), record::Cause::kLocked);
}

Result<Campaign> Campaign::open_locked(Lock lock, const CampaignPaths& paths, const MakeScreener& screener) {
  GABBRO_TRY(store, store::Store::open(paths.store()));
  GABBRO_TRY(begun, store.campaign());
  const auto with_path = [&](Error error) {
    error.message = paths.store() + ": " + error.message;
    return tl::unexpected(std::move(error));
  };
  auto plan = parse_plan(begun);
  if (!plan) return with_path(plan.error());
  auto state = std::make_unique<State>(paths, std::move(*plan), std::move(store), screener);
  state->lock.emplace(std::move(lock));
  constexpr std::int64_t kPage = 10'000;  // events read at once
  for (std::int64_t from = 1;; from += kPage) {
    const auto page = state->store.events(from, kPage);
    for (const auto& [time, event] : page)
      if (auto ok = state->apply(event); !ok) return with_path(ok.error());
    if (static_cast<std::int64_t>(page.size()) < kPage) break;
  }
  return Campaign(std::move(state));
}

Campaign::Campaign(std::unique_ptr<State> state) : state_(std::move(state)) {}
Campaign::Campaign(Campaign&&) noexcept = default;
Campaign::~Campaign() = default;
const CampaignPlan& Campaign::plan() const { return state_->plan; }
void Campaign::set_corpus_folder(std::string folder) { state_->plan.corpus = std::move(folder); }
const evolve::Population& Campaign::population() const { return state_->population; }
void Campaign::use_agents(Agents* agents) { state_->agents = agents; }
void Campaign::replay(std::vector<RecordedAction> actions) { state_->actions_to_replay = std::move(actions); }

}  // namespace gabbro::campaign
