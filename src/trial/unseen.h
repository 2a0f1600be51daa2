// What a position does not see must not matter: a model in its backend, run on text and on text that is
// changed out of sight.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"
#include "exec/model.h"
#include "ir/graph.h"

namespace gabbro::trial {

/// What was tried, and the first thing that went wrong.
struct Verdict {
  std::string found;  // in words; empty: nothing
  enum class From : std::uint8_t {
    kLater,
    kDocuments,
    kRows
  } from = From::kLater;      // where the influence comes from, when one is found
  std::int64_t cuts = 0;      // places at which what follows was changed
  std::int64_t compared = 0;  // losses
  double worst = 0;           // the largest difference where rounding is allowed
  double allowed = 0;         // there
  [[nodiscard]] bool holds() const { return found.empty() && compared > 0; }
};

/// Text for the checks: `text` is looked at, `other` is another text of the same shape that takes the place
/// of what is changed. Tokens of `strange` stand in many changed places and must not be in `text`.
struct Texts {
  exec::TokenBatch text, other;
  std::vector<std::int64_t> strange;
};

/// Looks for influences that the proofs exclude, by the losses of `model` at the shape of the texts.
/// Comparisons "to the bit" are of the same row of two batches of one shape with the same documents, where
/// every number is computed by the same operations; a number must be finite, infinite or NaN in both. The
/// model's weights are left as they were.
class Unseen {
 public:
  Unseen(exec::Model& model, Texts texts, std::uint64_t seed);

  /// Every row is one document; what follows a cut is changed, in the other rows too. Some cuts at the whole
  /// length, and one at every position when `batches` of the texts' shape are enough: each in the shortest of
  /// four lengths that holds it, so that it takes 5/8 of length / rows, and a few; else as many as they are
  /// enough for. To the bit.
  Verdict future(double batches);
  /// Several documents in a row; of one in each row a beginning is watched, and all else in the batch is
  /// changed. To the bit.
  Verdict neighbours(std::int64_t runs);
  /// A beginning alone, a row alone, rows in another order, a document later in its row, behind others: to
  /// rounding.
  Verdict moved();
  /// The first `positions` token by token against all at once: to rounding. `offered` is false where the
  /// backend does not decode.
  Verdict decoded(std::int64_t positions, bool& offered);

  /// How far rounding moves losses: the largest difference when every weight is moved by about one rounding
  /// of `unit` (2^-24 in float32, 2^-9 in bf16), relative to losses above 1. It sets what moved() and
  /// decoded() allow, which without it is a fixed 1e-3, and never above `most`: where rounding alone moves
  /// losses further, nothing could be compared.
  double measure_rounding(double unit, double most = std::numeric_limits<double>::infinity());

 private:
  using Losses = std::vector<float>;
  struct Watch {  // of a row: its positions [from, to)
    std::int64_t from = 0, to = 0;
  };
  Losses base_of(const exec::TokenBatch& batch) { return model_.losses(batch); }
  std::int64_t replacement(std::int64_t row, std::int64_t t, std::int64_t old);
  exec::TokenBatch changed(const exec::TokenBatch& batch, const std::vector<Watch>& watched);
  void compare_bits(const exec::TokenBatch& batch, const Losses& base, const std::vector<Watch>& watched,
                    Verdict& out);
  void cut(const exec::TokenBatch& batch, const Losses& base, std::vector<std::int64_t> cuts, Verdict& out);
  Verdict::From origin(const exec::TokenBatch& batch, const Losses& base, const exec::TokenBatch& other,
                       std::int64_t row, const Watch& watch);
  void compare_rounded(const Losses& got, const Losses& want, const std::string& what, Verdict& out) const;
  [[nodiscard]] exec::TokenBatch documents();

  exec::Model& model_;
  Texts texts_;
  Random random_;
  exec::TokenBatch plain_;  // the text with one document a row
  Losses plain_losses_;
  double rounding_ = 0, amplified_ = 0, most_ = std::numeric_limits<double>::infinity();
};

/// A graph whose logits have a table of their own where it was that of the tokens ("NAME.head" beside NAME):
/// its tokens can be strange. Else a copy.
ir::Graph untied(const ir::Graph& graph);

/// Weights of `graph` in which the rows of some tokens are infinite, NaN, too large for the squares of
/// float32, and denormal: those that `texts` have least, which another takes the place of there. They go to
/// `texts.strange`; none where the table of tokens is the output's as well.
std::vector<exec::NamedArray> with_strange_tokens(const ir::Graph& graph,
                                                  std::vector<exec::NamedArray> weights, Texts& texts);

}  // namespace gabbro::trial
