// The beginnings of documents: many short samples say more of a model than a few long ones of the same cost.
#pragma once

#include <cstdint>
#include <vector>

#include "data/corpus.h"
#include "data/tokenizer.h"

namespace gabbro::data {

/// The first `documents` documents (0: all), each cut to its first `tokens` tokens (at most 3 more, so that
/// no character is cut) with the bytes that these decode to; shorter ones are whole. For Split::keep.
std::vector<Document> heads(const Split& split, const Tokenizer& tokenizer, std::uint64_t documents,
                            std::uint64_t tokens);

}  // namespace gabbro::data
