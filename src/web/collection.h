// All campaigns below some folders, followed by one thread.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "web/followed.h"

namespace gabbro::web {

class Collection {
 public:
  /// Looks for campaigns in `folders` and the folders below them, now and every few seconds, and follows
  /// them. Other threads may use the collection.
  explicit Collection(std::vector<std::string> folders);
  Collection(const Collection&) = delete;
  Collection& operator=(const Collection&) = delete;
  ~Collection();

  [[nodiscard]] std::vector<std::shared_ptr<Followed>> all() const;
  /// Returns the campaign with this key; null if there is none.
  [[nodiscard]] std::shared_ptr<Followed> find(const std::string& key) const;

  /// Waits until something has changed since `seen`, at most `seconds`; returns the number of changes so far.
  std::int64_t wait(std::int64_t seen, double seconds);
  [[nodiscard]] std::int64_t changes() const;
  /// Ends all waiting, and the thread.
  void stop();

 private:
  void follow();
  bool look_for_campaigns();

  std::vector<std::string> folders_;
  mutable std::mutex mutex_;  // of all below
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Followed>> campaigns_;
  std::int64_t changes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

/// Returns the folders of campaigns in `folder` and below, at most `depth` levels deep, sorted. Folders
/// inside of campaigns, hidden ones and links are left out.
std::vector<std::string> campaigns_below(const std::string& folder, int depth);

/// Returns the key of a campaign in addresses: its path below `root`, with other characters than letters,
/// digits, ".", "_" and "-" as "-".
std::string key_of(const std::string& root, const std::string& dir);

}  // namespace gabbro::web
