#include "trial/anchors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/clock.h"
#include "exec/reference/predicted_cost.h"
#include "exec/reference/reference.h"
#include "exec/reference/screen.h"
#include "train/safetensors.h"
#include "trial/engines.h"
#include "trial/gradient_check.h"
#include "trial/judge.h"
#include "trial/leak_check.h"
#include "trial/resources.h"

namespace gabbro::trial {

using record::Anchor;

namespace {

constexpr std::int64_t kPositions = 12;  // positions for the reference engine, unless the checks are thorough

// Finds a document start that is followed by `length` positions of the same document, as late in its row as
// possible. Returns its index in the batch, or 0 if there is none.
std::int64_t latest_start(const exec::TokenBatch& batch, std::int64_t length) {
  std::int64_t best = 0;
  for (std::int64_t i = 0; i + length <= static_cast<std::int64_t>(batch.starts.size()); ++i) {
    const std::int64_t t = i % batch.length;
    if (batch.starts[i] == t && t + length <= batch.length && batch.starts[i + length - 1] == t &&
        t > best % batch.length)
      best = i;
  }
  return best;
}

struct Stretch {
  std::int64_t from = 0;  // index in the batch
  std::int64_t length = 0;
};

// Returns the longest stretch of positions from the start of a document within one row.
Stretch longest_document(const exec::TokenBatch& batch) {
  if (batch.starts.empty()) return {0, batch.length};
  Stretch best;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(batch.starts.size()); ++i) {
    const std::int64_t t = i % batch.length;
    if (batch.starts[i] != t) continue;
    std::int64_t end = i + 1;
    while (end % batch.length != 0 && batch.starts[end] == t) ++end;
    if (end - i > best.length) best = {i, end - i};
  }
  return best;
}

// Returns the model's weights and a stretch of the sample's tokens, as the reference engine takes them.
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
// preferred direction, so the limit of the mean over positions is lower than that of one position. A design
// can make the effect as large as it likes, so both are bounded.
constexpr double kFloat32Limit = 1e-3, kBf16Limit = 0.02, kBf16Factor = 8, kBf16MeanFactor = 2;
constexpr double kMostBf16Mean = 0.1;
// Limits, in nats, where a design amplifies rounding; and of the mean over a row, and over the rescored
// windows. In bf16, ten designs of the zoo had 0.0006 to 0.0013 over 15 windows, and at most 0.005 in one.
constexpr double kAmplifiedLimit = 0.1, kAmplifiedBf16Limit = 1, kRowMeanLimit = 5e-3,
                 kBf16WindowsLimit = 0.01;
// The limit of one window, in relation to that of all windows together.
constexpr double kWindowFactor = 4;

bool is_bf16(const Evidence& e) { return e.spec.dtype == record::Dtype::kBf16; }

struct Tolerance {
  double each = kFloat32Limit, mean = kFloat32Limit;
};
// `exact`: the reference's losses of `targets`.
Tolerance tolerance_of(const Evidence& e, exec::Feed feed, const std::vector<std::int64_t>& targets,
                       const std::vector<double>& exact) {
  if (!is_bf16(e)) return {};
  for (exec::Tensor& x : feed.params)
    for (double& v : x.data) v = to_bf16(v);
  const auto length = static_cast<std::int64_t>(targets.size());
  const std::vector<double> rounded = losses_of(exec::evaluate(e.graph, e.outputs, feed, length)[0], targets);
  const double moved = largest_difference(rounded, exact);
  return {std::clamp(kBf16Factor * moved, kBf16Limit, kAmplifiedBf16Limit),
          std::clamp(kBf16MeanFactor * moved, kBf16Limit, kMostBf16Mean)};
}

// Returns the absolute value of the mean difference.
double mean_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] - b[i];
  return std::abs(sum) / static_cast<double>(a.size());
}

// Returns the index of the row that contains the longest document.
std::int64_t longest_row(const exec::TokenBatch& batch) {
  return longest_document(batch).from / batch.length;
}

// The difference of the judge from the reference over the beginning of a document.
struct JudgeCheck {
  std::int64_t length = 0;
  double each = 0, mean = 0;  // largest and mean difference of losses, in nats
  [[nodiscard]] bool holds() const { return each < kAmplifiedLimit && mean < kFloat32Limit; }
};

// The judge shares the operations of the CPU engine, so it must be compared where an operation may be another
// one far in a text, as where a number underflows. The work of the reference is a share of the training's:
// the whole text at usual rungs.
JudgeCheck check_judge(const Evidence& e, Judge& judge) {
  // The reference does about 1e9 operations per second: this is 0.2 s, or half a percent of the training.
  constexpr double kLeast = 2e8, kPerFlop = 1e-4;
  const double most =
      std::max(kLeast, kPerFlop * e.result.train_flops_per_token * static_cast<double>(e.spec.tokens));
  Stretch stretch = longest_document(e.sample);
  const std::int64_t few = std::min(kPositions, stretch.length);
  const auto left = static_cast<double>(bytes_left(e.spec.memory, e.model.peak_bytes()));
  const auto is_too_much = [&](const exec::PredictedCost& cost) {
    return cost.operations > most || sizeof(double) * cost.peak_elements > left;
  };
  while (!e.spec.thorough && stretch.length > few &&
         is_too_much(exec::predict_cost(e.graph, e.outputs, stretch.length)))
    stretch.length = std::max(few, stretch.length * 3 / 4);
  const exec::Feed feed = feed_of(e, stretch.from, stretch.length);
  const auto targets = e.sample.targets.begin() + stretch.from;
  const exec::TokenBatch text{.sequences = 1,
                              .length = stretch.length,
                              .tokens = feed.tokens,
                              .targets = {targets, targets + stretch.length}};
  const std::vector<double> want = losses_of(exec::evaluate(e.graph, e.outputs, feed, stretch.length)[0],
                                             text.targets),
                            got = judge.losses(text);
  return {stretch.length, largest_difference(got, want), mean_difference(got, want)};
}

// The reference engine is slow, so it computes few positions. The whole row is compared with the CPU engine
// in float64, without its rewrites, since a design may be another function in float32 where numbers underflow
// late in a text, or where a rewrite rounds in another way what a step decides by. Its limits are wider,
// since rounding may be amplified over many positions.
Anchor engines_agree(const Evidence& e) {
  const std::int64_t few = std::min(kPositions, e.sample.length);
  const auto [from, length] =
      e.spec.thorough ? longest_document(e.sample) : Stretch{latest_start(e.sample, few), few};
  const exec::Feed feed = feed_of(e, from, length);
  const auto targets = e.sample.targets.begin() + from;
  const exec::TokenBatch batch{
      .sequences = 1, .length = length, .tokens = feed.tokens, .targets = {targets, targets + length}};
  const std::vector<double> want =
      losses_of(exec::evaluate(e.graph, e.outputs, feed, length)[0], batch.targets);
  const std::vector<float> batch_losses = e.model.losses(batch), sample_losses = e.model.losses(e.sample);
  const std::vector<double> alone(batch_losses.begin(), batch_losses.end()),
      within(sample_losses.begin() + from, sample_losses.begin() + from + length);
  const double alone_difference = largest_difference(alone, want),
               within_difference = largest_difference(within, want);
  const double mean = std::max(mean_difference(alone, want), mean_difference(within, want));
  const Tolerance allowed = tolerance_of(e, feed, batch.targets, want);

  const exec::TokenBatch row = row_of(e.sample, longest_row(e.sample));
  std::vector<exec::NamedArray> weights = e.model.weights();
  Judge judge(e.graph, e.outputs, e.spec, row.length, bytes_left(e.spec.memory, e.model.peak_bytes()));
  judge.restore(weights);
  const JudgeCheck judged = check_judge(e, judge);
  const std::vector<double> exact = judge.losses(row);
  const std::vector<float> row_losses = e.model.losses(row);
  const std::vector<double> got(row_losses.begin(), row_losses.end());
  Tolerance row_allowed{kAmplifiedLimit, kRowMeanLimit};
  if (is_bf16(e)) {
    for (exec::NamedArray& a : weights)
      for (float& v : a.data) v = static_cast<float>(to_bf16(v));
    judge.restore(weights);
    const std::vector<double> moved = judge.losses(row);
    double sum = 0;
    for (std::size_t t = 0; t < moved.size(); ++t) sum += std::abs(moved[t] - exact[t]);
    row_allowed = {kAmplifiedBf16Limit, std::clamp(kBf16MeanFactor * sum / static_cast<double>(moved.size()),
                                                   kBf16Limit, kMostBf16Mean)};
  }
  const double windows_allowed = is_bf16(e) ? kBf16WindowsLimit : kRowMeanLimit,
               window_allowed = kWindowFactor * windows_allowed;
  const double row_difference = largest_difference(got, exact), row_mean = mean_difference(got, exact);
  return {
      "backend = reference",
      alone_difference < allowed.each && within_difference < allowed.each && mean < allowed.mean &&
          row_difference < row_allowed.each && row_mean < row_allowed.mean && judged.holds() &&
          e.rescoring.mean < windows_allowed && e.rescoring.worst < window_allowed,
      fmt::format(
          "losses of {} positions differ by at most {:.2g}, as part of a batch {:.2g}, allowed "
          "{:.2g}; in the mean by {:.2g}, allowed {:.2g}; those of a row from float64 by at most "
          "{:.2g}, allowed {:.2g}; in the mean by {:.2g}, allowed {:.2g}; float64 differs from the reference "
          "over {} positions by at most {:.2g}, allowed {:.2g}; in the mean by {:.2g}, allowed {:.2g}; "
          "scores "
          "of {} windows of held-out "
          "text from float64 by {:.2g} nats per token, allowed {:.2g}, and by at most {:.2g}, allowed "
          "{:.2g}{}",
          length, alone_difference, within_difference, allowed.each, mean, allowed.mean, row_difference,
          row_allowed.each, row_mean, row_allowed.mean, judged.length, judged.each, kAmplifiedLimit,
          judged.mean, kFloat32Limit, e.rescoring.windows, e.rescoring.mean, windows_allowed,
          e.rescoring.worst, window_allowed, judge.note())};
}

// Returns the number of forward runs of a batch that a check may use: a share of the training steps, but at
// least 4. A forward run costs about a third of a step.
double forward_runs(const record::TrialSpec& spec, double share) {
  if (spec.thorough) return std::numeric_limits<double>::infinity();
  const std::int64_t steps = spec.tokens / std::max<std::int64_t>(1, spec.sequences * spec.length);
  return std::max(4.0, share * static_cast<double>(steps));
}
constexpr double kFutureShare = 0.015;       // share of the steps for the anchor "future"
constexpr double kUnseenValuesShare = 0.05;  // for "unseen values": every position at the first rung

// Returns the number of positions to decode: one for every kTokensPerPosition tokens of training, but at
// least kMinPositions.
std::int64_t decoded_positions(const record::TrialSpec& spec) {
  constexpr std::int64_t kMinPositions = 16, kTokensPerPosition = 20'000;
  return spec.thorough ? spec.length : std::max(kMinPositions, spec.tokens / kTokensPerPosition);
}

// Adds an anchor for each source of influence ("future", "documents", "batch") from what the verdicts found.
void add_leak_anchors(const std::vector<LeakVerdict>& verdicts, std::vector<Anchor>& out) {
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

// Returns the anchor of a comparison up to rounding.
Anchor rounding_anchor(const char* name, const LeakVerdict& v) {
  if (!v.holds()) return {name, false, v.found.empty() ? "nothing was compared" : v.found};
  return {name, true,
          fmt::format("{} losses differ by at most {:.2g}, allowed {:.2g}", v.compared, v.worst, v.allowed)};
}

// Replaces every other row of `text`, beginning with the first, by a row of `scored`. A row of training
// begins within a document; a design that recognises the beginning of one must not read ahead there either.
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

// Adds the anchors "future", "documents", "batch", "place" and "decoding = parallel".
void check_leaks(const Evidence& e, std::vector<Anchor>& out) {
  Texts texts{with_scored_rows(e.sample, e.scored), e.other, {}};
  LeakCheck trained(e.model, texts, e.spec.seed);
  std::vector<LeakVerdict> verdicts{trained.check_future(forward_runs(e.spec, kFutureShare)),
                                    trained.check_neighbours(2)};
  trained.measure_rounding(rounding_of(e.spec.dtype), is_bf16(e) ? kAmplifiedBf16Limit : kAmplifiedLimit);
  const LeakVerdict moved = trained.check_moved();
  Anchor decoding{"decoding = parallel", false, ""};
  if (const std::string ahead = looks_ahead(e.graph, e.outputs); !ahead.empty()) {
    decoding.detail = fmt::format("cannot be decoded: {} reads later positions", ahead);
  } else {
    bool decodes = false;
    const LeakVerdict decoded = trained.check_decoding(decoded_positions(e.spec), decodes);
    decoding = rounding_anchor("decoding = parallel", decoded);
    if (!decodes) decoding.detail = "the backend does not decode";
  }
  const std::vector<exec::NamedArray> weights = e.model.weights();
  const std::vector<exec::NamedArray> strange = with_strange_tokens(e.graph, weights, texts);
  if (!texts.strange.empty() && e.model.restore(strange)) {
    LeakCheck with_strange(e.model, texts, e.spec.seed + 1);
    verdicts.push_back(with_strange.check_future(1));
    verdicts.push_back(with_strange.check_neighbours(1));
    GABBRO_CHECK(e.model.restore(weights));
  }
  add_leak_anchors(verdicts, out);
  out.push_back(rounding_anchor("place", moved));
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
  out.push_back(
      gradient_agrees(e.graph, e.model, e.sample, longest_row(e.sample), e.spec, e.result.recomputed));
  check_leaks(e, out);
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
    LeakCheck check(*model, texts, spec.seed);
    add_leak_anchors({check.check_future(scale == 1 ? forward_runs(spec, kUnseenValuesShare) : 1),
                      check.check_neighbours(3)},
                     found);
  }
  for (const Anchor& a : found)
    if (!a.holds) return {"unseen values", false, fmt::format("{}: {}", a.name, a.detail)};
  return {"unseen values", true,
          fmt::format("none reaches a position that does not see it; {}, in {:.1f} s", found.at(0).detail,
                      seconds_now() - began)};
}

}  // namespace gabbro::trial
