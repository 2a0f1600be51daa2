// Texts in the forms in which they are compared, whatever format they are written in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace gabbro::data {

/// The parts of a text that are compared, each by itself: copies may be numbered, quoted, set in tables or
/// timed, and tables may be written with other separators and labels. kUnlabelled is a second form of
/// kLetters, and kValues one of kDigits.
enum class TextPart : std::uint8_t { kLetters, kUnlabelled, kDigits, kValues };
inline constexpr std::array kTextParts{TextPart::kLetters, TextPart::kUnlabelled, TextPart::kDigits,
                                       TextPart::kValues};

template <class T>
using ByPart = std::array<T, kTextParts.size()>;

inline constexpr std::size_t at(TextPart part) { return static_cast<std::size_t>(part); }

/// A text in the forms in which it is compared with others.
struct ComparableText {
  /// The hash by which a document is compared as a whole: without white space, invisible characters and
  /// U+2581 (the space of SentencePiece). Formats differ in line ends and byte order marks.
  std::uint64_t identity = 0;
  /// Its letters as UTF-8, without case, accents and differences of Unicode form, and its numbers, each as
  /// digits after a space, without decimal points, exponents, leading zeros and zeros at the end of a
  /// fraction. Tags and commands of TeX and RTF are left out, unless the text stands in attributes
  /// (attributes.h); entities, escapes and UTF-8 that was read as Latin-1, once or twice, are decoded.
  /// kUnlabelled are the letters without those that a format puts into every record (fields.h). kValues are
  /// the numbers without those that count lines (the first of a line, where it mostly increases by one) and
  /// without those of names, such as q1; Second forms are empty if they would hardly differ.
  ByPart<std::string> parts;
};

/// Returns the forms of a text in valid UTF-8. O(bytes).
ComparableText comparable_text(const std::string& text);
/// Returns the identity alone.
std::uint64_t identity_of(const std::string& text);

}  // namespace gabbro::data
