// All campaigns below some folders, followed by one thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "web/followed.h"

namespace gabbro::web {

class Collection {
 public:
  /// Looks for campaigns in `folders` and the folders below them, at most 6 levels deep, now and every 5 s.
  /// It follows them until their record is gone. Other threads may use the collection.
  explicit Collection(std::vector<std::string> folders);
  Collection(const Collection&) = delete;
  Collection& operator=(const Collection&) = delete;
  ~Collection();

  /// Returns all campaigns, by their keys.
  [[nodiscard]] std::vector<std::shared_ptr<Followed>> all() const;
  /// Returns the campaign with this key; null if there is none.
  [[nodiscard]] std::shared_ptr<Followed> find(const std::string& key) const;

  /// Waits until something has changed since `seen`, `stop` is called, or `seconds` have passed. Returns the
  /// number of changes so far.
  std::int64_t wait(std::int64_t seen, double seconds);
  [[nodiscard]] std::int64_t changes() const;  // since the collection was made
  /// Ends all waiting, and the thread. Not to be called from two threads at once.
  void stop();

 private:
  void follow();
  bool look_for_campaigns();

  std::vector<std::string> folders_;
  mutable std::mutex mutex_;  // of campaigns_, changes_ and stopping_
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Followed>> campaigns_;
  std::int64_t changes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

/// Returns the folders of campaigns in `folder` and below, at most `depth` levels deep, sorted. Folders
/// inside of campaigns, hidden ones, links and those that cannot be read are left out, and so is all that
/// comes after 20,000 folders.
std::vector<std::string> campaigns_below(const std::string& folder, int depth);

/// Returns the key of a campaign in addresses: its path below `root` (the name of the folder if they are the
/// same), with other characters than letters, digits, ".", "_" and "-" as "-", and "campaign" before a "." at
/// its beginning. A collection adds "-2", "-3", ... to keys that are taken.
std::string key_of(const std::string& root, const std::string& dir);

}  // namespace gabbro::web
