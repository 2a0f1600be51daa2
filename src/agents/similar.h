// Similarity of two descriptions of designs, by their words.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gabbro::agents {

/// The most similar of several texts.
struct Nearest {
  int index = -1;  // index of the text; -1: there are no texts
  double similarity = 0;
};

/// Finds the text of `known` with the largest cosine similarity to `text`. Word counts are scaled as 1 +
/// log(count) and weighted by rarity, log((1 + n) / (1 + texts with the word)) + 1, over `known` and `text`
/// (Salton and Buckley 1988). The similarity is 1 for the same words in any order and 0 for none in common.
/// Words consist of letters and digits, in lower case, without a plural s; the most common English words are
/// ignored. O(bytes).
Nearest nearest(std::string_view text, std::span<const std::string> known);

}  // namespace gabbro::agents
