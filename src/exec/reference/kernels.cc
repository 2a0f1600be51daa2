#include "exec/reference/kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ir/op.h"

namespace gabbro::exec {

using ir::AxisId;
using ir::AxisList;
using ir::Op;

void reshape(Tensor& x, const ir::Graph& graph, const AxisList& axes, const Frame& frame) {
  x.axes = axes;
  x.dims.clear();
  std::int64_t size = 1;
  for (AxisId axis : axes) {
    x.dims.push_back(extent(graph, frame, axis));
    size *= x.dims.back();
  }
  x.data.assign(static_cast<std::size_t>(size), 0.0);
}

namespace {

Space space_of(const Call& c, const AxisList& axes) { return Space{c.graph, c.frame, c.window}.add(axes); }

// ---- Leaves ----

void lag(const Call& c, Tensor& out) {
  for (std::int64_t i = 0; i < c.frame.t_count; ++i) {
    const std::int64_t t = c.frame.t_begin + i;
    const Span past = past_of(c.frame, c.window, t);
    for (std::int64_t s = past.begin; s < past.end; ++s)
      out.data[i * c.frame.s_count + s - c.frame.s_begin] = static_cast<double>(t - s);
  }
}

void count_from(std::int64_t first, Tensor& out) {
  std::iota(out.data.begin(), out.data.end(), static_cast<double>(first));
}

// ---- Pointwise ops ----

void pointwise(const Call& c, Tensor& out) {
  static const Tensor kNothing{{}, {}, {0.0}};  // Stands in for operands that the op does not have.
  const auto scalar = ir::info(c.node.op).scalar;
  std::array<const Tensor*, 3> in = c.in;
  for (const Tensor*& x : in)
    if (!x) x = &kNothing;
  const double *a = in[0]->data.data(), *b = in[1]->data.data(), *d = in[2]->data.data();
  const Nest<4> nest(space_of(c, out.axes), {Layout(out), Layout(*in[0]), Layout(*in[1]), Layout(*in[2])});
  nest.for_each_run([&](auto at, std::int64_t count, const auto& step) {
    for (std::int64_t i = 0; i < count; ++i) {
      out.data[at[0]] = scalar(a[at[1]], b[at[2]], d[at[3]], c.node.value);
      for (int k = 0; k < 4; ++k) at[k] += step[k];
    }
  });
}

// ---- Reductions ----

// Adds `x` to `out` over `space`.
void add_up(const Space& space, Tensor& out, const Layout& layout, const Tensor& x) {
  Nest<2>(space, {layout, Layout(x)}).for_each_run([&](const auto& at, std::int64_t count, const auto& step) {
    for (std::int64_t i = 0; i < count; ++i) out.data[at[0] + i * step[0]] += x.data[at[1] + i * step[1]];
  });
}

void sum(const Call& c, Tensor& out) { add_up(space_of(c, c.in[0]->axes), out, Layout(out), *c.in[0]); }

// Returns the larger value. NaN counts as the largest, so that it propagates to the result.
double larger(double a, double b) { return std::isnan(a) || a > b ? a : b; }

void fill(const Call& c, Tensor& out, double value) {
  Nest<1>(space_of(c, out.axes), {Layout(out)})
      .for_each_run([&](const auto& at, std::int64_t count, const auto& step) {
        for (std::int64_t i = 0; i < count; ++i) out.data[at[0] + i * step[0]] = value;
      });
}

void max_over(const Call& c, Tensor& out) {
  const Tensor& x = *c.in[0];
  fill(c, out, -std::numeric_limits<double>::infinity());
  const Nest<2> nest(space_of(c, x.axes), {Layout(out), Layout(x)});
  nest.for_each_run([&](const auto& at, std::int64_t count, const auto& step) {
    for (std::int64_t i = 0; i < count; ++i) {
      double& y = out.data[at[0] + i * step[0]];
      y = larger(y, x.data[at[1] + i * step[1]]);
    }
  });
}

double dot_run(const double* a, std::int64_t a_step, const double* b, std::int64_t b_step,
               std::int64_t count) {
  double total = 0;
  for (std::int64_t i = 0; i < count; ++i) total += a[i * a_step] * b[i * b_step];
  return total;
}

void add_scaled(double* y, const double* x, double factor, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] += factor * x[i];
}

void dot(const Call& c, Tensor& out) {
  const Tensor &a = *c.in[0], &b = *c.in[1];
  const Nest<3> nest(space_of(c, a.axes).add(b.axes), {Layout(out), Layout(a), Layout(b)});
  nest.for_each_run([&](const auto& at, std::int64_t count, const auto& step) {
    double* y = &out.data[at[0]];
    const double *p = &a.data[at[1]], *q = &b.data[at[2]];
    if (step[0] == 0) {
      *y += dot_run(p, step[1], q, step[2], count);
    } else if (step[0] == 1 && step[1] == 0 && step[2] == 1) {
      add_scaled(y, q, *p, count);
    } else if (step[0] == 1 && step[1] == 1 && step[2] == 0) {
      add_scaled(y, p, *q, count);
    } else {
      for (std::int64_t i = 0; i < count; ++i) y[i * step[0]] += p[i * step[1]] * q[i * step[2]];
    }
  });
}

void top_k(const Call& c, Tensor& out) {
  const Tensor& x = *c.in[0];
  const AxisId axis = c.node.axes[0];
  const std::int64_t size = c.graph.axes[axis].size, stride = Layout(x).stride(axis);
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  const Nest<1> nest(space_of(c, x.axes).remove(axis), {Layout(x)});  // The result has the layout of x.
  const auto mark = [&](std::int64_t first) {
    const auto value = [&](std::int64_t i) {
      const double v = x.data[first + i * stride];
      return std::isnan(v) ? -std::numeric_limits<double>::infinity() : v;
    };
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t i, std::int64_t j) { return value(i) > value(j); });
    for (std::int32_t i = 0; i < c.node.amount; ++i) out.data[first + order[i] * stride] = 1;
  };
  nest.for_each_run([&](const auto& at, std::int64_t count, const auto& step) {
    for (std::int64_t i = 0; i < count; ++i) mark(at[0] + i * step[0]);
  });
}

// ---- Axes ----

// Copies `from` to `to` over `space`. Elements of `to` outside of the space stay 0.
void move(const Space& space, Tensor& to, const Layout& to_layout, const Tensor& from,
          const Layout& from_layout) {
  Nest<2>(space, {to_layout, from_layout})
      .for_each_run([&](const auto& at, std::int64_t count, const auto& step) {
        for (std::int64_t i = 0; i < count; ++i)
          to.data[at[0] + i * step[0]] = from.data[at[1] + i * step[1]];
      });
}

void broadcast(const Call& c, Tensor& out) {
  move(space_of(c, out.axes), out, Layout(out), *c.in[0], Layout(*c.in[0]));
}

void rename(const Call& c, Tensor& out) {
  Layout from(*c.in[0]);
  move(space_of(c, out.axes), out, Layout(out), *c.in[0], from.rename(c.node.axes[0], c.node.axes[1]));
}

void split(const Call& c, Tensor& out) {
  AxisList parts = c.node.axes;
  parts.erase(0);
  Layout from(*c.in[0]);
  move(space_of(c, out.axes), out, Layout(out), *c.in[0], from.split(c.graph, c.node.axes[0], parts));
}

void merge(const Call& c, Tensor& out) {
  AxisList parts = c.node.axes;
  const AxisId whole = parts[parts.size() - 1];
  parts.erase(parts.size() - 1);
  Layout to(out);
  move(space_of(c, c.in[0]->axes), out, to.split(c.graph, whole, parts), *c.in[0], Layout(*c.in[0]));
}

void slice(const Call& c, Tensor& out) {
  const AxisId large = c.node.axes[0], small = c.node.axes[1];
  Layout from(*c.in[0]);
  from.start(large, c.node.amount).rename(large, small);
  move(space_of(c, out.axes), out, Layout(out), *c.in[0], from);
}

void pad(const Call& c, Tensor& out) {
  const AxisId small = c.node.axes[0], large = c.node.axes[1];
  Layout to(out);
  to.start(large, c.node.amount).rename(large, small);
  move(space_of(c, c.in[0]->axes), out, to, *c.in[0], Layout(*c.in[0]));
}

// ---- Tables ----

// Converts an index to a row number: the index is rounded down and clamped to [0, rows). NaN gives row 0.
std::int64_t row_of(double index, std::int64_t rows) {
  if (!(index > 0)) return 0;
  return static_cast<std::int64_t>(std::min(std::floor(index), static_cast<double>(rows - 1)));
}

void lookup(const Call& c, Tensor& out) {
  const Tensor &table = *c.in[0], &index = *c.in[1];
  const AxisId axis = c.node.axes[0];
  const std::int64_t rows = c.graph.axes[axis].size, stride = Layout(table).stride(axis);
  const Nest<3> nest(space_of(c, out.axes), {Layout(out), Layout(table), Layout(index)});
  nest.for_each_run([&](const auto& at, std::int64_t count, const auto& step) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t row = row_of(index.data[at[2] + i * step[2]], rows);
      out.data[at[0] + i * step[0]] = table.data[at[1] + i * step[1] + row * stride];
    }
  });
}

void scatter(const Call& c, Tensor& out) {
  const Tensor &x = *c.in[0], &index = *c.in[1];
  const AxisId axis = c.node.axes[0];
  const std::int64_t rows = c.graph.axes[axis].size, stride = Layout(out).stride(axis);
  const Nest<3> nest(space_of(c, x.axes).add(index.axes), {Layout(out), Layout(x), Layout(index)});
  nest.for_each_run([&](const auto& at, std::int64_t count, const auto& step) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t row = row_of(index.data[at[2] + i * step[2]], rows);
      out.data[at[0] + i * step[0] + row * stride] += x.data[at[1] + i * step[1]];
    }
  });
}

// ---- Time ----

void shift(const Call& c, Tensor& out) {
  const std::int64_t length = c.frame.t_count, kept = length - std::abs(std::int64_t{c.node.amount});
  if (kept <= 0) return;
  const auto row = static_cast<std::int64_t>(out.data.size()) / length;
  const double* from = c.in[0]->data.data() + (c.node.amount < 0 ? -c.node.amount * row : 0);
  std::copy_n(from, kept * row, out.data.data() + (c.node.amount > 0 ? c.node.amount * row : 0));
}

void past(const Call& c, Tensor& out) {
  Layout from(*c.in[0]);
  move(space_of(c, out.axes), out, Layout(out), *c.in[0], from.rename(ir::kTime, ir::kPast));
}

void unpast(const Call& c, Tensor& out) {
  const Tensor& x = *c.in[0];
  Layout to(out);
  add_up(space_of(c, x.axes), out, to.rename(ir::kTime, ir::kPast), x);
}

}  // namespace

void run_kernel(const Call& c, Tensor& out) {
  reshape(out, c.graph, c.node.type.axes, c.frame);
  if (ir::info(c.node.op).scalar) return pointwise(c, out);
  switch (c.node.op) {
    case Op::kConst:
      out.data[0] = c.node.value;
      return;
    case Op::kLag:
      return lag(c, out);
    case Op::kIota:
      return count_from(0, out);
    case Op::kPosition:
      return count_from(c.frame.t_begin, out);
    case Op::kSum:
      return sum(c, out);
    case Op::kMaxOver:
      return max_over(c, out);
    case Op::kDot:
      return dot(c, out);
    case Op::kTopK:
      return top_k(c, out);
    case Op::kBroadcast:
      return broadcast(c, out);
    case Op::kRename:
      return rename(c, out);
    case Op::kSplit:
      return split(c, out);
    case Op::kMerge:
      return merge(c, out);
    case Op::kSlice:
      return slice(c, out);
    case Op::kPad:
      return pad(c, out);
    case Op::kLookup:
      return lookup(c, out);
    case Op::kScatter:
      return scatter(c, out);
    case Op::kShift:
      return shift(c, out);
    case Op::kPast:
      return past(c, out);
    case Op::kUnpast:
      return unpast(c, out);
    default:
      GABBRO_CHECK(!"an op without a kernel");
  }
}

}  // namespace gabbro::exec
