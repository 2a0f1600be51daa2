// What a model makes of far context: its bits with whole windows, and with the last few tokens alone.
#pragma once

#include <cstdint>
#include <vector>

#include "data/corpus.h"
#include "exec/model.h"

namespace gabbro::eval {

/// The gain of context beyond the last `tokens` tokens: bits per byte with those alone (at least three
/// quarters of them, at most all) less bits per byte with the whole window, on the same positions. Positive:
/// the model uses what is farther away. `error` is the standard error over documents; infinite for one
/// document.
struct ContextGain {
  std::int64_t tokens = 0;
  double gain = 0, error = 0;
  std::int64_t positions = 0;  // compared
};

/// For the last 8 and the last 32 tokens, on the positions of whole windows of `length` tokens from position
/// min(128, length / 2) on. The windows are at most `most` of those that bits_per_byte reads, spread evenly.
/// A short context is read as a document of its own, many in a row; a quarter of its positions counts, so
/// that it costs four passes over the positions compared. What is longer than the first compared position is
/// left out, and so is everything where no document has a whole window.
std::vector<ContextGain> context_gains(exec::Model& model, const data::Split& split, std::int64_t end_piece,
                                       std::int64_t sequences, std::int64_t length, std::uint64_t documents,
                                       std::int64_t most);

}  // namespace gabbro::eval
