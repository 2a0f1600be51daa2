#include "exec/reference/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "exec/reference/predicted_cost.h"
#include "exec/reference/reference.h"
#include "ir/facts.h"
#include "ir/gradient.h"

namespace gabbro::exec {

namespace {

// Largest value allowed with the initial parameters. Squares of values above 1e19 overflow float32. The limit
// is lower because values differ between texts, and because a design whose values are this large at the first
// step does not train.
constexpr double kMaxValue = 1e15;
// Largest value allowed for nodes of the backward pass. There, x / (abs(x) + 1e-9) gives an intermediate
// value of 1e18 where x is 0.
constexpr double kMaxBackwardValue = 1e19;
// A gradient that is smaller than the largest by this factor counts as zero. Gradients that cancel except for
// rounding (a bias of all keys, under a softmax) are above this limit, and must pass: some designs that train
// well have them.
constexpr double kZeroGradient = 1e-20;
// With gradients clipped to a norm of 1, AdamW does not move a parameter whose gradient is this far below the
// largest, since its epsilon is larger. A share kMaxNegligibleShare of all parameters may be like this, such
// as biases under a softmax.
constexpr double kNegligibleGradient = 1e-9, kMaxNegligibleShare = 0.02;
// Least change of the logits by the context, relative to the change by the position's own token. With their
// initial parameters all designs of the zoo reach at least 0.06. Of 81 random designs all reach at least 0.02
// except one with a closed gate, which reaches 0.15 with random parameters (at D = 8, 64 tokens).
constexpr double kMinContextShare = 1e-3;
// A value of an earlier token has no effect in float32 if its gradient is below this share of the largest
// one.
constexpr double kNoEffectGradient = 1e-12;
// Number and size of the updates from the initial parameters. Each moves a parameter as far as some hundred
// training steps do. Several are needed because gates that start at zero open one behind another.
constexpr int kUpdates = 4;
constexpr double kUpdateSize = 0.1;
// Factor on the first embedding, to test whether the logits stay finite in float32.
constexpr double kEmbeddingScale = 4;
// The text is shortened until a run keeps at most this many elements. If the shortest text keeps more than 8
// times as many, the design is refused.
constexpr double kKeptElements = 1 << 22;
// Limits of one run with its gradient, checked before it starts: 512 MiB, some seconds.
constexpr double kMaxElements = 1 << 26, kMaxOperations = 1 << 29;

constexpr double kTiny = 1e-300;  // a divisor in place of 0

// Returns true if the node passes values from earlier positions to later ones.
bool looks_back(const ir::Node& node) {
  return node.op == ir::Op::kShift || node.op == ir::Op::kPast || node.op == ir::Op::kScanOut;
}

// The graph extended by gradients: those of a random functional of the logits, with respect to every
// parameter.
struct Differentiated {
  ir::Graph graph;
  std::vector<ir::NodeId> gradients;               // those of the parameters, then those of `looking_back`
  std::vector<std::size_t> parameter_of_gradient;  // the parameter of each gradient
  std::vector<ir::NodeId> looking_back;            // nodes that look back and have a gradient
  std::vector<ir::NodeId> computed;                // the gradients, then every node that training computes
  ir::Type logits;

  explicit Differentiated(const ir::Graph& model) : graph(model) {
    ir::Builder builder(graph, 0);
    const std::vector<ir::NodeId> outputs = graph.bodies[0].outputs;
    const std::vector<ir::Node>& nodes = model.bodies[0].nodes;
    logits = builder.type(outputs[0]);
    const std::vector<bool> reached = ir::live_nodes(model, 0, outputs);
    std::vector<ir::NodeId> wrt, back;
    for (std::size_t id = 0; id < nodes.size(); ++id)
      if (nodes[id].op == ir::Op::kParam) {
        wrt.push_back(static_cast<ir::NodeId>(id));
        parameter_of_gradient.push_back(static_cast<std::size_t>(nodes[id].index));
      } else if (reached[id] && looks_back(nodes[id])) {
        back.push_back(static_cast<ir::NodeId>(id));
      }
    wrt.insert(wrt.end(), back.begin(), back.end());
    const std::vector<ir::NodeId> seeds{builder.add({.op = ir::Op::kInput, .type = logits, .index = 0})};
    gradients = ir::differentiate(builder, outputs, seeds, wrt);
    keep_with_gradient(back);
    computed = gradients;
    std::vector<ir::NodeId> roots(
        gradients.begin(), gradients.begin() + static_cast<std::ptrdiff_t>(parameter_of_gradient.size()));
    roots.push_back(outputs[0]);
    const std::vector<bool> live = ir::live_nodes(graph, 0, roots);
    for (std::size_t id = 0; id < live.size(); ++id)
      if (live[id] && graph.bodies[0].nodes[id].op != ir::Op::kScan)
        computed.push_back(static_cast<ir::NodeId>(id));
  }

 private:
  // Drops the nodes whose gradient is a constant by structure: they are only compared, counted or detached.
  void keep_with_gradient(const std::vector<ir::NodeId>& back) {
    const std::vector<ir::NodeId> theirs(
        gradients.begin() + static_cast<std::ptrdiff_t>(parameter_of_gradient.size()), gradients.end());
    gradients.resize(parameter_of_gradient.size());
    for (std::size_t i = 0; i < back.size(); ++i) {
      const ir::Node* node = &graph.node(0, theirs[i]);
      while (node->op == ir::Op::kBroadcast) node = &graph.node(0, node->in[0]);
      if (node->op == ir::Op::kConst) continue;
      gradients.push_back(theirs[i]);
      looking_back.push_back(back[i]);
    }
  }
};

class Screen {
 public:
  Screen(const ir::Graph& graph, std::uint64_t seed, std::int64_t long_length)
      : model_(graph), random_(Random(seed).split("screen")), long_length_(long_length) {}

  Screening run() {
    if (Screening prepared = prepare(); !prepared.passes()) return prepared;
    Feed first = initial_feed();
    std::vector<Tensor> values = values_of(first, differentiated_->computed);
    if (Screening found = check_initial_values(first, values); !found.passes()) return found;
    values.resize(differentiated_->gradients.size());
    return check_mixing_and_gradients(std::move(first), std::move(values));
  }

  Screening run_mixing_and_gradients() {
    if (Screening prepared = prepare(); !prepared.passes()) return prepared;
    Feed first = initial_feed();
    std::vector<Tensor> gradients = gradients_of(first);
    return check_mixing_and_gradients(std::move(first), std::move(gradients));
  }

 private:
  // Draws the text and builds the backward pass. Refuses a design that is too large to be run.
  Screening prepare() {
    std::int64_t length = 0;
    for (const std::int64_t l : {8, 16, 24})
      if (l == 8 || elements_kept(model_, l) <= kKeptElements) length = l;
    if (const double kept = elements_kept(model_, length); kept > 8 * kKeptElements)
      return {Lack::kSize, fmt::format("a run of {} tokens keeps {:.3g} elements; the screen allows {:.3g}",
                                       length, kept, 8.0 * kKeptElements)};
    for (std::int64_t t = 0; t < length; ++t)
      tokens_.push_back(random_.below(static_cast<std::int64_t>(model_.env.vocab)));
    differentiated_ = std::make_unique<Differentiated>(model_);
    const PredictedCost cost = predict_cost(differentiated_->graph, differentiated_->computed, length);
    if (cost.peak_elements > kMaxElements || cost.operations > kMaxOperations)
      return {Lack::kSize,
              fmt::format("a run of {} tokens and its gradient holds {:.3g} elements and takes "
                          "{:.3g} operations; the screen allows {:.3g} and {:.3g}",
                          length, cost.peak_elements, cost.operations, kMaxElements, kMaxOperations)};
    return {};
  }

  // Checks on a short text first. A design that fails there may only need a longer one.
  Screening check_mixing_and_gradients(Feed first, std::vector<Tensor> gradients) {
    Screening found = check_during_updates(std::move(first), std::move(gradients));
    if (found.passes() || !extend_text()) return found;
    first = initial_feed();
    gradients = gradients_of(first);
    return check_during_updates(std::move(first), std::move(gradients));
  }

  [[nodiscard]] Feed initial_feed() {
    Feed out{tokens_,
             {zeros(model_, differentiated_->logits.axes, static_cast<std::int64_t>(tokens_.size()))},
             initial_params(model_, random_.split("first"))};
    for (double& v : out.inputs[0].data) v = random_.normal();
    return out;
  }

  [[nodiscard]] std::vector<Tensor> values_of(const Feed& feed, const std::vector<ir::NodeId>& wanted) const {
    return evaluate(differentiated_->graph, wanted, feed, static_cast<std::int64_t>(tokens_.size()));
  }
  [[nodiscard]] std::vector<Tensor> gradients_of(const Feed& feed) const {
    return values_of(feed, differentiated_->gradients);
  }

  [[nodiscard]] Screening check_initial_values(const Feed& first, const std::vector<Tensor>& values) const {
    const Differentiated& d = *differentiated_;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool is_gradient = i < d.parameter_of_gradient.size();
      if (!is_gradient && i < d.gradients.size()) continue;  // Training does not compute it.
      for (const double v : values[i].data) {
        const bool is_backward =
            !is_gradient && static_cast<std::size_t>(d.computed[i]) >= model_.bodies[0].nodes.size();
        if (std::isnan(v) || (is_gradient && std::isinf(v)) ||
            (std::isfinite(v) && std::abs(v) > (is_backward ? kMaxBackwardValue : kMaxValue) &&
             !has_constant_near(model_, v)))
          return {Lack::kFinite,
                  fmt::format(
                      "{} is {:.3g} with the initial parameters",
                      is_gradient   ? "the gradient of " + model_.params[d.parameter_of_gradient[i]].name
                      : is_backward ? "a value of the backward pass"
                                    : fmt::format("a value of line {}", d.graph.node(0, d.computed[i]).line),
                      v)};
      }
    }
    return check_headroom(first);
  }

  // Checks that the logits stay finite in float32 if values are somewhat larger. Values differ between texts
  // and random draws. Where a signal is multiplied by itself many times, a slightly larger one may overflow
  // float32, so the embedding is scaled up by kEmbeddingScale.
  Screening check_headroom(Feed feed) const {
    for (std::size_t p = 0; p < model_.params.size(); ++p)
      if (model_.params[p].role == ir::Role::kInput)
        for (double& v : feed.params[p].data) v *= kEmbeddingScale;
    const std::vector<Tensor> values =
        evaluate(model_, model_.bodies[0].outputs, feed, static_cast<std::int64_t>(tokens_.size()),
                 /*float32=*/true);
    for (const double v : values[0].data)
      if (!std::isfinite(v))
        return {Lack::kFinite,
                fmt::format("a logit is {:.3g} in float32 when the first embedding is {} times as large", v,
                            kEmbeddingScale)};
    return {};
  }

  std::vector<double> logits(const std::vector<std::int64_t>& tokens,
                             const std::vector<Tensor>& params) const {
    return evaluate(model_, model_.bodies[0].outputs, {tokens, {}, params},
                    static_cast<std::int64_t>(tokens.size()))[0]
        .data;
  }

  // Returns the change of a position's logits by the tokens before it, divided by the change by its own
  // token. The result is the maximum over a middle and a late position.
  double context_share(const std::vector<Tensor>& params, Random& draw) const {
    const auto vocab = static_cast<std::int64_t>(model_.env.vocab);
    // Returns the logits of the text with other tokens at the positions [from, to).
    const auto logits_with_others = [&](std::size_t from, std::size_t to) {
      std::vector<std::int64_t> out = tokens_;
      for (std::size_t t = from; t < to; ++t) out[t] = (out[t] + 1 + draw.below(vocab - 1)) % vocab;
      return logits(out, params);
    };
    const std::vector<double> base = logits(tokens_, params);
    const std::size_t count = tokens_.size(), width = base.size() / count;
    double most = 0;
    for (const std::size_t t : {count / 2, count - 1}) {
      const std::vector<double> context = logits_with_others(0, t), own = logits_with_others(t, t + 1);
      double by_context = 0, by_own = 0;
      for (std::size_t i = t * width; i < (t + 1) * width; ++i) {
        by_context = std::max(by_context, std::abs(context[i] - base[i]));
        by_own = std::max(by_own, std::abs(own[i] - base[i]));
      }
      if (by_context > 0) most = std::max(most, by_context / std::max(by_own, kTiny));
    }
    return most;
  }

  // Checks that earlier tokens affect the logits, and that all parameters and all nodes that look back get a
  // gradient, with the initial parameters or after some updates. Parts of a design that stay unreached have
  // no effect when it is trained.
  Screening check_during_updates(Feed feed, std::vector<Tensor> gradients) {
    Random draw = random_.split("mixing");
    gradient_sums_.assign(differentiated_->gradients.size(), 0);
    double context = ir::derive_facts(model_).mixes_tokens ? 0 : kMinContextShare;
    Screening found;
    for (int update = 0;; ++update) {
      const bool finite = add_gradients(gradients);
      if (context < kMinContextShare) context = std::max(context, context_share(feed.params, draw));
      found = check_context_share(context);
      if (found.passes()) found = check_parameter_gradients();
      if (found.passes()) found = check_gradients_of_earlier_values();
      if (found.passes() || update == kUpdates || !finite) return found;
      take_step(gradients, feed.params);
      gradients = gradients_of(feed);
    }
  }

  static Screening check_context_share(double context) {
    if (context >= kMinContextShare) return {};
    return {Lack::kMixing,
            fmt::format("all tokens before a position change its logits by {:.2g} of what its own token "
                        "does, with the initial parameters and after {} updates; at least {:g} is required",
                        context, kUpdates, kMinContextShare)};
  }

  // Extends the text to `long_length_` tokens, or to as many as the work limit allows, for designs that read
  // farther back than the short text reaches, or for stretches that occur again, as in real text. Returns
  // false if no longer text is possible.
  bool extend_text() {
    for (std::int64_t length = long_length_; length > static_cast<std::int64_t>(tokens_.size());
         length /= 2) {
      if (predict_cost(model_, model_.bodies[0].outputs, length).operations > kMaxOperations / 16 ||
          predict_cost(differentiated_->graph, differentiated_->gradients, length).peak_elements >
              kMaxElements)
        continue;
      constexpr std::int64_t kStretch = 12;
      while (static_cast<std::int64_t>(tokens_.size()) < length) {
        const auto known = static_cast<std::int64_t>(tokens_.size());
        const bool copies = known > kStretch && random_.chance(0.5);
        const std::int64_t from = copies ? random_.below(known - kStretch) : 0;
        for (std::int64_t i = 0; i < std::min(kStretch, length - known); ++i)
          tokens_.push_back(copies ? tokens_[static_cast<std::size_t>(from + i)]
                                   : random_.below(static_cast<std::int64_t>(model_.env.vocab)));
      }
      return true;
    }
    return false;
  }

  // Adds up the absolute values of each gradient over all updates. Returns false if one of a parameter is not
  // finite, which updates of this size may cause. One of a node that looks back may be infinite times 0 where
  // no parameter is behind it; the node then counts as reached.
  bool add_gradients(const std::vector<Tensor>& gradients) {
    bool finite = true;
    for (std::size_t i = 0; i < gradients.size(); ++i)
      for (const double v : gradients[i].data) {
        const bool is_parameter = i < differentiated_->parameter_of_gradient.size();
        finite = finite && (std::isfinite(v) || !is_parameter);
        gradient_sums_[i] += std::isfinite(v) ? std::abs(v) : is_parameter ? 0 : 1;
      }
    return finite;
  }

  // Moves each element by the same step whatever the size of its gradient, as AdamW's first update does. An
  // element whose gradient is below AdamW's epsilon is not moved.
  void take_step(const std::vector<Tensor>& gradients, std::vector<Tensor>& params) const {
    const std::size_t count = differentiated_->parameter_of_gradient.size();
    double largest = kTiny;
    for (std::size_t i = 0; i < count; ++i)
      for (const double g : gradients[i].data) largest = std::max(largest, std::abs(g));
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t p = differentiated_->parameter_of_gradient[i];
      const ir::AxisList& fan_in = model_.params[p].fan_in;
      const double step = fan_in.empty()
                              ? kUpdateSize
                              : kUpdateSize / std::sqrt(static_cast<double>(ir::elements(model_, fan_in)));
      for (std::size_t k = 0; k < params[p].data.size(); ++k) {
        const double g = gradients[i].data[k];
        params[p].data[k] -= step * g / (std::abs(g) + kNegligibleGradient * largest);
      }
    }
  }

  // Refuses a design with a node that looks back, but whose result does not affect the logits.
  [[nodiscard]] Screening check_gradients_of_earlier_values() const {
    const auto first = static_cast<std::ptrdiff_t>(differentiated_->parameter_of_gradient.size());
    const double largest = *std::max_element(gradient_sums_.begin(), gradient_sums_.end());
    for (std::size_t i = 0; i < differentiated_->looking_back.size(); ++i)
      if (!(gradient_sums_[static_cast<std::size_t>(first) + i] > kNoEffectGradient * largest))
        return {Lack::kMixing,
                fmt::format("what line {} reads from earlier tokens changes no logit, neither with "
                            "the initial parameters nor after {} updates",
                            model_.node(0, differentiated_->looking_back[i]).line, kUpdates)};
    return {};
  }

  // Refuses a design with parameters that get no gradient, or with so many negligible gradients that the
  // design is effectively smaller than its number of parameters.
  [[nodiscard]] Screening check_parameter_gradients() const {
    std::vector<double> sizes(model_.params.size(), 0);
    for (std::size_t i = 0; i < differentiated_->parameter_of_gradient.size(); ++i)
      sizes[differentiated_->parameter_of_gradient[i]] += gradient_sums_[i];
    const double least = kZeroGradient * *std::max_element(sizes.begin(), sizes.end());
    double all = 0, negligible = 0, largest = 0;
    for (std::size_t p = 0; p < sizes.size(); ++p) {
      if (!(sizes[p] > least))
        return {Lack::kGradient,
                fmt::format("none reaches {}, neither with the initial parameters nor after {} updates",
                            model_.params[p].name, kUpdates)};
      const auto count = static_cast<double>(ir::elements(model_, model_.params[p].axes));
      all += count;
      sizes[p] /= count;
      largest = std::max(largest, sizes[p]);
    }
    constexpr std::size_t kLongEnough = 120;  // characters
    std::string names;
    for (std::size_t p = 0; p < sizes.size(); ++p) {
      if (sizes[p] > kNegligibleGradient * largest) continue;
      negligible += static_cast<double>(ir::elements(model_, model_.params[p].axes));
      if (names.size() < kLongEnough)
        names += fmt::format("{}{} ({:.1g})", names.empty() ? "" : ", ", model_.params[p].name,
                             sizes[p] / largest);
    }
    if (negligible <= kMaxNegligibleShare * all) return {};
    return {Lack::kGradient,
            fmt::format("{:.0f} % of the parameters get a negligible gradient, relative to the largest: {}",
                        100 * negligible / all, names)};
  }

  const ir::Graph& model_;
  Random random_;
  std::vector<std::int64_t> tokens_;  // the text
  std::int64_t long_length_;          // positions of the longer text; 0: there is none
  std::unique_ptr<Differentiated> differentiated_;
  std::vector<double> gradient_sums_;  // sums of the gradients' absolute values, over all updates
};

}  // namespace

std::vector<Tensor> random_params(const ir::Graph& graph, double scale, Random& random) {
  std::vector<Tensor> out;
  for (const ir::Param& param : graph.params) {
    const double start = param.init.kind == ir::Init::Kind::kConstant ? param.init.a : 0;
    constexpr double kVectorDeviation = 0.3;
    const double deviation =
        scale * (param.fan_in.empty()
                     ? kVectorDeviation
                     : 1 / std::sqrt(static_cast<double>(ir::elements(graph, param.fan_in))));
    Tensor x = zeros(graph, param.axes, 0);
    for (double& v : x.data) v = static_cast<float>(start + deviation * random.normal());
    out.push_back(std::move(x));
  }
  return out;
}

bool has_constant_near(const ir::Graph& graph, double v) {
  constexpr double kNear = 4;  // powers of two
  for (const ir::Body& body : graph.bodies)
    for (const ir::Node& node : body.nodes)
      if (node.op == ir::Op::kConst && std::isfinite(node.value) &&
          std::abs(std::log2(std::abs(v / node.value))) < kNear)
        return true;
  return false;
}

double elements_kept(const ir::Graph& graph, std::int64_t length) {
  double sum = 0;
  const std::vector<bool> live = ir::live_nodes(graph, 0, graph.bodies[0].outputs);
  for (std::size_t id = 0; id < live.size(); ++id) {
    if (!live[id]) continue;
    const ir::Type& type = graph.bodies[0].nodes[id].type;
    const auto positions = static_cast<double>(length);
    sum += static_cast<double>(ir::elements(graph, type.axes)) * (type.time() ? positions : 1) *
           (type.past() ? positions : 1);
  }
  return sum;
}

Screening screen(const ir::Graph& graph, std::uint64_t seed, std::int64_t length) {
  return Screen(graph, seed, length).run();
}

Screening screen_mixing_and_gradients(const ir::Graph& graph, std::uint64_t seed, std::int64_t length) {
  return Screen(graph, seed, length).run_mixing_and_gradients();
}

}  // namespace gabbro::exec
