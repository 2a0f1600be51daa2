#include "ir/recurrences.h"

#include <algorithm>
#include <map>

#include "ir/affine_build.h"
#include "ir/affine_match.h"

namespace gabbro::ir {

namespace {

using affine::kNone;

// Copies body 0 and lowers its scans, one state at a time. Once a state is lowered, its values are known at
// all positions, which can make the updates of other states affine.
class Lowering {
 public:
  Lowering(const Graph& graph, const RecurrenceOptions& options)
      : from_(graph), options_(options), out_{emptied(graph), {}, {}}, b_(out_.graph, 0) {}

  LoweredRecurrences run() {
    const auto& nodes = from_.bodies[0].nodes;
    out_.map.assign(nodes.size(), kNone);
    scan_values_.resize(nodes.size());
    for (std::size_t id = 0; id < nodes.size(); ++id) {
      Node node = nodes[id];
      b_.set_line(node.line);
      if (node.op == Op::kScan) {
        scan_ = &from_.scans[node.index];
        index_ = node.index;
        if (lower(static_cast<NodeId>(id))) continue;
        keep(node.index);
      }
      if (node.op == Op::kScanOut && out_.map[node.in[0]] == kNone) {
        out_.map[id] = scan_values_[node.in[0]][static_cast<std::size_t>(node.index)];
        continue;
      }
      for (NodeId& in : node.in)
        if (in >= 0) in = out_.map[in];
      out_.map[id] = b_.add(node);
    }
    for (NodeId id : from_.bodies[0].outputs) out_.graph.bodies[0].outputs.push_back(out_.map[id]);
    return std::move(out_);
  }

 private:
  // Treatment of states that may become affine once others are known.
  enum class Waiting : std::uint8_t { kSkip, kInclude };

  static Graph emptied(const Graph& graph) {
    Graph out = graph;
    out.bodies[0] = {};
    return out;
  }

  // Keeps the scan in step form and remaps its operands.
  void keep(int index) {
    Scan& scan = out_.graph.scans[index];
    for (auto* list : {&scan.inits, &scan.sequences, &scan.invariants})
      for (NodeId& id : *list) id = out_.map[id];
  }

  [[nodiscard]] const Body& step() const { return from_.bodies[scan_->body]; }
  [[nodiscard]] NodeId init(int state) const {
    return out_.map[scan_->inits[static_cast<std::size_t>(state)]];
  }

  [[nodiscard]] bool is_zero(NodeId id) const {
    const Node& n = b_.node(id);
    if (n.op == Op::kBroadcast) return is_zero(n.in[0]);
    return n.op == Op::kConst && n.value == 0;
  }

  // Lowers the states of the scan at node `id`. Returns false if the scan has to keep its step form.
  bool lower(NodeId id) {
    const int states = static_cast<int>(scan_->inits.size());
    std::vector<LoweredState> results;
    for (int s = 0; s < states; ++s) results.push_back({.scan = index_, .state = s});
    const bool done = !scan_->reverse && !wants_final_states(id) && lower_states(results);
    if (done) {
      for (std::size_t i = static_cast<std::size_t>(states); i < step().outputs.size(); ++i)
        scan_values_[id].push_back(with_time(known_[step().outputs[i]]));
    } else {
      for (LoweredState& result : results) result.form = LoweredState::Form::kStep;
    }
    for (LoweredState& result : results) {
      if (result.form != LoweredState::Form::kStep) result.reason.clear();
      out_.states.push_back(std::move(result));
    }
    return done;
  }

  [[nodiscard]] bool wants_final_states(NodeId id) const {
    const auto& nodes = from_.bodies[0].nodes;
    return std::any_of(nodes.begin(), nodes.end(),
                       [&](const Node& n) { return n.op == Op::kScanOut && n.in[0] == id && n.index < 0; });
  }

  NodeId with_time(NodeId id) { return affine::with_axes(b_, id, {kTime}); }

  // Lowers the states of the scan in turn; sequences and invariants are known from the start. Returns false
  // if the whole scan has to keep its step form.
  bool lower_states(std::vector<LoweredState>& results) {
    const Body& body = step();
    live_ = live_nodes(from_, scan_->body, body.outputs);
    known_.assign(body.nodes.size(), kNone);
    unknown_states_.clear();
    for (std::size_t s = 0; s < results.size(); ++s) unknown_states_.push_back(static_cast<int>(s));
    if (!copy_known_nodes()) return false;
    // A state that may still become affine is made diagonal only if nothing else is possible.
    while (!unknown_states_.empty()) {
      if (!lower_one_affine(results) && !lower_one_diagonal(results, Waiting::kSkip) &&
          !keep_group_in_step_form(results) && !lower_one_diagonal(results, Waiting::kInclude))
        return false;
      if (!copy_known_nodes()) return false;
    }
    return std::all_of(body.outputs.begin() + static_cast<std::ptrdiff_t>(results.size()), body.outputs.end(),
                       [&](NodeId id) { return known_[id] != kNone; });
  }

  // Copies step nodes whose operands are known to the enclosing body. Returns false if one of them cannot be
  // computed for all positions at once.
  bool copy_known_nodes() {
    const auto states = static_cast<int>(scan_->inits.size()),
               sequences = static_cast<int>(scan_->sequences.size());
    const Body& body = step();
    for (std::size_t id = 0; id < body.nodes.size(); ++id) {
      if (!live_[id] || known_[id] != kNone) continue;
      Node n = body.nodes[id];
      if (n.op == Op::kArg) {
        if (n.index < states) continue;
        const auto i = static_cast<std::size_t>(n.index - states);
        known_[id] = out_.map[n.index < states + sequences
                                  ? scan_->sequences[i]
                                  : scan_->invariants[i - static_cast<std::size_t>(sequences)]];
        continue;
      }
      bool all = true;
      for (NodeId& in : n.in)
        if (in >= 0) {
          in = known_[in];
          all = all && in != kNone;
        }
      if (!all) continue;
      const auto copy = b_.try_add(n);
      if (!copy) return false;
      known_[id] = *copy;
    }
    return true;
  }

  // Records the values of a state before each step.
  void set_state(int state, NodeId before) {
    for (std::size_t id = 0; id < known_.size(); ++id)
      if (step().nodes[id].op == Op::kArg && step().nodes[id].index == state) known_[id] = before;
  }
  void mark_known(int state) {
    unknown_states_.erase(std::find(unknown_states_.begin(), unknown_states_.end(), state));
  }

  bool lower_one_affine(std::vector<LoweredState>& results) {
    for (int s : unknown_states_) {
      LoweredState& result = results[static_cast<std::size_t>(s)];
      const Type type = b_.type(init(s));
      const affine::Match match = affine::match_state(b_, from_, *scan_, s, known_);
      waits_[s] = match.waits;
      result.reason = match.refused;
      if (match.refused.empty() && !is_zero(init(s))) result.reason = "it does not start at zero";
      if (match.refused.empty() && match.update.ranks.empty() && match.values.empty())
        result.reason = "it has no value axes";
      if (!result.reason.empty()) continue;
      const std::vector<NodeId> values = affine::build(b_, match, type);
      result.form = LoweredState::Form::kAffine;
      for (std::size_t i = 0; i < values.size(); ++i) known_[match.reads[i].node] = values[i];
      mark_known(s);
      return true;
    }
    return false;
  }

  bool lower_one_diagonal(std::vector<LoweredState>& results, Waiting waiting) {
    for (int s : unknown_states_) {
      if (waits_[s] && waiting == Waiting::kSkip) continue;
      Type type = b_.type(init(s));
      if (elements(out_.graph, type.axes) > options_.diagonal) continue;
      const auto match = affine::match_diagonal(b_, from_, *scan_, s, known_);
      if (!match) continue;
      type.add(kTime);
      // The first position of a document reads the initial state.
      const NodeId first = b_.less(b_.add({.op = Op::kPosition}), b_.constant(1));
      const NodeId start = b_.where(first, init(s), b_.constant(0));
      const NodeId factor = match->factor == kNone ? b_.constant(1) : match->factor;
      NodeId added = match->added == kNone ? b_.constant(0) : match->added;
      const bool zero = is_zero(init(s));
      if (!zero) added = b_.plus(added, b_.where(first, b_.times(factor, init(s)), b_.constant(0)));
      const NodeId after = b_.add({.op = Op::kRecur, .in = {factor, b_.fit(added, type), -1}});
      NodeId before = b_.add({.op = Op::kShift, .in = {after, -1, -1}, .amount = 1});
      if (!zero) before = b_.plus(before, start);
      set_state(s, before);
      known_[step().outputs[static_cast<std::size_t>(s)]] = after;
      results[static_cast<std::size_t>(s)].form = LoweredState::Form::kDiagonal;
      mark_known(s);
      return true;
    }
    return false;
  }

  // Finds the smallest set of states whose updates depend on no other unknown states. Moves it, in step form,
  // to a scan of its own that outputs the states before each step. Returns false if that set is the whole
  // scan.
  bool keep_group_in_step_form(std::vector<LoweredState>& results) {
    std::vector<int> group;
    for (int s : unknown_states_) {
      const std::vector<int> needed = closure(s);
      if (group.empty() || needed.size() < group.size()) group = needed;
    }
    if (group.size() == scan_->inits.size()) return false;
    make_step_scan(group);
    for (int s : group) {
      results[static_cast<std::size_t>(s)].form = LoweredState::Form::kStep;
      mark_known(s);
    }
    return true;
  }

  // Returns `state` and the unknown states that its update depends on, directly or through other states.
  [[nodiscard]] std::vector<int> closure(int state) const {
    std::vector<int> out{state};
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::vector<bool> read = needed_for({out[i]});
      for (int other : unknown_states_) {
        const bool reads = std::find(out.begin(), out.end(), other) == out.end() && reads_state(read, other);
        if (reads) out.push_back(other);
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  // Returns one flag per step node: true if the updates of `states` depend on it without passing through a
  // known node.
  [[nodiscard]] std::vector<bool> needed_for(const std::vector<int>& states) const {
    const Body& body = step();
    std::vector<bool> out(body.nodes.size(), false);
    for (int s : states) out[body.outputs[static_cast<std::size_t>(s)]] = true;
    for (NodeId id = static_cast<NodeId>(out.size()) - 1; id >= 0; --id) {
      if (!out[id] || known_[id] != kNone) continue;
      for (NodeId in : body.nodes[id].in)
        if (in >= 0) out[in] = true;
    }
    return out;
  }
  [[nodiscard]] bool reads_state(const std::vector<bool>& nodes, int state) const {
    for (std::size_t id = 0; id < nodes.size(); ++id)
      if (nodes[id] && step().nodes[id].op == Op::kArg && step().nodes[id].index == state) return true;
    return false;
  }

  void make_step_scan(const std::vector<int>& group) {
    Graph& g = out_.graph;
    const Body& body = step();
    const std::vector<bool> needed = needed_for(group);
    Scan group_scan;
    group_scan.body = static_cast<std::int32_t>(g.bodies.size());
    g.bodies.emplace_back();
    Builder inner(g, group_scan.body);
    // Known values at the boundary become sequences or invariants. The arguments of the body are, in order,
    // states, sequences, invariants.
    std::vector<NodeId> border;
    for (std::size_t id = 0; id < needed.size(); ++id)
      if (needed[id] && known_[id] != kNone) border.push_back(static_cast<NodeId>(id));
    std::stable_partition(border.begin(), border.end(),
                          [&](NodeId id) { return b_.type(known_[id]).time(); });
    std::vector<NodeId> map(body.nodes.size(), kNone);
    std::vector<NodeId> before;
    for (std::size_t i = 0; i < group.size(); ++i) {
      group_scan.inits.push_back(init(group[i]));
      before.push_back(inner.arg(static_cast<int>(i), b_.type(group_scan.inits.back())));
    }
    for (std::size_t i = 0; i < border.size(); ++i) {
      const NodeId outer = known_[border[i]];
      Type type = b_.type(outer);
      (type.time() ? group_scan.sequences : group_scan.invariants).push_back(outer);
      type.remove(kTime);
      map[border[i]] = inner.arg(static_cast<int>(group.size() + i), type);
    }
    for (std::size_t id = 0; id < needed.size(); ++id) {
      Node n = body.nodes[id];
      if (!needed[id] || map[id] != kNone) continue;
      if (n.op == Op::kArg) {
        map[id] =
            before[static_cast<std::size_t>(std::find(group.begin(), group.end(), n.index) - group.begin())];
        continue;
      }
      for (NodeId& in : n.in)
        if (in >= 0) in = map[in];
      map[id] = inner.add(n);
    }
    std::vector<NodeId> outputs;
    for (int s : group) outputs.push_back(map[body.outputs[static_cast<std::size_t>(s)]]);
    outputs.insert(outputs.end(), before.begin(), before.end());
    g.bodies[group_scan.body].outputs = outputs;
    const auto index = static_cast<std::int32_t>(g.scans.size());
    g.scans.push_back(std::move(group_scan));
    const NodeId node = b_.add({.op = Op::kScan, .index = index});
    for (std::size_t i = 0; i < group.size(); ++i)
      set_state(group[i],
                b_.add({.op = Op::kScanOut, .in = {node, -1, -1}, .index = static_cast<std::int32_t>(i)}));
  }

  const Graph& from_;
  RecurrenceOptions options_;
  LoweredRecurrences out_;
  Builder b_;
  std::vector<std::vector<NodeId>> scan_values_;  // for each node of a lowered scan, its outputs
  // State of the scan that is being lowered:
  const Scan* scan_ = nullptr;
  int index_ = 0;
  std::vector<bool> live_;
  std::vector<NodeId> known_;        // for each step node, its values at all positions
  std::vector<int> unknown_states_;  // states that are not known yet
  std::map<int, bool> waits_;        // for each state, true if it may become affine once others are known
};

}  // namespace

LoweredRecurrences lower_recurrences(const Graph& graph, const RecurrenceOptions& options) {
  return Lowering(graph, options).run();
}

}  // namespace gabbro::ir
