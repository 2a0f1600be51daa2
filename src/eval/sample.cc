#include "eval/sample.h"

#include <algorithm>
#include <cmath>

namespace gabbro::eval {

std::vector<SampleCandidate> candidates(const std::vector<float>& logits, const SampleOptions& options) {
  std::vector<SampleCandidate> out;  // at first with logits in place of probabilities
  for (std::size_t i = 0; i < logits.size(); ++i) out.push_back({static_cast<std::int64_t>(i), logits[i]});
  std::stable_sort(out.begin(), out.end(), [](const SampleCandidate& a, const SampleCandidate& b) {
    return a.probability > b.probability;
  });
  const std::size_t most = options.temperature <= 0 ? 1 : static_cast<std::size_t>(options.top_k);
  if (most > 0 && most < out.size()) out.resize(most);
  const double top = out[0].probability, temperature = options.temperature <= 0 ? 1 : options.temperature;
  double sum = 0;
  for (SampleCandidate& c : out) sum += c.probability = std::exp((c.probability - top) / temperature);
  double kept = 0;
  std::size_t count = 0;
  while (count < out.size() && (count == 0 || kept < options.top_p * sum)) kept += out[count++].probability;
  out.resize(count);
  for (SampleCandidate& c : out) c.probability /= kept;
  return out;
}

std::int64_t sample(const std::vector<float>& logits, const SampleOptions& options, Random& random) {
  const std::vector<SampleCandidate> all = candidates(logits, options);
  double remaining = random.uniform();
  for (const SampleCandidate& c : all) {
    remaining -= c.probability;
    if (remaining < 0) return c.token;
  }
  return all.back().token;
}

}  // namespace gabbro::eval
