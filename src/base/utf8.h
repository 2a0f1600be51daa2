// Decodes characters of UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gabbro {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;  // length of its encoding
};

/// Returns the code point that starts at byte `offset`, which must be less than the size of the text. Returns
/// nullopt if the bytes there are not valid UTF-8; overlong forms and surrogates are not valid.
std::optional<CodePoint> decode_utf8(std::string_view text, std::size_t offset);

}  // namespace gabbro
