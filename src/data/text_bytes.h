// The bytes of text of documents, by which scores are divided.
#pragma once

#include <cstdint>

#include "data/corpus.h"
#include "data/tokenizer.h"

namespace gabbro::data {

/// Checks that the first `documents` documents of a split (0: all) have as many bytes of text as their tokens
/// decode to. Hashes do not show this if they were written together with the bytes. Errors: "corpus".
Result<bool> check_bytes(const Split& split, const Tokenizer& tokenizer, std::uint64_t documents);

}  // namespace gabbro::data
