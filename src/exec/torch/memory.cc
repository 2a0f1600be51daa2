#include "exec/torch/memory.h"

#include <algorithm>
#include <map>
#include <vector>

#include "exec/torch/affine.h"
#include "exec/torch/replay.h"
#include "exec/torch/step_program.h"

namespace gabbro::exec::torch {

using ir::Node;
using ir::NodeId;
using ir::Op;

namespace {

// Results that show the numbers of their first operand.
bool is_view(Op op) {
  switch (op) {
    case Op::kBroadcast:
    case Op::kRename:
    case Op::kSplit:
    case Op::kMerge:
    case Op::kSlice:
    case Op::kPast:
    case Op::kDetach:
    case Op::kScanOut:
    case Op::kAfter:
      return true;
    default:
      return false;
  }
}

class Account {
 public:
  Account(const ir::Graph& graph, const Plan& plan, std::span<const NodeId> wanted, const Settings& settings,
          std::int64_t sequences, std::int64_t length, int threads)
      : graph_(graph),
        nodes_(graph.bodies[0].nodes),
        plan_(plan),
        settings_(settings),
        sequences_(sequences),
        length_(length),
        threads_(threads),
        width_(settings.dtype == at::kDouble ? 8 : 4),
        readers_(nodes_.size(), 0),
        holds_(nodes_.size(), 0),
        source_(nodes_.size(), -1),
        varies_(nodes_.size(), false),
        at_once_(nodes_.size(), false) {
    for (NodeId id = 0; id < static_cast<NodeId>(nodes_.size()); ++id) {
      const Node& node = nodes_[at(id)];
      if (node.op == Op::kScan && settings.programs)
        at_once_[at(id)] =
            StepProgram::make(graph, 0, graph.scans[static_cast<std::size_t>(node.index)]).has_value();
      if (node.op == Op::kConvolve && node.amount == 2) continue;
      varies_[at(id)] = node.op == Op::kTokens || node.op == Op::kInput || node.op == Op::kScan;
      ir::for_each_operand(graph_, node,
                           [&](NodeId in) { varies_[at(id)] = varies_[at(id)] || varies_[at(in)]; });
    }
    std::vector<NodeId> roots(wanted.begin(), wanted.end());
    if (settings.late_reads >= 0) roots.push_back(settings.late_reads);
    const std::vector<bool> live = ir::live_nodes(graph, 0, roots);
    replays_ = find_replays(graph, live, roots, [&](NodeId id) { return at_once_[at(id)]; });
    for (const auto& [adjoint, forward] : marked_affines(graph, live)) {
      const ir::Affine& affine = graph.affines[at(nodes_[at(forward)].index)];
      marks_[forward] = mark_bytes(graph, affine, varies_[at(forward)] ? sequences_ : 1, length_, width_);
      marks_[adjoint] = -marks_[forward];
    }
    for (const Unit& unit : plan_.units) reads(unit, [&](NodeId in) { ++readers_[at(in)]; });
    for (const NodeId id : wanted) ++readers_[at(id)];
  }

  std::int64_t peak() {
    for (const Unit& unit : plan_.units) {
      std::int64_t between = 0;
      if (unit.node >= 0) {
        make(unit.node);
        between = nodes_[at(unit.node)].op == Op::kConvolve ? channels(unit.node)
                  : at_once_[at(unit.node)]                 ? final_states(unit.node)
                                                            : operands_copied(unit.node);
      } else {
        for (const NodeId id : plan_.regions[static_cast<std::size_t>(unit.region)].exits) make(id);
        between = threads_ * kBlockValues * kBlockNumbers * width_;
      }
      const auto marks = marks_.find(unit.node);
      const std::int64_t kept = marks != marks_.end() ? marks->second : 0;
      if (kept > 0) now_ += kept;
      peak_ = std::max(peak_, now_ + between);
      if (kept < 0) now_ += kept;
      reads(unit, [&](NodeId in) {
        if (--readers_[at(in)] == 0) drop(source_[at(in)]);
      });
    }
    return peak_;
  }

 private:
  static constexpr std::int64_t kBlockValues = 6;  // alive in a block at once

  static std::size_t at(NodeId id) { return static_cast<std::size_t>(id); }

  template <class F>
  void reads(const Unit& unit, F&& f) const {
    if (unit.node < 0) {
      for (const NodeId in : plan_.regions[static_cast<std::size_t>(unit.region)].reads) f(in);
      return;
    }
    const Node& node = nodes_[at(unit.node)];
    ir::for_each_operand(graph_, node, f);
    if (is_late(node)) f(settings_.late_reads);
  }

  [[nodiscard]] bool is_late(const Node& node) const {
    return node.op == Op::kInput && node.index == settings_.late_input;
  }

  [[nodiscard]] std::int64_t numbers(const ir::Type& type, bool varies = true) const {
    const std::int64_t each = ir::elements(graph_, type.axes);
    if (!type.time()) return each;
    return each * (varies ? sequences_ : 1) * length_ * (type.past() ? length_ : 1);
  }

  [[nodiscard]] std::int64_t bytes(NodeId id) const {
    const Node& node = nodes_[at(id)];
    if (node.op == Op::kParam) return 0;
    if (node.op == Op::kTokens) return sequences_ * length_ * 8;
    if (node.op == Op::kAffine) {
      const ir::Affine& affine = graph_.affines[static_cast<std::size_t>(node.index)];
      std::int64_t sum = 0;
      for (std::int32_t i = 0; i < affine.results(); ++i)
        sum += width_ * numbers(affine.result_type(i), varies_[at(id)]);
      return sum;
    }
    if (node.op != Op::kScan) return width_ * numbers(node.type, varies_[at(id)]);
    const ir::Scan& scan = graph_.scans[static_cast<std::size_t>(node.index)];
    std::int64_t sum = 0;
    const auto& outputs = graph_.bodies[static_cast<std::size_t>(scan.body)].outputs;
    const auto replay = replays_.dropped.find(id);
    if (replay != replays_.dropped.end())
      for (const NodeId init : scan.inits)
        sum += width_ * sequences_ * (length_ + StepProgram::kMarked - 1) / StepProgram::kMarked *
               ir::elements(graph_, nodes_[at(init)].type.axes);
    for (std::size_t i = scan.inits.size(); i < outputs.size(); ++i) {
      if (replay != replays_.dropped.end() && replay->second[i - scan.inits.size()]) continue;
      ir::Type type = graph_.node(scan.body, outputs[i]).type;
      type.add(ir::kTime);
      sum += (at_once_[at(id)] ? 1 : 2) * width_ * numbers(type);
    }
    return sum;
  }

  void make(NodeId id) {
    const Node& node = nodes_[at(id)];
    const NodeId from = is_late(node) ? settings_.late_reads : is_view(node.op) ? node.in[0] : -1;
    source_[at(id)] = from >= 0 && source_[at(from)] >= 0 ? source_[at(from)] : id;
    const auto source = at(source_[at(id)]);
    if (holds_[source]++ == 0) now_ += bytes(source_[at(id)]);
    if (readers_[at(id)] == 0) drop(source_[at(id)]);
  }

  void drop(NodeId source) {
    if (source >= 0 && --holds_[at(source)] == 0) now_ -= bytes(source);
  }

  // Matrix products in bfloat16 take rounded copies of their operands.
  [[nodiscard]] std::int64_t operands_copied(NodeId id) const {
    const Node& node = nodes_[at(id)];
    if (node.op != Op::kDot || !settings_.half) return 0;
    std::int64_t largest = 0;
    for (const NodeId in : {node.in[0], node.in[1]})
      if (nodes_[at(in)].type.time()) largest = std::max(largest, width_ * numbers(nodes_[at(in)].type));
    return largest / 2;
  }

  // Instructions of a step leave the last states of every sequence, whose sum is all that is read: of a
  // gradient, the sums over positions of what all steps share.
  [[nodiscard]] std::int64_t final_states(NodeId id) const {
    std::int64_t sum = 0;
    for (const NodeId init : graph_.scans[at(nodes_[at(id)].index)].inits)
      sum += sequences_ * width_ * ir::elements(graph_, nodes_[at(init)].type.axes);
    return sum;
  }

  // A convolution holds its operands channel by channel; the adjoint of a filter once per sequence.
  [[nodiscard]] std::int64_t channels(NodeId id) const {
    const Node& node = nodes_[at(id)];
    std::int64_t sum = 0;
    for (const NodeId in : {node.in[0], node.in[1]}) sum += numbers(nodes_[at(in)].type, varies_[at(in)]);
    if (node.amount == 2) sum += numbers(node.type);
    return width_ * sum;
  }

  const ir::Graph& graph_;
  const std::vector<Node>& nodes_;
  const Plan& plan_;
  const Settings& settings_;
  const std::int64_t sequences_, length_;
  const std::int64_t threads_;
  const std::int64_t width_;
  std::vector<int> readers_;
  std::vector<int> holds_;      // by source: how many results show its numbers
  std::vector<NodeId> source_;  // whose numbers a result shows
  std::vector<bool> varies_;    // sequences differ in it
  std::vector<bool>
      at_once_;  // scans whose values are written where they stay, not position by position first
  Replays replays_;
  std::map<NodeId, std::int64_t>
      marks_;  // of affine recurrences, by node: bytes that are kept from here on, or up to here
  std::int64_t now_ = 0, peak_ = 0;
};

}  // namespace

std::int64_t peak_bytes(const ir::Graph& graph, const Plan& plan, std::span<const NodeId> wanted,
                        const Settings& settings, std::int64_t sequences, std::int64_t length, int threads) {
  return Account(graph, plan, wanted, settings, sequences, length, threads).peak();
}

}  // namespace gabbro::exec::torch
