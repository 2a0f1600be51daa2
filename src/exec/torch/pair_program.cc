// Making a region's passes; pair_run.cc runs them.
#include "exec/torch/pair_program.h"

#include <algorithm>
#include <cmath>
#include <limits>
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

constexpr double kAnything = std::numeric_limits<double>::quiet_NaN();

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
    for (std::size_t i = 0; i < region_.reads.size(); ++i) reads_.emplace(region_.reads[i], i);
    if (!same_window()) return std::nullopt;
    find_spreads();
    find_heads();
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

  // Products of pairs with something at t that only a sum over t reads: they are never made.
  void find_spreads() {
    std::map<NodeId, int> readers;
    for (const NodeId id : region_.nodes)
      ir::for_each_operand(graph_, node(id), [&](NodeId in) { ++readers[in]; });
    for (const NodeId id : region_.exits) ++readers[id];
    for (const NodeId id : region_.nodes) {
      const NodeId product = node(id).op == Op::kUnpast ? node(id).in[0] : -1;
      if (product < 0 || reads_.contains(product) || readers[product] != 1) continue;
      const Node& p = node(product);
      if (p.op != Op::kMul && p.op != Op::kDot) continue;
      const ir::Type &a = type(p.in[0]), &b = type(p.in[1]);
      const bool row_first = !a.past() && a.time() && b.past(), row_second = !b.past() && b.time() && a.past();
      if (row_first || row_second) spreads_.insert(product);
    }
  }

  void find_heads() {
    for (const NodeId id : region_.nodes)
      if (type(id).past() && !spreads_.contains(id))
        for (const AxisId axis : type(id).axes)
          if (axis >= ir::kFirstAxis && !out_.heads_.contains(axis)) out_.heads_.push_back(axis);
    std::sort(out_.heads_.begin(), out_.heads_.end());
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
    outside_.push_back(kAnything);
    return static_cast<int>(out_.arrays_.size()) - 1;
  }
  int emit(Pass pass) {
    pass.whole = pass.what == What::kPointwise && array(pass.out).whole;
    const std::size_t at = out_.passes_.size();
    for (const int in : pass.in)
      if (in >= 0) array(in).read = at;
    if (Array& made = array(pass.out); pass.what != What::kFill) made.made = made.read = at;
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

  // The array of a value; none for what has other axes than heads, or is complete only when all heads are done.
  std::optional<int> value(NodeId id) {
    if (const auto at = values_.find(id); at != values_.end()) return at->second;
    if (!reads_.contains(id) || !others(type(id).axes).empty()) return std::nullopt;
    return read(id, type(id).past()   ? Shape::kPast
                    : type(id).time() ? Shape::kRow
                                      : Shape::kNumber);
  }
  // The same with a number for each pair.
  std::optional<int> pairs(NodeId id) {
    const std::optional<int> x = value(id);
    if (!x || shape(*x) == Shape::kPairs) return x;
    const auto [at, is_new] = spelled_.try_emplace(id, -1);
    if (is_new) at->second = pointwise(Shape::kPairs, Code::kCopy, {*x, -1, -1});
    return at->second;
  }
  int pointwise(Shape s, Code code, std::array<int, 3> in, double number = 0) {
    const int out = fresh(s, s == Shape::kPast || s == Shape::kNumber);
    return emit({.what = What::kPointwise, .out = out, .in = in, .code = code, .value = number});
  }
  // Pairs with that number outside.
  int filled(int pairs, double number) {
    if (double& outside = outside_[static_cast<std::size_t>(pairs)]; outside != number) {
      emit({.what = What::kFill, .out = pairs, .in = {pairs, -1, -1}, .value = number});
      outside = number;
    }
    return pairs;
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
        const std::optional<int> x = value(n.in[0]);
        return x && is(id, *x);
      }
      case Op::kSum: {
        if (!n.axes.contains(ir::kPast)) return false;
        const std::optional<int> x = pairs(n.in[0]);
        return x && sums(id,
                         emit({.what = What::kSum,
                               .out = fresh(Shape::kRow, false),
                               .in = {filled(*x, 0), -1, -1}}),
                         n.axes);
      }
      case Op::kMaxOver: {
        const std::optional<int> x = n.axes == AxisList{ir::kPast} ? pairs(n.in[0]) : std::nullopt;
        return x && is(id, emit({.what = What::kLargest,
                                 .out = fresh(Shape::kRow, false),
                                 .in = {filled(*x, -std::numeric_limits<double>::infinity()), -1, -1}}));
      }
      case Op::kSoftmax: {
        const std::optional<int> x = n.axes == AxisList{ir::kPast} ? pairs(n.in[0]) : std::nullopt;
        if (!x) return false;
        const int y = emit({.what = What::kSoftmax, .out = fresh(Shape::kPairs, false), .in = {*x, -1, -1}});
        outside_[static_cast<std::size_t>(*x)] = kAnything;
        outside_[static_cast<std::size_t>(y)] = 0;
        return is(id, y);
      }
      case Op::kSoftmaxGrad: {
        if (n.axes != AxisList{ir::kPast}) return false;
        const std::optional<int> w = pairs(n.in[0]), g = pairs(n.in[1]);
        if (!w || !g) return false;
        const int y = emit({.what = What::kSoftmaxGrad,
                            .out = fresh(Shape::kPairs, false),
                            .in = {filled(*w, 0), filled(*g, 0), -1}});
        outside_[static_cast<std::size_t>(y)] = 0;
        return is(id, y);
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
    const bool inverse_root = n.op == Op::kPow && n.value == -0.5;
    const std::optional<Code> code = inverse_root ? Code::kSqrt : code_of(n);
    if (!code) return false;
    std::array<int, 3> in{-1, -1, -1};
    bool row = false, past = false, all = false;
    for (std::size_t i = 0; i < 3 && n.in[i] >= 0; ++i) {
      const std::optional<int> x = value(n.in[i]);
      if (!x) return false;
      in[i] = *x;
      row = row || shape(*x) == Shape::kRow;
      past = past || shape(*x) == Shape::kPast;
      all = all || shape(*x) == Shape::kPairs;
    }
    const Shape s = all || (row && past) ? Shape::kPairs
                    : past               ? Shape::kPast
                    : row                ? Shape::kRow
                                         : Shape::kNumber;
    const int y = pointwise(s, *code, in, n.value);
    return is(id, inverse_root ? pointwise(s, Code::kRecip, {y, -1, -1}) : y);
  }

  bool dot(NodeId id) {
    const Node& n = node(id);
    NodeId a = n.in[0], b = n.in[1];
    if (type(id).past()) {
      if (type(a).past()) std::swap(a, b);
      const AxisList over = others(n.axes);
      if (!reads_.contains(a) || !reads_.contains(b) || type(a).past() || !type(a).time() || !type(b).past() ||
          over != n.axes || others(type(a).axes) != over || others(type(b).axes) != over || repeats(id) > 1)
        return false;
      return is(id, emit({.what = What::kScores,
                          .out = fresh(Shape::kPairs, false),
                          .in = {read(a, Shape::kRows), read(b, Shape::kTurned), -1}}));
    }
    if (!n.axes.contains(ir::kPast)) return false;
    if (!others(type(a).axes).empty()) std::swap(a, b);
    if (const AxisList width = others(type(b).axes); !width.empty()) {
      AxisList reduced = n.axes;
      reduced.erase(reduced.find(ir::kPast));
      const std::optional<int> x = pairs(a);
      if (!x || !reads_.contains(b) || !type(b).past() || others(type(id).axes) != width ||
          n.axes.contains(ir::kTime) || !others(reduced).empty())
        return false;
      const int y = fresh(Shape::kRows, false, ir::elements(graph_, width));
      return leaves(
          id, emit({.what = What::kCombine, .out = y, .in = {filled(*x, 0), read(b, Shape::kPasts), -1}}),
          reduced);
    }
    const std::optional<int> first = pairs(a), second = value(b);
    if (!first || !second) return false;
    const bool together = shape(*second) == Shape::kPairs || shape(*second) == Shape::kPast;
    int sum = fresh(Shape::kRow, false);
    const int other = shape(*second) == Shape::kPairs ? filled(*second, 0) : *second;
    emit({.what = What::kSum, .out = sum, .in = {filled(*first, 0), together ? other : -1, -1}});
    if (!together) sum = pointwise(Shape::kRow, Code::kMultiply, {sum, other, -1});
    return sums(id, sum, n.axes);
  }

  bool unpast(NodeId id) {
    const NodeId in = node(id).in[0];
    std::int64_t width = 1;
    AxisList reduced;
    std::optional<int> x, row = -1;
    if (spreads_.contains(in)) {
      const Node& product = node(in);
      const bool swapped = !type(product.in[0]).past();
      const NodeId a = product.in[swapped ? 1 : 0], b = product.in[swapped ? 0 : 1];
      const AxisList more = others(type(b).axes);
      width = ir::elements(graph_, more);
      if (product.op == Op::kDot) reduced = product.axes;
      if (!others(reduced).empty() || others(type(in).axes) != more) return false;
      x = pairs(a);
      row = more.empty() ? value(b)
            : reads_.contains(b) ? std::optional(read(b, Shape::kRows))
                                 : std::nullopt;
      if (row && more.empty() && shape(*row) != Shape::kRow) return false;
    } else {
      x = pairs(in);
    }
    if (!x || !row) return false;
    const bool matrix = *row >= 0 && shape(*row) == Shape::kRows;
    const int sum = fresh(matrix ? Shape::kPasts : Shape::kPast, /*whole=*/true, width);
    return leaves(id, emit({.what = What::kSpread, .out = sum, .in = {filled(*x, 0), *row, -1}}), reduced);
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
    const std::optional<int> x = value(id);
    if (!x || shape(*x) != Shape::kRow || array(*x).whole) return false;
    out_.exits_.push_back({e, *x, false, missing(type(id).axes, {})});
    return true;
  }

  const ir::Graph& graph_;
  const std::vector<Node>& nodes_;
  const Region& region_;
  PairProgram out_;
  std::map<NodeId, std::size_t> reads_;
  std::set<NodeId> spreads_;
  std::map<NodeId, int> values_;
  std::map<NodeId, std::pair<int, AxisList>> results_;  // and the axes of heads that they are summed over
  std::map<NodeId, int> spelled_;
  std::map<std::pair<NodeId, Shape>, int> read_as_;
  std::vector<double> outside_;  // by array: what its pairs outside of the window hold
};

std::optional<PairProgram> PairProgram::make(const ir::Graph& graph, const std::vector<Node>& nodes,
                                             const Region& region) {
  if (!region.pairs) return std::nullopt;
  return Maker(graph, nodes, region).make();
}

}  // namespace gabbro::exec::torch
