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
      line_part_ = c == '\n' || c == '\r'            ? LinePart::kLineStart
                   : line_part_ == LinePart::kNumber ? LinePart::kText
                                                     : line_part_;
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
      // Modifier letters among them are marks: the tatweel, which stretches Arabic words, or apostrophes.
      const bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO &&
                          category != UTF8PROC_CATEGORY_LM;
      if (digit || letter)
        keep(digit, [&](std::string& to) {
          utf8::unchecked::append(static_cast<char32_t>(parts[static_cast<std::size_t>(i)]),
                                  std::back_inserter(to));
        });
    }
  }
  void take(Plain& out) {
    out.folded = std::move(letters_);
    if (out.folded != folded_) out.other = std::move(folded_);
    if (2 * out.folded.size() < out.other.size()) std::swap(out.folded, out.other);
  }
  void reserve(std::size_t bytes) { folded_.reserve(bytes), letters_.reserve(bytes); }

 private:
  enum class LinePart { kLineStart, kNumber, kText };
  template <class Append>
  void keep(bool digit, const Append& append) {
    if (!digit) append(letters_);
    if (passes(digit)) append(folded_);
  }
  bool passes(bool digit) {
    if (digit && line_part_ != LinePart::kText) {
      line_part_ = LinePart::kNumber;
      return false;
    }
    line_part_ = LinePart::kText;
    return true;
  }

  std::string folded_, letters_;
  LinePart line_part_ = LinePart::kLineStart;
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
  Plain out{.identity = hash64(visible), .folded = {}, .other = {}};
  folder.take(out);
  return out;
}

HeldOutText::HeldOutText() : maybe_(kMaybe, false) {}

std::vector<std::uint64_t> HeldOutText::candidates(const std::string& folded) const {
  return windows_of(folded, [&](std::uint64_t hash) { return hash <= bound_ || maybe_[hash % kMaybe]; });
}

bool HeldOutText::is_nearly_known(const Plain& plain) const {
  const auto forms = plain.forms();
  return std::any_of(forms.begin(), forms.end(), [&](const std::string* folded) {
    std::size_t own = 0, known = 0;  // chosen windows
    std::unordered_map<std::uint32_t, std::uint32_t> shared;
    for (const std::uint64_t hash : candidates(*folded)) {
      const auto entry = recurrences_.find(hash);
      const bool found = entry != recurrences_.end();
      own += hash <= bound_;
      known += hash <= bound_ && found;
      if (found) ++shared[entry->second.begin];
    }
    return is_most(known, own) || std::any_of(shared.begin(), shared.end(), [&](const auto& s) {
             const Document& earlier = documents_[s.first];
             return 2 * earlier.bytes >= folded->size() && is_most(s.second, earlier.windows);
           });
  });
}

bool HeldOutText::add(const Plain& plain) {
  if (!whole_.insert(plain.identity).second) return true;
  if (is_nearly_known(plain)) return false;
  const auto document = static_cast<std::uint32_t>(documents_.size());
  const std::vector<std::uint64_t> windows = windows_to_keep(plain.folded, bound_);
  documents_.push_back({plain.folded.size(), static_cast<std::uint32_t>(windows.size())});
  for (const std::uint64_t hash : windows) {
    windows_.push_back({hash, document});
    recurrences_.try_emplace(hash, Recurrence{document, 1});
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
  recurrences_.clear();
  std::fill(maybe_.begin(), maybe_.end(), false);
  for (const Window& w : windows_) {
    recurrences_.try_emplace(w.hash, Recurrence{w.document, 1});
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
    Recurrence at{static_cast<std::uint32_t>(counting.size()), 0};
    for (std::size_t i = from; i < to && at.count < kMostDocuments; ++i) {
      if (to - from > kBoilerplate && mostly_own[windows_[i].document]) continue;
      counting.push_back(windows_[i]);
      ++documents_[windows_[i].document].windows;
      ++at.count;
    }
    recurrences_[windows_[from].hash] = at;
  }
  windows_ = std::move(counting);
}

HeldOutText::Found HeldOutText::find(const Plain& plain) const {
  Found out;
  if (whole_.contains(plain.identity)) {
    out.overlap = Overlap::kSame;
    return out;
  }
  if (recurrences_.empty()) return out;
  bool is_part = false;
  for (const std::string* folded : plain.forms()) {
    std::size_t own = 0, known = 0;  // chosen windows that are no boilerplate, and those held out
    for (const std::uint64_t hash : candidates(*folded)) {
      const auto entry = recurrences_.find(hash);
      const bool found = entry != recurrences_.end();
      if (found && entry->second.count == 0) continue;
      own += hash <= bound_;
      known += hash <= bound_ && found;
      if (found) out.windows.push_back(hash);
    }
    is_part = is_part || is_most(known, own);
  }
  std::sort(out.windows.begin(), out.windows.end());
  out.windows.erase(std::unique(out.windows.begin(), out.windows.end()), out.windows.end());
  std::unordered_map<std::uint32_t, std::uint32_t> shared;  // windows in common, by held-out document
  for (const std::uint64_t hash : out.windows) {
    const Recurrence& at = recurrences_.at(hash);
    for (std::uint32_t i = at.begin; i < at.begin + at.count; ++i) ++shared[windows_[i].document];
  }
  const bool holds = std::any_of(shared.begin(), shared.end(), [&](const auto& s) {
    return is_most(s.second, documents_[s.first].windows);
  });
  if (holds || is_part) out.overlap = Overlap::kInside;
  return out;
}

void HeldOutText::train(const Found& found) {
  for (const std::uint64_t hash : found.windows) recurrences_.at(hash).trained = true;
}

HeldOutText::Trained HeldOutText::trained() const {
  std::vector<std::uint32_t> found(documents_.size());
  for (const auto& [hash, at] : recurrences_)
    for (std::uint32_t i = at.begin; at.trained && i < at.begin + at.count; ++i)
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
