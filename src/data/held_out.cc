#include "data/held_out.h"

#include <utf8.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/text.h"

namespace gabbro::data {

namespace {

constexpr std::size_t kWindow = 64;            // bytes of folded text
constexpr std::size_t kFirst = 8;              // windows that are kept of each document
constexpr std::size_t kMostWindows = 2 << 20;  // windows that are kept beyond those
constexpr std::size_t kMaybe = 1 << 25;        // bits
constexpr std::uint32_t kBoilerplate = 8;      // documents in which a window may occur
constexpr std::uint32_t kMostDocuments = 64;   // for which a window counts
constexpr std::size_t kFewest = 4;             // windows by which a document is recognised
constexpr char32_t kSpaceMark = 0x2581;

bool is_most(std::size_t found, std::size_t of) { return of >= kFewest && 4 * found >= 3 * of; }

// The folded form of each character of ASCII is a lower-case letter, a digit, or 0 for all others.
constexpr std::array<char, 128> kFoldedAscii = [] {
  std::array<char, 128> out{};
  for (char c = '0'; c <= '9'; ++c) out[static_cast<std::size_t>(c)] = c;
  for (char c = 'a'; c <= 'z'; ++c) {
    out[static_cast<std::size_t>(c)] = c;
    out[static_cast<std::size_t>(c - 'a' + 'A')] = c;
  }
  return out;
}();

// Keeps the letters of a text in one form, whatever their case, accents or Unicode form, and the digits where
// they are most of it. Copies may have their lines numbered, which may then be joined, or carry times, verses
// and notes. The number with which a line begins is left out of numeric text too.
class Folder {
 public:
  void add_ascii(char c) {
    if (const char folded = kFoldedAscii[static_cast<std::size_t>(c)]; folded == 0)
      place_ = c == '\n' || c == '\r' ? Place::kLineStart : place_ == Place::kNumber ? Place::kText : place_;
    else
      keep(folded <= '9', [folded](std::string& to) { to += folded; });
  }
  void add(char32_t c) {
    std::array<utf8proc_int32_t, 32> parts;  // 18 are the most
    constexpr int kForm = UTF8PROC_CASEFOLD | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_IGNORE;
    int boundary = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
                                               static_cast<utf8proc_option_t>(kForm), &boundary);
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      const utf8proc_category_t category = utf8proc_category(parts[static_cast<std::size_t>(i)]);
      const bool digit = category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
      const bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
      if (digit || letter)
        keep(digit, [&](std::string& to) {
          utf8::unchecked::append(static_cast<char32_t>(parts[static_cast<std::size_t>(i)]),
                                  std::back_inserter(to));
        });
    }
  }
  std::string take() { return std::move(2 * letters_.size() >= folded_.size() ? letters_ : folded_); }
  void reserve(std::size_t bytes) { folded_.reserve(bytes), letters_.reserve(bytes); }

 private:
  enum class Place { kLineStart, kNumber, kText };
  template <class Append>
  void keep(bool digit, const Append& append) {
    if (!digit) append(letters_);
    if (passes(digit)) append(folded_);
  }
  bool passes(bool digit) {
    if (digit && place_ != Place::kText) {
      place_ = Place::kNumber;
      return false;
    }
    place_ = Place::kText;
    return true;
  }

  std::string folded_, letters_;
  Place place_ = Place::kLineStart;
};

// Returns the distinct hashes of the windows of a text for which `is_chosen` says so, sorted.
template <class IsChosen>
std::vector<std::uint64_t> windows_of(const std::string& folded, const IsChosen& is_chosen) {
  constexpr std::uint64_t kBase = 0x9e3779b97f4a7c15;
  static const std::uint64_t kLeaving = [] {
    std::uint64_t power = 1;
    for (std::size_t i = 0; i < kWindow; ++i) power *= kBase;
    return power;
  }();
  std::vector<std::uint64_t> out;
  std::uint64_t rolling = 0;
  for (std::size_t i = 0; i < folded.size(); ++i) {
    rolling = rolling * kBase + static_cast<unsigned char>(folded[i]) + 1;
    if (i >= kWindow) rolling -= kLeaving * (static_cast<unsigned char>(folded[i - kWindow]) + 1);
    if (i + 1 < kWindow) continue;
    if (const std::uint64_t hash = mix(0, rolling); is_chosen(hash)) out.push_back(hash);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Returns the windows with hashes up to `bound`, and at least those with the `kFirst` smallest hashes.
std::vector<std::uint64_t> windows_to_keep(const std::string& folded, std::uint64_t bound) {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  for (std::uint64_t wider = bound;; wider = wider > kAll / 16 ? kAll : 16 * wider + 15) {
    auto out = windows_of(folded, [&](std::uint64_t hash) { return hash <= wider; });
    if (out.size() < kFirst && wider < kAll) continue;
    const auto chosen =
        static_cast<std::size_t>(std::upper_bound(out.begin(), out.end(), bound) - out.begin());
    out.resize(std::min(out.size(), std::max(chosen, kFirst)));
    return out;
  }
}

}  // namespace

Plain plain_of(const std::string& text) {
  std::string visible;
  Folder folder;
  visible.reserve(text.size());
  folder.reserve(text.size());
  for (auto at = text.begin(); at != text.end();) {
    if (*at > ' ' && *at < '\x7f') {
      visible += *at;
      folder.add_ascii(*at++);
      continue;
    }
    const auto from = at;
    const char32_t c = utf8::unchecked::next(at);
    if (!is_invisible(c) && !is_white(c) && c != kSpaceMark) visible.append(from, at);
    if (c < 0x80)
      folder.add_ascii(static_cast<char>(c));
    else
      folder.add(c);
  }
  return {hash64(visible), folder.take()};
}

HeldOutText::HeldOutText() : maybe_(kMaybe, false) {}

std::vector<std::uint64_t> HeldOutText::candidates(const std::string& folded) const {
  return windows_of(folded, [&](std::uint64_t hash) { return hash <= bound_ || maybe_[hash % kMaybe]; });
}

bool HeldOutText::is_nearly_known(const std::string& folded) const {
  std::size_t own = 0, known = 0;  // chosen windows
  std::unordered_map<std::uint32_t, std::uint32_t> shared;
  for (const std::uint64_t hash : candidates(folded)) {
    const auto place = places_.find(hash);
    const bool found = place != places_.end();
    own += hash <= bound_;
    known += hash <= bound_ && found;
    if (found) ++shared[place->second.begin];
  }
  return is_most(known, own) || std::any_of(shared.begin(), shared.end(), [&](const auto& s) {
           const Document& earlier = documents_[s.first];
           return 2 * earlier.bytes >= folded.size() && is_most(s.second, earlier.windows);
         });
}

bool HeldOutText::add(const Plain& plain) {
  if (!whole_.insert(plain.identity).second) return true;
  if (is_nearly_known(plain.folded)) return false;
  const auto document = static_cast<std::uint32_t>(documents_.size());
  const std::vector<std::uint64_t> windows = windows_to_keep(plain.folded, bound_);
  documents_.push_back({plain.folded.size(), static_cast<std::uint32_t>(windows.size())});
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

HeldOutText::Found HeldOutText::find(const Plain& plain) const {
  Found out;
  if (whole_.contains(plain.identity)) {
    out.overlap = Overlap::kSame;
    return out;
  }
  if (places_.empty()) return out;
  std::size_t own = 0, known = 0;  // chosen windows that are no boilerplate, and those held out
  std::unordered_map<std::uint32_t, std::uint32_t> shared;  // windows in common, by held-out document
  for (const std::uint64_t hash : candidates(plain.folded)) {
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
