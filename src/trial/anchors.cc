#include "trial/anchors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "exec/reference/reference.h"
#include "train/safetensors.h"
#include "trial/engines.h"

namespace gabbro::trial {

using record::Anchor;

namespace {

constexpr std::int64_t kPositions = 12;  // for the reference engine

// Where in the batch a document starts of which `length` positions follow: as late in its row as there is one.
std::int64_t latest_start(const exec::TokenBatch& batch, std::int64_t length) {
  std::int64_t best = 0;
  for (std::int64_t at = 0; at + length <= static_cast<std::int64_t>(batch.starts.size()); ++at) {
    const std::int64_t t = at % batch.length;
    if (batch.starts[at] == t && t + length <= batch.length && batch.starts[at + length - 1] == t &&
        t > best % batch.length)
      best = at;
  }
  return best;
}

exec::Feed feed_of(const Evidence& e, std::int64_t from, std::int64_t length) {
  exec::Feed feed;
  const std::vector<exec::NamedArray> weights = e.model.weights();
  for (const ir::Param& param : e.graph.params) {
    exec::Tensor x = exec::zeros(e.graph, param.axes, 0);
    for (const exec::NamedArray& a : weights)
      if (a.name == param.name && a.data.size() == x.data.size())
        std::copy(a.data.begin(), a.data.end(), x.data.begin());
    feed.params.push_back(std::move(x));
  }
  feed.tokens.assign(e.sample.tokens.begin() + from, e.sample.tokens.begin() + from + length);
  return feed;
}

// How far a loss may lie from the reference's: rounding of float32; rounding of weights and values to 8 bits.
constexpr double kExact = 1e-3, kRounded = 0.5;

std::vector<Anchor> engines_agree(const Evidence& e) {
  const std::int64_t length = std::min(kPositions, e.sample.length);
  const std::int64_t from = latest_start(e.sample, length);
  const exec::Feed feed = feed_of(e, from, length);
  const auto targets = e.sample.targets.begin() + from;
  const exec::TokenBatch batch{1, length, feed.tokens, {targets, targets + length}, {}};
  const std::vector<double> want =
      losses_of(exec::evaluate(e.graph, e.outputs, feed, length)[0], batch.targets);
  const std::vector<float> alone = e.model.losses(batch), whole = e.model.losses(e.sample);
  const double apart = largest_difference({alone.begin(), alone.end()}, want),
               within = largest_difference({whole.begin() + from, whole.begin() + from + length}, want);
  Anchor decoding{"decoding = parallel", false, ""};
  if (const std::string ahead = looks_ahead(e.graph, e.outputs); !ahead.empty()) {
    decoding.detail = fmt::format("cannot be decoded: {} reads later positions", ahead);
  } else {
    const double d = largest_difference(losses_of(decoded(e.graph, e.outputs[0], feed), batch.targets), want);
    decoding = {"decoding = parallel", d < 1e-6,
                fmt::format("losses differ by at most {:.2g} at {} positions", d, length)};
  }
  const double tolerance = e.spec.dtype == "bf16" ? kRounded : kExact;
  return {{"backend = reference", apart < tolerance && within < tolerance,
           fmt::format("losses of {} positions differ by at most {:.2g}, as part of a batch {:.2g}", length,
                       apart, within)},
          decoding};
}

// Tokens by the trainer's count and by that of the optimizer's updates.
Anchor budget_used(const Evidence& e) {
  const std::int64_t step = e.spec.sequences * e.spec.length, steps = (e.spec.tokens + step - 1) / step;
  std::int64_t updates = -1;
  for (const exec::NamedArray& a : e.model.moments())
    if (a.name == "steps" && a.data.size() == 1) updates = std::llround(a.data[0]);
  return {"budget", e.result.tokens == steps * step && updates == steps,
          fmt::format("{} of {} tokens consumed, in {} updates of {}", e.result.tokens, steps * step, updates,
                      steps)};
}

Anchor same_text(const Evidence& e) {
  const std::string& consumed = e.result.text_hash;
  if (consumed != e.text_hash)
    return {"text", false, fmt::format("consumed {}, the corpus holds {}", consumed, e.text_hash)};
  if (!e.spec.text_hash.empty() && consumed != e.spec.text_hash)
    return {"text", false, fmt::format("consumed {}, its pair {}", consumed, e.spec.text_hash)};
  return {"text", true,
          fmt::format("consumed {}{}", consumed, e.spec.text_hash.empty() ? "" : ", as its pair")};
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
  out.push_back(budget_used(e));
  out.push_back(same_text(e));
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
