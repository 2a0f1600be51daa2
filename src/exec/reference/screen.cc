#include "exec/reference/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "exec/reference/reference.h"
#include "ir/facts.h"
#include "ir/gradient.h"

namespace gabbro::exec {

namespace {

// Of float32: squares of larger values leave it, texts differ, and what grows so fast by the first step is not trained.
constexpr double kLargest = 1e15;
// A gradient so far below the largest is none. Those that cancel but for rounding (a bias of all keys, under a softmax) are above: some
// designs that train well have them.
constexpr double kLeast = 1e-20;
constexpr double kRoom = 4;
constexpr double kMostNumbers = 1 << 22;

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
  Screen(const ir::Graph& graph, std::uint64_t seed) : model_(graph), random_(Random(seed).split("screen")) {}

  Screening run() {
    std::int64_t length = 0;
    for (const std::int64_t l : {8, 16, 24})
      if (l == 8 || numbers_kept(model_, l) <= kMostNumbers) length = l;
    if (const double kept = numbers_kept(model_, length); kept > 8 * kMostNumbers)
      return {"size", fmt::format("a run of {} tokens keeps {:.3g} numbers", length, kept)};
    for (std::int64_t t = 0; t < length; ++t)
      tokens_.push_back(random_.below(static_cast<std::int64_t>(model_.env.vocab)));
    differentiated_ = std::make_unique<Differentiated>(model_);
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
        if (std::isnan(v) || (gradient && std::isinf(v)) ||
            (std::isfinite(v) && std::abs(v) > kLargest && !writes(model_, v)))
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

  // Whether the last logits feel the first tokens, as float32 would.
  Screening mixes() {
    if (!ir::derive_facts(model_).mixes_tokens) return {};
    Random draw = random_.split("mixing");
    for (int attempt = 0; attempt < 3; ++attempt) {
      const std::vector<Tensor> params = random_params(model_, 1, draw);
      std::vector<std::int64_t> other = tokens_;
      const std::size_t at = tokens_.size() / 2;
      const auto vocab = static_cast<std::int64_t>(model_.env.vocab);
      other[at] = (other[at] + 1 + draw.below(vocab - 1)) % vocab;
      const std::vector<double> a = logits(tokens_, params), b = logits(other, params);
      double size = 1e-30, change = 0;
      for (std::size_t i = (at + 1) * (a.size() / tokens_.size()); i < a.size(); ++i) {
        size = std::max(size, std::abs(a[i]));
        change = std::max(change, std::abs(a[i] - b[i]));
      }
      if (change > 1e-7 * size) return {};
    }
    return {"mixing", "no token changes a later logit"};
  }

  Screening gradient() {
    const Differentiated& d = *differentiated_;
    std::vector<double> sizes(model_.params.size(), 0);
    Random draw = random_.split("gradient");
    std::string silent;
    for (int again = 0; again < 3; ++again) {
      const std::vector<Tensor> values = evaluate(d.graph, d.gradients, feed(random_params(model_, 1, draw)),
                                                  static_cast<std::int64_t>(tokens_.size()));
      for (std::size_t i = 0; i < values.size(); ++i)
        for (const double v : values[i].data) sizes[d.owners[i]] += std::isfinite(v) ? std::abs(v) : 0;
      const double least = kLeast * *std::max_element(sizes.begin(), sizes.end());
      silent.clear();
      for (std::size_t p = 0; p < sizes.size() && silent.empty(); ++p)
        if (!(sizes[p] > least)) silent = model_.params[p].name;
      if (silent.empty()) return {};
    }
    return {"gradient", "none reaches " + silent};
  }

  const ir::Graph& model_;
  Random random_;
  std::vector<std::int64_t> tokens_;
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

Screening screen(const ir::Graph& graph, std::uint64_t seed) { return Screen(graph, seed).run(); }

}  // namespace gabbro::exec
