// The beginnings of documents. Many short samples measure a model better than a few long ones at the same
// cost.
#pragma once

#include <cstdint>
#include <vector>

#include "data/corpus.h"
#include "data/tokenizer.h"

namespace gabbro::data {

/// Returns the first `documents` documents (0: all) for Split::restrict_to, each cut to its first `tokens`
/// tokens, with the number of bytes that these decode to. Up to 3 more tokens are kept so that no character
/// is cut. Documents of at most `tokens` + 4 tokens stay whole.
std::vector<Document> heads(const Split& split, const Tokenizer& tokenizer, std::uint64_t documents,
                            std::uint64_t tokens);

}  // namespace gabbro::data
