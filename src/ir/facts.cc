// Derives sizes and costs of a model, symbolic in width, vocabulary and context.
#include "ir/facts.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace gabbro::ir {

namespace {

// Sides that a value over past positions depends on. Values of the key side alone need be computed only once
// per position, and their sums can be kept as running sums. Values of the lag alone need be computed only
// once per distance. Key and lag together form a convolution. Everything that involves the query side costs a
// value per pair of positions.
enum Side : unsigned { kNone = 0, kQuery = 1, kKey = 2, kLagSide = 4 };

// Returns, for each axis, the first axis of the same size. Every layer has its own axes, but there are few
// sizes.
std::vector<AxisId> first_of_size(const Graph& g) {
  std::vector<AxisId> out;
  for (std::size_t a = 0; a < g.axes.size(); ++a) {
    AxisId first = 0;
    while (first < a && (out[first] != first || !(g.axes[first].sym == g.axes[a].sym))) ++first;
    out.push_back(first);
  }
  return out;
}

struct Costs {
  const Graph& graph;
  // For each node of body 0:
  std::vector<bool> live;
  std::vector<unsigned> side;  // bits of Side
  std::vector<bool> once;      // false for a value over past positions that is computed for every pair
  std::vector<AxisId> like;    // for each axis, the first of the same size

  explicit Costs(const Graph& g)
      : graph(g),
        live(live_nodes(g, 0, g.bodies[0].outputs)),
        side(live.size(), kNone),
        once(live.size(), true),
        like(first_of_size(g)) {
    const auto& nodes = g.bodies[0].nodes;
    for (std::size_t id = 0; id < nodes.size(); ++id) side[id] = side_of(nodes[id]);
    find_once();
  }

  [[nodiscard]] const std::vector<Node>& nodes() const { return graph.bodies[0].nodes; }

  // Returns the sides of a value over past positions, or of the contraction that creates and reduces one.
  [[nodiscard]] unsigned side_of(const Node& node) const {
    if (node.op == Op::kPast) return kKey;
    if (node.op == Op::kLag) return kLagSide;
    unsigned bits = kNone;
    bool past = node.type.past();
    for (NodeId in : node.in)
      if (in >= 0 && nodes()[in].type.past()) past = true;
    if (!past) return kNone;
    for (NodeId in : node.in) {
      if (in < 0) continue;
      const Type& type = nodes()[in].type;
      if (type.past())
        bits |= side[in];
      else if (type.time())
        bits |= kQuery;
    }
    return bits;
  }

  // Returns true if the value is over past positions, or reduces one that is.
  [[nodiscard]] bool over_past(const Node& node) const {
    return node.type.past() || std::any_of(node.in.begin(), node.in.end(),
                                           [&](NodeId in) { return in >= 0 && nodes()[in].type.past(); });
  }

  // Returns true if the node sums products of values of the key alone and values of the lag alone, over all
  // past positions.
  [[nodiscard]] bool is_convolution(NodeId id) const {
    const Node& node = nodes()[id];
    if (node.op != Op::kDot || !node.axes.contains(kPast) || window(node) != kAll) return false;
    return side[id] == (kKey | kLagSide) && std::none_of(node.in.begin(), node.in.end(), [&](NodeId in) {
             return in >= 0 && side[in] == side[id];
           });
  }

  // Marks what is not evaluated for every pair of positions: running sums, sums over distances (a convolution
  // with 1), and what only convolutions and these read. Backends evaluate all else where it is read.
  void find_once() {
    const auto& all = nodes();
    for (NodeId id = static_cast<NodeId>(all.size()) - 1; id >= 0; --id) {
      const Node& node = all[id];
      if (!live[id] || !over_past(node)) continue;
      const bool sums = (node.op == Op::kSum || node.op == Op::kDot) && node.axes.contains(kPast);
      if ((side[id] & kQuery) != 0 || window(node) != kAll)
        once[id] = false;
      else if (!node.type.past() && side[id] == kKey)
        once[id] = node.op == Op::kSum && node.axes.size() == 1 && all[node.in[0]].op == Op::kPast;
      else if (!node.type.past())
        once[id] = side[id] == (kKey | kLagSide) ? is_convolution(id) : sums;
      else if (side[id] == (kKey | kLagSide))
        once[id] = false;
      if (once[id]) continue;
      for (NodeId in : node.in)
        if (in >= 0) once[in] = false;
    }
  }

  // Returns the largest window of the node and its operands; 0 if none is over past positions.
  [[nodiscard]] std::int32_t window(const Node& node) const {
    std::int32_t w = node.type.window;
    for (NodeId in : node.in)
      if (in >= 0) w = std::max(w, nodes()[in].type.window);
    return w;
  }
};

struct LexicographicLess {
  bool operator()(const AxisList& a, const AxisList& b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
  }
};
using Monomials = std::map<AxisList, double, LexicographicLess>;  // product of axes -> coefficient

Sym to_sym(const Graph& graph, const Monomials& monomials) {
  Sym total;
  for (const auto& [axes, coefficient] : monomials) {
    Sym product = coefficient;
    for (AxisId a : axes) product = product * graph.axes[a].sym;
    total += product;
  }
  return total;
}

// Returns the axes of `all` without time and past, each replaced by its representative of the same size.
AxisList sizes_of(const std::vector<AxisId>& like, const AxisList& all) {
  AxisList out;
  for (AxisId a : all)
    if (a >= kFirstAxis) out.push_back(like[a]);
  std::sort(out.begin(), out.end());
  return out;
}

AxisList sizes_of(const Costs& c, const AxisList& all) { return sizes_of(c.like, all); }

// Returns the axes over which an op does its work: those of its result, and for reductions also those of its
// operands.
AxisList work_axes(const Costs& c, const std::vector<Node>& nodes, const Node& node) {
  Type all = node.type;
  if (info(node.op).kind == Kind::kReduce)
    for (NodeId in : node.in)
      if (in >= 0)
        for (AxisId a : nodes[in].type.axes)
          if (!all.has(a)) all.axes.push_back(a);
  return sizes_of(c, all.axes);
}

struct Flops {
  Monomials once;   // per token
  Monomials pairs;  // per token and past position
  // The same, for what depends on the past position or the distance alone, so that an algorithm could do it
  // once per token. Costs count what is run; the complexity counts what is needed.
  Monomials repeated;
  Monomials convolved;                         // per token, as a fast convolution
  std::map<std::int32_t, Monomials> windowed;  // per token and position of a bounded window
  Monomials step;                              // per step or text: of parameters and constants alone
};

Flops count_flops(const Costs& c) {
  Flops out;
  const Graph& g = c.graph;
  for (std::size_t id = 0; id < c.nodes().size(); ++id) {
    if (!c.live[id]) continue;
    const Node& node = c.nodes()[id];
    if (node.op == Op::kScan) {
      const Body& step = g.bodies[g.scans[node.index].body];
      const std::vector<bool> live = live_nodes(g, g.scans[node.index].body, step.outputs);
      for (std::size_t k = 0; k < step.nodes.size(); ++k)
        if (live[k] && info(step.nodes[k].op).flops > 0)
          out.once[work_axes(c, step.nodes, step.nodes[k])] += info(step.nodes[k].op).flops;
      continue;
    }
    const double flops = info(node.op).flops;
    const bool varies = node.type.time() || std::any_of(node.in.begin(), node.in.end(), [&](NodeId in) {
                          return in >= 0 && c.nodes()[in].type.time();
                        });
    if (flops == 0) continue;
    const unsigned side = c.side[id];
    const std::int32_t window = c.window(node);
    const AxisList axes = work_axes(c, c.nodes(), node);
    if (!varies)
      out.step[axes] += flops;
    else if (!c.over_past(node))
      out.once[axes] += flops;
    else if (window != kAll)
      out.windowed[window][axes] += flops;
    else if (c.is_convolution(static_cast<NodeId>(id)))
      out.convolved[axes] += 1;
    else if (side == kNone || side == kLagSide || side == kKey)
      (c.once[id] ? out.once : out.repeated)[axes] += flops;
    else
      out.pairs[axes] += flops;
  }
  return out;
}

// The tokens whose costs are counted: those of a text on average, or its last one.
enum class Counted : std::uint8_t { kMean, kLast };

// Returns how many positions a token sees through a window. The token at t sees min(t, window) positions, as
// a continuous number, so the mean over a text of T tokens without a bound is T / 2.
Sym positions(std::int32_t window, Counted counted) {
  const Sym context = Sym::atom(Atom::kContext);
  const Sym last = window == kAll ? context : Sym::call(Sym::Fn::kMin, context, Sym(window));
  return counted == Counted::kLast ? last : last - last * last * Sym(0.5) / context;
}

Sym total_flops(const Graph& graph, const Flops& flops, Counted counted) {
  Sym total = to_sym(graph, flops.once) +
              (to_sym(graph, flops.pairs) + to_sym(graph, flops.repeated)) * positions(kAll, counted);
  for (const auto& [window, monomials] : flops.windowed)
    total += to_sym(graph, monomials) * positions(window, counted);
  const Sym context = Sym::atom(Atom::kContext);
  // In training, three FFTs of length 2T at 2.5 N log2 N operations each, spread over T tokens.
  const Sym convolution = counted == Counted::kMean
                              ? Sym::call(Sym::Fn::kLog, context) * Sym(15 / std::log(2.0))
                              : Sym(2) * context;
  if (!flops.convolved.empty()) total += to_sym(graph, flops.convolved) * convolution;
  return total;
}

// Size of the decoding state: everything that must be kept to compute the next token from it and the new
// input alone.
struct StateSize {
  Monomials fixed;
  std::map<std::int32_t, Monomials> kept;  // latest positions kept, kAll for all of them -> elements of each
};

// Returns one flag per state of a scan: true if a later step reads it and the results that are read depend on
// it. All other states are recomputed at every position.
std::vector<bool> carried_states(const Costs& c, NodeId scan_node) {
  const Scan& scan = c.graph.scans[c.nodes()[scan_node].index];
  const Body& step = c.graph.bodies[scan.body];
  std::vector<NodeId> read;
  for (std::size_t id = 0; id < c.nodes().size(); ++id)
    if (const Node& n = c.nodes()[id]; c.live[id] && n.op == Op::kScanOut && n.in[0] == scan_node)
      read.push_back(n.index >= 0 ? step.outputs[scan.inits.size() + static_cast<std::size_t>(n.index)]
                                  : step.outputs[static_cast<std::size_t>(-1 - n.index)]);
  std::vector<bool> carried(scan.inits.size(), false);
  for (bool more = true; more;) {
    more = false;
    const std::vector<bool> live = live_nodes(c.graph, scan.body, read);
    for (std::size_t id = 0; id < live.size(); ++id) {
      const Node& n = step.nodes[id];
      const auto state = static_cast<std::size_t>(n.index);
      if (!live[id] || n.op != Op::kArg || state >= carried.size() || carried[state]) continue;
      carried[state] = more = true;
      read.push_back(step.outputs[state]);
    }
  }
  return carried;
}

StateSize count_state(const Costs& c) {
  StateSize out;
  const auto& nodes = c.nodes();
  std::map<NodeId, std::int32_t> kept;  // operand -> number of its past values that are kept
  // Marks key-only values of which every past position is needed again.
  std::vector<bool> needed(nodes.size(), false);
  for (NodeId id = static_cast<NodeId>(nodes.size()) - 1; id >= 0; --id) {
    if (!c.live[id]) continue;
    const Node& node = nodes[id];
    if (node.op == Op::kScan) {
      const std::vector<bool> carried = carried_states(c, id);
      const std::vector<NodeId>& inits = c.graph.scans[node.index].inits;
      for (std::size_t s = 0; s < inits.size(); ++s)
        if (carried[s]) out.fixed[sizes_of(c, nodes[inits[s]].type.axes)] += 1;
      continue;
    }
    if (node.op == Op::kShift) kept[node.in[0]] = std::max(kept[node.in[0]], node.amount);
    if (node.op == Op::kPast && (needed[id] || node.amount != kAll))
      kept[node.in[0]] = std::max(kept[node.in[0]], node.amount);
    const bool reduces_past = !node.type.past() && c.side[id] != kNone;
    const bool running = reduces_past && c.side[id] == kKey && c.window(node) == kAll;
    if (running) out.fixed[sizes_of(c, node.type.axes)] += 1;
    for (NodeId in : node.in) {
      if (in < 0 || !nodes[in].type.past()) continue;
      if (!running && (reduces_past || c.side[id] != kKey || needed[id])) needed[in] = true;
    }
  }
  for (const auto& [id, count] : kept) out.kept[count][sizes_of(c, nodes[id].type.axes)] += 1;
  return out;
}

// Length of the longest dependent path, in three parts: operations, factors of log T, and operations repeated
// T times.
struct Depth {
  double ops = 0, logs = 0, steps = 0;
  [[nodiscard]] double at(double context) const { return ops + logs * std::log2(context) + steps * context; }
};

Depth depth_of_body(const Graph& g, int body, const std::vector<NodeId>& outputs, double context) {
  const auto& nodes = g.bodies[body].nodes;
  std::vector<Depth> depth(nodes.size());
  for (std::size_t id = 0; id < nodes.size(); ++id) {
    Depth d;
    for_each_operand(g, nodes[id], [&](NodeId in) {
      if (depth[in].at(context) > d.at(context)) d = depth[in];
    });
    const Kind kind = info(nodes[id].op).kind;
    if (nodes[id].op == Op::kScan) {
      const Scan& scan = g.scans[nodes[id].index];
      const Depth step = depth_of_body(g, scan.body, g.bodies[scan.body].outputs, context);
      if (is_affine(g, scan))
        d.ops += step.ops, d.logs += 1;
      else
        d.steps += step.ops;
    } else if (kind == Kind::kPointwise || kind == Kind::kReduce || kind == Kind::kTable) {
      d.ops += 1;
    }
    depth[id] = d;
  }
  Depth most;
  for (NodeId id : outputs)
    if (depth[id].at(context) > most.at(context)) most = depth[id];
  return most;
}

// A backward pass costs twice a forward pass.
constexpr double kTrainPerForward = 3;

}  // namespace

std::int64_t count_params(const Graph& graph) {
  std::int64_t n = 0;
  for (const Param& p : graph.params) n += elements(graph, p.axes);
  return n;
}

Sym params_formula(const Graph& graph) {
  const std::vector<AxisId> like = first_of_size(graph);
  Monomials params;
  for (const Param& p : graph.params) params[sizes_of(like, p.axes)] += 1;
  return to_sym(graph, params);
}

Facts derive_facts(const Graph& graph) {
  Facts f;
  const Body& body = graph.bodies[0];
  const std::vector<Reach> reach = infer_reach(graph);
  for (NodeId id : body.outputs) f.reach = join(f.reach, reach[id]);
  f.causal = f.reach.last <= 0;
  f.mixes_tokens = !f.reach.empty() && f.reach.first < 0;

  // A value without time that is computed from values with time is a sum over the sequence (and, in training,
  // over the batch).
  const Costs costs(graph);
  f.batch_independent = true;
  for (std::size_t id = 0; id < body.nodes.size(); ++id) {
    const Node& node = body.nodes[id];
    if (!costs.live[id] || node.op == Op::kScan || node.type.time()) continue;
    if (node.op == Op::kScanOut) f.batch_independent = false;  // a final state
    for (NodeId in : node.in)
      if (in >= 0 && body.nodes[in].type.time()) f.batch_independent = false;
  }
  f.prefix_consistent = f.causal && f.batch_independent;

  f.params = params_formula(graph);
  const Sym context = Sym::atom(Atom::kContext);
  const Flops flops = count_flops(costs);
  f.forward_flops = total_flops(graph, flops, Counted::kMean);
  f.train_flops = f.forward_flops * Sym(kTrainPerForward);
  f.decode_flops = total_flops(graph, flops, Counted::kLast);
  f.step_forward_flops = to_sym(graph, flops.step);
  f.step_train_flops = f.step_forward_flops * Sym(kTrainPerForward);
  const StateSize state = count_state(costs);
  constexpr double kBytes = 4;
  f.state_bytes = to_sym(graph, state.fixed) * Sym(kBytes);
  for (const auto& [count, monomials] : state.kept)
    f.state_bytes += to_sym(graph, monomials) * positions(count, Counted::kLast) * Sym(kBytes);
  f.state_grows = state.kept.contains(kAll);
  f.complexity = !flops.pairs.empty() ? "O(T²)" : !flops.convolved.empty() ? "O(T log T)" : "O(T)";
  const Depth depth = depth_of_body(graph, 0, body.outputs, graph.env.context);
  f.parallel_depth = Sym(depth.ops) + Sym(depth.logs / std::log(2.0)) * Sym::call(Sym::Fn::kLog, context) +
                     Sym(depth.steps) * context;
  return f;
}

TokenCosts token_costs(const Facts& facts, SymEnv env, std::int64_t sequences, std::int64_t length) {
  env.context = static_cast<double>(length);
  const double step = static_cast<double>(sequences) * env.context;
  TokenCosts out;
  out.train_share = facts.step_train_flops.eval(env) / step;
  out.decode_share = facts.step_forward_flops.eval(env) / env.context;
  out.forward_flops = facts.forward_flops.eval(env) + facts.step_forward_flops.eval(env) / step;
  out.train_flops = facts.train_flops.eval(env) + out.train_share;
  out.decode_flops = facts.decode_flops.eval(env) + out.decode_share;
  out.state_bytes = facts.state_bytes.eval(env);
  return out;
}

}  // namespace gabbro::ir
