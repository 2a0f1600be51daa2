// Chooses the next token from logits.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"

namespace gabbro::eval {

struct SampleOptions {
  double temperature = 1;  // 0: always the most likely token
  std::int64_t top_k = 0;  // keeps only this many of the most likely tokens; 0: all
  // Keeps only the most likely tokens that together have this probability, at least one (Holtzman et al.
  // 2020, arXiv 1904.09751).
  double top_p = 1;
};

struct SampleCandidate {
  std::int64_t token = 0;
  double probability = 0;
};

/// Returns the tokens that may come next with their probabilities, the most likely first. Equally likely
/// tokens are in the order of their ids. The temperature is applied first, then top_k, then top_p to the
/// remaining tokens. Logits must be finite. O(V log V).
std::vector<SampleCandidate> candidates(const std::vector<float>& logits, const SampleOptions& options);

/// Draws one of the candidates with its probability.
std::int64_t sample(const std::vector<float>& logits, const SampleOptions& options, Random& random);

}  // namespace gabbro::eval
