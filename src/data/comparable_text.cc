#include "data/comparable_text.h"

#include <utf8.h>
#include <utf8proc.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "base/text.h"
#include "data/attributes.h"
#include "data/fields.h"
#include "data/markup.h"
#include "data/numbers.h"

namespace gabbro::data {

namespace {

constexpr char32_t kSpaceMark = 0x2581;  // SentencePiece writes a space as this.
// Vocabularies of bytes, such as GPT-2's, write a space and a line end as these letters. Both are capitals of
// Maltese, which loses nothing but them.
constexpr char32_t kSpaceOfBytes = 0x120, kLineEndOfBytes = 0x10a;

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

// Writes the letters and the numbers of a text without case, accents and differences of Unicode form.
class Folding {
 public:
  void add_ascii(char c) {
    const char folded = kFoldedAscii[static_cast<std::size_t>(c)];
    if (folded != 0 && folded <= '9') {
      numbers_.add_digit(folded);
      return;
    }
    numbers_.add_other(c);
    if (folded != 0)
      letters_ += folded;
    else
      fields_.add_other(c, letters_);
  }
  void add(char32_t c) {
    if (c == kSpaceOfBytes) return add_ascii(' ');
    if (c == kLineEndOfBytes) return add_ascii('\n');
    std::array<utf8proc_int32_t, 32> parts;  // A character decomposes into at most 18.
    constexpr int kForm = UTF8PROC_CASEFOLD | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_IGNORE;
    int boundary = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
                                               static_cast<utf8proc_option_t>(kForm), &boundary);
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      const auto part = static_cast<char32_t>(parts[static_cast<std::size_t>(i)]);
      const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(part));
      // Modifier letters are marks: the tatweel, which stretches Arabic words, or apostrophes.
      if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) {
        numbers_.add_digit(static_cast<char>('0' + (part & 0xf)));
        continue;
      }
      numbers_.add_other(part < 0x80 ? static_cast<char>(part) : '\0');
      if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO &&
          category != UTF8PROC_CATEGORY_LM)
        utf8::unchecked::append(part, std::back_inserter(letters_));
    }
  }
  void finish() {}
  ByPart<std::string> take_parts() {
    auto [digits, values] = numbers_.take();
    std::string unlabelled = fields_.without_labels(letters_);
    return {std::move(letters_), std::move(unlabelled), std::move(digits), std::move(values)};
  }
  void reserve(std::size_t bytes) { letters_.reserve(bytes); }

 private:
  std::string letters_;
  Fields fields_;
  Numbers numbers_;
};

// Returns the byte that was read as `c` where a text was taken for Latin-1 or Windows-1252; 0 if there is
// none from 0x80.
unsigned byte_of(char32_t c) {
  constexpr std::array<char32_t, 32> kWindows1252{
      0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021, 0x2c6,  0x2030, 0x160,
      0x2039, 0x152,  0x8d,   0x17d,  0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
      0x2013, 0x2014, 0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};
  if (c >= 0x80 && c <= 0xff) return c;
  const auto* const found = std::find(kWindows1252.begin(), kWindows1252.end(), c);
  return found == kWindows1252.end() ? 0 : 0x80 + static_cast<unsigned>(found - kWindows1252.begin());
}

// Decodes UTF-8 that was read as Latin-1: its bytes are characters from U+0080 to U+00FF. Writes to a Sink as
// Folding is one.
template <class Sink>
class Mended {
 public:
  explicit Mended(Sink& to) : to_(to) {}
  void add_ascii(char c) {
    if (count_ > 0) give_up();
    to_.add_ascii(c);
  }
  void add(char32_t c) {
    const unsigned byte = count_ > 0 || (c >= 0xc2 && c <= 0xf4) ? byte_of(c) : 0;
    if (count_ > 0 && (byte & 0xc0) != 0x80) give_up();
    if (count_ == 0 && (c < 0xc2 || c > 0xf4)) return to_.add(c);
    read_[count_] = c;
    bytes_[count_++] = static_cast<char>(byte);
    const unsigned first = static_cast<unsigned char>(bytes_[0]);
    if (count_ < (first < 0xe0 ? 2U : first < 0xf0 ? 3U : 4U)) return;
    if (!utf8::is_valid(bytes_.begin(), bytes_.begin() + count_)) return give_up();
    const char* begin = bytes_.data();
    count_ = 0;
    to_.add(utf8::unchecked::next(begin));
  }
  // Ends the text.
  void finish() {
    give_up();
    to_.finish();
  }

 private:
  void give_up() {
    for (std::size_t i = 0; i < count_; ++i) to_.add(read_[i]);
    count_ = 0;
  }

  Sink& to_;
  std::array<char32_t, 4> read_{};
  std::array<char, 4> bytes_{};
  std::size_t count_ = 0;
};

bool counts_for_identity(char32_t c) { return !is_invisible(c) && !is_white(c) && c != kSpaceMark; }

// Calls f(c, begin, end) for each character of a text in valid UTF-8.
template <class F>
void for_each_character(const std::string& text, const F& f) {
  for (auto next = text.begin(); next != text.end();) {
    const auto from = next;
    const char32_t c = *next >= 0 ? static_cast<char32_t>(*next++) : utf8::unchecked::next(next);
    f(c, from, next);
  }
}

ByPart<std::string> parts_of(const std::string& text) {
  Folding folding;
  Mended<Folding> mended(folding);
  Mended<Mended<Folding>> mended_twice(mended);
  folding.reserve(text.size());
  const MarkupReader reader(text);
  std::size_t markup_end = 0;
  const auto fold = [&](char32_t c) {
    if (c < 0x80)
      mended_twice.add_ascii(static_cast<char>(c));
    else
      mended_twice.add(c);
  };
  for_each_character(text, [&](char32_t c, auto from, auto) {
    const auto offset = static_cast<std::size_t>(from - text.begin());
    if (offset < markup_end) return;
    if (may_be_markup(c)) {
      const Markup markup = reader.at(offset);
      if (markup.bytes > 0) {
        markup_end = offset + markup.bytes;
        fold(markup.character);
        return;
      }
    }
    fold(c);
  });
  mended_twice.finish();
  return folding.take_parts();
}

}  // namespace

ComparableText comparable_text(const std::string& text) {
  const std::string attributes = with_attributes(text);
  return {.identity = identity_of(text), .parts = parts_of(attributes.empty() ? text : attributes)};
}

std::uint64_t identity_of(const std::string& text) {
  std::string visible;
  visible.reserve(text.size());
  auto visible_from = text.begin();
  for_each_character(text, [&](char32_t c, auto from, auto to) {
    if (counts_for_identity(c)) return;
    visible.append(visible_from, from);
    visible_from = to;
  });
  visible.append(visible_from, text.end());
  return hash64(visible);
}

}  // namespace gabbro::data
