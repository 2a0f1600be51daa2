#include "trial/anchors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "exec/reference/reference.h"
#include "train/safetensors.h"

namespace gabbro::trial {

using record::Anchor;

namespace {

constexpr std::int64_t kPositions = 12;  // for the reference engine

exec::Feed feed_of(const Evidence& e, std::int64_t length) {
  exec::Feed feed;
  const std::vector<exec::NamedArray> weights = e.model.weights();
  for (const ir::Param& param : e.graph.params) {
    exec::Tensor x = exec::zeros(e.graph, param.axes, 0);
    for (const exec::NamedArray& a : weights)
      if (a.name == param.name && a.data.size() == x.data.size())
        std::copy(a.data.begin(), a.data.end(), x.data.begin());
    feed.params.push_back(std::move(x));
  }
  feed.tokens.assign(e.sample.tokens.begin(), e.sample.tokens.begin() + length);
  return feed;
}

// Loss at each position from logits [t, V], in float64.
std::vector<double> losses_of(const std::vector<double>& logits, const std::vector<std::int64_t>& targets,
                              std::size_t vocab) {
  std::vector<double> out;
  for (std::size_t t = 0; t * vocab < logits.size(); ++t) {
    const double* row = logits.data() + t * vocab;
    const double top = *std::max_element(row, row + vocab);
    double sum = 0;
    for (std::size_t v = 0; v < vocab; ++v) sum += std::exp(row[v] - top);
    out.push_back(top + std::log(sum) - row[targets[t]]);
  }
  return out;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::isfinite(a[i] - b[i]) ? std::abs(a[i] - b[i]) : INFINITY);
  return most;
}

std::vector<Anchor> engines_agree(const Evidence& e) {
  const std::int64_t length = std::min(kPositions, e.sample.length);
  const exec::Feed feed = feed_of(e, length);
  const exec::Tensor parallel = exec::evaluate(e.graph, e.outputs, feed, length)[0];
  const auto vocab = static_cast<std::size_t>(e.vocab);
  const std::vector<double> want = losses_of(parallel.data, e.sample.targets, vocab);

  exec::TokenBatch batch{
      1, length, feed.tokens, {e.sample.targets.begin(), e.sample.targets.begin() + length}, {}};
  const std::vector<float> got = e.model.losses(batch);
  const double backend = largest_difference({got.begin(), got.end()}, want);

  exec::Stepper stepper(e.graph, e.outputs, feed.params);
  std::vector<double> stepped;
  for (std::int64_t t = 0; t < length; ++t) {
    exec::Feed one;
    one.tokens = {feed.tokens[static_cast<std::size_t>(t)]};
    const std::vector<double> row = stepper.step(one)[0].data;
    stepped.insert(stepped.end(), row.begin(), row.end());
  }
  const double decoding = largest_difference(losses_of(stepped, e.sample.targets, vocab), want);
  return {{"backend = reference", backend < 1e-3,
           fmt::format("losses differ by at most {:.2g} at {} positions", backend, length)},
          {"decoding = parallel", decoding < 1e-6,
           fmt::format("losses differ by at most {:.2g} at {} positions", decoding, length)}};
}

}  // namespace

std::vector<Anchor> anchors(const Evidence& e) {
  const record::TrialResult& r = e.result;
  std::vector<Anchor> out;
  const double uniform = std::log(static_cast<double>(e.vocab));
  out.push_back({"first loss", std::abs(r.first_loss - uniform) < 0.05 * uniform,
                 fmt::format("{:.4f}, equal probabilities give {:.4f}", r.first_loss, uniform)});
  const bool finite = std::all_of(r.curve.begin(), r.curve.end(),
                                  [](const record::Point& p) {
                                    return std::isfinite(p.loss) && std::isfinite(p.gradient_norm);
                                  }) &&
                      std::isfinite(r.bits_per_byte);
  out.push_back(
      {"finite", finite,
       finite ? "no loss or gradient is infinite or not a number" : "a loss or gradient is not finite"});
  const std::int64_t step = e.spec.sequences * e.spec.length,
                     budget = (e.spec.tokens + step - 1) / step * step;
  out.push_back({"budget", r.tokens == budget, fmt::format("{} of {} tokens consumed", r.tokens, budget)});
  out.push_back({"better than bigrams", r.bits_per_byte < r.bigram_bits_per_byte,
                 fmt::format("{:.4f} bits per byte, a bigram model of the same text {:.4f}", r.bits_per_byte,
                             r.bigram_bits_per_byte)});
  const std::string scored = train::hash_arrays(e.model.weights());
  out.push_back(
      {"weights", scored == r.weights_hash, fmt::format("scored {}, trained {}", scored, r.weights_hash)});
  for (Anchor& a : engines_agree(e)) out.push_back(std::move(a));
  return out;
}

}  // namespace gabbro::trial
