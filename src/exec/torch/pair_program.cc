// Making a region's passes; pair_run.cc runs them.
#include "exec/torch/pair_program.h"

#include <algorithm>
#include <map>
#include <set>

#include "exec/torch/assembler.h"

namespace gabbro::exec::torch {

using ir::AxisId;
using ir::AxisList;
using ir::Node;
using ir::NodeId;
using ir::Op;
using Code = Instruction::Code;

namespace {

// How often heads may compute what is the same for some of them.
constexpr std::int64_t kRepeats = 16;

}  // namespace

class PairProgram::Maker {
 public:
  Maker(const ir::Graph& graph, const std::vector<Node>& nodes, const Region& region)
      : graph_(graph), nodes_(nodes), region_(region) {
    out_.graph_ = &graph;
    out_.nodes_ = &nodes;
    out_.region_ = &region;
  }

  std::optional<PairProgram> make() {
    for (std::size_t i = 0; i < region_.reads.size(); ++i) {
      const Node& n = node(region_.reads[i]);
      if (n.type.past() && n.op != Op::kPast) return std::nullopt;  // made elsewhere, for every t
      reads_.emplace(region_.reads[i], i);
    }
    if (!same_window()) return std::nullopt;
    find_spreads();
    if (!find_heads()) return std::nullopt;
    for (const NodeId id : region_.nodes)
      if (!spreads_.contains(id) && !make(id)) return std::nullopt;
    for (std::size_t e = 0; e < region_.exits.size(); ++e)
      if (!leave(e)) return std::nullopt;
    return std::move(out_);
  }

 private:
  using What = Pass::What;

  [[nodiscard]] const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const ir::Type& type(NodeId id) const { return node(id).type; }
  [[nodiscard]] Array& array(int index) { return out_.arrays_[static_cast<std::size_t>(index)]; }
  [[nodiscard]] Shape shape(int index) const { return out_.arrays_[static_cast<std::size_t>(index)].shape; }

  bool same_window() {
    std::set<std::int32_t> windows;
    for (const auto* list : {&region_.nodes, &region_.reads})
      for (const NodeId id : *list)
        if (type(id).past()) windows.insert(type(id).window);
    if (windows.size() != 1) return false;
    out_.window_ = *windows.begin();
    return true;
  }

  // Sums over t of products of pairs with something at t, and of sums of these: the products themselves are
  // never made.
  void find_spreads() {
    std::map<NodeId, int> readers;
    for (const NodeId id : region_.nodes)
      ir::for_each_operand(graph_, node(id), [&](NodeId in) { ++readers[in]; });
    for (const NodeId id : region_.exits) ++readers[id];
    for (const NodeId id : region_.nodes) {
      if (node(id).op != Op::kUnpast) continue;
      std::vector<NodeId> todo{node(id).in[0]}, seen, products;
      bool fits = true;
      while (fits && !todo.empty()) {
        const NodeId at = todo.back();
        todo.pop_back();
        seen.push_back(at);
        const Node& n = node(at);
        const bool alone = !reads_.contains(at) && readers[at] == 1 && n.type == type(node(id).in[0]);
        if (alone && n.op == Op::kAdd)
          todo.insert(todo.end(), {n.in[0], n.in[1]});
        else if (alone && is_spread(n))
          products.push_back(at);
        else
          fits = false;
      }
      if (!fits) continue;
      spreads_.insert(seen.begin(), seen.end());
      terms_[id] = products;
    }
  }
  [[nodiscard]] bool is_spread(const Node& n) const {
    if (n.op != Op::kMul && n.op != Op::kDot) return false;
    const ir::Type &a = type(n.in[0]), &b = type(n.in[1]);
    return a.past() != b.past() && (a.past() ? b : a).time();
  }

  // Of pairs that are made, and of past values that are summed as they are.
  bool find_heads() {
    std::set<AxisId> heads;
    const auto add = [&](NodeId id) {
      for (const AxisId axis : type(id).axes)
        if (axis >= ir::kFirstAxis) heads.insert(axis);
    };
    for (const NodeId id : region_.nodes) {
      const Node& n = node(id);
      if (n.type.past() && !spreads_.contains(id)) add(id);
      if ((n.op == Op::kSum || n.op == Op::kMaxOver) && type(n.in[0]).past()) add(n.in[0]);
    }
    if (heads.size() > static_cast<std::size_t>(AxisList::capacity())) return false;
    for (const AxisId axis : heads) out_.heads_.push_back(axis);
    return true;
  }

  // Axes of a value that are not those of heads.
  [[nodiscard]] AxisList others(const AxisList& axes) const {
    AxisList out;
    for (const AxisId axis : axes)
      if (axis >= ir::kFirstAxis && !out_.heads_.contains(axis)) out.push_back(axis);
    return out;
  }
  // Axes of heads that are in neither list: only the first of each counts.
  [[nodiscard]] std::uint32_t missing(const AxisList& a, const AxisList& b) const {
    std::uint32_t out = 0;
    for (int i = 0; i < out_.heads_.size(); ++i)
      if (!a.contains(out_.heads_[i]) && !b.contains(out_.heads_[i])) out |= 1U << i;
    return out;
  }
  [[nodiscard]] std::int64_t repeats(NodeId id) const {
    std::int64_t n = 1;
    for (const AxisId axis : out_.heads_)
      if (!type(id).has(axis)) n *= graph_.axes[axis].size;
    return n;
  }

  int fresh(Shape s, bool whole, std::int64_t width = 1) {
    out_.arrays_.push_back({.shape = s, .width = width, .whole = whole});
    return static_cast<int>(out_.arrays_.size()) - 1;
  }
  int emit(Pass pass) {
    const std::size_t at = out_.passes_.size();
    for (const int in : pass.in)
      if (in >= 0) array(in).read = at;
    Array& made = array(pass.out);
    made.made = made.read = at;
    out_.passes_.push_back(pass);
    return pass.out;
  }

  int read(NodeId id, Shape s) {
    const auto [at, is_new] = read_as_.try_emplace({id, s}, -1);
    if (is_new) {
      const bool matrix = s == Shape::kRows || s == Shape::kPasts || s == Shape::kTurned;
      at->second = fresh(s, /*whole=*/true, matrix ? ir::elements(graph_, others(type(id).axes)) : 1);
      out_.reads_.push_back({reads_.at(id), at->second});
    }
    return at->second;
  }

  // The array of a value; none for what has other axes than heads, or is complete only when all heads are
  // done.
  std::optional<int> value(NodeId id) {
    if (!others(type(id).axes).empty()) return std::nullopt;
    if (const auto at = values_.find(id); at != values_.end()) return at->second;
    if (!reads_.contains(id)) return std::nullopt;
    return read(id, type(id).past() ? Shape::kPast : type(id).time() ? Shape::kRow : Shape::kNumber);
  }
  // The same with a number for each pair.
  std::optional<int> pairs(NodeId id) {
    const std::optional<int> x = value(id);
    if (!x || shape(*x) == Shape::kPairs) return x;
    const auto [at, is_new] = spelled_.try_emplace(id, -1);
    if (is_new) at->second = pointwise(Shape::kPairs, Code::kCopy, {*x, -1, -1});
    return at->second;
  }
  // A value at t that has other axes than heads.
  std::optional<int> rows(NodeId id) {
    if (type(id).past() || !type(id).time() || others(type(id).axes).empty()) return std::nullopt;
    if (const auto at = values_.find(id); at != values_.end()) return at->second;
    return reads_.contains(id) ? std::optional(read(id, Shape::kRows)) : std::nullopt;
  }
  int pointwise(Shape s, Code code, std::array<int, 3> in, double number = 0, std::int64_t width = 1) {
    const int out = fresh(s, s == Shape::kPast || s == Shape::kNumber, width);
    return emit({.what = What::kPointwise, .out = out, .in = in, .code = code, .value = number});
  }

  bool is(NodeId id, int array) {
    values_[id] = array;
    return true;
  }
  bool leaves(NodeId id, int array, const AxisList& reduced) {  // for exits alone
    results_[id] = {array, reduced};
    return true;
  }
  // What is left of a sum over s, whose other axes are `over`.
  bool sums(NodeId id, int row, const AxisList& over) {
    AxisList reduced;
    for (const AxisId axis : over)
      if (axis >= ir::kFirstAxis) reduced.push_back(axis);
    if (!others(reduced).empty()) return false;
    if (over.contains(ir::kTime)) {
      const int total = fresh(Shape::kNumber, /*whole=*/true);
      return leaves(id, emit({.what = What::kTotal, .out = total, .in = {row, -1, -1}}), reduced);
    }
    return reduced.empty() ? is(id, row) : leaves(id, row, reduced);
  }

  bool make(NodeId id) {
    const Node& n = node(id);
    if (type(id).past() && repeats(id) > kRepeats) return false;
    switch (n.op) {
      case Op::kLag:
        return is(id, emit({.what = What::kLag, .out = fresh(Shape::kPairs, false)}));
      case Op::kDetach:
      case Op::kBroadcast: {
        const AxisList more = others(type(id).axes);
        const std::optional<int> x = more.empty() ? value(n.in[0]) : rows(n.in[0]);
        return x && more == others(type(n.in[0]).axes) && is(id, *x);
      }
      case Op::kSum: {
        if (!n.axes.contains(ir::kPast)) return false;
        const std::optional<int> x = pairs(n.in[0]);
        return x && sums(id, emit({.what = What::kSum, .out = fresh(Shape::kRow, false), .in = {*x, -1, -1}}),
                         n.axes);
      }
      case Op::kMaxOver: {
        const std::optional<int> x = n.axes == AxisList{ir::kPast} ? pairs(n.in[0]) : std::nullopt;
        return x &&
               is(id, emit({.what = What::kMaximum, .out = fresh(Shape::kRow, false), .in = {*x, -1, -1}}));
      }
      case Op::kSoftmax: {
        const std::optional<int> x = n.axes == AxisList{ir::kPast} ? pairs(n.in[0]) : std::nullopt;
        return x &&
               is(id, emit({.what = What::kSoftmax, .out = fresh(Shape::kPairs, false), .in = {*x, -1, -1}}));
      }
      case Op::kSoftmaxGrad: {
        if (n.axes != AxisList{ir::kPast}) return false;
        const std::optional<int> w = pairs(n.in[0]), g = pairs(n.in[1]);
        return w && g &&
               is(id,
                  emit({.what = What::kSoftmaxGrad, .out = fresh(Shape::kPairs, false), .in = {*w, *g, -1}}));
      }
      case Op::kDot:
        return dot(id);
      case Op::kUnpast:
        return unpast(id);
      default:
        return compute(id);
    }
  }

  bool compute(NodeId id) {
    const Node& n = node(id);
    const AxisList more = others(n.type.axes);
    if (!more.empty() && (n.type.past() || !n.type.time())) return false;
    const bool inverse_root = n.op == Op::kPow && n.value == -0.5;
    const std::optional<Code> code = inverse_root ? Code::kSqrt : code_of(n);
    if (!code) return false;
    std::array<int, 3> in{-1, -1, -1};
    bool row = false, past = false, all = false;
    for (std::size_t i = 0; i < 3 && n.in[i] >= 0; ++i) {
      const bool matrix = !others(type(n.in[i]).axes).empty();
      if (matrix && others(type(n.in[i]).axes) != more) return false;
      const std::optional<int> x = matrix ? rows(n.in[i]) : value(n.in[i]);
      if (!x) return false;
      in[i] = *x;
      row = row || shape(*x) == Shape::kRow;
      past = past || shape(*x) == Shape::kPast;
      all = all || shape(*x) == Shape::kPairs;
    }
    const Shape s = !more.empty()          ? Shape::kRows
                    : all || (row && past) ? Shape::kPairs
                    : past                 ? Shape::kPast
                    : row                  ? Shape::kRow
                                           : Shape::kNumber;
    const std::int64_t width = ir::elements(graph_, more);
    int y = pointwise(s, *code, in, n.value, width);
    if (inverse_root) y = pointwise(s, Code::kRecip, {y, -1, -1}, 0, width);
    return is(id, y);
  }

  bool dot(NodeId id) {
    const Node& n = node(id);
    NodeId a = n.in[0], b = n.in[1];
    if (type(id).past()) {
      if (type(a).past()) std::swap(a, b);
      const AxisList over = others(n.axes);
      const std::optional<int> row = rows(a);
      if (!row || !reads_.contains(b) || !type(b).past() || over != n.axes || others(type(a).axes) != over ||
          others(type(b).axes) != over || repeats(id) > 1)
        return false;
      return is(id, emit({.what = What::kScores,
                          .out = fresh(Shape::kPairs, false),
                          .in = {*row, read(b, Shape::kTurned), -1}}));
    }
    if (!n.axes.contains(ir::kPast)) return product_of_rows(id);
    if (!others(type(a).axes).empty()) std::swap(a, b);
    if (const AxisList width = others(type(b).axes); !width.empty()) {
      AxisList reduced = n.axes;
      reduced.erase(reduced.find(ir::kPast));
      const std::optional<int> x = pairs(a);
      if (!x || !reads_.contains(b) || !type(b).past() || others(type(id).axes) != width ||
          n.axes.contains(ir::kTime) || !others(reduced).empty())
        return false;
      const int y = fresh(Shape::kRows, false, ir::elements(graph_, width));
      emit({.what = What::kCombine, .out = y, .in = {*x, read(b, Shape::kPasts), -1}});
      return reduced.empty() ? is(id, y) : leaves(id, y, reduced);
    }
    const bool together = type(b).past();
    const std::optional<int> first = pairs(a);
    std::optional<int> second = value(b);
    if (together && second && shape(*second) != Shape::kPast) second = pairs(b);
    if (!first || !second) return false;
    int sum = fresh(Shape::kRow, false);
    emit({.what = What::kSum, .out = sum, .in = {*first, together ? *second : -1, -1}});
    if (!together) sum = pointwise(Shape::kRow, Code::kMultiply, {sum, *second, -1});
    return sums(id, sum, n.axes);
  }

  // Of two values at t, over all their other axes.
  bool product_of_rows(NodeId id) {
    const Node& n = node(id);
    const std::optional<int> a = rows(n.in[0]), b = rows(n.in[1]);
    if (!a || !b || n.axes.contains(ir::kTime) || others(n.axes) != n.axes ||
        others(type(n.in[0]).axes) != n.axes || others(type(n.in[1]).axes) != n.axes)
      return false;
    return is(id, emit({.what = What::kRowProduct, .out = fresh(Shape::kRow, false), .in = {*a, *b, -1}}));
  }

  bool unpast(NodeId id) {
    const auto terms = terms_.find(id);
    if (terms == terms_.end()) {
      const std::optional<int> x = pairs(node(id).in[0]);
      if (!x) return false;
      const int sum = fresh(Shape::kPast, /*whole=*/true);
      return leaves(id, emit({.what = What::kSpread, .out = sum, .in = {*x, -1, -1}}), {});
    }
    const AxisList more = others(type(id).axes);
    const bool matrix = !more.empty();
    const int sum = fresh(matrix ? Shape::kPasts : Shape::kPast, /*whole=*/true, ir::elements(graph_, more));
    std::optional<AxisList> reduced;
    for (const NodeId term : terms->second) {
      const Node& product = node(term);
      const AxisList over = product.op == Op::kDot ? product.axes : AxisList{};
      if (!others(over).empty() || (reduced && *reduced != over)) return false;
      reduced = over;
      const bool swapped = !type(product.in[0]).past();
      const NodeId a = product.in[swapped ? 1 : 0], b = product.in[swapped ? 0 : 1];
      const std::optional<int> x = pairs(a), row = matrix ? rows(b) : value(b);
      if (!x || !row || others(type(b).axes) != more || (!matrix && shape(*row) != Shape::kRow)) return false;
      emit({.what = What::kSpread, .out = sum, .in = {*x, *row, -1}});
    }
    return leaves(id, sum, *reduced);
  }

  bool leave(std::size_t e) {
    const NodeId id = region_.exits[e];
    if (type(id).past()) return false;
    if (const auto at = results_.find(id); at != results_.end()) {
      const auto& [result, reduced] = at->second;
      const bool adds = array(result).whole || !reduced.empty();
      out_.exits_.push_back({e, result, adds, missing(type(id).axes, reduced)});
      return true;
    }
    const std::optional<int> x = others(type(id).axes).empty() ? value(id) : rows(id);
    if (!x || array(*x).whole || (shape(*x) != Shape::kRow && shape(*x) != Shape::kRows)) return false;
    out_.exits_.push_back({e, *x, false, missing(type(id).axes, {})});
    return true;
  }

  const ir::Graph& graph_;
  const std::vector<Node>& nodes_;
  const Region& region_;
  PairProgram out_;
  std::map<NodeId, std::size_t> reads_;
  std::set<NodeId> spreads_;
  std::map<NodeId, std::vector<NodeId>> terms_;  // by sum over t: products
  std::map<NodeId, int> values_;
  std::map<NodeId, std::pair<int, AxisList>> results_;  // and the axes of heads that they are summed over
  std::map<NodeId, int> spelled_;
  std::map<std::pair<NodeId, Shape>, int> read_as_;
};

std::optional<PairProgram> PairProgram::make(const ir::Graph& graph, const std::vector<Node>& nodes,
                                             const Region& region) {
  if (!region.pairs) return std::nullopt;
  return Maker(graph, nodes, region).make();
}

}  // namespace gabbro::exec::torch
