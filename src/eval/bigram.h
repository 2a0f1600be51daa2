// The model that every design must beat: the next token by the last one alone.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "data/corpus.h"
#include "eval/bits.h"
#include "exec/model.h"

namespace gabbro::eval {

/// Counts of pairs with a Dirichlet prior on the counts of single tokens (MacKay and Peto 1995):
/// P(b | a) = (n(a, b) + strength P(b)) / (n(a) + strength), P(b) = (n(b) + 1) / (n + V).
class Bigram {
 public:
  explicit Bigram(std::int64_t vocab, double strength = 100);
  void add(const exec::TokenBatch& batch);
  /// Nats for `next` after `token`.
  [[nodiscard]] double loss(std::int64_t token, std::int64_t next) const;

 private:
  double strength_;
  std::vector<double> single_, before_;
  double total_ = 0;
  std::unordered_map<std::uint64_t, double> pairs_;
};

/// Over the same documents as bits_per_byte of a model; without interval.
double bigram_bits_per_byte(const Bigram& bigram, const data::Split& split, std::int64_t end_piece,
                            std::uint64_t documents = 0);

}  // namespace gabbro::eval
