// Derives logarithms of decays from the way they are computed, not from their values. The logarithms of exp
// and sigmoid stay exact where the decay itself would round to zero.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/chunk_match.h"

namespace gabbro::ir::chunk {

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

// low <= x <= high; `above` is set if x > low holds in exact arithmetic.
struct Bounds {
  double low = -kInf, high = kInf;
  bool above = false;
};

Bounds product(const Bounds& x, const Bounds& y) {
  const auto of = [](double a, double c) { return a == 0 || c == 0 ? 0.0 : a * c; };
  const double ends[] = {of(x.low, y.low), of(x.low, y.high), of(x.high, y.low), of(x.high, y.high)};
  Bounds out{*std::min_element(ends, ends + 4), *std::max_element(ends, ends + 4)};
  const bool both_positive = x.low >= 0 && y.low >= 0;
  out.above = both_positive && (x.above || x.low > 0) && (y.above || y.low > 0) && (x.above || y.above);
  return out;
}

// Returns bounds of node `id`. Only the lower bound records that it is not attained; a negative factor loses
// this, except for sigmoid, which is below 1 (see kMul).
Bounds bounds_of(const Builder& b, NodeId id, int depth = 0) {
  if (depth > 16) return {};
  const Node& n = b.node(id);
  const auto in = [&](int i) { return bounds_of(b, n.in[i], depth + 1); };
  switch (n.op) {
    case Op::kConst:
      return {n.value, n.value};
    case Op::kIota:
      return {0, static_cast<double>(b.graph().axes[n.axes[0]].size - 1)};
    case Op::kPosition:
      return {0, kInf};
    case Op::kAdd: {
      const Bounds x = in(0), y = in(1);
      return {x.low + y.low, x.high + y.high, x.above || y.above};
    }
    case Op::kMul: {
      const Bounds x = in(0), y = in(1);
      Bounds out = product(x, y);
      // If c < 0, c * sigmoid(z) stays above c.
      for (int i = 0; i < 2; ++i) {
        const Bounds& c = i == 0 ? x : y;
        if (b.node(n.in[1 - i]).op == Op::kSigmoid && c.low == c.high && c.low < 0) out.above = true;
      }
      return out;
    }
    case Op::kExp: {
      const Bounds x = in(0);
      return {std::exp(x.low), std::exp(x.high), x.low == -kInf || x.above};
    }
    case Op::kSigmoid:
      return {0, 1, true};
    case Op::kSoftplus:
      return {0, kInf, true};
    case Op::kTanh:
      return {-1, 1, true};
    case Op::kMax: {
      const Bounds x = in(0), y = in(1);
      const Bounds& larger = x.low >= y.low ? x : y;
      return {larger.low, std::max(x.high, y.high), larger.above};
    }
    case Op::kRecip: {
      const Bounds x = in(0);
      if (x.low < 0 || (x.low == 0 && !x.above)) return {};
      return {1 / x.high, x.low == 0 ? kInf : 1 / x.low, x.high == kInf};
    }
    case Op::kSqrt:
    case Op::kPow: {
      const Bounds x = in(0);
      if (x.low < 0 || (x.low == 0 && !x.above)) return {};
      const double power = n.op == Op::kSqrt ? 0.5 : n.value;
      const double ends[] = {std::pow(x.low, power), std::pow(x.high, power)};
      return {std::min(ends[0], ends[1]), std::max(ends[0], ends[1]), true};
    }
    case Op::kWhere: {
      const Bounds x = in(1), y = in(2);
      const Bounds& smaller = x.low <= y.low ? x : y;
      return {smaller.low, std::max(x.high, y.high),
              smaller.above && (x.low != y.low || (x.above && y.above))};
    }
    case Op::kBroadcast:
    case Op::kRename:
    case Op::kSplit:
    case Op::kMerge:
    case Op::kSlice:
    case Op::kDetach:
      return in(0);
    default:
      return {};
  }
}

}  // namespace

std::optional<NodeId> log_of(Builder& b, NodeId x) {
  const Node n = b.node(x);
  switch (n.op) {
    case Op::kExp:
      return n.in[0];
    case Op::kSigmoid:
      return b.scale(b.unary(Op::kSoftplus, b.scale(n.in[0], -1)), -1);
    case Op::kPow:
    case Op::kSqrt:
      if (const auto inner = log_of(b, n.in[0])) return b.scale(*inner, n.op == Op::kSqrt ? 0.5 : n.value);
      return std::nullopt;
    case Op::kMul: {
      const auto first = log_of(b, n.in[0]), second = log_of(b, n.in[1]);
      if (first && second) return b.plus(*first, *second);
      break;
    }
    case Op::kBroadcast:
      if (const auto inner = log_of(b, n.in[0])) return b.fit(*inner, n.type);
      return std::nullopt;
    default:
      break;
  }
  const Bounds bounds = bounds_of(b, x);
  if (bounds.low < 0 || (bounds.low == 0 && !bounds.above)) return std::nullopt;
  constexpr double kTiny = 1e-30;  // lower limit for a decay that rounds to zero
  return b.unary(Op::kLog, b.add({.op = Op::kMax, .in = {x, b.constant(kTiny), -1}}));
}

}  // namespace gabbro::ir::chunk
