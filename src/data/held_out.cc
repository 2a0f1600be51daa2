#include "data/held_out.h"

#include <utf8.h>

#include <algorithm>

#include "base/hash.h"
#include "base/text.h"

namespace gabbro::data {

namespace {

constexpr std::size_t kWindow = 64;            // bytes of plain text
constexpr std::size_t kMostWindows = 2 << 20;  // chosen windows that are kept
constexpr std::uint32_t kBoilerplate = 8;      // documents in which a window may occur
constexpr std::size_t kFewest = 4;             // windows by which a document is recognised
constexpr char32_t kSpaceMark = 0x2581;

bool is_most(std::size_t found, std::size_t of) { return of >= kFewest && 4 * found >= 3 * of; }

// Returns the distinct hashes up to `bound` of the windows of a text, sorted.
std::vector<std::uint64_t> windows_of(const std::string& plain, std::uint64_t bound) {
  constexpr std::uint64_t kBase = 0x9e3779b97f4a7c15;
  static const std::uint64_t kLeaving = [] {
    std::uint64_t power = 1;
    for (std::size_t i = 0; i < kWindow; ++i) power *= kBase;
    return power;
  }();
  std::vector<std::uint64_t> out;
  std::uint64_t rolling = 0;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    rolling = rolling * kBase + static_cast<unsigned char>(plain[i]) + 1;
    if (i >= kWindow) rolling -= kLeaving * (static_cast<unsigned char>(plain[i - kWindow]) + 1);
    if (i + 1 < kWindow) continue;
    if (const std::uint64_t hash = mix(0, rolling); hash <= bound) out.push_back(hash);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

std::string plain_of(const std::string& text) {
  std::string plain;
  plain.reserve(text.size());
  for (auto at = text.begin(); at != text.end();) {
    const auto from = at;
    const char32_t c = utf8::unchecked::next(at);
    if (!is_invisible(c) && !is_white(c) && c != kSpaceMark) plain.append(from, at);
  }
  return plain;
}

std::uint64_t identity_of(const std::string& plain) { return hash64(plain); }

void HeldOutText::add(const std::string& plain) {
  if (!whole_.insert(identity_of(plain)).second) return;
  const auto document = static_cast<std::uint32_t>(counts_.size());
  counts_.push_back(0);
  for (const std::uint64_t hash : windows_of(plain, bound_)) windows_.push_back({hash, document});
  while (windows_.size() > kMostWindows) {
    bound_ /= 2;
    std::erase_if(windows_, [&](const Window& w) { return w.hash > bound_; });
  }
}

void HeldOutText::finish() {
  std::sort(windows_.begin(), windows_.end());
  for (std::size_t from = 0, to = 0; from < windows_.size(); from = to) {
    while (to < windows_.size() && windows_[to].hash == windows_[from].hash) ++to;
    const auto count = static_cast<std::uint32_t>(to - from);
    const bool counts = count <= kBoilerplate;
    places_[windows_[from].hash] = {static_cast<std::uint32_t>(from), counts ? count : 0};
    for (std::size_t i = from; counts && i < to; ++i) ++counts_[windows_[i].document];
  }
}

Overlap HeldOutText::find(const std::string& plain) const {
  if (whole_.contains(identity_of(plain))) return Overlap::kSame;
  if (places_.empty()) return Overlap::kNone;
  std::size_t own = 0, known = 0;  // windows of this document that are no boilerplate, and those held out
  std::unordered_map<std::uint32_t, std::uint32_t> shared;  // windows in common, by held-out document
  for (const std::uint64_t hash : windows_of(plain, bound_)) {
    const auto place = places_.find(hash);
    if (place == places_.end()) {
      ++own;
      continue;
    }
    const auto [begin, count] = place->second;
    if (count == 0) continue;
    ++own;
    ++known;
    for (std::uint32_t i = begin; i < begin + count; ++i) ++shared[windows_[i].document];
  }
  const bool holds = std::any_of(shared.begin(), shared.end(),
                                 [&](const auto& s) { return is_most(s.second, counts_[s.first]); });
  return holds || is_most(known, own) ? Overlap::kInside : Overlap::kNone;
}

}  // namespace gabbro::data
