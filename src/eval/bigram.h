// A bigram model, which predicts the next token from the last one alone. Every design must beat it.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "data/corpus.h"
#include "eval/bits.h"
#include "exec/model.h"

namespace gabbro::eval {

/// Counts pairs of tokens, with a Dirichlet prior from the counts of single tokens (MacKay and Peto 1995):
/// P(b | a) = (n(a, b) + strength P(b)) / (n(a) + strength), P(b) = (n(b) + 1) / (n + V). `strength` is the
/// weight of the prior, as a number of pairs.
class Bigram {
 public:
  explicit Bigram(std::int64_t vocab, double strength = 100);
  /// Counts the pairs of a batch. A position without a target (kNotScored) is left out. Pairs across the
  /// borders of documents count like others.
  void add(const exec::TokenBatch& batch);
  /// Returns the loss of `next` after `token`, in nats.
  [[nodiscard]] double loss(std::int64_t token, std::int64_t next) const;

 private:
  double strength_;
  // Counts of each token as the second and as the first of a pair, of all pairs, and of each pair.
  std::vector<double> second_, first_;
  double total_ = 0;
  std::unordered_map<std::uint64_t, double> pairs_;
};

/// Returns bits per byte over the first `documents` documents of the split (0: all), as bits_per_byte of a
/// model does, without a confidence interval.
double bigram_bits_per_byte(const Bigram& bigram, const data::Split& split, std::int64_t end_token,
                            std::uint64_t documents = 0);

}  // namespace gabbro::eval
