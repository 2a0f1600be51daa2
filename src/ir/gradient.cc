#include "ir/gradient.h"

#include <algorithm>
#include <optional>

namespace gabbro::ir {

namespace {

// Returns one flag per node: true if a gradient flows from it to a node of `wrt`. Only such nodes need
// adjoints.
std::vector<bool> influenced(const Graph& graph, int body, std::span<const NodeId> wrt) {
  const auto& nodes = graph.bodies[body].nodes;
  std::vector<bool> on(nodes.size(), false);
  for (NodeId id : wrt) on[id] = true;
  for (std::size_t id = 0; id < nodes.size(); ++id) {
    if (on[id]) continue;
    const OpInfo& op = info(nodes[id].op);
    const bool passes =
        op.vjp || nodes[id].op == Op::kScan || nodes[id].op == Op::kAffine || nodes[id].op == Op::kScanOut;
    if (passes) for_each_operand(graph, nodes[id], [&](NodeId in) { on[id] = on[id] || on[in]; });
  }
  return on;
}

// Copies the live part of a step into another body. Returns the new id of every node, or -1 if it was not
// copied.
std::vector<NodeId> copy_step(Graph& graph, int from, Builder& to, std::span<const NodeId> args) {
  const std::vector<bool> live = live_nodes(graph, from, graph.bodies[from].outputs);
  std::vector<NodeId> map(live.size(), -1);
  for (std::size_t id = 0; id < live.size(); ++id) {
    Node node = graph.bodies[from].nodes[id];
    if (node.op == Op::kArg) {
      map[id] = args[node.index];
      continue;
    }
    if (!live[id]) continue;
    for (NodeId& in : node.in)
      if (in >= 0) in = map[in];
    map[id] = to.add(node);
  }
  return map;
}

class Differentiator {
 public:
  Differentiator(Builder& builder, std::span<const NodeId> wrt)
      : b_(builder),
        needed_(influenced(builder.graph(), builder.body(), wrt)),
        adjoint_(needed_.size(), -1) {}

  void seed(NodeId id, NodeId adjoint) { accumulate(id, adjoint); }

  void run() {
    for (NodeId id = static_cast<NodeId>(needed_.size()) - 1; id >= 0; --id) {
      if (!needed_[id]) continue;
      const Node node = b_.node(id);
      if (node.op == Op::kScan) {
        scan(id, node.index);
      } else if (node.op == Op::kAffine) {
        affine(id, node.index);
      } else if (adjoint_[id] >= 0 && node.op == Op::kScanOut) {
        scan_seeds_.push_back({node.in[0], node.index, adjoint_[id]});
      } else if (adjoint_[id] >= 0 && info(node.op).vjp) {
        Sink sink(*this, node);
        info(node.op).vjp(b_, id, adjoint_[id], sink);
      }
    }
  }

  NodeId result(NodeId id) { return adjoint_[id] >= 0 ? adjoint_[id] : b_.fit(b_.constant(0), b_.type(id)); }

 private:
  struct Sink : Adjoints {
    Sink(Differentiator& parent, const Node& node) : d(parent), n(node) {}
    void add(int i, NodeId adjoint) override { d.accumulate(n.in[i], adjoint); }
    Differentiator& d;
    const Node n;
  };
  struct ScanSeed {
    NodeId scan;
    std::int32_t output;
    NodeId adjoint;
  };

  void accumulate(NodeId id, NodeId adjoint) {
    if (!needed_[id]) return;
    adjoint = b_.fit(adjoint, b_.type(id));
    adjoint_[id] = adjoint_[id] < 0 ? adjoint : b_.plus(adjoint_[id], adjoint);
  }

  // Differentiates a recurrence s' = f(s, x, w), y = g(s, x, w). The backward scan runs from the last
  // position to the first, carries the adjoint of the state and the sums of the adjoints of the invariants,
  // and outputs the adjoint of x at every position.
  void scan(NodeId id, int index) {
    Graph& g = b_.graph();
    std::vector<ScanSeed> seeds;
    for (const ScanSeed& s : scan_seeds_)
      if (s.scan == id) seeds.push_back(s);
    if (seeds.empty()) return;
    const Scan forward = g.scans[index];
    const auto states = forward.inits.size();

    const int body = static_cast<int>(g.bodies.size());
    g.bodies.emplace_back();
    Builder step(g, body);
    Scan backward;
    backward.body = body;
    backward.reverse = !forward.reverse;
    std::vector<NodeId> wanted_sequences, wanted_invariants;  // indices in `forward`
    for (std::size_t i = 0; i < forward.sequences.size(); ++i)
      if (needed_[forward.sequences[i]]) wanted_sequences.push_back(static_cast<NodeId>(i));
    for (std::size_t i = 0; i < forward.invariants.size(); ++i)
      if (needed_[forward.invariants[i]]) wanted_invariants.push_back(static_cast<NodeId>(i));

    // The arguments of the backward step are, in order: as states, the adjoints of the states and the sums
    // for the invariants; as sequences, the states before the step, the sequences and the adjoints of the
    // outputs; then the invariants.
    int next = 0;
    const auto arg = [&](Type type) {
      type.remove(kTime);
      return step.arg(next++, type);
    };
    std::vector<NodeId> state_adjoints, sums,
        args(states + forward.sequences.size() + forward.invariants.size());
    for (NodeId init : forward.inits) {
      state_adjoints.push_back(arg(b_.type(init)));
      backward.inits.push_back(-1);  // set below, when the adjoints of the final states are known
    }
    for (NodeId i : wanted_invariants) {
      const Type type = b_.type(forward.invariants[i]);
      sums.push_back(arg(type));
      backward.inits.push_back(b_.fit(b_.constant(0), type));
    }
    for (std::size_t i = 0; i < states; ++i) {
      args[i] = arg(b_.type(forward.inits[i]));
      backward.sequences.push_back(state_before(id, index, i));
    }
    for (std::size_t i = 0; i < forward.sequences.size(); ++i) {
      args[states + i] = arg(b_.type(forward.sequences[i]));
      backward.sequences.push_back(forward.sequences[i]);
    }
    std::vector<std::pair<NodeId, NodeId>> output_adjoints;  // step output -> argument
    std::vector<NodeId> final_adjoints(states, -1);
    for (const ScanSeed& s : seeds) {
      if (s.output < 0) {
        final_adjoints[-1 - s.output] = s.adjoint;
        continue;
      }
      output_adjoints.emplace_back(s.output, arg(b_.type(s.adjoint)));
      backward.sequences.push_back(s.adjoint);
    }
    for (std::size_t i = 0; i < forward.invariants.size(); ++i) {
      args[states + forward.sequences.size() + i] = arg(b_.type(forward.invariants[i]));
      backward.invariants.push_back(forward.invariants[i]);
    }
    for (std::size_t i = 0; i < states; ++i)
      backward.inits[i] =
          final_adjoints[i] >= 0 ? final_adjoints[i] : b_.fit(b_.constant(0), b_.type(forward.inits[i]));

    const std::vector<NodeId> map = copy_step(g, forward.body, step, args);
    const std::vector<NodeId> step_out = g.bodies[forward.body].outputs;
    std::vector<NodeId> outputs, output_seeds, wrt;
    for (std::size_t i = 0; i < states; ++i) {
      outputs.push_back(map[step_out[i]]);
      output_seeds.push_back(state_adjoints[i]);
      wrt.push_back(args[i]);
    }
    for (const auto& [output, adjoint] : output_adjoints) {
      outputs.push_back(map[step_out[states + output]]);
      output_seeds.push_back(adjoint);
    }
    for (NodeId i : wanted_sequences) wrt.push_back(args[states + i]);
    for (NodeId i : wanted_invariants) wrt.push_back(args[states + forward.sequences.size() + i]);
    const std::vector<NodeId> grads = differentiate(step, outputs, output_seeds, wrt);

    // Splits what each step adds to the adjoint of an invariant. Outer products leave the scan as their
    // factors and become matrix products over all positions; only the sum of the remaining terms is carried.
    std::vector<NodeId> totals;  // for each invariant, the sum after the step, or -1
    std::vector<NodeId> values;  // outputs of each step
    std::vector<std::vector<Outer>> outers(sums.size());
    for (std::size_t i = 0; i < wanted_sequences.size(); ++i) values.push_back(grads[states + i]);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const NodeId rest = without_outers(step, grads[states + wanted_sequences.size() + i], outers[i]);
      totals.push_back(rest < 0 ? -1 : step.plus(sums[i], rest));
      for (const Outer& o : outers[i]) values.insert(values.end(), {o.a, o.b});
    }
    auto& out = g.bodies[body].outputs;
    out.assign(grads.begin(), grads.begin() + static_cast<std::ptrdiff_t>(states));
    for (const NodeId total : totals)
      if (total >= 0) out.push_back(total);
    out.insert(out.end(), values.begin(), values.end());
    drop_states(g, backward, states, totals);

    const auto backward_index = static_cast<std::int32_t>(g.scans.size());
    g.scans.push_back(std::move(backward));
    const NodeId backward_scan = b_.add({.op = Op::kScan, .index = backward_index});
    const auto read = [&](std::int32_t output) {
      return b_.add({.op = Op::kScanOut, .in = {backward_scan, -1, -1}, .index = output});
    };
    auto state = static_cast<std::int32_t>(states),
         value = static_cast<std::int32_t>(wanted_sequences.size());
    for (std::int32_t i = 0; i < state; ++i)
      if (needed_[forward.inits[i]]) accumulate(forward.inits[i], read(-1 - i));
    for (std::size_t i = 0; i < wanted_invariants.size(); ++i) {
      const NodeId invariant = forward.invariants[wanted_invariants[i]];
      if (totals[i] >= 0) accumulate(invariant, read(-1 - state++));
      for (Outer& o : outers[i]) {
        const NodeId a = read(value++), b = read(value++);
        o.over.push_back(kTime);
        accumulate(invariant, b_.add({.op = Op::kDot, .in = {a, b, -1}, .axes = o.over}));
      }
    }
    for (std::size_t i = 0; i < wanted_sequences.size(); ++i)
      accumulate(forward.sequences[wanted_sequences[i]], read(static_cast<std::int32_t>(i)));
  }

  // A product of two values, summed over axes, that has more elements than both factors together.
  struct Outer {
    NodeId a, b;
    AxisList over;
  };

  // Moves the terms of `x` that are outer products to `outers`. Returns the sum of the other terms, or -1 if
  // there are none.
  NodeId without_outers(Builder& step, NodeId x, std::vector<Outer>& outers) {
    const Node n = step.node(x);
    if (n.op == Op::kAdd && step.type(n.in[0]) == n.type && step.type(n.in[1]) == n.type) {
      const NodeId a = without_outers(step, n.in[0], outers), b = without_outers(step, n.in[1], outers);
      if (a == n.in[0] && b == n.in[1]) return x;
      return a < 0 ? b : b < 0 ? a : step.plus(a, b);
    }
    if (n.op != Op::kMul && n.op != Op::kDot) return x;
    const auto size = [&](NodeId id) { return elements(step.graph(), step.type(id).axes); };
    if (size(n.in[0]) + size(n.in[1]) >= size(x)) return x;
    outers.push_back({n.in[0], n.in[1], n.op == Op::kDot ? n.axes : AxisList{}});
    return -1;
  }

  // Removes from a scan those states, counted from index `first` on, that have no total.
  void drop_states(Graph& g, Scan& scan, std::size_t first, const std::vector<NodeId>& totals) {
    if (std::all_of(totals.begin(), totals.end(), [](NodeId total) { return total >= 0; })) return;
    std::vector<NodeId> args(scan.inits.size() + scan.sequences.size() + scan.invariants.size(), -1);
    const auto kept = [&](std::size_t arg) {
      return arg < first || arg >= first + totals.size() || totals[arg - first] >= 0;
    };
    g.bodies.push_back(g.bodies[scan.body]);
    const auto from = static_cast<int>(g.bodies.size()) - 1;
    g.bodies[scan.body] = {};
    Builder step(g, scan.body);
    std::vector<Type> types(args.size());
    for (const Node& node : g.bodies[from].nodes)
      if (node.op == Op::kArg) types[static_cast<std::size_t>(node.index)] = node.type;
    int next = 0;
    for (std::size_t i = 0; i < args.size(); ++i)
      if (kept(i)) args[i] = step.arg(next++, types[i]);
    const std::vector<NodeId> map = copy_step(g, from, step, args);
    for (const NodeId id : g.bodies[from].outputs) g.bodies[scan.body].outputs.push_back(map[id]);
    g.bodies.pop_back();
    for (std::size_t i = totals.size(); i-- > 0;)
      if (totals[i] < 0) scan.inits.erase(scan.inits.begin() + static_cast<std::ptrdiff_t>(first + i));
  }

  // Differentiates an affine recurrence with its adjoint op.
  void affine(NodeId id, int index) {
    Affine adjoint = b_.graph().affines[index];
    GABBRO_CHECK(!adjoint.adjoint);  // lowered graphs are differentiated once
    std::vector<NodeId> seeds(adjoint.after.size(), -1);
    for (const ScanSeed& s : scan_seeds_)
      if (s.scan == id) seeds[static_cast<std::size_t>(s.output)] = s.adjoint;
    if (std::all_of(seeds.begin(), seeds.end(), [](NodeId seed) { return seed < 0; })) return;
    const std::vector<NodeId> operands = adjoint.operands;
    for (const NodeId seed : seeds)
      adjoint.operands.push_back(seed >= 0 ? seed : b_.fit(b_.constant(0), adjoint.read_type()));
    adjoint.adjoint = true;
    b_.graph().affines.push_back(std::move(adjoint));
    const auto adjoint_index = static_cast<std::int32_t>(b_.graph().affines.size()) - 1;
    const NodeId node = b_.add({.op = Op::kAffine, .index = adjoint_index});
    for (std::size_t i = 0; i < operands.size(); ++i)
      if (needed_[operands[i]])
        accumulate(operands[i],
                   b_.add({.op = Op::kScanOut, .in = {node, -1, -1}, .index = static_cast<std::int32_t>(i)}));
  }

  // Returns the state before each step as a sequence, by adding an output to the forward scan.
  NodeId state_before(NodeId scan_node, int index, std::size_t state) {
    Graph& g = b_.graph();
    Body& step = g.bodies[g.scans[index].body];
    const auto states = g.scans[index].inits.size();
    const auto is_arg = [&](NodeId id) {
      return step.nodes[id].op == Op::kArg && step.nodes[id].index == static_cast<int>(state);
    };
    auto output =
        std::find_if(step.outputs.begin() + static_cast<std::ptrdiff_t>(states), step.outputs.end(), is_arg);
    if (output == step.outputs.end()) {
      NodeId arg = 0;
      while (!is_arg(arg)) ++arg;
      step.outputs.push_back(arg);
      output = step.outputs.end() - 1;
    }
    const auto position =
        static_cast<std::int32_t>(output - step.outputs.begin()) - static_cast<std::int32_t>(states);
    return b_.add({.op = Op::kScanOut, .in = {scan_node, -1, -1}, .index = position});
  }

  Builder& b_;
  std::vector<bool> needed_;
  std::vector<NodeId> adjoint_;
  std::vector<ScanSeed> scan_seeds_;
};

}  // namespace

std::vector<NodeId> differentiate(Builder& builder, std::span<const NodeId> outputs,
                                  std::span<const NodeId> seeds, std::span<const NodeId> wrt) {
  Differentiator d(builder, wrt);
  for (std::size_t i = 0; i < outputs.size(); ++i) d.seed(outputs[i], seeds[i]);
  d.run();
  std::vector<NodeId> out;
  for (NodeId id : wrt) out.push_back(d.result(id));
  return out;
}

}  // namespace gabbro::ir
