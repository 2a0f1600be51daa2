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

/// Finds the text of `known` with the largest TF-IDF cosine similarity to `text`: sublinear term frequency, 1
/// + log(count), times smoothed inverse document frequency, log((1 + n) / (1 + texts with the word)) + 1,
/// over the n texts together (Salton and Buckley 1988). The similarity is 1 for the same words in any order
/// and 0 for none in common. Words consist of letters and digits, in lower case; the most common English
/// words are ignored, and a plural s is dropped. O(bytes).
Nearest nearest(std::string_view text, std::span<const std::string> known);

}  // namespace gabbro::agents
