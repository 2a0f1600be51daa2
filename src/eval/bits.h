// Held-out bits per byte: the number that decides.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "data/corpus.h"
#include "exec/model.h"

namespace gabbro::eval {

struct DocumentBits {
  double bits = 0;  // of all its pieces
  std::uint64_t bytes = 0;
};

/// Bits per byte over documents: the sum of all losses in bits, that of the end piece of every document
/// included, over the sum of all bytes of text, which an end piece is none of (docs/verdict.md says what that
/// makes). `low` and `high` bound it at 95 %, by the ratio's linearised standard error over documents
/// (`error`) and Student's t; documents of different lengths count as as many equal ones as they are worth
/// (base/student.h).
struct BitsPerByte {
  double value = 0;
  double error = 0, low = 0, high = 0;
  double nats_per_token = 0;
  std::uint64_t documents = 0, tokens = 0, bytes = 0;
  std::uint64_t text = 0;          // a hash of the tokens and the bytes of every document, in their order
  std::vector<DocumentBits> each;  // in the order of the split
};

/// Over the first `documents` documents of the split (0: all). A document is read in windows of `length`
/// tokens that do not overlap; `sequences` windows at a time. `progress` gets the share done; false stops
/// (the result then covers what was read).
BitsPerByte bits_per_byte(exec::Model& model, const data::Split& split, std::int64_t end_piece,
                          std::int64_t sequences, std::int64_t length, std::uint64_t documents = 0,
                          const std::function<bool(double)>& progress = {});

}  // namespace gabbro::eval
