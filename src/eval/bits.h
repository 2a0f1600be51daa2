// Held-out bits per byte: the score by which designs are compared.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "data/corpus.h"
#include "exec/model.h"

namespace gabbro::eval {

struct DocumentBits {
  double bits = 0;  // sum over all tokens of the document
  std::uint64_t bytes = 0;
};

/// Bits per byte over documents: the sum of all losses in bits, including those of every document's end
/// token, divided by the sum of all bytes of text. An end token has no bytes (docs/verdict.md explains the
/// effect). `low` and `high` are a 95 % confidence interval, from the ratio's linearised standard error over
/// documents (`error`) and Student's t. If documents differ in length, the degrees of freedom follow from
/// their effective number (base/student.h).
struct BitsPerByte {
  double value = 0;
  double error = 0, low = 0, high = 0;  // infinite for one document
  double nats_per_token = 0;
  std::uint64_t documents = 0, tokens = 0, bytes = 0;
  std::uint64_t text = 0;          // hash of the tokens and byte counts of all documents, in their order
  std::vector<DocumentBits> each;  // in the order of the split
};

/// A window of a document as it was scored: losses[i], in nats, is that of tokens[i + 1].
struct ScoredWindow {
  std::span<const std::int64_t> tokens;  // one more than losses
  std::span<const float> losses;
};

/// Scores the first `documents` documents of the split (0: all). A document is read in windows of `length`
/// tokens that do not overlap; `sequences` windows make a batch. `progress` receives the finished share. If
/// it returns false, the scoring stops and the result covers the documents read so far. `each_window` gets
/// every window, in their order.
BitsPerByte bits_per_byte(exec::Model& model, const data::Split& split, std::int64_t end_token,
                          std::int64_t sequences, std::int64_t length, std::uint64_t documents = 0,
                          const std::function<bool(double)>& progress = {},
                          const std::function<void(const ScoredWindow&)>& each_window = {});

}  // namespace gabbro::eval
