#include "data/held_out.h"

#include <utf8.h>

#include <algorithm>

#include "base/hash.h"
#include "base/text.h"

namespace gabbro::data {

namespace {

constexpr std::size_t kWindow = 64;            // bytes of plain text
constexpr std::size_t kFirst = 8;              // windows that are kept of each document
constexpr std::size_t kMostWindows = 2 << 20;  // windows that are kept beyond those
constexpr std::size_t kMaybe = 1 << 25;        // bits
constexpr std::uint32_t kBoilerplate = 8;      // documents in which a window may occur
constexpr std::uint32_t kMostDocuments = 64;   // for which a window counts
constexpr std::size_t kFewest = 4;             // windows by which a document is recognised
constexpr char32_t kSpaceMark = 0x2581;

bool is_most(std::size_t found, std::size_t of) { return of >= kFewest && 4 * found >= 3 * of; }

// Returns the distinct hashes of the windows of a text for which `is_chosen` says so, sorted.
template <class IsChosen>
std::vector<std::uint64_t> windows_of(const std::string& plain, const IsChosen& is_chosen) {
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
    if (const std::uint64_t hash = mix(0, rolling); is_chosen(hash)) out.push_back(hash);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Returns the windows with hashes up to `bound`, and at least those with the `kFirst` smallest hashes.
std::vector<std::uint64_t> windows_to_keep(const std::string& plain, std::uint64_t bound) {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  for (std::uint64_t wider = bound;; wider = wider > kAll / 16 ? kAll : 16 * wider + 15) {
    auto out = windows_of(plain, [&](std::uint64_t hash) { return hash <= wider; });
    if (out.size() < kFirst && wider < kAll) continue;
    const auto chosen =
        static_cast<std::size_t>(std::upper_bound(out.begin(), out.end(), bound) - out.begin());
    out.resize(std::min(out.size(), std::max(chosen, kFirst)));
    return out;
  }
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

HeldOutText::HeldOutText() : maybe_(kMaybe, false) {}

std::vector<std::uint64_t> HeldOutText::candidates(const std::string& plain) const {
  return windows_of(plain, [&](std::uint64_t hash) { return hash <= bound_ || maybe_[hash % kMaybe]; });
}

bool HeldOutText::is_nearly_known(const std::string& plain) const {
  std::size_t own = 0, known = 0;  // chosen windows
  std::unordered_map<std::uint32_t, std::uint32_t> shared;
  for (const std::uint64_t hash : candidates(plain)) {
    const auto place = places_.find(hash);
    const bool found = place != places_.end();
    own += hash <= bound_;
    known += hash <= bound_ && found;
    if (found) ++shared[place->second.begin];
  }
  return is_most(known, own) || std::any_of(shared.begin(), shared.end(), [&](const auto& s) {
           const Document& earlier = documents_[s.first];
           return 2 * earlier.bytes >= plain.size() && is_most(s.second, earlier.windows);
         });
}

bool HeldOutText::add(const std::string& plain) {
  if (!whole_.insert(identity_of(plain)).second) return true;
  if (is_nearly_known(plain)) return false;
  const auto document = static_cast<std::uint32_t>(documents_.size());
  const std::vector<std::uint64_t> windows = windows_to_keep(plain, bound_);
  documents_.push_back({plain.size(), static_cast<std::uint32_t>(windows.size())});
  for (const std::uint64_t hash : windows) {
    windows_.push_back({hash, document});
    places_.try_emplace(hash, Place{document, 1});
    maybe_[hash % kMaybe] = true;
  }
  beyond_ += windows.size() - std::min(windows.size(), kFirst);
  while (beyond_ > kMostWindows) halve();
  return true;
}

void HeldOutText::halve() {
  bound_ /= 2;
  for (Document& document : documents_) document.windows = 0;
  std::erase_if(windows_, [&](const Window& w) {
    std::uint32_t& kept = documents_[w.document].windows;
    if (kept >= kFirst && w.hash > bound_) return true;
    ++kept;
    return false;
  });
  beyond_ = 0;
  for (const Document& document : documents_)
    beyond_ += document.windows - std::min<std::size_t>(document.windows, kFirst);
  places_.clear();
  std::fill(maybe_.begin(), maybe_.end(), false);
  for (const Window& w : windows_) {
    places_.try_emplace(w.hash, Place{w.document, 1});
    maybe_[w.hash % kMaybe] = true;
  }
}

void HeldOutText::finish() {
  std::sort(windows_.begin(), windows_.end());
  const auto end_of = [&](std::size_t from) {
    std::size_t to = from;
    while (to < windows_.size() && windows_[to].hash == windows_[from].hash) ++to;
    return to;
  };
  std::vector<std::uint32_t> common(documents_.size());  // windows that more documents share
  for (std::size_t from = 0, to = 0; from < windows_.size(); from = to) {
    to = end_of(from);
    for (std::size_t i = from; to - from > kBoilerplate && i < to; ++i) ++common[windows_[i].document];
  }
  std::vector<bool> mostly_own;
  for (std::size_t i = 0; i < documents_.size(); ++i) {
    mostly_own.push_back(4 * common[i] < documents_[i].windows);
    documents_[i].windows = 0;
  }
  std::vector<Window> counting;
  for (std::size_t from = 0, to = 0; from < windows_.size(); from = to) {
    to = end_of(from);
    Place place{static_cast<std::uint32_t>(counting.size()), 0};
    for (std::size_t i = from; i < to && place.count < kMostDocuments; ++i) {
      if (to - from > kBoilerplate && mostly_own[windows_[i].document]) continue;
      counting.push_back(windows_[i]);
      ++documents_[windows_[i].document].windows;
      ++place.count;
    }
    places_[windows_[from].hash] = place;
  }
  windows_ = std::move(counting);
}

HeldOutText::Found HeldOutText::find(const std::string& plain) const {
  Found out;
  if (whole_.contains(identity_of(plain))) {
    out.overlap = Overlap::kSame;
    return out;
  }
  if (places_.empty()) return out;
  std::size_t own = 0, known = 0;  // chosen windows that are no boilerplate, and those held out
  std::unordered_map<std::uint32_t, std::uint32_t> shared;  // windows in common, by held-out document
  for (const std::uint64_t hash : candidates(plain)) {
    const auto place = places_.find(hash);
    const bool found = place != places_.end();
    if (found && place->second.count == 0) continue;
    own += hash <= bound_;
    if (!found) continue;
    known += hash <= bound_;
    out.windows.push_back(hash);
    const Place& at = place->second;
    for (std::uint32_t i = at.begin; i < at.begin + at.count; ++i) ++shared[windows_[i].document];
  }
  const bool holds = std::any_of(shared.begin(), shared.end(), [&](const auto& s) {
    return is_most(s.second, documents_[s.first].windows);
  });
  if (holds || is_most(known, own)) out.overlap = Overlap::kInside;
  return out;
}

void HeldOutText::train(const Found& found) {
  for (const std::uint64_t hash : found.windows) places_.at(hash).trained = true;
}

HeldOutText::Trained HeldOutText::trained() const {
  std::vector<std::uint32_t> found(documents_.size());
  for (const auto& [hash, place] : places_)
    for (std::uint32_t i = place.begin; place.trained && i < place.begin + place.count; ++i)
      ++found[windows_[i].document];
  Trained out{.of = documents_.size()};
  double bytes = 0, trained = 0;
  for (std::size_t i = 0; i < documents_.size(); ++i) {
    const auto [size, windows] = documents_[i];
    out.documents += is_most(found[i], windows);
    bytes += static_cast<double>(size);
    if (windows > 0) trained += static_cast<double>(size) * found[i] / windows;
  }
  if (bytes > 0) out.share = trained / bytes;
  return out;
}

}  // namespace gabbro::data
