// One campaign that the dashboard follows: its record as far as it was read, and answers that were computed
// from it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <utility>

#include "campaign/follow.h"
#include "campaign/live.h"
#include "web/design_index.h"

namespace gabbro::web {

/// The code of an error that ends by itself: something is not read yet. It is none of record/cause.h, since
/// it is never recorded.
inline constexpr const char* kLoading = "loading";
inline tl::unexpected<Error> not_read_yet(std::string message) {
  return tl::unexpected(Error{kLoading, std::move(message), "", {}});
}

/// The data that a page is computed from. It is valid during one call.
struct CampaignView {
  const std::string& key;  // the campaign's name in addresses
  const std::string& dir;  // its folder
  const campaign::CampaignReading& reading;
  const DesignIndex& designs;
  const campaign::CampaignVerdict& verdict;
  const store::Store& store;  // as it is now; it may be newer than `reading`
};

/// A campaign. `poll` is called by one thread; the other functions by any.
class Followed {
 public:
  Followed(std::string key, std::string dir);
  Followed(const Followed&) = delete;
  Followed& operator=(const Followed&) = delete;
  ~Followed();

  [[nodiscard]] const std::string& key() const { return key_; }
  [[nodiscard]] const std::string& dir() const { return dir_; }

  /// Reads what is new in the record and the live state. Returns true if a page may have changed.
  bool poll();
  /// Returns a number that grows with every change.
  [[nodiscard]] std::int64_t version() const { return version_; }
  /// Returns the live state of a campaign that runs.
  [[nodiscard]] std::optional<campaign::LiveState> live() const;
  /// Returns true if a process works on the campaign.
  [[nodiscard]] bool is_running() const { return is_running_; }
  /// Returns why the record cannot be read; nothing if it can.
  [[nodiscard]] std::optional<Error> error() const;

  /// Computes an answer from the campaign, or returns the one that was computed under the same `name` for the
  /// same events. Errors: "loading" while the record is being read for the first time; those of reading it;
  /// "store". Damaged if the file cannot be read.
  Result<std::string> answer(const std::string& name,
                             const std::function<Result<std::string>(const CampaignView&)>& compute);

 private:
  struct State;
  // Answers depend on the number of events, and on that of designs whose units are known.
  using Version = std::pair<std::int64_t, std::size_t>;
  void read_live_state();
  bool read_record();
  void remember(const std::string& name, const Version& version, const std::string& text);

  std::string key_, dir_;
  std::atomic<std::int64_t> version_{0};
  std::atomic<bool> is_running_{false};
  double last_held_ = 0;  // when a poll last saw the campaign's lock, in seconds since 1970; 0: never

  mutable std::shared_mutex mutex_;  // of state_
  std::unique_ptr<State> state_;     // null: not read yet

  mutable std::mutex small_mutex_;  // of all below
  std::optional<campaign::LiveState> live_;
  std::optional<Error> error_;
  std::map<std::string, std::string> answers_;  // of the version `answers_version_`
  Version answers_version_{-1, 0};
  std::size_t answers_bytes_ = 0;

  std::string seen_;  // sizes and times of the files at the last poll; only of `poll`
};

}  // namespace gabbro::web
