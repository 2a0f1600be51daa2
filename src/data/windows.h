// Cuts the forms of a text into windows that carry enough information to be recognised by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "data/comparable_text.h"

namespace gabbro::data {

/// A stretch of a part of a text, in letters or digits.
struct Window {
  std::uint64_t hash;
  std::uint32_t begin, length;
};

/// Returns the windows of a part of a text in order: one begins at each letter, or at each number. It extends
/// until it carries 48 bits (18 for digits), by the frequencies of its letters in itself: 13 to 18 letters of
/// English, 25 of DNA, 48 of two letters; and 8 digits, 18 of zeros and ones. Numbers close to one
/// before them count little. There is none where 128 letters or digits do not suffice, so bits, grids and
/// counters are not all copies of one another. Equal windows have equal hashes; those of letters and of
/// digits have different ones. O(bytes).
std::vector<Window> windows_of(const std::string& text, TextPart part);

/// Returns the first of each window with the same hash, in order.
std::vector<Window> distinct(const std::vector<Window>& windows);

}  // namespace gabbro::data
