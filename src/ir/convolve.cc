#include "ir/convolve.h"

#include <optional>

#include "ir/builder.h"

namespace gabbro::ir {

namespace {

class Convolver {
 public:
  Convolver(const Graph& from, Graph& to)
      : from_(from),
        nodes_(from.bodies[0].nodes),
        b_(to, 0),
        along_(nodes_.size(), Along::kOther),
        map_(nodes_.size(), -1),
        moved_(nodes_.size(), -1) {}

  void run() {
    const std::vector<bool> live = live_nodes(from_, 0, from_.bodies[0].outputs);
    for (std::size_t id = 0; id < nodes_.size(); ++id) {
      if (!live[id]) continue;
      along_[id] = classify(nodes_[id]);
      b_.set_line(nodes_[id].line);
      const std::optional<NodeId> made = convolution(nodes_[id]);
      map_[id] = made ? *made : copy_node(b_, nodes_[id], map_);
    }
    for (const NodeId id : from_.bodies[0].outputs) b_.graph().bodies[0].outputs.push_back(at(map_, id));
  }

 private:
  // The way a value over pairs (t, s) depends on them: only through t - s, only through s, or in another way.
  // Constants and parameters are compatible with both.
  enum class Along : std::uint8_t { kOther, kLag, kSource };

  struct Product {
    // Factors: `filter` depends on t - s or on no position, `source` on s, `rest` on t.
    std::vector<NodeId> filter, source, rest;
  };

  template <class T>
  static T& at(std::vector<T>& list, NodeId id) {
    return list[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] Along along(NodeId id) const { return along_[static_cast<std::size_t>(id)]; }

  [[nodiscard]] Along classify(const Node& n) const {
    if (!n.type.past() || n.type.window != kAll) return Along::kOther;
    if (n.op == Op::kLag) return Along::kLag;
    if (n.op == Op::kPast) return Along::kSource;
    const Kind kind = info(n.op).kind;
    // These ops act on each position separately, because the result still has the past axis.
    const bool pointwise =
        kind == Kind::kPointwise || kind == Kind::kAxes || kind == Kind::kReduce || n.op == Op::kLookup;
    if (!pointwise) return Along::kOther;
    std::optional<Along> all;
    bool mixed = false;
    for (const NodeId in : n.in) {
      if (in < 0 || !node(in).type.time()) continue;
      mixed = mixed || along(in) == Along::kOther || (all && *all != along(in));
      all = along(in);
    }
    return mixed ? Along::kOther : all.value_or(Along::kLag);
  }

  // Splits a product over pairs into its factors. Returns false if a factor belongs to no group.
  bool split(NodeId id, Product& out) const {
    // Powers of shared products double their number of factors at every level.
    constexpr std::size_t kMaxFactors = 64;
    const Node& n = node(id);
    if (out.filter.size() + out.source.size() + out.rest.size() >= kMaxFactors) return false;
    if (!n.type.past())
      (n.type.time() ? out.rest : out.filter).push_back(id);
    else if (along(id) != Along::kOther)
      (along(id) == Along::kLag ? out.filter : out.source).push_back(id);
    else
      return n.op == Op::kMul && split(n.in[0], out) && split(n.in[1], out);
    return true;
  }

  std::optional<NodeId> convolution(const Node& n) {
    if ((n.op != Op::kDot && n.op != Op::kSum) || !n.axes.contains(kPast) || n.axes.contains(kTime))
      return {};
    Product product;
    for (const NodeId in : n.in)
      if (in >= 0 && !split(in, product)) return {};
    bool over_lag = false;  // otherwise it is a running sum
    for (const NodeId id : product.filter) over_lag = over_lag || node(id).type.past();
    if (!over_lag) return {};
    AxisList summed = n.axes;
    summed.erase(summed.find(kPast));
    for (const NodeId id : product.rest)
      for (const AxisId axis : summed)
        if (node(id).type.has(axis)) return {};
    const NodeId source =
        product.source.empty() ? b_.fit(b_.constant(1), {{kTime}, 0}) : product_of(product.source);
    const NodeId filter = product_of(product.filter);
    NodeId out = b_.add({.op = Op::kConvolve, .in = {filter, source, -1}, .axes = summed});
    for (const NodeId id : product.rest) out = b_.times(out, at(map_, id));
    GABBRO_CHECK(b_.type(out) == n.type);
    return out;
  }

  NodeId product_of(const std::vector<NodeId>& factors) {
    NodeId out = -1;
    for (const NodeId id : factors) out = out < 0 ? moved(id) : b_.times(out, moved(id));
    return out;
  }

  // Rewrites a value over pairs as a value over time: distances take the place of t - s, and positions that
  // of s.
  NodeId moved(NodeId id) {
    Node n = node(id);
    if (!n.type.past()) return at(map_, id);
    if (n.op == Op::kPast) return at(map_, n.in[0]);
    if (at(moved_, id) >= 0) return at(moved_, id);
    if (n.op == Op::kLag) {
      n = {.op = Op::kDelay};
    } else {
      for (NodeId& in : n.in)
        if (in >= 0) in = moved(in);
      if (n.op == Op::kBroadcast && n.axes.contains(kPast)) {
        n.axes.erase(n.axes.find(kPast));
        n.amount = 0;
      }
    }
    return at(moved_, id) = b_.add(n);
  }

  const Graph& from_;
  const std::vector<Node>& nodes_;
  Builder b_;
  std::vector<Along> along_;
  std::vector<NodeId> map_, moved_;
};

}  // namespace

Graph convolve(const Graph& graph) {
  Graph out = graph;
  out.bodies[0] = {};
  Convolver(graph, out).run();
  return out;
}

}  // namespace gabbro::ir
