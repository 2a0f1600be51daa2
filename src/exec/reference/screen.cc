#include "exec/reference/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "exec/reference/reference.h"
#include "exec/reference/work.h"
#include "ir/facts.h"
#include "ir/gradient.h"

namespace gabbro::exec {

namespace {

// Of float32: squares of larger values leave it, texts differ, and what grows so fast by the first step is not trained.
constexpr double kLargest = 1e15;
// What stands on the way back alone: x / (abs(x) + 1e-9) has 1e18 there where x is 0.
constexpr double kLargestOnTheWayBack = 1e19;
// A gradient so far below the largest is none. Those that cancel but for rounding (a bias of all keys, under a softmax) are above: some
// designs that train well have them.
constexpr double kLeast = 1e-20;
// AdamW at a clipped norm of 1 moves no parameter whose gradient is this far below the largest: its epsilon is larger. A share of all parameters
// may be so: biases under a softmax.
constexpr double kNegligible = 1e-9, kDeadShare = 0.02;
// Of what a position's own token changes. With their first parameters all designs of the zoo have at least 0.06; of 81 random ones all have at least 0.02
// but one with a closed gate, which has 0.15 with random parameters (at D = 8, 64 tokens).
constexpr double kLeastContext = 1e-3;
constexpr double kRoom = 4;
constexpr double kMostNumbers = 1 << 22;
// Of one run with its gradient, known before it begins: 512 MiB, some seconds.
constexpr double kMostElements = 1 << 26, kMostOperations = 1 << 29;

// The graph with its gradient: of a random functional of the logits, to every parameter.
struct Differentiated {
  ir::Graph graph;
  std::vector<ir::NodeId> gradients;
  std::vector<std::size_t> owners;  // the parameter of each
  std::vector<ir::NodeId> all;      // every live node, the gradients first
  ir::Type logits;

  explicit Differentiated(const ir::Graph& model) : graph(model) {
    ir::Builder builder(graph, 0);
    const std::vector<ir::NodeId> outputs = graph.bodies[0].outputs;
    logits = builder.type(outputs[0]);
    std::vector<ir::NodeId> wrt;
    for (std::size_t id = 0; id < model.bodies[0].nodes.size(); ++id)
      if (const ir::Node& node = model.bodies[0].nodes[id]; node.op == ir::Op::kParam) {
        wrt.push_back(static_cast<ir::NodeId>(id));
        owners.push_back(static_cast<std::size_t>(node.index));
      }
    const std::vector<ir::NodeId> seeds{builder.add({.op = ir::Op::kInput, .type = logits, .index = 0})};
    gradients = ir::differentiate(builder, outputs, seeds, wrt);
    all = gradients;
    std::vector<ir::NodeId> roots = gradients;
    roots.push_back(outputs[0]);
    const std::vector<bool> live = ir::live_nodes(graph, 0, roots);
    for (std::size_t id = 0; id < live.size(); ++id)
      if (live[id] && graph.bodies[0].nodes[id].op != ir::Op::kScan)
        all.push_back(static_cast<ir::NodeId>(id));
  }
};

class Screen {
 public:
  Screen(const ir::Graph& graph, std::uint64_t seed, std::int64_t whole)
      : model_(graph), random_(Random(seed).split("screen")), whole_(whole) {}

  Screening run() {
    std::int64_t length = 0;
    for (const std::int64_t l : {8, 16, 24})
      if (l == 8 || numbers_kept(model_, l) <= kMostNumbers) length = l;
    if (const double kept = numbers_kept(model_, length); kept > 8 * kMostNumbers)
      return {"size", fmt::format("a run of {} tokens keeps {:.3g} elements; the screen takes {:.3g}", length,
                                  kept, 8.0 * kMostNumbers)};
    for (std::int64_t t = 0; t < length; ++t)
      tokens_.push_back(random_.below(static_cast<std::int64_t>(model_.env.vocab)));
    differentiated_ = std::make_unique<Differentiated>(model_);
    const Work work = work_of(differentiated_->graph, differentiated_->all, length);
    if (work.elements > kMostElements || work.operations > kMostOperations)
      return {
          "size",
          fmt::format(
              "a run of {} tokens and its gradient holds {:.3g} elements and takes {:.3g} operations; the "
              "screen takes {:.3g} and {:.3g}",
              length, work.elements, work.operations, kMostElements, kMostOperations)};
    if (Screening first = first_parameters(); !first.passes()) return first;
    if (Screening mixing = mixes(); !mixing.passes()) return mixing;
    return gradient();
  }

 private:
  [[nodiscard]] Feed feed(std::vector<Tensor> params) {
    Feed out{tokens_,
             {zeros(model_, differentiated_->logits.axes, static_cast<std::int64_t>(tokens_.size()))},
             std::move(params)};
    for (double& v : out.inputs[0].data) v = random_.normal();
    return out;
  }

  Screening first_parameters() {
    const Differentiated& d = *differentiated_;
    const Feed first = feed(initial_params(model_, random_.split("first")));
    const std::vector<Tensor> values =
        evaluate(d.graph, d.all, first, static_cast<std::int64_t>(tokens_.size()));
    for (std::size_t i = 0; i < values.size(); ++i)
      for (const double v : values[i].data) {
        const bool gradient = i < d.gradients.size();
        const bool back = !gradient && static_cast<std::size_t>(d.all[i]) >= model_.bodies[0].nodes.size();
        if (std::isnan(v) || (gradient && std::isinf(v)) ||
            (std::isfinite(v) && std::abs(v) > (back ? kLargestOnTheWayBack : kLargest) &&
             !writes(model_, v)))
          return {"finite",
                  fmt::format("{} is {:.3g} with the first parameters",
                              gradient ? "the gradient of " + model_.params[d.owners[i]].name
                                       : fmt::format("a value of line {}", d.graph.node(0, d.all[i]).line),
                              v)};
      }
    return has_room(first);
  }

  // Texts and draws differ: where a signal is multiplied with itself again and again, one that is a little larger leaves float32.
  Screening has_room(Feed feed) const {
    for (std::size_t p = 0; p < model_.params.size(); ++p)
      if (model_.params[p].role == ir::Role::kInput)
        for (double& v : feed.params[p].data) v *= kRoom;
    const std::vector<Tensor> values =
        evaluate(model_, model_.bodies[0].outputs, feed, static_cast<std::int64_t>(tokens_.size()), true);
    for (const double v : values[0].data)
      if (!std::isfinite(v))
        return {"finite",
                fmt::format("a logit is {:.3g} in float32 where the first embedding is {} times as large", v,
                            kRoom)};
    return {};
  }

  std::vector<double> logits(const std::vector<std::int64_t>& tokens,
                             const std::vector<Tensor>& params) const {
    return evaluate(model_, model_.bodies[0].outputs, {tokens, {}, params},
                    static_cast<std::int64_t>(tokens.size()))[0]
        .data;
  }

  // How much the tokens before a position change its logits, beside what its own token changes: the most of a middle and a late position.
  double context_share(const std::vector<Tensor>& params, Random& draw) const {
    const auto vocab = static_cast<std::int64_t>(model_.env.vocab);
    const auto other = [&](std::size_t from, std::size_t to) {
      std::vector<std::int64_t> out = tokens_;
      for (std::size_t t = from; t < to; ++t) out[t] = (out[t] + 1 + draw.below(vocab - 1)) % vocab;
      return logits(out, params);
    };
    const std::vector<double> base = logits(tokens_, params);
    const std::size_t count = tokens_.size(), width = base.size() / count;
    double most = 0;
    for (const std::size_t t : {count / 2, count - 1}) {
      const std::vector<double> context = other(0, t), own = other(t, t + 1);
      double by_context = 0, by_own = 0;
      for (std::size_t i = t * width; i < (t + 1) * width; ++i) {
        by_context = std::max(by_context, std::abs(context[i] - base[i]));
        by_own = std::max(by_own, std::abs(own[i] - base[i]));
      }
      if (by_context > 0) most = std::max(most, by_context / std::max(by_own, 1e-300));
    }
    return most;
  }

  // With the first parameters, or with random ones where those start at zero and hide it.
  Screening mixes() {
    if (!ir::derive_facts(model_).mixes_tokens) return {};
    Random draw = random_.split("mixing");
    double most = 0;
    for (int attempt = 0; attempt < 4; ++attempt) {
      most = std::max(most, context_share(attempt == 0 ? initial_params(model_, random_.split("first"))
                                                       : random_params(model_, 1, draw),
                                          draw));
      if (most >= kLeastContext) return {};
    }
    if (is_longer()) return mixes();
    return {"mixing",
            fmt::format("all tokens before a position change its logits by {:.2g} of what its own token "
                        "does, at least {:g} is asked for",
                        most, kLeastContext)};
  }

  // What reads farther back than the text is long is asked again with a whole one.
  bool is_longer() {
    const auto now = static_cast<std::int64_t>(tokens_.size());
    if (whole_ <= now || work_of(model_, model_.bodies[0].outputs, whole_).operations > kMostOperations / 16)
      return false;
    while (static_cast<std::int64_t>(tokens_.size()) < whole_)
      tokens_.push_back(random_.below(static_cast<std::int64_t>(model_.env.vocab)));
    return true;
  }

  Screening gradient() {
    const Differentiated& d = *differentiated_;
    std::vector<double> sizes(model_.params.size(), 0);
    Random draw = random_.split("gradient");
    Screening found;
    for (int again = 0; again < 3; ++again) {
      const std::vector<Tensor> values = evaluate(d.graph, d.gradients, feed(random_params(model_, 1, draw)),
                                                  static_cast<std::int64_t>(tokens_.size()));
      for (std::size_t i = 0; i < values.size(); ++i)
        for (const double v : values[i].data) sizes[d.owners[i]] += std::isfinite(v) ? std::abs(v) : 0;
      found = silent(sizes);
      if (found.passes()) return {};
    }
    return found;
  }

  // Parameters without a gradient, or so many with a negligible one that the design is smaller than it says.
  [[nodiscard]] Screening silent(std::vector<double> sizes) const {
    const double least = kLeast * *std::max_element(sizes.begin(), sizes.end());
    double all = 0, negligible = 0, largest = 0;
    for (std::size_t p = 0; p < sizes.size(); ++p) {
      if (!(sizes[p] > least)) return {"gradient", "none reaches " + model_.params[p].name};
      const auto count = static_cast<double>(ir::elements(model_, model_.params[p].axes));
      all += count;
      sizes[p] /= count;
      largest = std::max(largest, sizes[p]);
    }
    std::string names;
    for (std::size_t p = 0; p < sizes.size(); ++p) {
      if (sizes[p] > kNegligible * largest) continue;
      negligible += static_cast<double>(ir::elements(model_, model_.params[p].axes));
      if (names.size() < 120)
        names += fmt::format("{}{} ({:.1g})", names.empty() ? "" : ", ", model_.params[p].name,
                             sizes[p] / largest);
    }
    if (negligible <= kDeadShare * all) return {};
    return {"gradient",
            fmt::format("{:.0f} % of the parameters get a negligible one, relative to the largest: {}",
                        100 * negligible / all, names)};
  }

  const ir::Graph& model_;
  Random random_;
  std::vector<std::int64_t> tokens_;
  std::int64_t whole_;
  std::unique_ptr<Differentiated> differentiated_;
};

}  // namespace

std::vector<Tensor> random_params(const ir::Graph& graph, double scale, Random& random) {
  std::vector<Tensor> out;
  for (const ir::Param& param : graph.params) {
    const double start = param.init.kind == ir::Init::Kind::kConstant ? param.init.a : 0;
    const double deviation =
        scale *
        (param.fan_in.empty() ? 0.3 : 1 / std::sqrt(static_cast<double>(ir::elements(graph, param.fan_in))));
    Tensor x = zeros(graph, param.axes, 0);
    for (double& v : x.data) v = static_cast<float>(start + deviation * random.normal());
    out.push_back(std::move(x));
  }
  return out;
}

bool writes(const ir::Graph& graph, double v) {
  for (const ir::Body& body : graph.bodies)
    for (const ir::Node& node : body.nodes)
      if (node.op == ir::Op::kConst && std::isfinite(node.value) &&
          std::abs(std::log2(std::abs(v / node.value))) < 4)
        return true;
  return false;
}

double numbers_kept(const ir::Graph& graph, std::int64_t length) {
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

}  // namespace gabbro::exec
