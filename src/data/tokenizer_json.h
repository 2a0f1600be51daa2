// Writes a vocabulary as the package `tokenizers` reads it.
#pragma once

#include <string>

#include "base/result.h"
#include "data/tokenizer.h"

namespace gabbro::data {

/// Returns the text of a `tokenizer.json` whose ids are those of `tokenizer`, for any text. By default the
/// token that ends documents is put before them, as in training; encoded without special tokens, a text has
/// the ids of Tokenizer::encode. Names of control tokens in a text are text: a reader must ask for that
/// (`split_special_tokens`). O(bytes of all pieces). Errors: "tokenizer" for what it cannot express: models
/// other than byte pairs, vocabularies without the 256 bytes, normalisation other than spaces.
Result<std::string> tokenizer_json(const Tokenizer& tokenizer);

/// Returns the text of the `tokenizer_config.json` beside it. `length` is the number of tokens that the model
/// was trained to read. Errors: "tokenizer", as above.
Result<std::string> tokenizer_config_json(const Tokenizer& tokenizer, std::int64_t length);

}  // namespace gabbro::data
