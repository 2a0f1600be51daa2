// Decoding of UTF-8, and what to write in place of characters that only look like those of the language.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gabbro::lang {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
};

/// The code point at `at`; nothing if the bytes there are not valid UTF-8 (overlong forms and surrogates included).
std::optional<CodePoint> decode_utf8(std::string_view text, std::size_t at);

/// How to write `character` in ASCII: "write * instead", "write lambda instead" ...
std::string ascii_hint(char32_t character);

}  // namespace gabbro::lang
