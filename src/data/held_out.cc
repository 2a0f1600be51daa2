#include "data/held_out.h"

#include <utf8.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "base/hash.h"
#include "base/text.h"

namespace gabbro::data {

namespace {

constexpr std::array<std::size_t, kTextParts.size()> kWindowCharacters{16, 8};
constexpr std::size_t kMinKept = 24;  // windows that are kept of each part, as far as it has them
constexpr std::size_t kMaxExtraWindows = 2 << 20;  // windows that are kept in addition
constexpr std::size_t kFilterBits = 1 << 25;
constexpr std::uint32_t kBoilerplate = 8;    // A window in more documents is boilerplate.
constexpr std::uint32_t kMaxDocuments = 64;  // maximum number of documents for which a window counts
constexpr std::size_t kMinWindows = 8;       // windows by which a document can be recognised
constexpr std::size_t kMinStretch = 6;       // windows side by side that are no coincidence
// Shares of windows: by which two documents overlap, by which a document consists of several, and of a
// document's letters and digits that the other has at all.
constexpr double kOverlap = 0.6, kCompilation = 6.0 / 7, kMinCompared = 0.4;
constexpr char32_t kSpaceMark = 0x2581;  // SentencePiece writes a space as this.

std::size_t at(TextPart part) { return static_cast<std::size_t>(part); }

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

// Writes the letters and the digits of a text without case, accents and differences of Unicode form.
class Folding {
 public:
  void add_ascii(char c) {
    const char folded = kFoldedAscii[static_cast<std::size_t>(c)];
    if (folded == 0)
      separate(c);
    else if (folded <= '9')
      add_digit([folded](std::string& to) { to += folded; }, static_cast<std::uint64_t>(folded - '0'));
    else
      add_letter([folded](std::string& to) { to += folded; });
  }
  void add(char32_t c) {
    std::array<utf8proc_int32_t, 32> parts;  // A character decomposes into at most 18.
    constexpr int kForm = UTF8PROC_CASEFOLD | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_IGNORE;
    int boundary = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
                                               static_cast<utf8proc_option_t>(kForm), &boundary);
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      const auto part = static_cast<char32_t>(parts[static_cast<std::size_t>(i)]);
      const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(part));
      const auto append = [part](std::string& to) { utf8::unchecked::append(part, std::back_inserter(to)); };
      // Modifier letters are marks: the tatweel, which stretches Arabic words, or apostrophes.
      if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO)
        add_digit(append, part - U'0');
      else if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO &&
               category != UTF8PROC_CATEGORY_LM)
        add_letter(append);
      else
        separate(' ');
    }
  }
  std::array<std::string, kTextParts.size()> take_parts() {
    remove_line_numbers();
    return {std::move(letters_), std::move(digits_)};
  }
  void reserve(std::size_t bytes) { letters_.reserve(bytes); }

 private:
  // A number with which a line begins: its digits in digits_, and its value modulo 2^64.
  struct LineNumber {
    std::size_t begin = 0, end = 0;
    std::uint64_t value = 0;
  };
  enum class LinePart { kStart, kNumber, kDecimalPoint, kText };

  template <class Append>
  void add_letter(const Append& append) {
    append(letters_);
    line_part_ = LinePart::kText;
  }
  template <class Append>
  void add_digit(const Append& append, std::uint64_t value) {
    if (line_part_ == LinePart::kStart) {
      line_numbers_.push_back({.begin = digits_.size()});
      line_part_ = LinePart::kNumber;
    } else if (line_part_ == LinePart::kDecimalPoint) {  // A fraction is no number of a line.
      line_numbers_.pop_back();
      line_part_ = LinePart::kText;
    }
    append(digits_);
    if (line_part_ == LinePart::kNumber) {
      line_numbers_.back().end = digits_.size();
      line_numbers_.back().value = 10 * line_numbers_.back().value + value;
    }
  }
  void separate(char c) {
    if (c == '\n' || c == '\r')
      line_part_ = LinePart::kStart;
    else if (line_part_ == LinePart::kNumber)
      line_part_ = c == '.' || c == ',' ? LinePart::kDecimalPoint : LinePart::kText;
    else if (line_part_ == LinePart::kDecimalPoint)
      line_part_ = LinePart::kText;
  }
  // Removes the numbers of lines if they are such: four fifths of them increase by one.
  void remove_line_numbers() {
    constexpr std::size_t kFewest = 3;
    if (line_numbers_.size() < kFewest) return;
    std::size_t steps = 0;
    for (std::size_t i = 1; i < line_numbers_.size(); ++i)
      steps += line_numbers_[i].value == line_numbers_[i - 1].value + 1;
    if (5 * steps < 4 * (line_numbers_.size() - 1)) return;
    std::string kept;
    std::size_t from = 0;
    for (const LineNumber& number : line_numbers_) {
      kept.append(digits_, from, number.begin - from);
      from = number.end;
    }
    kept.append(digits_, from);
    digits_ = std::move(kept);
  }

  std::string letters_, digits_;
  std::vector<LineNumber> line_numbers_;
  LinePart line_part_ = LinePart::kStart;
};

bool is_ascii_letter(char c) { return kFoldedAscii[static_cast<unsigned char>(c) & 0x7f] >= 'a' && c > 0; }
bool is_hex_digit(char c) { return c > 0 && std::isxdigit(static_cast<unsigned char>(c)) != 0; }

// Returns the number of bytes of markup with which `text` begins; 0 if it begins with none. Markup is a tag
// of HTML, an entity, an escape of a string (\n, \u2019), or a command of TeX or RTF (\emph, \par).
std::size_t markup_at(std::string_view text) {
  constexpr std::size_t kLongestTag = 300, kLongestEntity = 12, kLongestCommand = 24;
  if (text.size() < 2) return 0;
  if (text[0] == '<' && (is_ascii_letter(text[1]) || text[1] == '/' || text[1] == '!' || text[1] == '?')) {
    const std::size_t end = text.substr(0, kLongestTag).find_first_of("<>", 1);
    return end != std::string_view::npos && text[end] == '>' ? end + 1 : 0;
  }
  if (text[0] == '&') {
    const std::string_view entity = text.substr(0, kLongestEntity);
    const std::size_t end = std::min(
        entity.size(), static_cast<std::size_t>(
                           std::find_if(entity.begin() + 1, entity.end(),
                                        [](char c) {
                                          return c != '#' &&
                                                 (c < 0 || std::isalnum(static_cast<unsigned char>(c)) == 0);
                                        }) -
                           entity.begin()));
    return end > 1 && end < entity.size() && entity[end] == ';' ? end + 1 : 0;
  }
  if (text[0] != '\\' || !is_ascii_letter(text[1])) return 0;
  constexpr std::size_t kUnicodeEscape = 6;  // \u and four digits
  if (text[1] == 'u' && text.size() >= kUnicodeEscape &&
      std::all_of(text.begin() + 2, text.begin() + kUnicodeEscape, is_hex_digit))
    return kUnicodeEscape;
  std::size_t end = 1;
  while (end < std::min(text.size(), kLongestCommand) && is_ascii_letter(text[end])) ++end;
  const bool has_argument = end < text.size() && text[end] == '{';
  const bool may_be_escape = text[1] == 'n' || text[1] == 'r' || text[1] == 't';
  return may_be_escape && !has_argument ? 2 : end;
}

// Calls f(hash) for each window of a part of a text, in order. The hash rolls: it is a polynomial in kBase,
// from which the character that leaves the window is subtracted. Windows of different parts have different
// hashes.
template <class F>
void for_each_window(const std::string& text, TextPart part, const F& f) {
  constexpr std::uint64_t kBase = 0x9e3779b97f4a7c15;  // 2^64 divided by the golden ratio
  const std::size_t length = kWindowCharacters[at(part)];
  std::uint64_t leaving = 1;  // factor of the character that leaves
  for (std::size_t i = 0; i < length; ++i) leaving *= kBase;
  std::array<std::uint64_t, *std::max_element(kWindowCharacters.begin(), kWindowCharacters.end())> last{};
  std::uint64_t rolling = 0;
  std::size_t count = 0;
  for (auto next = text.begin(); next != text.end(); ++count) {
    const std::uint64_t c = *next >= 0 ? static_cast<std::uint64_t>(*next++) : utf8::unchecked::next(next);
    rolling = rolling * kBase + c + 1;
    std::uint64_t& slot = last[count % length];
    if (count >= length) rolling -= leaving * (slot + 1);
    slot = c;
    if (count + 1 >= length) f(mix(1 + at(part), rolling));
  }
}

void sort_uniquely(std::vector<std::uint64_t>& hashes) {
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
}

// Returns the windows with hashes up to `bound`, and at least those with the `kMinKept` smallest hashes.
std::vector<std::uint64_t> windows_to_keep(const std::string& text, TextPart part, std::uint64_t bound) {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  for (std::uint64_t wider = bound;; wider = wider > kAll / 16 ? kAll : 16 * wider + 15) {
    std::vector<std::uint64_t> out;
    for_each_window(text, part, [&](std::uint64_t hash) {
      if (hash <= wider) out.push_back(hash);
    });
    sort_uniquely(out);
    if (out.size() < kMinKept && wider < kAll) continue;
    const auto chosen =
        static_cast<std::size_t>(std::upper_bound(out.begin(), out.end(), bound) - out.begin());
    out.resize(std::min(out.size(), std::max(chosen, kMinKept)));
    return out;
  }
}

// Returns true if most of a document is in another one: `windows` and `bytes` are the document's, `found` the
// numbers of its windows that are in the other, and `others` the bytes of the other. As far as the other has
// less of a part, this part is not looked for. Parts count by their bytes, since the numbers of windows that
// are chosen are random.
template <class Windows, class Found, class Bytes>
bool is_mostly_in(const Windows& windows, const Bytes& bytes, const Found& found, const Bytes& others) {
  double in_common = 0, compared = 0, all = 0;
  std::size_t count = 0;
  for (const TextPart part : kTextParts) {
    const auto own = static_cast<double>(bytes[at(part)]);
    const double looked_for = std::min(own, static_cast<double>(others[at(part)]));
    all += own;
    if (looked_for == 0 || windows[at(part)] == 0) continue;
    const double wanted = static_cast<double>(windows[at(part)]) * looked_for / own;
    in_common += looked_for * std::min(1.0, static_cast<double>(found[at(part)]) / wanted);
    compared += looked_for;
    count += found[at(part)];
  }
  return count >= kMinWindows && in_common >= kOverlap * compared && compared >= kMinCompared * all;
}

template <class ByPart>
auto total(const ByPart& numbers) {
  return numbers[at(TextPart::kLetters)] + numbers[at(TextPart::kDigits)];
}

}  // namespace

ComparableText comparable_text(const std::string& text) {
  std::string visible;
  Folding folding;
  visible.reserve(text.size());
  folding.reserve(text.size());
  std::size_t markup_end = 0;
  for (auto next = text.begin(); next != text.end();) {
    const auto from = next;
    const auto offset = static_cast<std::size_t>(from - text.begin());
    const char32_t c = *next >= 0 ? static_cast<char32_t>(*next++) : utf8::unchecked::next(next);
    if (!is_invisible(c) && !is_white(c) && c != kSpaceMark) visible.append(from, next);
    if (offset >= markup_end && (c == '<' || c == '&' || c == '\\'))
      if (const std::size_t bytes = markup_at(std::string_view(text).substr(offset)); bytes > 0) {
        markup_end = offset + bytes;
        folding.add_ascii(' ');
      }
    if (offset < markup_end) continue;
    if (c < 0x80)
      folding.add_ascii(static_cast<char>(c));
    else
      folding.add(c);
  }
  return {.identity = hash64(visible), .parts = folding.take_parts()};
}

HeldOutText::HeldOutText() : filter_(kFilterBits, false) {}

template <class F>
void HeldOutText::for_documents_with(const Occurrences& window, const F& f) const {
  if (!finished_) return f(window.begin);
  for (std::uint32_t i = window.begin; i < window.begin + window.count; ++i) f(windows_[i].document);
}

HeldOutText::Comparison HeldOutText::compare(const ComparableText& comparable) const {
  Comparison out;
  for (const TextPart part : kTextParts) {
    const std::string& text = comparable.parts[at(part)];
    std::vector<std::uint64_t> chosen, known, stretch;
    const auto end_stretch = [&] {
      if (stretch.size() >= kMinStretch)
        out.in_stretches.insert(out.in_stretches.end(), stretch.begin(), stretch.end());
      stretch.clear();
    };
    for_each_window(text, part, [&](std::uint64_t hash) {
      if (hash > bound_ && !filter_[hash % kFilterBits]) return;
      const auto entry = occurrences_.find(hash);
      if (entry != occurrences_.end() && entry->second.count == 0) return;  // boilerplate
      if (hash <= bound_) chosen.push_back(hash);
      if (entry != occurrences_.end())
        known.push_back(hash), stretch.push_back(hash);
      else if (hash <= bound_)
        end_stretch();
    });
    end_stretch();
    sort_uniquely(chosen);
    sort_uniquely(known);
    out.document.bytes[at(part)] = text.size();
    out.document.windows[at(part)] = static_cast<std::uint32_t>(chosen.size());
    for (const std::uint64_t hash : known) {
      out.known += hash <= bound_;
      for_documents_with(occurrences_.at(hash), [&](std::uint32_t document) {
        Shared& shared = out.shared[document];
        ++shared.kept[at(part)];
        shared.chosen[at(part)] += hash <= bound_;
      });
    }
  }
  sort_uniquely(out.in_stretches);
  return out;
}

bool HeldOutText::is_compilation(const Comparison& c) {
  return c.known >= kMinWindows &&
         static_cast<double>(c.known) >= kCompilation * static_cast<double>(total(c.document.windows));
}

bool HeldOutText::is_nearly_known(const ComparableText& comparable) const {
  const Comparison c = compare(comparable);
  const Document& own = c.document;
  return is_compilation(c) || std::any_of(c.shared.begin(), c.shared.end(), [&](const auto& s) {
           const Document& earlier = documents_[s.first];
           return is_mostly_in(own.windows, own.bytes, s.second.chosen, earlier.bytes) ||
                  (2 * total(earlier.bytes) >= total(own.bytes) &&
                   is_mostly_in(earlier.windows, earlier.bytes, s.second.kept, own.bytes));
         });
}

bool HeldOutText::add(const ComparableText& comparable) {
  if (!identities_.insert(comparable.identity).second) return true;
  if (is_nearly_known(comparable)) return false;
  const auto number = static_cast<std::uint32_t>(documents_.size());
  Document& document = documents_.emplace_back();
  for (const TextPart part : kTextParts) {
    const std::string& text = comparable.parts[at(part)];
    const std::vector<std::uint64_t> windows = windows_to_keep(text, part, bound_);
    document.bytes[at(part)] = text.size();
    document.windows[at(part)] = static_cast<std::uint32_t>(windows.size());
    for (const std::uint64_t hash : windows) index(windows_.emplace_back(Window{hash, number, part}));
    extra_windows_ += windows.size() - std::min(windows.size(), kMinKept);
  }
  while (extra_windows_ > kMaxExtraWindows) halve();
  return true;
}

void HeldOutText::index(const Window& window) {
  occurrences_.try_emplace(window.hash, Occurrences{window.document, 1});
  filter_[window.hash % kFilterBits] = true;
}

void HeldOutText::halve() {
  bound_ /= 2;
  for (Document& document : documents_) document.windows = {};
  std::erase_if(windows_, [&](const Window& w) {
    std::uint32_t& kept = documents_[w.document].windows[at(w.part)];
    if (kept >= kMinKept && w.hash > bound_) return true;
    ++kept;
    return false;
  });
  extra_windows_ = 0;
  for (const Document& document : documents_)
    for (const std::uint32_t windows : document.windows)
      extra_windows_ += windows - std::min<std::size_t>(windows, kMinKept);
  occurrences_.clear();
  std::fill(filter_.begin(), filter_.end(), false);
  for (const Window& w : windows_) index(w);
}

void HeldOutText::finish() {
  std::sort(windows_.begin(), windows_.end());
  const auto end_of = [&](std::size_t from) {
    std::size_t to = from;
    while (to < windows_.size() && windows_[to].hash == windows_[from].hash) ++to;
    return to;
  };
  std::vector<std::uint32_t> common(documents_.size());  // boilerplate windows of each document
  for (std::size_t from = 0, to = 0; from < windows_.size(); from = to) {
    to = end_of(from);
    for (std::size_t i = from; to - from > kBoilerplate && i < to; ++i) ++common[windows_[i].document];
  }
  std::vector<bool> mostly_own;
  for (std::size_t i = 0; i < documents_.size(); ++i) {
    mostly_own.push_back(4 * common[i] < total(documents_[i].windows));
    documents_[i].windows = {};
  }
  std::vector<Window> counting;
  for (std::size_t from = 0, to = 0; from < windows_.size(); from = to) {
    to = end_of(from);
    Occurrences occurrences{.begin = static_cast<std::uint32_t>(counting.size()), .count = 0};
    for (std::size_t i = from; i < to && occurrences.count < kMaxDocuments; ++i) {
      if (to - from > kBoilerplate && mostly_own[windows_[i].document]) continue;
      counting.push_back(windows_[i]);
      ++documents_[windows_[i].document].windows[at(windows_[i].part)];
      ++occurrences.count;
    }
    occurrences_[windows_[from].hash] = occurrences;
  }
  windows_ = std::move(counting);
  finished_ = true;
}

HeldOutText::Found HeldOutText::find(const ComparableText& comparable) const {
  Found out;
  if (identities_.contains(comparable.identity)) {
    out.overlap = Overlap::kSame;
    return out;
  }
  Comparison c = compare(comparable);
  const Document& own = c.document;
  const bool overlaps = std::any_of(c.shared.begin(), c.shared.end(), [&](const auto& s) {
    const Document& held_out = documents_[s.first];
    return is_mostly_in(held_out.windows, held_out.bytes, s.second.kept, own.bytes) ||
           is_mostly_in(own.windows, own.bytes, s.second.chosen, held_out.bytes);
  });
  if (overlaps || is_compilation(c)) out.overlap = Overlap::kInside;
  out.windows = std::move(c.in_stretches);
  return out;
}

void HeldOutText::train(const Found& found) {
  for (const std::uint64_t hash : found.windows) occurrences_.at(hash).trained = true;
}

HeldOutText::Trained HeldOutText::trained() const {
  std::vector<std::uint32_t> found(documents_.size());
  for (const auto& [hash, occurrences] : occurrences_)
    if (occurrences.trained)
      for_documents_with(occurrences, [&](std::uint32_t document) { ++found[document]; });
  Trained out{.added = documents_.size()};
  double bytes = 0, trained = 0;
  for (std::size_t i = 0; i < documents_.size(); ++i) {
    const std::uint32_t windows = total(documents_[i].windows);
    const double share = windows > 0 ? static_cast<double>(found[i]) / windows : 0;
    out.documents += found[i] >= kMinWindows && share >= kOverlap;
    bytes += static_cast<double>(total(documents_[i].bytes));
    trained += share * static_cast<double>(total(documents_[i].bytes));
  }
  if (bytes > 0) out.share = trained / bytes;
  return out;
}

}  // namespace gabbro::data
