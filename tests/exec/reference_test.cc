// Tests the reference backend against numbers and loops written by hand: every op, then decoding against
// whole sequences.
#include "exec/reference/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "ir/builder.h"
#include "ir/gradient.h"
#include "ir/op.h"

namespace gabbro::exec {
namespace {

using ir::AxisId;
using ir::AxisList;
using ir::kAll;
using ir::kPast;
using ir::kTime;
using ir::NodeId;
using ir::Op;
using ir::Type;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

double& at(Tensor& x, std::initializer_list<std::int64_t> index) {
  std::int64_t offset = 0;
  std::size_t i = 0;
  for (std::int64_t n : index) offset = offset * x.dims.at(i++) + n;
  EXPECT_EQ(i, x.dims.size());
  return x.data.at(static_cast<std::size_t>(offset));
}

bool close(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || a == b || std::abs(a - b) <= 1e-12 * (1 + std::abs(b));
}

void expect_same(const Tensor& got, const Tensor& want) {
  EXPECT_EQ(got.axes, want.axes);
  ASSERT_EQ(got.dims, want.dims);
  for (std::size_t i = 0; i < want.data.size(); ++i)
    EXPECT_PRED2(close, got.data[i], want.data[i]) << "element " << i;
}

void expect_data(const Tensor& got, const std::vector<double>& want) {
  expect_same(got, Tensor{got.axes, got.dims, want});
  EXPECT_EQ(got.data.size(), want.size());
}

// A graph under construction, with its inputs. h = 2, k = 3, grid = h x k = 6; the ids of the axes ascend in
// that order.
struct Model {
  ir::Graph graph;
  ir::Builder b{graph, 0};
  Feed feed;
  std::int64_t length = 5;
  Random random{7};
  AxisId h = graph.add_axis("h", 2, 2), k = graph.add_axis("k", 3, 3), grid = graph.add_axis("grid", 6, 6);

  Tensor draw(const AxisList& axes) {
    Tensor x = zeros(graph, axes, length);
    for (double& v : x.data) v = random.uniform(-1, 1);
    return x;
  }
  NodeId input(Tensor x, std::int32_t window = 0) {
    feed.inputs.push_back(std::move(x));
    const auto index = static_cast<std::int32_t>(feed.inputs.size()) - 1;
    return b.add({.op = Op::kInput, .type = Type{feed.inputs.back().axes, window}, .index = index});
  }
  NodeId input(const AxisList& axes) { return input(draw(axes)); }
  NodeId input(const AxisList& axes, const std::vector<double>& data) {
    Tensor x = zeros(graph, axes, length);
    EXPECT_EQ(x.data.size(), data.size());
    x.data = data;
    return input(std::move(x));
  }
  NodeId op(Op op, std::initializer_list<NodeId> in, const AxisList& axes = {}, std::int32_t amount = 0) {
    ir::Node n{.op = op, .axes = axes, .amount = amount};
    std::copy(in.begin(), in.end(), n.in.begin());
    return b.add(n);
  }
  NodeId past(NodeId x, std::int32_t window = kAll) { return op(Op::kPast, {x}, {}, window); }
  Tensor value(NodeId id) { return evaluate(graph, std::vector<NodeId>{id}, feed, length)[0]; }
  // Expects the value that `f` writes into a tensor of zeros over `axes`.
  void expect(NodeId id, const AxisList& axes, const std::function<void(Tensor&)>& f) {
    Tensor want = zeros(graph, axes, length);
    f(want);
    expect_same(value(id), want);
  }
};

// Calls f(t, s) for each pair of positions that exists: t sees s within the window.
template <class F>
void for_pairs(std::int64_t length, std::int64_t window, F&& f) {
  for (std::int64_t t = 0; t < length; ++t)
    for (std::int64_t s = 0; s < length; ++s)
      if (s <= t && t - s < window) f(t, s);
}

// ---- Pointwise ----

// An operation on numbers, and its result.
struct Number {
  Op op;
  double a, b, c;  // the operands, of which the op reads as many as it has
  double value;    // Node::value
  double want;
};

const Number kNumbers[] = {
    {Op::kAdd, 2, 3, 0, 0, 5},
    {Op::kMul, 2, 3, 0, 0, 6},
    {Op::kMax, 2, 3, 0, 0, 3},
    {Op::kMax, kNan, 3, 0, 0, kNan},
    {Op::kMax, 3, kNan, 0, 0, kNan},
    {Op::kLess, 2, 3, 0, 0, 1},
    {Op::kLess, 3, 3, 0, 0, 0},
    {Op::kWhere, 1, 2, 3, 0, 2},
    {Op::kWhere, 0, 2, kInf, 0, kInf},
    {Op::kDiv, 3, 4, 0, 0, 0.75},
    {Op::kRecip, 4, 0, 0, 0, 0.25},
    {Op::kSqrt, 9, 0, 0, 0, 3},
    {Op::kSqrt, -1, 0, 0, 0, kNan},
    {Op::kPow, 4, 0, 0, 1.5, 8},
    {Op::kPower, 11, 3, 0, 0, 1331},
    {Op::kPower, -2, 3, 0, 0, -8},
    {Op::kExp, 1, 0, 0, 0, 2.718281828459045},
    {Op::kLog, 10, 0, 0, 0, 2.302585092994046},
    {Op::kSin, 1, 0, 0, 0, 0.8414709848078965},
    {Op::kCos, 1, 0, 0, 0, 0.5403023058681398},
    {Op::kTanh, 0.5, 0, 0, 0, 0.46211715726000975},
    {Op::kSigmoid, 0.5, 0, 0, 0, 0.6224593312018546},
    {Op::kSigmoid, -800, 0, 0, 0, 0},
    {Op::kSoftplus, 0.5, 0, 0, 0, 0.9740769841801067},
    {Op::kSoftplus, 800, 0, 0, 0, 800},
    {Op::kErf, 0.5, 0, 0, 0, 0.5204998778130465},
    {Op::kFloor, -1.5, 0, 0, 0, -2},
    {Op::kDetach, 1.5, 0, 0, 0, 1.5},
};

void check_number(const Number& row) {
  Model m;
  m.length = 1;
  ir::Node node{.op = row.op, .value = row.value};
  const double operands[] = {row.a, row.b, row.c};
  for (int i = 0; i < ir::info(row.op).arity; ++i) node.in[i] = m.input({kTime}, {operands[i]});
  expect_data(m.value(m.b.add(node)), {row.want});
}

TEST(Pointwise, BroadcastsByAxisWhateverTheOperandsLack) {
  Model m;
  Tensor x = m.draw({kTime, m.h}), y = m.draw({m.h, m.k}), z = m.draw({m.k});
  const NodeId id =
      m.op(Op::kWhere, {m.op(Op::kLess, {m.input(x), m.input(z)}), m.input(y), m.b.constant(7)});
  m.expect(id, {kTime, m.h, m.k}, [&](Tensor& want) {
    for (int t = 0; t < m.length; ++t)
      for (int h = 0; h < 2; ++h)
        for (int k = 0; k < 3; ++k) at(want, {t, h, k}) = at(x, {t, h}) < at(z, {k}) ? at(y, {h, k}) : 7;
  });
}

TEST(Pointwise, LeavesPairsThatDoNotExistAtZero) {
  for (const std::int32_t window : {1, 2, 4, kAll}) {
    Model m;
    Tensor x = m.draw({kTime, m.h}), y = m.draw({kTime, m.h, m.k});
    const NodeId id = m.b.unary(Op::kExp, m.b.plus(m.past(m.input(x), window), m.input(y)));
    m.expect(id, {kTime, kPast, m.h, m.k}, [&](Tensor& want) {
      for_pairs(m.length, window, [&](auto t, auto s) {
        for (int h = 0; h < 2; ++h)
          for (int k = 0; k < 3; ++k) at(want, {t, s, h, k}) = std::exp(at(x, {s, h}) + at(y, {t, h, k}));
      });
    });
  }
}

// ---- Leaves ----

void constant_is_its_number() {
  Model m;
  expect_data(m.value(m.b.constant(2.5)), {2.5});
  m.graph.syms.push_back(ir::Sym::atom(ir::Atom::kWidth));
  expect_data(m.value(m.b.constant(256, 0)), {256});
}

void param_is_fed() {
  Model m;
  m.graph.params.push_back({.name = "p", .axes = {m.h}, .fan_in = {}, .role = {}, .init = {}});
  m.feed.params.push_back({{m.h}, {2}, {3, 4}});
  expect_data(m.value(m.b.param(0)), {3, 4});
}

void tokens_are_ids() {
  Model m;
  m.feed.tokens = {4, 0, 3, 3, 1};
  expect_data(m.value(m.op(Op::kTokens, {})), {4, 0, 3, 3, 1});
}

void input_is_fed() {
  Model m;
  const NodeId first = m.input({m.h}, {1, 2}), second = m.input({kTime}, {1, 2, 3, 4, 5});
  expect_data(m.value(first), {1, 2});
  expect_data(m.value(second), {1, 2, 3, 4, 5});
}

void lag_counts_back() {
  for (const std::int32_t window : {2, kAll}) {
    Model m;
    m.expect(m.op(Op::kLag, {}, {}, window), {kTime, kPast}, [&](Tensor& want) {
      for_pairs(m.length, window, [&](auto t, auto s) { at(want, {t, s}) = static_cast<double>(t - s); });
    });
  }
}

void iota_counts() {
  Model m;
  expect_data(m.value(m.op(Op::kIota, {}, {m.k})), {0, 1, 2});
}

void position_counts() {
  Model m;
  expect_data(m.value(m.op(Op::kPosition, {})), {0, 1, 2, 3, 4});
}

// ---- Reductions ----

void sum_over_axes() {
  Model m;
  Tensor x = m.draw({kTime, m.h, m.k});
  const NodeId in = m.input(x);
  m.expect(m.b.sum(in, {m.h}), {kTime, m.k}, [&](Tensor& want) {
    for (int t = 0; t < m.length; ++t)
      for (int h = 0; h < 2; ++h)
        for (int k = 0; k < 3; ++k) at(want, {t, k}) += at(x, {t, h, k});
  });
  m.expect(m.b.sum(in, {kTime, m.k}), {m.h}, [&](Tensor& want) {
    for (int t = 0; t < m.length; ++t)
      for (int h = 0; h < 2; ++h)
        for (int k = 0; k < 3; ++k) at(want, {h}) += at(x, {t, h, k});
  });
}

// A pair that does not exist would add exp(0) = 1.
void sum_over_past(std::int32_t window) {
  Model m;
  Tensor x = m.draw({kTime, m.h});
  const NodeId in = m.b.unary(Op::kExp, m.past(m.input(x), window));
  m.expect(m.b.sum(in, {kPast}), {kTime, m.h}, [&](Tensor& want) {
    for_pairs(m.length, window, [&](auto t, auto s) {
      for (int h = 0; h < 2; ++h) at(want, {t, h}) += std::exp(at(x, {s, h}));
    });
  });
  m.expect(m.b.sum(in, {kTime, kPast}), {m.h}, [&](Tensor& want) {
    for_pairs(m.length, window, [&](auto, auto s) {
      for (int h = 0; h < 2; ++h) at(want, {h}) += std::exp(at(x, {s, h}));
    });
  });
}

// All values are negative, so the zero of a pair that does not exist would be the maximum.
void max_over_existing(std::int32_t window) {
  Model m;
  Tensor x = m.draw({kTime, m.h});
  for (double& v : x.data) v -= 2;
  const auto raise = [](double& slot, double v) { slot = slot == 0 ? v : std::max(slot, v); };
  const NodeId in = m.past(m.input(x), window);
  m.expect(m.op(Op::kMaxOver, {in}, {kPast}), {kTime, m.h}, [&](Tensor& want) {
    for_pairs(m.length, window, [&](auto t, auto s) {
      for (int h = 0; h < 2; ++h) raise(at(want, {t, h}), at(x, {s, h}));
    });
  });
  m.expect(m.op(Op::kMaxOver, {in}, {m.h}), {kTime, kPast}, [&](Tensor& want) {
    for_pairs(m.length, window, [&](auto t, auto s) {
      at(want, {t, s}) = std::max(at(x, {s, 0}), at(x, {s, 1}));
    });
  });
}

void max_over_keeps_nan() {
  Model m;
  expect_data(m.value(m.op(Op::kMaxOver, {m.input({m.h, m.k}, {1, kNan, 9, 4, 6, 5})}, {m.k})), {kNan, 6});
  expect_data(m.value(m.op(Op::kMaxOver, {m.input({m.k}, {-kInf, -kInf, -kInf})}, {m.k})), {-kInf});
}

void dot_contracts() {
  Model m;
  Tensor x = m.draw({kTime, m.h, m.k}), y = m.draw({m.k, m.grid}), z = m.draw({kTime, m.grid});
  const NodeId a = m.input(x), b = m.input(y), c = m.input(z);
  m.expect(m.b.dot(a, b, {m.k}), {kTime, m.h, m.grid}, [&](Tensor& want) {
    for (int t = 0; t < m.length; ++t)
      for (int h = 0; h < 2; ++h)
        for (int k = 0; k < 3; ++k)
          for (int g = 0; g < 6; ++g) at(want, {t, h, g}) += at(x, {t, h, k}) * at(y, {k, g});
  });
  // c lacks k, so it multiplies the sum over k.
  m.expect(m.b.dot(a, c, {kTime, m.k}), {m.h, m.grid}, [&](Tensor& want) {
    for (int t = 0; t < m.length; ++t)
      for (int h = 0; h < 2; ++h)
        for (int k = 0; k < 3; ++k)
          for (int g = 0; g < 6; ++g) at(want, {h, g}) += at(x, {t, h, k}) * at(z, {t, g});
  });
}

void dot_over_past(std::int32_t window) {
  Model m;
  Tensor q = m.draw({kTime, m.h, m.k}), v = m.draw({kTime, m.h, m.k});
  const NodeId now = m.input(q), then = m.past(m.input(v), window);
  m.expect(m.b.dot(now, then, {m.k}), {kTime, kPast, m.h}, [&](Tensor& want) {
    for_pairs(m.length, window, [&](auto t, auto s) {
      for (int h = 0; h < 2; ++h)
        for (int k = 0; k < 3; ++k) at(want, {t, s, h}) += at(q, {t, h, k}) * at(v, {s, h, k});
    });
  });
  const NodeId weights = m.b.unary(Op::kExp, m.op(Op::kLag, {}, {}, window));
  m.expect(m.b.dot(weights, then, {kPast}), {kTime, m.h, m.k}, [&](Tensor& want) {
    for_pairs(m.length, window, [&](auto t, auto s) {
      for (int h = 0; h < 2; ++h)
        for (int k = 0; k < 3; ++k)
          at(want, {t, h, k}) += std::exp(static_cast<double>(t - s)) * at(v, {s, h, k});
    });
  });
  m.expect(m.b.dot(now, then, {kTime, kPast, m.h}), {m.k}, [&](Tensor& want) {
    for_pairs(m.length, window, [&](auto t, auto s) {
      for (int h = 0; h < 2; ++h)
        for (int k = 0; k < 3; ++k) at(want, {k}) += at(q, {t, h, k}) * at(v, {s, h, k});
    });
  });
}

void top_k_marks_the_largest() {
  Model m;
  m.length = 1;
  const auto top = [&](const std::vector<double>& x, int n) {
    return m.value(m.op(Op::kTopK, {m.input({m.grid}, x)}, {m.grid}, n));
  };
  expect_data(top({1, 5, 2, 4, 3, 0}, 2), {0, 1, 0, 1, 0, 0});
  expect_data(top({1, 3, 3, 3, 0, 0}, 2), {0, 1, 1, 0, 0, 0});                 // ties: the lowest index
  expect_data(top({-5, kNan, -kInf, -2, -3, kNan}, 4), {1, 1, 0, 1, 1, 0});    // NaN counts as -inf
  expect_data(top({-5, -kInf, kNan, -2, -3, kNan}, 4), {1, 1, 0, 1, 1, 0});    // and ties with it
  expect_data(top({kNan, kNan, 1, kNan, kNan, kNan}, 2), {1, 0, 1, 0, 0, 0});  // and with itself
  expect_data(m.value(m.op(Op::kTopK, {m.input({m.h, m.k}, {1, 5, 2, 4, 3, 9})}, {m.h}, 1)),
              {0, 1, 0, 1, 0, 1});
}

void top_k_of_past() {
  Model m;
  Tensor x = m.draw({kTime, m.h});
  m.expect(m.op(Op::kTopK, {m.past(m.input(x), 2)}, {m.h}, 1), {kTime, kPast, m.h}, [&](Tensor& want) {
    for_pairs(m.length, 2, [&](auto t, auto s) {
      at(want, {t, s, at(x, {s, 0}) >= at(x, {s, 1}) ? 0 : 1}) = 1;
    });
  });
}

// ---- Axes ----

void broadcast_repeats() {
  Model m;
  Tensor x = m.draw({m.k});
  m.expect(m.op(Op::kBroadcast, {m.input(x)}, {kTime, m.h}), {kTime, m.h, m.k}, [&](Tensor& want) {
    for (int t = 0; t < m.length; ++t)
      for (int h = 0; h < 2; ++h)
        for (int k = 0; k < 3; ++k) at(want, {t, h, k}) = at(x, {k});
  });
}

void broadcast_into_past(std::int32_t window) {
  Model m;
  Tensor x = m.draw({kTime, m.h});
  m.expect(m.op(Op::kBroadcast, {m.input(x)}, {kPast}, window), {kTime, kPast, m.h}, [&](Tensor& want) {
    for_pairs(m.length, window, [&](auto t, auto s) {
      for (int h = 0; h < 2; ++h) at(want, {t, s, h}) = at(x, {t, h});
    });
  });
}

void rename_permutes_the_layout() {
  Model m;
  const AxisId late = m.graph.add_axis("late", 2, 2);
  Tensor x = m.draw({kTime, m.h, m.k});
  m.expect(m.op(Op::kRename, {m.input(x)}, {m.h, late}), {kTime, m.k, late}, [&](Tensor& want) {
    for (int t = 0; t < m.length; ++t)
      for (int h = 0; h < 2; ++h)
        for (int k = 0; k < 3; ++k) at(want, {t, k, h}) = at(x, {t, h, k});
  });
}

// The order of the elements follows the list of axes, which need not be the order of the ids.
void split_in_list_order() {
  Model m;
  const NodeId x = m.input({m.grid}, {0, 1, 2, 3, 4, 5});
  expect_data(m.value(m.op(Op::kSplit, {x}, {m.grid, m.h, m.k})), {0, 1, 2, 3, 4, 5});
  m.expect(m.op(Op::kSplit, {x}, {m.grid, m.k, m.h}), {m.h, m.k}, [&](Tensor& want) {
    for (int k = 0; k < 3; ++k)
      for (int h = 0; h < 2; ++h) at(want, {h, k}) = k * 2 + h;
  });
}

void merge_in_list_order() {
  Model m;
  const NodeId x = m.input({m.h, m.k}, {0, 1, 2, 3, 4, 5});
  expect_data(m.value(m.op(Op::kMerge, {x}, {m.h, m.k, m.grid})), {0, 1, 2, 3, 4, 5});
  expect_data(m.value(m.op(Op::kMerge, {x}, {m.k, m.h, m.grid})), {0, 3, 1, 4, 2, 5});
}

void merge_then_split_is_identity() {
  Model m;
  Tensor x = m.draw({kTime, m.h, m.k});
  for (const auto& [a, b] : {std::pair{m.h, m.k}, std::pair{m.k, m.h}}) {
    const NodeId merged = m.op(Op::kMerge, {m.past(m.input(x), 2)}, {a, b, m.grid});
    const NodeId back = m.op(Op::kSplit, {merged}, {m.grid, a, b});
    expect_same(m.value(back), m.value(m.past(m.input(x), 2)));
  }
}

void slice_reads_a_part() {
  Model m;
  expect_data(m.value(m.op(Op::kSlice, {m.input({m.grid}, {0, 1, 2, 3, 4, 5})}, {m.grid, m.k}, 2)),
              {2, 3, 4});
  const NodeId x = m.input({m.h, m.grid}, {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15});
  const AxisId late = m.graph.add_axis("late", 1, 1);
  expect_data(m.value(m.op(Op::kSlice, {x}, {m.h, late}, 1)), {10, 11, 12, 13, 14, 15});
}

void pad_writes_a_part() {
  Model m;
  expect_data(m.value(m.op(Op::kPad, {m.input({m.k}, {1, 2, 3})}, {m.k, m.grid}, 1)), {0, 1, 2, 3, 0, 0});
  Tensor x = m.draw({m.h, m.k});
  m.expect(m.op(Op::kPad, {m.input(x)}, {m.h, m.grid}, 4), {m.k, m.grid}, [&](Tensor& want) {
    for (int h = 0; h < 2; ++h)
      for (int k = 0; k < 3; ++k) at(want, {k, h + 4}) = at(x, {h, k});
  });
}

// ---- Tables ----

void lookup_rounds_down_and_stays_inside() {
  Model m;
  m.length = 7;
  const NodeId index = m.input({kTime}, {0, 1.9, 2, 2.5, -1, 1e300, kNan});
  expect_data(m.value(m.op(Op::kLookup, {m.input({m.k}, {10, 20, 30}), index}, {m.k})),
              {10, 20, 30, 30, 10, 30, 10});
}

void lookup_rows() {
  Model m;
  Tensor table = m.draw({m.h, m.k});
  const NodeId rows = m.input({kTime}, {0, 1, 1, 0, 1});
  m.expect(m.op(Op::kLookup, {m.input(table), rows}, {m.h}), {kTime, m.k}, [&](Tensor& want) {
    const int row[] = {0, 1, 1, 0, 1};
    for (int t = 0; t < m.length; ++t)
      for (int k = 0; k < 3; ++k) at(want, {t, k}) = at(table, {row[t], k});
  });
}

void lookup_of_past_indices() {
  Model m;
  const NodeId lag = m.op(Op::kLag, {}, {}, 3);
  m.expect(m.op(Op::kLookup, {m.input({m.k}, {5, 6, 7}), lag}, {m.k}), {kTime, kPast}, [&](Tensor& want) {
    for_pairs(m.length, 3, [&](auto t, auto s) { at(want, {t, s}) = static_cast<double>(5 + t - s); });
  });
}

void scatter_sums_rows() {
  Model m;
  Tensor g = m.draw({kTime, m.h});
  const NodeId index = m.input({kTime}, {0, 2.5, -3, 9, 0});
  m.expect(m.op(Op::kScatter, {m.input(g), index}, {m.k}), {m.h, m.k}, [&](Tensor& want) {
    const int row[] = {0, 2, 0, 2, 0};
    for (int t = 0; t < m.length; ++t)
      for (int h = 0; h < 2; ++h) at(want, {h, row[t]}) += at(g, {t, h});
  });
}

void scatter_of_past_and_missing_axes() {
  Model m;
  Tensor g = m.draw({kTime, m.h});
  // The adjoint lacks s, so it counts once per existing pair.
  const NodeId lag = m.op(Op::kLag, {}, {}, 3);
  m.expect(m.op(Op::kScatter, {m.input(g), lag}, {m.k}), {m.h, m.k}, [&](Tensor& want) {
    for_pairs(m.length, 3, [&](auto t, auto s) {
      for (int h = 0; h < 2; ++h) at(want, {h, t - s}) += at(g, {t, h});
    });
  });
}

// ---- Time ----

void shift_both_ways() {
  for (const int n : {-7, -5, -2, -1, 1, 2, 5, 7}) {
    Model m;
    Tensor x = m.draw({kTime, m.h});
    m.expect(m.op(Op::kShift, {m.input(x)}, {}, n), {kTime, m.h}, [&](Tensor& want) {
      for (int t = 0; t < m.length; ++t)
        for (int h = 0; h < 2; ++h)
          if (t - n >= 0 && t - n < m.length) at(want, {t, h}) = at(x, {t - n, h});
    });
  }
}

void past_opens_a_window() {
  for (const std::int32_t window : {1, 3, 100, kAll}) {
    Model m;
    Tensor x = m.draw({kTime, m.h});
    m.expect(m.past(m.input(x), window), {kTime, kPast, m.h}, [&](Tensor& want) {
      for_pairs(m.length, window, [&](auto t, auto s) {
        for (int h = 0; h < 2; ++h) at(want, {t, s, h}) = at(x, {s, h});
      });
    });
  }
}

void unpast_sums_the_readers() {
  for (const std::int32_t window : {2, kAll}) {
    Model m;
    Tensor x = m.draw({kTime, m.h});
    const NodeId read = m.op(Op::kBroadcast, {m.input(x)}, {kPast}, window);
    m.expect(m.op(Op::kUnpast, {read}), {kTime, m.h}, [&](Tensor& want) {
      for_pairs(m.length, window, [&](auto t, auto s) {
        for (int h = 0; h < 2; ++h) at(want, {s, h}) += at(x, {t, h});
      });
    });
  }
}

// Two states that swap: a' = b * decay + x, b' = a. The step outputs are 2 a' and the decay (the same at
// every step).
struct Recurrence : Model {
  Tensor x, decay;
  NodeId scan, doubled, fixed, last_a, last_b;

  explicit Recurrence(bool reverse) : x(draw({kTime, h})), decay(draw({h})) {
    const Type row{{h}, 0};
    graph.bodies.emplace_back();
    ir::Builder step(graph, 1);
    const NodeId a = step.arg(0, row), held = step.arg(1, row), item = step.arg(2, row),
                 rate = step.arg(3, row);
    const NodeId next = step.plus(step.times(held, rate), item);
    graph.bodies[1].outputs = {next, a, step.scale(next, 2), step.unary(Op::kExp, rate)};
    const NodeId zero = input({h}, {0, 0}), one = input({h}, {1, 1});
    graph.scans.push_back({.body = 1,
                           .inits = {zero, one},
                           .sequences = {input(x)},
                           .invariants = {input(decay)},
                           .reverse = reverse});
    scan = b.add({.op = Op::kScan, .index = 0});
    doubled = out(0), fixed = out(1), last_a = out(-1), last_b = out(-2);
  }
  NodeId out(int index) { return b.add({.op = Op::kScanOut, .in = {scan, -1, -1}, .index = index}); }
};

void scan_carries_states(bool reverse) {
  Recurrence m(reverse);
  Tensor doubled = zeros(m.graph, {kTime, m.h}, m.length), fixed = doubled;
  std::vector<double> a = {0, 0}, b = {1, 1};
  for (int i = 0; i < m.length; ++i) {
    const int t = reverse ? static_cast<int>(m.length) - 1 - i : i;
    for (int h = 0; h < 2; ++h) {
      const double next = b[h] * at(m.decay, {h}) + at(m.x, {t, h});
      b[h] = a[h], a[h] = next;
      at(doubled, {t, h}) = 2 * next;
      at(fixed, {t, h}) = std::exp(at(m.decay, {h}));
    }
  }
  expect_same(m.value(m.doubled), doubled);
  expect_same(m.value(m.fixed), fixed);
  expect_data(m.value(m.last_a), a);
  expect_data(m.value(m.last_b), b);
}

// ---- Every op has a case ----

struct Case {
  Op op;
  const char* name;
  std::function<void()> check;
};

std::vector<Case> cases() {
  std::vector<Case> all = {
      {Op::kConst, "its number", constant_is_its_number},
      {Op::kParam, "the fed tensor", param_is_fed},
      {Op::kTokens, "ids", tokens_are_ids},
      {Op::kInput, "the fed tensor", input_is_fed},
      {Op::kArg, "states, items and invariants", [] { scan_carries_states(false); }},
      {Op::kLag, "distances", lag_counts_back},
      {Op::kIota, "indices", iota_counts},
      {Op::kPosition, "positions", position_counts},
      {Op::kSum, "axes and time", sum_over_axes},
      {Op::kSum, "past", [] { sum_over_past(kAll); }},
      {Op::kSum, "past in a window", [] { sum_over_past(2); }},
      {Op::kMaxOver, "past", [] { max_over_existing(kAll); }},
      {Op::kMaxOver, "past in a window", [] { max_over_existing(2); }},
      {Op::kMaxOver, "NaN and -inf", max_over_keeps_nan},
      {Op::kDot, "axes and time", dot_contracts},
      {Op::kDot, "past", [] { dot_over_past(kAll); }},
      {Op::kDot, "past in a window", [] { dot_over_past(3); }},
      {Op::kTopK, "ties and NaN", top_k_marks_the_largest},
      {Op::kTopK, "past", top_k_of_past},
      {Op::kBroadcast, "time and axes", broadcast_repeats},
      {Op::kBroadcast, "past", [] { broadcast_into_past(kAll); }},
      {Op::kBroadcast, "past in a window", [] { broadcast_into_past(2); }},
      {Op::kRename, "a later id", rename_permutes_the_layout},
      {Op::kSplit, "both orders", split_in_list_order},
      {Op::kMerge, "both orders", merge_in_list_order},
      {Op::kMerge, "undone by split", merge_then_split_is_identity},
      {Op::kSlice, "both places", slice_reads_a_part},
      {Op::kPad, "both places", pad_writes_a_part},
      {Op::kLookup, "rounding and clamping", lookup_rounds_down_and_stays_inside},
      {Op::kLookup, "rows", lookup_rows},
      {Op::kLookup, "past indices", lookup_of_past_indices},
      {Op::kScatter, "rows", scatter_sums_rows},
      {Op::kScatter, "past indices", scatter_of_past_and_missing_axes},
      {Op::kShift, "both ways, beyond both ends", shift_both_ways},
      {Op::kPast, "windows", past_opens_a_window},
      {Op::kUnpast, "windows", unpast_sums_the_readers},
      {Op::kScan, "forward", [] { scan_carries_states(false); }},
      {Op::kScan, "reverse", [] { scan_carries_states(true); }},
      {Op::kScanOut, "step outputs and final states", [] { scan_carries_states(false); }},
  };
  for (const Number& row : kNumbers) all.push_back({row.op, "a number", [&row] { check_number(row); }});
  return all;
}

TEST(Kernels, AgreeWithHandWrittenLoops) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(std::string(ir::info(c.op).name) + ": " + c.name);
    c.check();
  }
}

TEST(Kernels, EveryOpHasACase) {
  const std::vector<Case> all = cases();
  ASSERT_FALSE(ir::all_ops().empty());
  for (const ir::OpInfo& op : ir::all_ops())
    EXPECT_TRUE(op.kind == ir::Kind::kLowered ||
                std::any_of(all.begin(), all.end(), [&](const Case& c) { return c.op == op.op; }))
        << op.name << " is untested";
}

// ---- Decoding ----

// Returns the tokens and inputs of position t; inputs that do not vary over time are whole.
Feed at_position(const Feed& feed, std::int64_t t) {
  Feed out;
  if (!feed.tokens.empty()) out.tokens = {feed.tokens[t]};
  for (Tensor x : feed.inputs) {
    if (x.axes.contains(kTime)) {
      const auto row = static_cast<std::ptrdiff_t>(x.data.size()) / x.dims[0];
      x.data = std::vector<double>(x.data.begin() + t * row, x.data.begin() + (t + 1) * row);
      x.dims[0] = 1;
    }
    out.inputs.push_back(std::move(x));
  }
  return out;
}

void expect_steps_equal(Model& m, const std::vector<NodeId>& wanted) {
  const std::vector<Tensor> whole = evaluate(m.graph, wanted, m.feed, m.length);
  Stepper stepper(m.graph, wanted, m.feed.params);
  for (std::int64_t t = 0; t < m.length; ++t) {
    const std::vector<Tensor> got = stepper.step(at_position(m.feed, t));
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      SCOPED_TRACE("value " + std::to_string(i) + " at position " + std::to_string(t));
      const Tensor& all = whole[i];
      ASSERT_FALSE(all.axes.contains(kPast));
      Tensor want = all;
      if (all.axes.contains(kTime)) {
        want = at_position({.tokens = {}, .inputs = {all}, .params = {}}, t).inputs[0];
        want.axes.erase(0);
        want.dims.erase(want.dims.begin());
      }
      expect_same(got[i], want);
    }
  }
}

TEST(Stepper, RemembersShifts) {
  Model m;
  const NodeId x = m.input({kTime, m.h}), y = m.op(Op::kShift, {x}, {}, 1);
  expect_steps_equal(m, {y, m.op(Op::kShift, {m.b.times(x, y)}, {}, 3), m.op(Op::kShift, {x}, {}, 9)});
}

TEST(Stepper, RemembersPasts) {
  for (const std::int32_t window : {1, 2, 3, 50, kAll}) {
    Model m;
    m.length = 7;
    const NodeId q = m.input({kTime, m.h, m.k}), v = m.past(m.input({kTime, m.h, m.k}), window);
    const NodeId score = m.b.minus(m.b.dot(q, v, {m.k}), m.op(Op::kLag, {}, {}, window));
    const NodeId weight = m.b.unary(Op::kExp, m.b.minus(score, m.op(Op::kMaxOver, {score}, {kPast})));
    const NodeId share = m.b.times(weight, m.b.unary(Op::kRecip, m.b.sum(weight, {kPast})));
    const NodeId mixed = m.b.dot(share, v, {kPast});
    const NodeId again = m.b.sum(m.b.unary(Op::kTanh, m.past(mixed, 2)), {kPast});
    expect_steps_equal(m, {mixed, again, m.b.sum(m.op(Op::kBroadcast, {q}, {kPast}, window), {kPast})});
  }
}

TEST(Stepper, ReturnsTheWindowOfAPast) {
  Model m;
  const std::vector<NodeId> wanted = {m.past(m.input({kTime}, {10, 11, 12, 13, 14}), 2),
                                      m.op(Op::kLag, {}, {}, 2)};
  Stepper stepper(m.graph, wanted, {});
  stepper.step(at_position(m.feed, 0));
  stepper.step(at_position(m.feed, 1));
  const std::vector<Tensor> got = stepper.step(at_position(m.feed, 2));
  EXPECT_EQ(got[0].axes, AxisList{kPast});
  EXPECT_EQ(got[0].data, (std::vector<double>{11, 12}));
  EXPECT_EQ(got[1].data, (std::vector<double>{1, 0}));
}

TEST(Stepper, RemembersScans) {
  Recurrence m(false);
  expect_steps_equal(m, {m.doubled, m.fixed, m.op(Op::kShift, {m.doubled}, {}, 1)});
}

TEST(Stepper, KnowsPositionTokensAndParameters) {
  Model m;
  m.graph.params.push_back({.name = "table", .axes = {m.h, m.k}, .fan_in = {}, .role = {}, .init = {}});
  m.feed.params.push_back(m.draw({m.h, m.k}));
  m.feed.tokens = {0, 2, 1, 1, 5};
  const NodeId row = m.op(Op::kLookup, {m.b.param(0), m.op(Op::kTokens, {})}, {m.k});
  const NodeId scaled = m.b.times(row, m.b.unary(Op::kSin, m.op(Op::kPosition, {})));
  expect_steps_equal(m, {scaled, m.b.param(0), m.b.constant(3)});
}

TEST(StepperDeathTest, RefusesToLookAhead) {
  Model m;
  const NodeId x = m.input({kTime});
  const auto first_step = [&](NodeId wanted) {
    Stepper(m.graph, std::vector<NodeId>{wanted}, {}).step(at_position(m.feed, 0));
  };
  EXPECT_DEATH(first_step(m.op(Op::kShift, {x}, {}, -1)), "internal check failed");
  EXPECT_DEATH(first_step(m.op(Op::kUnpast, {m.past(x)})), "internal check failed");
  Recurrence reverse(true);
  const std::vector<NodeId> wanted = {reverse.doubled};
  EXPECT_DEATH(Stepper(reverse.graph, wanted, {}).step(at_position(reverse.feed, 0)),
               "internal check failed");
}

// ---- Evaluation as a whole ----

TEST(Evaluate, SkipsWhatIsNotWanted) {
  Model m;
  m.op(Op::kTokens, {});  // would fail, because no tokens are fed
  expect_data(m.value(m.b.constant(1)), {1});
}

TEST(Evaluate, TakesEmptySequences) {
  Recurrence m(false);
  m.length = 0;
  m.feed.inputs[2] = zeros(m.graph, {kTime, m.h}, 0);
  EXPECT_TRUE(m.value(m.doubled).data.empty());
  expect_data(m.value(m.last_b), {1, 1});
}

// sigmoid(-800) is 0 in any precision, so the gradient through its root must be 0, not infinity times 0.
TEST(Gradient, OfARootOfWhatUnderflowsIsANumber) {
  Model m;
  const NodeId x = m.input({kTime}, {-800, -1, 0, 1, -1e4});
  const NodeId root = m.b.power(m.b.unary(Op::kSigmoid, x), 1.0 / 16);
  const NodeId seed = m.input({kTime}, {1, 1, 1, 1, 1});
  const std::vector<NodeId> gradient =
      ir::differentiate(m.b, std::vector<NodeId>{root}, std::vector<NodeId>{seed}, std::vector<NodeId>{x});
  const Tensor got = m.value(gradient[0]);
  for (const double v : {-1.0, 0.0, 1.0}) {
    const double s = 1 / (1 + std::exp(-v));
    EXPECT_NEAR(got.data[static_cast<std::size_t>(v + 2)], std::pow(s, 1.0 / 16) * (1 - s) / 16, 1e-12);
  }
  EXPECT_EQ(got.data[0], 0);
  EXPECT_EQ(got.data[4], 0);
}

TEST(EvaluateDeathTest, RefusesTokensBeyondTheVocabulary) {
  Model m;
  m.graph.env.vocab = 4;
  m.feed.tokens = {0, 1, 2, 3, 4};
  const NodeId tokens = m.op(Op::kTokens, {});
  EXPECT_DEATH(m.value(tokens), "internal check failed");
}

// ---- Initial parameters ----

double deviation(const Tensor& x) {
  double squares = 0;
  for (double v : x.data) squares += v * v;
  return std::sqrt(squares / static_cast<double>(x.data.size()));
}

TEST(InitialParams, FollowTheirInit) {
  using enum ir::Init::Kind;
  ir::Graph g;
  const AxisId in = g.add_axis("in", 100, 100), out = g.add_axis("out", 400, 400);
  const auto param = [&](const char* name, const AxisList& fan_in, ir::Init init) {
    g.params.push_back({.name = name, .axes = {in, out}, .fan_in = fan_in, .role = {}, .init = init});
  };
  param("constant", {}, {kConstant, 3, 0});
  param("given", {in}, {kNormal, 0.5, 0});
  param("fan-in", {in}, {kNormal, 0, 0});
  param("vector", {}, {kNormal, 0, 0});
  param("uniform", {}, {kUniform, 2, 4});
  const std::vector<Tensor> x = initial_params(g, Random(1));
  EXPECT_EQ(x[0].data, std::vector<double>(40000, 3.0));
  EXPECT_NEAR(deviation(x[1]), 0.5, 0.01);
  EXPECT_NEAR(deviation(x[2]), 0.1, 0.002);
  EXPECT_NEAR(deviation(x[3]), 0.02, 0.0004);
  const auto [low, high] = std::minmax_element(x[4].data.begin(), x[4].data.end());
  EXPECT_GE(*low, 2);
  EXPECT_LT(*high, 4);
  EXPECT_GT(*high - *low, 1.99);
}

TEST(InitialParams, DependOnNameAndSeedOnly) {
  ir::Graph g;
  const AxisId axis = g.add_axis("a", 4, 4);
  const auto param = [&](const char* name) {
    g.params.push_back({.name = name, .axes = {axis}, .fan_in = {}, .role = {}, .init = {}});
  };
  param("p"), param("q");
  const std::vector<Tensor> before = initial_params(g, Random(1));
  g.params.erase(g.params.begin());
  EXPECT_EQ(initial_params(g, Random(1))[0].data, before[1].data);
  EXPECT_NE(initial_params(g, Random(2))[0].data, before[1].data);
  EXPECT_NE(before[0].data, before[1].data);
}

}  // namespace
}  // namespace gabbro::exec
