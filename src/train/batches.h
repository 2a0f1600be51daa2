// The order in which a run reads its text.
#pragma once

#include <cstdint>
#include <vector>

#include "data/corpus.h"
#include "exec/model.h"

namespace gabbro::train {

/// Splits a text into windows of `length` tokens, in an order drawn from `seed`: every window occurs once
/// before any is repeated. A batch has `sequences` windows. Runs with the same seed on the same corpus read
/// the same text in the same order, whatever the model. A document starts at the end token before it, which
/// serves as an empty context, so that its first token is predicted too and every position has a target.
class Batches {
 public:
  /// Requires at least length + 1 tokens in the split.
  Batches(const data::Split& split, std::int64_t end_token, std::int64_t sequences, std::int64_t length,
          std::uint64_t seed);

  /// Returns batch number `index`, counted from 0. O(tokens of the batch).
  [[nodiscard]] exec::TokenBatch batch(std::int64_t index) const;
  /// Returns the number of windows of the text.
  [[nodiscard]] std::int64_t windows() const { return windows_; }

 private:
  const data::Split& split_;
  std::int64_t end_token_, sequences_, length_, windows_;
  std::uint64_t seed_;
};

/// Returns the hash of a text extended by `batch`. The hash of an empty text is 0. Runs that consumed the
/// same batches in the same order have the same hash.
std::uint64_t add_text(std::uint64_t hash, const exec::TokenBatch& batch);

/// Fills row `row` of `batch`, whose arrays have their full size, from length + 1 consecutive tokens. A
/// document starts at each end token, and at the start of the row.
void fill_row(exec::TokenBatch& batch, std::int64_t row, const std::vector<std::int64_t>& tokens,
              std::int64_t end_token);

}  // namespace gabbro::train
