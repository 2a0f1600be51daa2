// Measures how much a model gains from distant context: its bits per byte with whole windows, compared with
// those from the last few tokens alone.
#pragma once

#include <cstdint>
#include <vector>

#include "data/corpus.h"
#include "exec/model.h"

namespace gabbro::eval {

/// The gain from context beyond the last `tokens` tokens: bits per byte when only those are seen (each
/// position sees at least three quarters of them), minus bits per byte with the whole window, on the same
/// positions. A positive gain means that the model uses the context farther back. `error` is the standard
/// error over documents; it is infinite for one document.
struct ContextGain {
  std::int64_t tokens = 0;
  double gain = 0, error = 0;
  std::int64_t positions = 0;  // number of positions compared
};

/// Returns the gains for the last 8 and the last 32 tokens, on the positions of whole windows of `length`
/// tokens from position min(128, length / 2) on. At most `most` of the windows of bits_per_byte are used,
/// spread evenly. A short context is read as a document of its own, with many in one row. Only the last
/// quarter of its positions is counted, so it costs four passes over the compared positions. Contexts longer
/// than the first compared position are skipped. The result is empty if no document has a whole window.
std::vector<ContextGain> context_gains(exec::Model& model, const data::Split& split, std::int64_t end_token,
                                       std::int64_t sequences, std::int64_t length, std::uint64_t documents,
                                       std::int64_t most);

}  // namespace gabbro::eval
