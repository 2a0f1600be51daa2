// How near two descriptions of designs are, by their words.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gabbro::agents {

/// The nearest of some texts: its index, -1 when there are none.
struct Nearest {
  int index = -1;
  double similarity = 0;
};

/// Cosine of word counts (1 + log of the count) weighted by rarity, log((1 + n) / (1 + texts with the word))
/// + 1 over `known` and `text` (Salton and Buckley 1988): 1 for the same words in any order, 0 for none in
/// common. Words are of letters and digits, lower case, without a plural s; the commonest words of English do
/// not count. O(bytes).
Nearest nearest(std::string_view text, std::span<const std::string> known);

}  // namespace gabbro::agents
