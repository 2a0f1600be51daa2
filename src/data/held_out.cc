#include "data/held_out.h"

#include <utf8.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "base/text.h"

namespace gabbro::data {

namespace {

constexpr std::size_t kWindowBytes = 64;  // of a form
constexpr std::size_t kMinKept = 8;       // windows that are kept of each form, as far as it has them
constexpr std::size_t kMaxExtraWindows = 2 << 20;  // windows that are kept in addition
constexpr std::size_t kFilterBits = 1 << 25;
constexpr std::uint32_t kBoilerplate = 8;  // A window in more documents is boilerplate.
constexpr std::uint32_t kMaxForms = 64;    // maximum number of forms of documents for which a window counts
constexpr std::size_t kMinWindows = 4;     // windows by which a document can be recognised
constexpr char32_t kSpaceMark = 0x2581;    // SentencePiece writes a space as this.

// Returns true for at least three quarters of enough windows.
bool is_most(std::size_t found, std::size_t all) { return all >= kMinWindows && 4 * found >= 3 * all; }

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

// Writes a text without case, accents and differences of Unicode form: its letters, its letters and digits,
// and these without the numbers with which lines begin. In copies, lines may be numbered or broken elsewhere,
// or carry times, verses and notes.
class Folding {
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
    std::array<utf8proc_int32_t, 32> parts;  // A character decomposes into at most 18.
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
  std::vector<ComparableText::Form> take_forms() {
    const bool has_digits = all_.size() > letters_.size(), is_numeric = 2 * letters_.size() < all_.size();
    std::vector<ComparableText::Form> out{
        {.text = {}, .is_main = !is_numeric, .stands_for_text = 4 * letters_.size() >= all_.size()}};
    if (has_digits) {
      if (unnumbered_.size() < all_.size() && unnumbered_.size() > letters_.size())
        out.push_back({.text = std::move(unnumbered_), .is_main = is_numeric, .stands_for_text = is_numeric});
      out.push_back({.text = std::move(all_), .is_main = is_numeric, .stands_for_text = is_numeric});
    }
    out.front().text = std::move(letters_);
    return out;
  }
  void reserve(std::size_t bytes) {
    letters_.reserve(bytes), all_.reserve(bytes), unnumbered_.reserve(bytes);
  }

 private:
  enum class LinePart { kLineStart, kNumber, kText };
  template <class Append>
  void keep(bool digit, const Append& append) {
    if (!digit) append(letters_);
    append(all_);
    if (passes(digit)) append(unnumbered_);
  }
  bool passes(bool digit) {
    if (digit && line_part_ != LinePart::kText) {
      line_part_ = LinePart::kNumber;
      return false;
    }
    line_part_ = LinePart::kText;
    return true;
  }

  std::string letters_, all_, unnumbered_;
  LinePart line_part_ = LinePart::kLineStart;
};

// Returns the hashes of the windows of a text that are chosen, each once, sorted. The hash rolls: it is a
// polynomial in kBase, from which the byte that leaves the window is subtracted.
template <class IsChosen>
std::vector<std::uint64_t> windows_of(const std::string& text, const IsChosen& is_chosen) {
  constexpr std::uint64_t kBase = 0x9e3779b97f4a7c15;  // 2^64 divided by the golden ratio
  static const std::uint64_t kLeaving = [] {           // factor of the byte that leaves
    std::uint64_t power = 1;
    for (std::size_t i = 0; i < kWindowBytes; ++i) power *= kBase;
    return power;
  }();
  std::vector<std::uint64_t> out;
  std::uint64_t rolling = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    rolling = rolling * kBase + static_cast<unsigned char>(text[i]) + 1;
    if (i >= kWindowBytes) rolling -= kLeaving * (static_cast<unsigned char>(text[i - kWindowBytes]) + 1);
    if (i + 1 < kWindowBytes) continue;
    if (const std::uint64_t hash = mix(0, rolling); is_chosen(hash)) out.push_back(hash);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Returns the windows with hashes up to `bound`, and at least those with the `kMinKept` smallest hashes.
std::vector<std::uint64_t> windows_to_keep(const std::string& text, std::uint64_t bound) {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  for (std::uint64_t wider = bound;; wider = wider > kAll / 16 ? kAll : 16 * wider + 15) {
    auto out = windows_of(text, [&](std::uint64_t hash) { return hash <= wider; });
    if (out.size() < kMinKept && wider < kAll) continue;
    const auto chosen =
        static_cast<std::size_t>(std::upper_bound(out.begin(), out.end(), bound) - out.begin());
    out.resize(std::min(out.size(), std::max(chosen, kMinKept)));
    return out;
  }
}

}  // namespace

ComparableText comparable_text(const std::string& text) {
  std::string visible;
  Folding folding;
  visible.reserve(text.size());
  folding.reserve(text.size());
  for (auto at = text.begin(); at != text.end();) {
    if (*at > ' ' && *at < '\x7f') {
      visible += *at;
      folding.add_ascii(*at++);
      continue;
    }
    const auto from = at;
    const char32_t c = utf8::unchecked::next(at);
    if (!is_invisible(c) && !is_white(c) && c != kSpaceMark) visible.append(from, at);
    if (c < 0x80)
      folding.add_ascii(static_cast<char>(c));
    else
      folding.add(c);
  }
  return {.identity = hash64(visible), .forms = folding.take_forms()};
}

HeldOutText::HeldOutText() : filter_(kFilterBits, false) {}

std::vector<std::uint64_t> HeldOutText::candidates(const std::string& text) const {
  return windows_of(text, [&](std::uint64_t hash) { return hash <= bound_ || filter_[hash % kFilterBits]; });
}

bool HeldOutText::is_nearly_known(const ComparableText& comparable) const {
  const auto& forms = comparable.forms;
  return std::any_of(forms.begin(), forms.end(), [&](const ComparableText::Form& form) {
    // Chosen windows: all of this form, and those that are also in earlier documents.
    std::size_t own = 0, known = 0;
    std::unordered_map<std::uint32_t, std::uint32_t> shared;  // windows in common, by earlier form
    for (const std::uint64_t hash : candidates(form.text)) {
      const auto entry = occurrences_.find(hash);
      const bool found = entry != occurrences_.end();
      own += hash <= bound_;
      known += hash <= bound_ && found;
      if (found) ++shared[entry->second.begin];
    }
    return (form.is_main && is_most(known, own)) ||
           std::any_of(shared.begin(), shared.end(), [&](const auto& s) {
             const Form& earlier = forms_[s.first];
             return 2 * earlier.bytes >= form.text.size() && is_most(s.second, earlier.windows);
           });
  });
}

bool HeldOutText::add(const ComparableText& comparable) {
  if (!identities_.insert(comparable.identity).second) return true;
  if (is_nearly_known(comparable)) return false;
  for (const ComparableText::Form& form : comparable.forms) {
    if (!form.stands_for_text) continue;
    const auto index = static_cast<std::uint32_t>(forms_.size());
    const std::vector<std::uint64_t> windows = windows_to_keep(form.text, bound_);
    forms_.push_back({.document = documents_,
                      .bytes = form.text.size(),
                      .windows = static_cast<std::uint32_t>(windows.size())});
    for (const std::uint64_t hash : windows) {
      windows_.push_back({hash, index});
      occurrences_.try_emplace(hash, Occurrences{index, 1});
      filter_[hash % kFilterBits] = true;
    }
    extra_windows_ += windows.size() - std::min(windows.size(), kMinKept);
  }
  ++documents_;
  while (extra_windows_ > kMaxExtraWindows) halve();
  return true;
}

void HeldOutText::halve() {
  bound_ /= 2;
  for (Form& form : forms_) form.windows = 0;
  std::erase_if(windows_, [&](const Window& w) {
    std::uint32_t& kept = forms_[w.form].windows;
    if (kept >= kMinKept && w.hash > bound_) return true;
    ++kept;
    return false;
  });
  extra_windows_ = 0;
  for (const Form& form : forms_)
    extra_windows_ += form.windows - std::min<std::size_t>(form.windows, kMinKept);
  occurrences_.clear();
  std::fill(filter_.begin(), filter_.end(), false);
  for (const Window& w : windows_) {
    occurrences_.try_emplace(w.hash, Occurrences{w.form, 1});
    filter_[w.hash % kFilterBits] = true;
  }
}

void HeldOutText::finish() {
  std::sort(windows_.begin(), windows_.end());
  const auto end_of = [&](std::size_t from) {
    std::size_t to = from;
    while (to < windows_.size() && windows_[to].hash == windows_[from].hash) ++to;
    return to;
  };
  // A window is boilerplate if many documents have it, in whatever form.
  const auto is_boilerplate = [&](std::size_t from, std::size_t to) {
    std::uint32_t documents = 0;
    for (std::size_t i = from; i < to; ++i)
      documents += i == from || forms_[windows_[i].form].document != forms_[windows_[i - 1].form].document;
    return documents > kBoilerplate;
  };
  std::vector<std::uint32_t> common(forms_.size());  // boilerplate windows of each form
  for (std::size_t from = 0, to = 0; from < windows_.size(); from = to) {
    to = end_of(from);
    if (is_boilerplate(from, to))
      for (std::size_t i = from; i < to; ++i) ++common[windows_[i].form];
  }
  std::vector<bool> mostly_own;
  for (std::size_t i = 0; i < forms_.size(); ++i) {
    mostly_own.push_back(4 * common[i] < forms_[i].windows);
    forms_[i].windows = 0;
  }
  std::vector<Window> counting;
  for (std::size_t from = 0, to = 0; from < windows_.size(); from = to) {
    to = end_of(from);
    const bool boilerplate = is_boilerplate(from, to);
    Occurrences occurrences{.begin = static_cast<std::uint32_t>(counting.size()), .count = 0};
    for (std::size_t i = from; i < to && occurrences.count < kMaxForms; ++i) {
      if (boilerplate && mostly_own[windows_[i].form]) continue;
      counting.push_back(windows_[i]);
      ++forms_[windows_[i].form].windows;
      ++occurrences.count;
    }
    occurrences_[windows_[from].hash] = occurrences;
  }
  windows_ = std::move(counting);
}

HeldOutText::Found HeldOutText::find(const ComparableText& comparable) const {
  Found out;
  if (identities_.contains(comparable.identity)) {
    out.overlap = Overlap::kSame;
    return out;
  }
  if (occurrences_.empty()) return out;
  bool is_part = false;
  for (const ComparableText::Form& form : comparable.forms) {
    // Chosen windows without boilerplate: all of this form, and those that are also in held-out text.
    std::size_t own = 0, known = 0;
    for (const std::uint64_t hash : candidates(form.text)) {
      const auto entry = occurrences_.find(hash);
      const bool found = entry != occurrences_.end();
      if (found && entry->second.count == 0) continue;
      own += hash <= bound_;
      known += hash <= bound_ && found;
      if (found) out.windows.push_back(hash);
    }
    is_part = is_part || (form.is_main && is_most(known, own));
  }
  std::sort(out.windows.begin(), out.windows.end());
  out.windows.erase(std::unique(out.windows.begin(), out.windows.end()), out.windows.end());
  std::unordered_map<std::uint32_t, std::uint32_t>
      shared;  // windows in common, by form of a held-out document
  for (const std::uint64_t hash : out.windows) {
    const Occurrences& found = occurrences_.at(hash);
    for (std::uint32_t i = found.begin; i < found.begin + found.count; ++i) ++shared[windows_[i].form];
  }
  const bool holds = std::any_of(shared.begin(), shared.end(),
                                 [&](const auto& s) { return is_most(s.second, forms_[s.first].windows); });
  if (holds || is_part) out.overlap = Overlap::kInside;
  return out;
}

void HeldOutText::train(const Found& found) {
  for (const std::uint64_t hash : found.windows) occurrences_.at(hash).trained = true;
}

HeldOutText::Trained HeldOutText::trained() const {
  std::vector<std::uint32_t> found(forms_.size());
  for (const auto& [hash, occurrences] : occurrences_)
    for (std::uint32_t i = occurrences.begin;
         occurrences.trained && i < occurrences.begin + occurrences.count; ++i)
      ++found[windows_[i].form];
  Trained out{.added = documents_};
  double bytes = 0, trained = 0;
  for (std::size_t from = 0, to = 0; from < forms_.size(); from = to) {
    // A document is trained on as far as one of its forms is.
    bool is_trained = false;
    double share = 0;
    for (to = from; to < forms_.size() && forms_[to].document == forms_[from].document; ++to) {
      is_trained = is_trained || is_most(found[to], forms_[to].windows);
      if (forms_[to].windows > 0)
        share = std::max(share, static_cast<double>(found[to]) / forms_[to].windows);
    }
    out.documents += is_trained;
    bytes += static_cast<double>(forms_[from].bytes);
    trained += share * static_cast<double>(forms_[from].bytes);
  }
  if (bytes > 0) out.share = trained / bytes;
  return out;
}

}  // namespace gabbro::data
