// Decodes characters of UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gabbro {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
};

/// Returns the code point at `at`, or nullopt if the bytes there are not valid UTF-8 (including overlong
/// forms and surrogates).
std::optional<CodePoint> decode_utf8(std::string_view text, std::size_t at);

}  // namespace gabbro
