#include "exec/torch/plan.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

#include "ir/op.h"

namespace gabbro::exec::torch {

using ir::Node;
using ir::NodeId;
using ir::Op;

namespace {

// A region without pairs and with fewer nodes gains nothing over computing them one by one.
constexpr std::size_t kFewNodes = 3;

bool over_time(const Node& node) { return node.axes.contains(ir::kTime); }

// A contraction that is a matrix product: both operands have axes of their own in the result.
bool is_product(const Node& node, const ir::Type& a, const ir::Type& b) {
  const auto own = [&](const ir::Type& x, const ir::Type& other) {
    return std::any_of(x.axes.begin(), x.axes.end(),
                       [&](ir::AxisId axis) { return !other.has(axis) && !node.axes.contains(axis); });
  };
  return own(a, b) && own(b, a);
}

class Planner {
 public:
  Planner(const ir::Graph& graph, const std::vector<bool>& live, std::span<const NodeId> wanted, Late late)
      : graph_(graph),
        nodes_(graph.bodies[0].nodes),
        live_(live),
        late_(late),
        wanted_(nodes_.size(), false),
        varies_(nodes_.size(), false),
        kind_(nodes_.size(), Kind::kApart),
        level_(nodes_.size(), 0),
        region_(nodes_.size(), -1) {
    for (const NodeId id : wanted) wanted_[at(id)] = true;
  }

  Plan make() {
    classify();
    earliest();
    latest();
    stages();
    std::map<int, std::vector<NodeId>> members;  // by level
    for (NodeId id = 0; id < count(); ++id)
      if (live_[at(id)] && kind_[at(id)] == Kind::kRow) members[level_[at(id)]].push_back(id);
    for (const auto& [level, list] : members) components(level, list);
    find_exits();
    order();
    return std::move(plan_);
  }

 private:
  // kApart: computed alone. kRow: in one region, or alone. kPair: over pairs, in every region that needs it.
  enum class Kind : std::uint8_t { kApart, kRow, kPair };

  static std::size_t at(NodeId id) { return static_cast<std::size_t>(id); }
  [[nodiscard]] NodeId count() const { return static_cast<NodeId>(nodes_.size()); }
  template <class F>
  void operands(NodeId id, F&& f) const {
    ir::for_each_operand(graph_, nodes_[at(id)], f);
    if (nodes_[at(id)].op == Op::kInput && nodes_[at(id)].index == late_.input) f(late_.reads);
  }
  [[nodiscard]] const ir::Type& type(NodeId id) const { return nodes_[at(id)].type; }

  [[nodiscard]] bool reads_pairs(NodeId id) const {
    bool pairs = false;
    operands(id, [&](NodeId in) { pairs = pairs || type(in).past(); });
    return pairs;
  }

  // Returns true if a node can be computed for a block of positions from that block (and past values) alone.
  [[nodiscard]] bool local(NodeId id) const {
    const Node& node = nodes_[at(id)];
    const bool pairs = node.type.past() || reads_pairs(id);
    switch (ir::info(node.op).kind) {
      case ir::Kind::kPointwise:
      case ir::Kind::kAxes:
        return node.type.time();
      case ir::Kind::kReduce:
        break;
      case ir::Kind::kLeaf:
        return node.op == Op::kLag;
      case ir::Kind::kTable:
        return pairs;
      case ir::Kind::kLowered:
        return (node.op == Op::kSoftmax || node.op == Op::kSoftmaxGrad) && node.type.time();
      case ir::Kind::kAdjoint:
        return node.op == Op::kUnpast || (node.op == Op::kScatter && pairs);
      default:
        return false;
    }
    if (node.op != Op::kDot || pairs) {  // a running sum has a kernel of its own
      const bool running = node.op == Op::kSum && nodes_[at(node.in[0])].op == Op::kPast &&
                           node.axes.size() == 1 && node.axes[0] == ir::kPast &&
                           type(node.in[0]).window == ir::kAll;
      return !running && (node.type.time() || over_time(node));
    }
    const ir::Type &a = type(node.in[0]), &b = type(node.in[1]);
    return (a.time() || b.time()) && !is_product(node, a, b) &&
           !(a.time() != b.time() && std::any_of((a.time() ? b : a).axes.begin(),
                                                 (a.time() ? b : a).axes.end(), [&](ir::AxisId axis) {
                                                   return !node.axes.contains(axis) &&
                                                          !(a.time() ? a : b).has(axis);
                                                 }));
  }

  void classify() {
    for (NodeId id = 0; id < count(); ++id) {
      if (!live_[at(id)]) continue;
      const Op op = nodes_[at(id)].op;
      varies_[at(id)] = op == Op::kTokens || op == Op::kInput || op == Op::kScan;
      operands(id, [&](NodeId in) { varies_[at(id)] = varies_[at(id)] || varies_[at(in)]; });
      if (op == Op::kPast || !local(id)) continue;
      const bool pairs = type(id).past();
      if (!pairs && !reads_pairs(id) && !varies_[at(id)]) continue;  // the same for every sequence: once
      kind_[at(id)] = pairs ? Kind::kPair : Kind::kRow;
    }
  }

  // Not known before the whole region is done.
  [[nodiscard]] bool accumulates(NodeId id) const {
    const Exit exit = exit_of(nodes_[at(id)]);
    return exit == Exit::kPast || exit == Exit::kTotal;
  }

  // The level of a region from which a value can be read: those computed alone before the regions of their
  // level, the others in it, or after it.
  void earliest() {
    for (NodeId id = 0; id < count(); ++id) {
      if (!live_[at(id)]) continue;
      int level = 0;
      operands(id, [&](NodeId in) {
        const bool later =
            kind_[at(in)] != Kind::kApart && (kind_[at(id)] == Kind::kApart || accumulates(in));
        level = std::max(level, level_[at(in)] + (later ? 1 : 0));
      });
      level_[at(id)] = level;
    }
  }

  // Nodes that read their position alone move to where they are needed first, so that values live shorter.
  void latest() {
    constexpr int kNever = std::numeric_limits<int>::max();
    std::vector<int> need(nodes_.size(), kNever);
    for (NodeId id = count() - 1; id >= 0; --id) {
      if (!live_[at(id)]) continue;
      if (kind_[at(id)] == Kind::kRow) {
        const bool stays = wanted_[at(id)] || accumulates(id) || reads_pairs(id) || need[at(id)] == kNever;
        if (!stays) level_[at(id)] = std::max(level_[at(id)], need[at(id)]);
      } else if (kind_[at(id)] == Kind::kPair && wanted_[at(id)]) {
        kind_[at(id)] = Kind::kRow;  // it is a result: not to be computed in every region
      }
      const int mine = kind_[at(id)] == Kind::kPair ? need[at(id)] : level_[at(id)];
      operands(id, [&](NodeId in) {
        const bool before = kind_[at(id)] == Kind::kApart;
        need[at(in)] = std::min(need[at(in)], before ? mine - 1 : mine);
      });
    }
  }

  // A level of regions has three stages, so that only what must stand between pairs is computed in their
  // small blocks: what pairs read, the pairs with what they read of each other's sums, and what only follows
  // from them.
  void stages() {
    std::vector<bool> after(nodes_.size(), false), before(nodes_.size(), false);
    const auto together = [&](NodeId id, NodeId in) {
      return kind_[at(in)] == Kind::kPair ||
             (kind_[at(in)] == Kind::kRow && level_[at(in)] == level_[at(id)]);
    };
    for (NodeId id = 0; id < count(); ++id) {
      if (!live_[at(id)] || kind_[at(id)] != Kind::kRow) continue;
      after[at(id)] = reads_pairs(id) || type(id).past();
      operands(id, [&](NodeId in) {
        if (kind_[at(in)] == Kind::kRow && together(id, in) && after[at(in)]) after[at(id)] = true;
      });
    }
    for (NodeId id = count() - 1; id >= 0; --id) {
      if (!live_[at(id)] || kind_[at(id)] == Kind::kApart) continue;
      const bool pairs = kind_[at(id)] == Kind::kPair || reads_pairs(id) || type(id).past();
      operands(id, [&](NodeId in) {
        if (pairs || (before[at(id)] && together(id, in))) before[at(in)] = true;
      });
    }
    for (NodeId id = 0; id < count(); ++id) {
      const bool row = kind_[at(id)] == Kind::kRow;
      const bool middle = row && after[at(id)] && (before[at(id)] || reads_pairs(id) || type(id).past());
      level_[at(id)] = 3 * level_[at(id)] + (!row || !after[at(id)] ? 0 : middle ? 1 : 2);
    }
  }

  // Members of one level that share values belong together.
  void components(int level, const std::vector<NodeId>& members) {
    std::vector<int> parent(members.size());
    std::iota(parent.begin(), parent.end(), 0);
    const auto root = [&](int i) {
      while (parent[static_cast<std::size_t>(i)] != i) i = parent[static_cast<std::size_t>(i)];
      return i;
    };
    std::map<NodeId, int> owner;  // pairs and members -> index
    std::vector<NodeId> todo;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const int self = static_cast<int>(i);
      owner.emplace(members[i], self);
      todo.assign(1, members[i]);
      while (!todo.empty()) {
        const NodeId id = todo.back();
        todo.pop_back();
        operands(id, [&](NodeId in) {
          const bool member = kind_[at(in)] == Kind::kRow && level_[at(in)] == level;
          if (!member && kind_[at(in)] != Kind::kPair) return;
          const auto [found, fresh] = owner.emplace(in, self);
          if (fresh)
            todo.push_back(in);
          else
            parent[static_cast<std::size_t>(root(found->second))] = root(self);
        });
      }
    }
    std::map<int, int> made;  // root -> region
    for (const auto& [id, index] : owner) {
      const auto [found, fresh] = made.emplace(root(index), static_cast<int>(plan_.regions.size()));
      if (fresh) {
        plan_.regions.emplace_back();
        levels_.push_back(level);
      }
      Region& region = plan_.regions[static_cast<std::size_t>(found->second)];
      region.nodes.push_back(id);
      region.pairs = region.pairs || type(id).past() || reads_pairs(id);
      if (kind_[at(id)] == Kind::kRow) region_[at(id)] = found->second;
    }
    for (const auto& [_, index] : made) {
      Region& region = plan_.regions[static_cast<std::size_t>(index)];
      if (region.pairs || region.nodes.size() >= kFewNodes) continue;
      for (const NodeId id : region.nodes) region_[at(id)] = -1;
      for (const NodeId id : region.nodes) alone_.emplace_back(id, level);
      region.nodes.clear();
    }
  }

  void find_exits() {
    std::vector<bool> leaves(nodes_.size(), false);
    for (NodeId id = 0; id < count(); ++id) {
      if (!live_[at(id)]) continue;
      if (wanted_[at(id)]) leaves[at(id)] = true;
      if (kind_[at(id)] == Kind::kApart || (kind_[at(id)] == Kind::kRow && region_[at(id)] < 0))
        operands(id, [&](NodeId in) { leaves[at(in)] = true; });
    }
    for (std::size_t r = 0; r < plan_.regions.size(); ++r) {
      Region& region = plan_.regions[r];
      std::map<NodeId, bool> seen;
      for (const NodeId id : region.nodes) seen[id] = true;
      for (const NodeId id : region.nodes)
        operands(id, [&](NodeId in) {
          if (!seen.emplace(in, true).second) return;
          region.reads.push_back(in);
          leaves[at(in)] = true;
        });
    }
    for (std::size_t r = 0; r < plan_.regions.size(); ++r)
      for (const NodeId id : plan_.regions[r].nodes)
        if (leaves[at(id)] && region_[at(id)] == static_cast<int>(r)) plan_.regions[r].exits.push_back(id);
  }

  void order() {
    std::vector<std::tuple<int, int, NodeId, Unit>> keys;
    for (NodeId id = 0; id < count(); ++id)
      if (live_[at(id)] && kind_[at(id)] == Kind::kApart)
        keys.emplace_back(level_[at(id)], 0, id, Unit{id, -1});
    for (const auto& [id, level] : alone_) keys.emplace_back(level, 1, id, Unit{id, -1});
    for (std::size_t r = 0; r < plan_.regions.size(); ++r)
      if (!plan_.regions[r].nodes.empty())
        keys.emplace_back(levels_[r], 1, plan_.regions[r].nodes[0], Unit{-1, static_cast<int>(r)});
    std::sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) {
      return std::tie(std::get<0>(a), std::get<1>(a), std::get<2>(a)) <
             std::tie(std::get<0>(b), std::get<1>(b), std::get<2>(b));
    });
    for (const auto& key : keys) plan_.units.push_back(std::get<3>(key));
  }

  const ir::Graph& graph_;
  const std::vector<Node>& nodes_;
  const std::vector<bool>& live_;
  Late late_;
  std::vector<bool> wanted_, varies_;
  std::vector<Kind> kind_;
  std::vector<int> level_, region_;
  std::vector<int> levels_;                    // by region
  std::vector<std::pair<NodeId, int>> alone_;  // members computed alone, with their level
  Plan plan_;
};

}  // namespace

Exit exit_of(const Node& node) {
  if (node.type.past()) return Exit::kPairs;
  if (node.op == Op::kUnpast) return Exit::kPast;
  return node.type.time() ? Exit::kRows : Exit::kTotal;
}

Plan make_plan(const ir::Graph& graph, const std::vector<bool>& live, std::span<const NodeId> wanted,
               Late late) {
  return Planner(graph, live, wanted, late).make();
}

}  // namespace gabbro::exec::torch
