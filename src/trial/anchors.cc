#include "trial/anchors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/clock.h"
#include "exec/reference/reference.h"
#include "exec/reference/screen.h"
#include "train/safetensors.h"
#include "trial/engines.h"
#include "trial/leak_check.h"

namespace gabbro::trial {

using record::Anchor;

namespace {

constexpr std::int64_t kPositions = 12;  // positions for the reference engine, unless the checks are thorough

// Finds a document start that is followed by `length` positions of the same document, as late in its row as
// possible. Returns its index in the batch, or 0 if there is none.
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

struct Stretch {
  std::int64_t from = 0, length = 0;
};

// Returns the longest stretch of positions from the start of a document within one row.
Stretch longest_document(const exec::TokenBatch& batch) {
  if (batch.starts.empty()) return {0, batch.length};
  Stretch best;
  for (std::int64_t at = 0; at < static_cast<std::int64_t>(batch.starts.size()); ++at) {
    const std::int64_t t = at % batch.length;
    if (batch.starts[at] != t) continue;
    std::int64_t end = at + 1;
    while (end % batch.length != 0 && batch.starts[end] == t) ++end;
    if (end - at > best.length) best = {at, end - at};
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

// Limits for the difference between a loss and the reference's. In float32 the limit is a rounding error. In
// bf16 it is a fixed number of nats, or a multiple of the effect on the reference of rounding the weights
// alone, whichever is larger: products also round the other operand and their result. Rounding has no
// preferred direction, so the limit of the mean over positions is lower than that of one position.
constexpr double kExact = 1e-3, kHalf = 0.02, kHalfFactor = 8, kHalfMean = 2;
// Limits, in nats, where a design amplifies rounding; and of the mean over a row.
constexpr double kMost = 0.1, kMostInBf16 = 1, kExactMean = 5e-3;

bool in_half(const Evidence& e) { return e.spec.dtype == record::Dtype::kBf16; }

// Rounds to the nearest bf16 value. A bf16 value is the upper half of a float32.
double half(double v) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(v));
  return std::bit_cast<float>((bits + 0x7FFFU + ((bits >> 16) & 1U)) & 0xFFFF0000U);
}

struct Tolerance {
  double each = kExact, mean = kExact;
};
Tolerance tolerance_of(const Evidence& e, exec::Feed feed, const std::vector<std::int64_t>& targets,
                       const std::vector<double>& exact) {
  if (!in_half(e)) return {};
  for (exec::Tensor& x : feed.params)
    for (double& v : x.data) v = half(v);
  const auto length = static_cast<std::int64_t>(targets.size());
  const std::vector<double> rounded = losses_of(exec::evaluate(e.graph, e.outputs, feed, length)[0], targets);
  const double moved = largest_difference(rounded, exact);
  return {std::max(kHalf, kHalfFactor * moved), std::max(kHalf, kHalfMean * moved)};
}

double mean_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] - b[i];
  return std::abs(sum) / static_cast<double>(a.size());
}

// The row of the sample that holds its longest document.
exec::TokenBatch longest_row(const exec::TokenBatch& all) {
  const std::int64_t from = longest_document(all).from / all.length * all.length, to = from + all.length;
  const auto part = [&](const auto& x) {
    return x.empty() ? x : std::decay_t<decltype(x)>(x.begin() + from, x.begin() + to);
  };
  return {1, all.length, part(all.tokens), part(all.targets), part(all.starts)};
}

std::vector<double> losses_with(exec::Model& model, const exec::TokenBatch& batch,
                                const std::vector<exec::NamedArray>& weights) {
  GABBRO_CHECK(model.restore(weights));
  const std::vector<float> losses = model.losses(batch);
  return {losses.begin(), losses.end()};
}

// The reference engine is slow, so it computes few positions. The whole row is compared with the CPU engine
// in float64, since a design may be another function in float32 where numbers underflow late in a text. Over
// many positions, rounding may be amplified.
Anchor engines_agree(const Evidence& e) {
  const std::int64_t few = std::min(kPositions, e.sample.length);
  const auto [from, length] =
      e.spec.thorough ? longest_document(e.sample) : Stretch{latest_start(e.sample, few), few};
  const exec::Feed feed = feed_of(e, from, length);
  const auto targets = e.sample.targets.begin() + from;
  const exec::TokenBatch batch{1, length, feed.tokens, {targets, targets + length}, {}};
  const std::vector<double> want =
      losses_of(exec::evaluate(e.graph, e.outputs, feed, length)[0], batch.targets);
  const std::vector<float> alone = e.model.losses(batch), whole = e.model.losses(e.sample);
  const std::vector<double> single(alone.begin(), alone.end()),
      part(whole.begin() + from, whole.begin() + from + length);
  const double apart = largest_difference(single, want), within = largest_difference(part, want);
  const double mean = std::max(mean_difference(single, want), mean_difference(part, want));
  const Tolerance allowed = tolerance_of(e, feed, batch.targets, want);

  const exec::TokenBatch row = longest_row(e.sample);
  std::vector<exec::NamedArray> weights = e.model.weights();
  const auto in_float64 =
      torch_backend({.threads = e.spec.threads, .dtype = record::Dtype::kFloat64})(e.graph, e.spec.seed);
  const std::vector<double> exact = losses_with(*in_float64, row, weights);
  const std::vector<float> rounded = e.model.losses(row);
  const std::vector<double> got(rounded.begin(), rounded.end());
  Tolerance in_row{kMost, kExactMean};
  if (in_half(e)) {
    for (exec::NamedArray& a : weights)
      for (float& v : a.data) v = static_cast<float>(half(v));
    const std::vector<double> moved = losses_with(*in_float64, row, weights);
    double sum = 0;
    for (std::size_t t = 0; t < moved.size(); ++t) sum += std::abs(moved[t] - exact[t]);
    in_row = {kMostInBf16, std::max(kHalf, kHalfMean * sum / static_cast<double>(moved.size()))};
  }
  const double far = largest_difference(got, exact), far_mean = mean_difference(got, exact);
  return {"backend = reference",
          apart < allowed.each && within < allowed.each && mean < allowed.mean && far < in_row.each &&
              far_mean < in_row.mean && e.rescored < in_row.mean,
          fmt::format(
              "losses of {} positions differ by at most {:.2g}, as part of a batch {:.2g}, allowed "
              "{:.2g}; in the mean by {:.2g}, allowed {:.2g}; those of a row from float64 by at most "
              "{:.2g}, allowed {:.2g}; in the mean by {:.2g}, allowed {:.2g}; scores of held-out documents "
              "from the CPU engine by {:.2g} nats per token",
              length, apart, within, allowed.each, mean, allowed.mean, far, in_row.each, far_mean,
              in_row.mean, e.rescored)};
}

// Returns the number of batches of `spec` that a check may run forward, for its share of the training steps.
// A batch that is run forward costs about a third of a step.
double batches_of(const record::TrialSpec& spec, double share) {
  if (spec.thorough) return std::numeric_limits<double>::infinity();
  const std::int64_t steps = spec.tokens / std::max<std::int64_t>(1, spec.sequences * spec.length);
  return std::max(4.0, share * static_cast<double>(steps));
}
constexpr double kTrained = 0.015;  // share of the steps for the anchor "future"
constexpr double kBefore = 0.05;    // for "unseen values": every position at the first rung

// Returns the number of positions to decode: one for every kTokens tokens of training, but at least kLeast.
std::int64_t decoded_positions(const record::TrialSpec& spec) {
  constexpr std::int64_t kLeast = 16, kTokens = 20'000;
  return spec.thorough ? spec.length : std::max(kLeast, spec.tokens / kTokens);
}

// Adds an anchor for each source of influence ("future", "documents", "batch") from what the verdicts found.
void add_unseen(const std::vector<LeakVerdict>& verdicts, std::vector<Anchor>& out) {
  std::int64_t compared = 0;
  for (const LeakVerdict& v : verdicts) compared += v.compared;
  static constexpr std::pair<LeakVerdict::From, const char*> kNames[] = {
      {LeakVerdict::From::kLater, "future"},
      {LeakVerdict::From::kDocuments, "documents"},
      {LeakVerdict::From::kRows, "batch"}};
  for (const auto& [from, name] : kNames) {
    Anchor anchor{name, compared > 0, fmt::format("identical in {} losses", compared)};
    if (from == LeakVerdict::From::kLater) anchor.detail += fmt::format(", {} cuts", verdicts.at(0).cuts);
    for (const LeakVerdict& v : verdicts)
      if (!v.found.empty() && v.from == from) anchor = {name, false, v.found};
    out.push_back(std::move(anchor));
  }
}

Anchor rounded(const char* name, const LeakVerdict& v) {
  if (!v.holds()) return {name, false, v.found.empty() ? "nothing was compared" : v.found};
  return {name, true,
          fmt::format("{} losses differ by at most {:.2g}, allowed {:.2g}", v.compared, v.worst, v.allowed)};
}

// The text with every other row, beginning with the first, as it is scored. A row of training begins within a
// document; a design that knows the beginning of one must not read ahead there either.
exec::TokenBatch with_scored_rows(exec::TokenBatch text, const exec::TokenBatch& scored) {
  if (scored.tokens.empty()) return text;
  GABBRO_CHECK(scored.sequences == text.sequences && scored.length == text.length);
  for (std::int64_t row = 0; row < text.sequences; row += 2) {
    const std::int64_t from = row * text.length, to = from + text.length;
    std::copy(scored.tokens.begin() + from, scored.tokens.begin() + to, text.tokens.begin() + from);
    std::copy(scored.targets.begin() + from, scored.targets.begin() + to, text.targets.begin() + from);
  }
  return text;
}

void unseen(const Evidence& e, std::vector<Anchor>& out) {
  Texts texts{with_scored_rows(e.sample, e.scored), e.other, {}};
  LeakCheck trained(e.model, texts, e.spec.seed);
  std::vector<LeakVerdict> verdicts{trained.future(batches_of(e.spec, kTrained)), trained.neighbours(2)};
  trained.measure_rounding(rounding_of(e.spec.dtype),
                           e.spec.dtype == record::Dtype::kBf16 ? kMostInBf16 : kMost);
  const LeakVerdict moved = trained.moved();
  Anchor decoding{"decoding = parallel", false, ""};
  if (const std::string ahead = looks_ahead(e.graph, e.outputs); !ahead.empty()) {
    decoding.detail = fmt::format("cannot be decoded: {} reads later positions", ahead);
  } else {
    bool offered = false;
    const LeakVerdict decoded = trained.decoded(decoded_positions(e.spec), offered);
    decoding = rounded("decoding = parallel", decoded);
    if (!offered) decoding.detail = "the backend does not decode";
  }
  const std::vector<exec::NamedArray> weights = e.model.weights();
  const std::vector<exec::NamedArray> strange = with_strange_tokens(e.graph, weights, texts);
  if (!texts.strange.empty() && e.model.restore(strange)) {
    LeakCheck odd(e.model, texts, e.spec.seed + 1);
    verdicts.push_back(odd.future(1));
    verdicts.push_back(odd.neighbours(1));
    GABBRO_CHECK(e.model.restore(weights));
  }
  add_unseen(verdicts, out);
  out.push_back(rounded("place", moved));
  out.push_back(std::move(decoding));
}

// Compares the token counts of the trainer and of the optimizer's updates with the budget.
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
  out.push_back(engines_agree(e));
  unseen(e, out);
  return out;
}

Anchor unseen_values(const ir::Graph& given, const MakeModel& make, const record::TrialSpec& spec,
                     const exec::TokenBatch& sample, const exec::TokenBatch& other) {
  const double began = seconds_now();
  const ir::Graph graph = untied(given);
  const std::unique_ptr<exec::Model> model = make(graph, spec.seed);
  const std::vector<exec::NamedArray> first = model->weights();
  std::vector<Anchor> found;
  for (const double scale : {1.0, 4.0}) {
    Random random = Random(spec.seed).split("unseen values").split(static_cast<std::uint64_t>(scale));
    const std::vector<exec::Tensor> drawn = exec::random_params(graph, scale, random);
    std::vector<exec::NamedArray> weights = first;
    for (exec::NamedArray& a : weights)
      for (std::size_t p = 0; p < graph.params.size(); ++p)
        if (graph.params[p].name == a.name && drawn[p].data.size() == a.data.size())
          std::copy(drawn[p].data.begin(), drawn[p].data.end(), a.data.begin());
    Texts texts{sample, other, {}};
    weights = with_strange_tokens(graph, std::move(weights), texts);
    GABBRO_CHECK(model->restore(weights));
    LeakCheck unseen(*model, texts, spec.seed);
    add_unseen({unseen.future(scale == 1 ? batches_of(spec, kBefore) : 1), unseen.neighbours(3)}, found);
  }
  for (const Anchor& a : found)
    if (!a.holds) return {"unseen values", false, fmt::format("{}: {}", a.name, a.detail)};
  return {"unseen values", true,
          fmt::format("none reaches a position that does not see it; {}, in {:.1f} s", found.at(0).detail,
                      seconds_now() - began)};
}

}  // namespace gabbro::trial
