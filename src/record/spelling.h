// Closed sets: an enum whose values have one spelling, in records, messages and options.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gabbro::record {

/// Specialised for each enum: `kWhat` names the set in errors, `kWords` are its spellings in the order of the values, which count from 0.
template <class E>
struct Spelling;

template <class E>
concept Spelled = requires {
  { Spelling<E>::kWhat } -> std::convertible_to<std::string_view>;
  Spelling<E>::kWords.size();
};

template <Spelled E>
constexpr std::string_view word_of(E e) {
  return Spelling<E>::kWords[static_cast<std::size_t>(e)];
}

/// The value that is spelt so; nothing: it is none of them.
template <Spelled E>
constexpr std::optional<E> parse_word(std::string_view word) {
  const auto& words = Spelling<E>::kWords;
  const auto at = std::find(words.begin(), words.end(), word);
  if (at == words.end()) return std::nullopt;
  return static_cast<E>(at - words.begin());
}

/// Where a design comes from.
enum class Origin : std::uint8_t {
  kSearch,       // a strategy drew it
  kBaseline,     // a known architecture of the preset
  kControl,      // the same, which sees few tokens
  kUser,         // a person's own design
  kAblation,     // a winner without one of its parts
  kAaReplicate,  // a copy in an A/A test
};
template <>
struct Spelling<Origin> {
  static constexpr std::string_view kWhat = "origin";
  static constexpr std::array<std::string_view, 6> kWords{"search", "baseline", "control",
                                                          "user",   "ablation", "aa"};
};

/// What a training run is for.
enum class Purpose : std::uint8_t {
  kRung,         // a design's first run at a rung
  kBaseline,     // a known architecture at a rung
  kReplicate,    // a further seed of a design at a rung
  kRate,         // a search for a learning rate
  kFinal,        // the last comparison, on seeds that chose nothing
  kAblation,     // the winner without one of its parts, on the comparison's seeds
  kRecheck,      // repeats the checks of an implausible lead
  kAaReplicate,  // a copy in an A/A test
};
template <>
struct Spelling<Purpose> {
  static constexpr std::string_view kWhat = "purpose";
  static constexpr std::array<std::string_view, 8> kWords{"rung",  "baseline", "replicate", "rate",
                                                          "final", "ablation", "check",     "aa"};
};

}  // namespace gabbro::record
