#include "web/followed.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <utility>

#include "base/damaged.h"
#include "base/lock.h"

namespace gabbro::web {

namespace {

constexpr std::size_t kUnitsAtOnce = 1000;          // programs that a poll reads for the names of their units
constexpr std::size_t kMostAnswerBytes = 32 << 20;  // of remembered answers of one campaign

// Returns a text that changes whenever the record does.
std::string state_of_files(const std::string& dir) {
  std::string out;
  for (const char* suffix : {"", "-wal"}) {
    struct stat info {};
    if (::stat((campaign::CampaignPaths{dir}.record_file() + suffix).c_str(), &info) == 0)
      out +=
          fmt::format("{} {} {}.{} ", info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  }
  return out;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

struct Followed::State {
  campaign::RecordFollower follower;
  DesignIndex designs;
  campaign::CampaignVerdict verdict;
};

Followed::Followed(std::string key, std::string dir) : key_(std::move(key)), dir_(std::move(dir)) {}
Followed::~Followed() = default;

void Followed::read_live_state() {
  constexpr double kStale = 10;  // seconds
  auto live = campaign::read_live(dir_);
  if (live && std::abs(now() - live->time) > kStale) live.reset();
  const bool is_held = Lock::is_held(campaign::CampaignPaths{dir_}.lock_folder());
  if (is_held) last_held_ = now();
  // Without the lock that was seen before, the process was killed, unless another machine wrote since then.
  constexpr double kClocksDiffer = 1;  // seconds
  if (live && !is_held && last_held_ > 0 && live->time < last_held_ + kClocksDiffer) live.reset();
  is_running_ = live.has_value() || is_held;
  const std::lock_guard lock(small_mutex_);
  live_ = std::move(live);
}

std::optional<campaign::LiveState> Followed::live() const {
  const std::lock_guard lock(small_mutex_);
  return live_;
}

std::optional<Error> Followed::error() const {
  const std::lock_guard lock(small_mutex_);
  return error_;
}

bool Followed::read_record() {
  auto store = store::Store::read(campaign::CampaignPaths{dir_}.store());
  std::optional<Error> error;
  if (store && state_ && !state_->follower.follows(*store)) {
    const std::unique_lock lock(mutex_);
    const std::lock_guard small(small_mutex_);
    state_.reset();
    answers_.clear(), answers_bytes_ = 0, answers_version_ = {-1, 0};
  }
  if (!store) {
    error = store.error();
  } else if (!state_) {
    if (auto follower = campaign::RecordFollower::read(*store)) {
      auto state = std::make_unique<State>(State{std::move(*follower), {}, {}});
      state->designs.update(state->follower.reading(), {});
      state->verdict = campaign::verdict(state->follower.reading());
      const std::unique_lock lock(mutex_);
      state_ = std::move(state);
    } else {
      error = follower.error();
    }
  } else {
    const std::unique_lock lock(mutex_);
    if (const auto touched = state_->follower.catch_up(*store)) {
      state_->designs.update(state_->follower.reading(), *touched);
      state_->verdict = campaign::verdict(state_->follower.reading());
    } else {
      error = touched.error();
      state_.reset();
    }
  }
  const std::lock_guard lock(small_mutex_);
  error_ = error;
  return !error_;
}

bool Followed::poll() {
  const bool was_running = is_running_;
  const auto before = live();
  read_live_state();
  const auto after = live();
  bool changed = was_running != is_running_ || before.has_value() != after.has_value() ||
                 (after && before && after->time != before->time);
  const std::string files = state_of_files(dir_);
  try {
    if (files != seen_) {
      seen_ = files;
      read_record();
      changed = true;
    }
    if (state_ && state_->designs.with_units() < state_->designs.entries().size()) {
      if (const auto store = store::Store::read(campaign::CampaignPaths{dir_}.store())) {
        const auto names = state_->designs.read_units(*store, kUnitsAtOnce);
        const std::unique_lock lock(mutex_);
        state_->designs.add_units(names);
        if (state_->designs.with_units() == state_->designs.entries().size()) changed = true;
      }
    }
  } catch (const Damaged& e) {
    const std::lock_guard lock(small_mutex_);
    error_ = e.error();
    changed = true;
  }
  if (changed) ++version_;
  return changed;
}

void Followed::remember(const std::string& name, const Version& version, const std::string& text) {
  const std::lock_guard lock(small_mutex_);
  if (answers_version_ != version) answers_.clear(), answers_bytes_ = 0, answers_version_ = version;
  if (answers_bytes_ + text.size() > kMostAnswerBytes) return;
  if (answers_.emplace(name, text).second) answers_bytes_ += text.size();
}

Result<std::string> Followed::answer(const std::string& name,
                                     const std::function<Result<std::string>(const CampaignView&)>& compute) {
  if (const auto failed = error()) return tl::unexpected(*failed);
  // Answers depend on the events alone; the live state has requests of its own.
  const std::shared_lock lock(mutex_, std::try_to_lock);
  std::shared_lock<std::shared_mutex> waited;
  if (!lock.owns_lock()) waited = std::shared_lock(mutex_);
  if (!state_) return not_read_yet("the record is being read");
  const Version version{state_->follower.events(), state_->designs.with_units()};
  {
    const std::lock_guard small(small_mutex_);
    if (answers_version_ == version)
      if (const auto found = answers_.find(name); found != answers_.end()) return found->second;
  }
  GABBRO_TRY(store, store::Store::read(campaign::CampaignPaths{dir_}.store()));
  auto out = compute({.key = key_,
                      .dir = dir_,
                      .reading = state_->follower.reading(),
                      .designs = state_->designs,
                      .verdict = state_->verdict,
                      .store = store});
  if (out && !name.empty()) remember(name, version, *out);
  return out;
}

}  // namespace gabbro::web
