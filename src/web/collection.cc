#include "web/collection.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/clock.h"

namespace gabbro::web {

namespace fs = std::filesystem;

namespace {
constexpr auto kPoll = std::chrono::milliseconds(400);
constexpr double kLook = 5;  // seconds between two searches for new campaigns
constexpr int kDepth = 6;    // levels of folders that are searched
constexpr std::size_t kMostFolders = 20'000;
}  // namespace

std::vector<std::string> campaigns_below(const std::string& folder, int depth) {
  std::vector<std::string> out;
  std::vector<std::pair<std::string, int>> open{{folder, depth}};
  for (std::size_t seen = 0; !open.empty() && seen < kMostFolders; ++seen) {
    const auto [path, left] = open.back();
    open.pop_back();
    std::error_code error;
    if (fs::exists(campaign::CampaignPaths{path}.store(), error)) {
      out.push_back(path);
      continue;
    }
    if (left == 0) continue;
    // A folder that cannot be read to its end keeps what was read.
    for (fs::directory_iterator entry(path, fs::directory_options::skip_permission_denied, error), end;
         !error && entry != end; entry.increment(error)) {
      std::error_code unknown;
      if (entry->is_directory(unknown) && !entry->is_symlink(unknown) &&
          !entry->path().filename().string().starts_with('.'))
        open.emplace_back(entry->path().string(), left - 1);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string key_of(const std::string& root, const std::string& dir) {
  std::string name = fs::path(dir).lexically_relative(root).generic_string();
  if (name.empty() || name == ".") name = fs::absolute(dir).lexically_normal().filename().string();
  if (name.empty()) name = fs::absolute(dir).lexically_normal().parent_path().filename().string();
  for (char& c : name) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          c == '.' || c == '_' || c == '-';
    if (!is_plain) c = '-';
  }
  // "." and ".." would be resolved away in an address.
  return name.empty() || name[0] == '.' ? "campaign" + name : name;
}

Collection::Collection(std::vector<std::string> folders) : folders_(std::move(folders)) {
  look_for_campaigns();
  thread_ = std::thread([this] { follow(); });
}

Collection::~Collection() { stop(); }

void Collection::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::vector<std::shared_ptr<Followed>> Collection::all() const {
  const std::lock_guard lock(mutex_);
  return campaigns_;
}

std::shared_ptr<Followed> Collection::find(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  for (const auto& c : campaigns_)
    if (c->key() == key) return c;
  return nullptr;
}

std::int64_t Collection::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

std::int64_t Collection::wait(std::int64_t seen, double seconds) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                    [&] { return stopping_ || changes_ != seen; });
  return changes_;
}

// Adds new campaigns, and removes those whose record is gone. Returns true if there was a change.
bool Collection::look_for_campaigns() {
  std::vector<std::pair<std::string, std::string>> found;  // root, folder
  for (const std::string& root : folders_)
    for (const std::string& dir : campaigns_below(root, kDepth))
      found.emplace_back(root, fs::path(dir).lexically_normal().string());
  const std::lock_guard lock(mutex_);
  bool changed =
      std::erase_if(campaigns_, [&](const auto& c) {
        return std::none_of(found.begin(), found.end(), [&](const auto& f) { return f.second == c->dir(); });
      }) > 0;
  for (const auto& [root, dir] : found) {
    if (std::any_of(campaigns_.begin(), campaigns_.end(), [&](const auto& c) { return c->dir() == dir; }))
      continue;
    const std::string wanted = key_of(root, dir);
    std::string key = wanted;
    const auto is_taken = [&](const auto& c) { return c->key() == key; };
    for (int k = 2; std::any_of(campaigns_.begin(), campaigns_.end(), is_taken); ++k)
      key = fmt::format("{}-{}", wanted, k);
    campaigns_.push_back(std::make_shared<Followed>(key, dir));
    changed = true;
  }
  std::sort(campaigns_.begin(), campaigns_.end(),
            [](const auto& a, const auto& b) { return a->key() < b->key(); });
  return changed;
}

void Collection::follow() {
  double looked = seconds_now();
  while (true) {
    bool changed = false;
    if (seconds_now() - looked > kLook) {
      changed = look_for_campaigns();
      looked = seconds_now();
    }
    for (const auto& c : all()) {
      if (c->poll()) {
        const std::lock_guard lock(mutex_);
        ++changes_;
        changed_.notify_all();
      }
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    std::unique_lock lock(mutex_);
    if (changed) {
      ++changes_;
      changed_.notify_all();
    }
    if (changed_.wait_for(lock, kPoll, [&] { return stopping_; })) return;
  }
}

}  // namespace gabbro::web
