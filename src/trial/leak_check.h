// Checks that a position's loss does not depend on anything that the position does not see. A model runs in
// its backend on a text, and on copies of the text that are changed where the compared positions cannot see
// it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"
#include "exec/model.h"
#include "ir/graph.h"

namespace gabbro::trial {

/// The number of comparisons, and the first failure.
struct LeakVerdict {
  std::string found;  // description of the failure; empty: none
  // The source of the influence, if one is found.
  enum class From : std::uint8_t { kLater, kDocuments, kRows } from = From::kLater;
  std::int64_t cuts = 0;      // number of cuts (check_future) or runs (check_neighbours)
  std::int64_t compared = 0;  // number of losses
  double worst = 0;           // largest difference, where rounding is allowed
  double allowed = 0;         // largest difference allowed, where rounding is allowed
  [[nodiscard]] bool holds() const { return found.empty() && compared > 0; }
};

/// Texts for the checks. The losses of `text` are compared; `other` is a text of the same shape whose tokens
/// replace what is changed. Tokens of `strange` are put into many of the changed positions and must not occur
/// in `text`.
struct Texts {
  exec::TokenBatch text, other;
  std::vector<std::int64_t> strange;
};

/// Looks for influences that the static proofs exclude, by comparing losses of `model` at the shape of the
/// texts. Comparisons "to the bit" are between the same rows of two batches of the same shape with the same
/// documents, where every value is computed by the same operations. NaN equals NaN in them. The weights of
/// the model are restored after each check.
class LeakCheck {
 public:
  LeakCheck(exec::Model& model, Texts texts, std::uint64_t seed);

  /// Changes everything after a cut, in rows that are one document each, and compares the losses before the
  /// cut to the bit. Each run changes all rows, each after a cut of its own. `runs` limits the cost, in
  /// forward runs of batches of the texts' shape; at least one is made. Some cuts are in texts of the whole
  /// length. If the limit allows, there is one more cut at every position, each in the shortest of four
  /// lengths that contains it. This takes about 5/8 * length / rows runs and a few more. If the limit is
  /// lower, a random subset of these positions is cut.
  LeakVerdict check_future(double runs);
  /// Puts several documents into each row. In each row the beginning of one document is compared to the bit
  /// while everything else in the batch is changed.
  LeakVerdict check_neighbours(std::int64_t runs);
  /// Compares up to rounding: a prefix alone, a row alone, and a document that is moved to another row,
  /// behind another document.
  LeakVerdict check_moved();
  /// Compares the first `positions` decoded token by token with the parallel form, up to rounding. `decodes`
  /// is set to false if the backend does not decode.
  LeakVerdict check_decoding(std::int64_t positions, bool& decodes);

  /// Measures how far rounding changes losses: the largest difference when every weight is changed by about
  /// one rounding of `unit` (2^-24 in float32, 2^-9 in bf16), relative for losses above 1. The result sets
  /// the tolerance of check_moved and check_decoding, which is a fixed 1e-3 otherwise. The tolerance is never
  /// above `max_tolerance`: where rounding alone changes losses further, a comparison would say nothing.
  double measure_rounding(double unit, double max_tolerance = std::numeric_limits<double>::infinity());

 private:
  using Losses = std::vector<float>;
  struct Watch {  // the compared positions [from, to) of a row
    std::int64_t from = 0, to = 0;
  };
  Losses losses(const exec::TokenBatch& batch) { return model_.losses(batch); }
  std::int64_t replacement(std::int64_t row, std::int64_t t, std::int64_t old, double strange_chance);
  exec::TokenBatch change_unwatched(const exec::TokenBatch& batch, const std::vector<Watch>& watched);
  void compare_bits(const exec::TokenBatch& batch, const Losses& base, const std::vector<Watch>& watched,
                    LeakVerdict& out);
  void check_cuts(const exec::TokenBatch& batch, const Losses& base, std::vector<std::int64_t> cuts,
                  LeakVerdict& out);
  LeakVerdict::From find_source(const exec::TokenBatch& batch, const Losses& base,
                                const exec::TokenBatch& other, std::int64_t row, const Watch& watch);
  void compare_rounded(const Losses& got, const Losses& want, const std::string& what,
                       LeakVerdict& out) const;
  [[nodiscard]] exec::TokenBatch with_documents();

  exec::Model& model_;
  Texts texts_;
  Random random_;
  exec::TokenBatch plain_;  // the text with one document per row
  Losses plain_losses_;
  // The tolerance is 1e-3 + rounding_factor_ * rounding_, but at most max_tolerance_ (measure_rounding).
  double rounding_ = 0, rounding_factor_ = 0, max_tolerance_ = std::numeric_limits<double>::infinity();
};

/// Returns a copy of `graph` in which a tied embedding table is split: the logits get their own table
/// ("NAME.head" for table NAME). The input embeddings of tokens can then be replaced by strange values. An
/// untied graph is copied unchanged.
ir::Graph untied(const ir::Graph& graph);

/// Returns weights of `graph` in which the embeddings of some tokens are NaN, infinite, too large to be
/// squared in float32, or denormal, in all elements or in every third one. The tokens are those that occur
/// least in `texts`. Another token replaces them in `texts`, and they are stored in `texts.strange`. If the
/// input table is also the output table, no token is changed.
std::vector<exec::NamedArray> with_strange_tokens(const ir::Graph& graph,
                                                  std::vector<exec::NamedArray> weights, Texts& texts);

}  // namespace gabbro::trial
