// The order in which a run sees its text.
#pragma once

#include <cstdint>
#include <vector>

#include "data/corpus.h"
#include "exec/model.h"

namespace gabbro::train {

/// Windows of `length` tokens of a split, in an order drawn from `seed`: every window once before any comes
/// again. Runs of one seed on one corpus see the same text in the same order, whatever the model. A document
/// starts at the end piece before it, which stands for "nothing yet", so that its first token is predicted as
/// well and every position has a target.
class Batches {
 public:
  /// Needs length + 1 tokens in the split.
  Batches(const data::Split& split, std::int64_t end_piece, std::int64_t sequences, std::int64_t length,
          std::uint64_t seed);

  /// Batch number `index`, from 0. O(its tokens).
  [[nodiscard]] exec::TokenBatch batch(std::int64_t index) const;
  [[nodiscard]] std::int64_t windows() const { return windows_; }

 private:
  const data::Split& split_;
  std::int64_t end_piece_, sequences_, length_, windows_;
  std::uint64_t seed_;
};

/// The identity of a text so far (0 at its start) with `batch` added: runs that consumed the same batches in
/// the same order agree in it.
std::uint64_t add_text(std::uint64_t hash, const exec::TokenBatch& batch);

/// Row `row` of `batch` from length + 1 consecutive tokens.
void fill_row(exec::TokenBatch& batch, std::int64_t row, const std::vector<std::int64_t>& tokens,
              std::int64_t end_piece);

}  // namespace gabbro::train
