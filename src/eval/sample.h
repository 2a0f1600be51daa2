// Choosing the next token from logits.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"

namespace gabbro::eval {

struct SampleOptions {
  double temperature = 1;  // 0: the likeliest token
  std::int64_t top_k = 0;  // only so many of the likeliest; 0: all
  double top_p = 1;  // only the likeliest that together have this probability, at least one (Holtzman et al.
                     // 2020, arXiv 1904.09751)
};

/// The tokens that may come next with their probabilities, likeliest first; of equally likely ones the lower
/// number first. First temperature, then top_k, then top_p of what is left. Logits must be finite. O(V log
/// V).
struct Candidate {
  std::int64_t token = 0;
  double probability = 0;
};
std::vector<Candidate> candidates(const std::vector<float>& logits, const SampleOptions& options);

std::int64_t sample(const std::vector<float>& logits, const SampleOptions& options, Random& random);

}  // namespace gabbro::eval
