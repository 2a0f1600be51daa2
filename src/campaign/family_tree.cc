#include "campaign/family_tree.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace gabbro::campaign {

namespace {

std::size_t index_of(std::int64_t id) { return static_cast<std::size_t>(id); }

// Returns which designs descend from `root` (0: all), by id.
std::vector<bool> descendants(const std::vector<FamilyMember>& members, std::int64_t root) {
  std::vector<bool> out(members.size() + 1, root == 0);
  if (root == 0) return out;
  out[index_of(root)] = true;
  // A parent is older than its children, so one pass finds all.
  for (const FamilyMember& m : members)
    if (m.parent > 0 && out[index_of(m.parent)]) out[index_of(m.id)] = true;
  return out;
}

bool comes_before(const FamilyMember* a, const FamilyMember* b) {
  if (a->known != b->known) return a->known;
  if (a->rung != b->rung) return a->rung > b->rung;
  if (a->bits != b->bits) return a->bits < b->bits;
  return a->id < b->id;
}

// Places nodes whose parents are set. Leaves are one below the other.
class Placement {
 public:
  Placement(FamilyTree& tree, const std::vector<FamilyMember>& members)
      : tree_(tree), at_(members.size() + 1) {
    for (std::size_t k = 0; k < tree.nodes.size(); ++k) at_[index_of(tree.nodes[k].id)] = k;
    best_.assign(tree.nodes.size(), std::numeric_limits<double>::infinity());
    children_.resize(tree.nodes.size());
    // Parents have lower ids, so that children come first.
    for (std::size_t k = tree.nodes.size(); k-- > 0;) {
      const FamilyNode& n = tree.nodes[k];
      if (const double first = members[index_of(n.id) - 1].first; first > 0)
        best_[k] = std::min(best_[k], first);
      if (n.parent == 0) {
        roots_.push_back(k);
        continue;
      }
      const std::size_t parent = at_[index_of(n.parent)];
      children_[parent].push_back(k);
      best_[parent] = std::min(best_[parent], best_[k]);
    }
  }
  void run() {
    sort(roots_);
    for (auto& children : children_) sort(children);
    // Without recursion, since families may be deep.
    std::vector<std::tuple<std::size_t, int, bool>> stack;
    for (std::size_t k = roots_.size(); k-- > 0;) stack.emplace_back(roots_[k], 0, false);
    while (!stack.empty()) {
      const auto [k, column, has_children_placed] = stack.back();
      stack.pop_back();
      FamilyNode& n = tree_.nodes[k];
      const std::vector<std::size_t>& children = children_[k];
      if (has_children_placed) {
        n.row = (tree_.nodes[children.front()].row + tree_.nodes[children.back()].row) / 2;
        continue;
      }
      n.column = column, n.is_leaf = children.empty();
      tree_.columns = std::max(tree_.columns, column + 1);
      if (n.is_leaf) {
        n.row = tree_.rows++;
        continue;
      }
      stack.emplace_back(k, column, true);
      for (std::size_t c = children.size(); c-- > 0;) stack.emplace_back(children[c], column + 1, false);
    }
  }

 private:
  void sort(std::vector<std::size_t>& nodes) const {
    std::sort(nodes.begin(), nodes.end(), [&](std::size_t a, std::size_t b) {
      return best_[a] != best_[b] ? best_[a] < best_[b] : a < b;
    });
  }

  FamilyTree& tree_;
  std::vector<std::size_t> at_;  // index in tree_.nodes, by id
  std::vector<double> best_;     // best score of a node and its descendants
  std::vector<std::vector<std::size_t>> children_;
  std::vector<std::size_t> roots_;
};

}  // namespace

std::vector<FamilyMember> family_members(const evolve::Population& population) {
  std::vector<FamilyMember> out;
  const auto rungs = static_cast<int>(population.settings().rungs.size());
  for (const evolve::Individual& i : population.individuals()) {
    FamilyMember m{.id = i.created.id,
                   .parent = i.created.parent,
                   .known = i.created.origin != record::Origin::kSearch,
                   .belongs = i.created.origin != record::Origin::kAblation};
    for (int rung = 0; rung < rungs; ++rung)
      if (const evolve::Standing s = population.standing(i, rung); s.done > 0) {
        m.rung = rung, m.bits = s.bits;
        if (rung == 0) m.first = s.bits;
      }
    out.push_back(m);
  }
  return out;
}

FamilyTree family_tree(const std::vector<FamilyMember>& members, std::int64_t root, std::size_t limit) {
  FamilyTree out;
  const std::vector<bool> below = descendants(members, root);
  std::vector<const FamilyMember*> order;
  for (const FamilyMember& m : members)
    if (m.belongs && below[index_of(m.id)]) order.push_back(&m);
  out.all = order.size();
  const std::size_t count = std::min(limit, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    comes_before);
  std::vector<bool> drawn(members.size() + 1);
  for (std::size_t k = 0; k < count; ++k)
    // All ancestors are drawn, so that every design hangs on its root.
    for (std::int64_t id = order[k]->id; id > 0 && !drawn[index_of(id)];
         id = members[index_of(id) - 1].parent) {
      drawn[index_of(id)] = true;
      if (id == root) break;
    }
  for (const FamilyMember& m : members)
    if (drawn[index_of(m.id)]) out.nodes.push_back({.id = m.id, .parent = m.id == root ? 0 : m.parent});
  Placement(out, members).run();
  return out;
}

}  // namespace gabbro::campaign
