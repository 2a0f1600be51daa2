#include "exec/torch/kernels.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "exec/torch/contract.h"
#include "exec/torch/convolve.h"
#include "exec/torch/recur.h"

namespace gabbro::exec::torch {

using ir::AxisId;
using ir::AxisList;
using ir::Op;

namespace {

// Returns true if `x` may be overwritten: no other tensor shows its elements, and no two of them share
// memory.
bool is_ours(const at::Tensor& x) {
  return x.use_count() == 1 && x.storage().use_count() == 1 && x.is_non_overlapping_and_dense();
}

}  // namespace

at::Tensor mask_pairs(at::Tensor x, const Form& form, Sequence& sequence, std::int64_t window, double value) {
  const PairMask& mask = sequence.pairs(window);
  at::Tensor outside = mask.outside;
  for (int i = 3; i < form.rank(); ++i) outside = outside.unsqueeze(-1);
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes[0] = std::max(sizes[0], outside.size(0));
  sizes[1] = sequence.length();
  sizes[2] = sequence.past_length();
  if (x.sizes() != at::IntArrayRef(sizes))
    x = x.expand(sizes).contiguous();
  else if (!is_ours(x))
    x = x.clone();
  x.narrow(2, mask.from, sizes[2] - mask.from).masked_fill_(outside, value);
  return x;
}

namespace {

at::Tensor operand(const Call& c, int i) { return align(c.in[i], c.forms[i], c.form); }

std::int64_t extent(const Call& c, AxisId axis) {
  if (axis == ir::kTime) return c.sequence->length();
  return axis == ir::kPast ? c.sequence->past_length() : c.graph.axes[axis].size;
}

// ---- pointwise

// The sign of a zero is not promised by sums and maxima, so that it must not decide the sign of an infinity.
at::Tensor with_positive_zeros(const at::Tensor& x) { return x + 0; }

// The same with the first operand overwritten; only where it has the extents of the result.
at::Tensor pointwise_here(const Call& c, at::Tensor a) {
  switch (c.node.op) {
    case Op::kAdd:
      return a.add_(operand(c, 1));
    case Op::kMul:
      return a.mul_(operand(c, 1));
    case Op::kDiv:
      return a.div_(with_positive_zeros(operand(c, 1)));
    case Op::kRecip:
      return a.add_(0).reciprocal_();
    case Op::kSqrt:
      return a.sqrt_();
    case Op::kPow:
      if (c.node.value == -2) return a.add_(0).reciprocal_().square_();
      return (c.node.value < 0 ? a.add_(0) : a).pow_(c.node.value);
    case Op::kExp:
      return a.exp_();
    case Op::kLog:
      return a.log_();
    case Op::kSin:
      return a.sin_();
    case Op::kCos:
      return a.cos_();
    case Op::kTanh:
      return a.tanh_();
    case Op::kSigmoid:
      return a.sigmoid_();
    case Op::kErf:
      return a.erf_();
    default:
      return a.floor_();
  }
}

at::Tensor pointwise(Call& c) {
  const Op op = c.node.op;
  const bool commutes = op == Op::kAdd || op == Op::kMul;
  if (commutes && !is_ours(c.in[0]) && is_ours(c.in[1])) {
    std::swap(c.in[0], c.in[1]);
    std::swap(c.forms[0], c.forms[1]);
  }
  const bool has_place = commutes || op == Op::kDiv || op == Op::kRecip || op == Op::kSqrt ||
                         op == Op::kPow || op == Op::kExp || op == Op::kLog || op == Op::kSin ||
                         op == Op::kCos || op == Op::kTanh || op == Op::kSigmoid || op == Op::kErf ||
                         op == Op::kFloor;
  if (has_place && c.forms[0] == c.form && is_ours(c.in[0])) {
    const bool fits = (!commutes && op != Op::kDiv) || [&] {
      const at::Tensor b = operand(c, 1);
      for (std::int64_t d = 0; d < b.dim(); ++d)
        if (b.size(d) > c.in[0].size(d)) return false;
      return true;
    }();
    if (fits) return pointwise_here(c, c.in[0]);
  }
  const at::Tensor a = operand(c, 0);
  const auto b = [&] { return operand(c, 1); };
  switch (op) {
    case Op::kAdd:
      return a + b();
    case Op::kMul:
      return a * b();
    case Op::kMax:
      return at::maximum(a, b());
    case Op::kLess:
      return a.lt(b()).to(c.options);
    case Op::kWhere:
      return at::where(a.ne(0), b(), operand(c, 2));
    case Op::kDiv:
      return a / with_positive_zeros(b());
    case Op::kRecip:
      return with_positive_zeros(a).reciprocal_();
    case Op::kSqrt:
      return a.sqrt();
    case Op::kPow:
      if (c.node.value == 2) return a * a;
      // ATen divides 1 by the square, which overflows before the result underflows.
      if (c.node.value == -2) return with_positive_zeros(a).reciprocal_().square_();
      if (c.node.value == -0.5) return with_positive_zeros(a).rsqrt_();
      return c.node.value < 0 ? with_positive_zeros(a).pow_(c.node.value) : a.pow(c.node.value);
    case Op::kPower:  // in float64, so that whole powers stay whole
      return with_positive_zeros(a.to(at::kDouble)).pow(b().to(at::kDouble)).to(c.options.dtype());
    case Op::kExp:
      return a.exp();
    case Op::kLog:
      return a.log();
    case Op::kSin:
      return a.sin();
    case Op::kCos:
      return a.cos();
    case Op::kTanh:
      return a.tanh();
    case Op::kSigmoid:
      return a.sigmoid();
    case Op::kSoftplus:
      return at::softplus(a, 1, 30);
    case Op::kErf:
      return a.erf();
    case Op::kFloor:
      return a.floor();
    default:
      return a;  // kDetach
  }
}

// ---- reductions

std::vector<std::int64_t> dims_of(const Form& form, const AxisList& axes) {
  std::vector<std::int64_t> dims;
  for (const AxisId axis : axes) dims.push_back(form.dim(axis));
  if (axes.contains(ir::kTime) && form.batch) dims.push_back(0);  // all documents, all sequences
  return dims;
}

// Sequences that a value of batch extent 1 stands for.
double copies(const Call& c, bool summed, std::int64_t batch) {
  return summed && batch == 1 ? static_cast<double>(c.sequence->batch()) : 1;
}

// The sum over the past of a value that does not depend on t: each document is summed by itself.
at::Tensor running_sum(const Call& c) {
  const at::Tensor x = c.in[0].squeeze(1);
  if (!c.sequence->packed()) return x.cumsum(1);
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes[0] = c.sequence->batch();
  at::Tensor out = at::empty(sizes, x.options());
  const auto rows = [&](std::int64_t from, std::int64_t to) {
    const c10::InferenceMode no_autograd;  // it is the thread's
    for (std::int64_t row = from; row < to; ++row) {
      const at::Tensor values = x.select(0, x.size(0) == 1 ? 0 : row), sums = out.select(0, row);
      for (std::int64_t begin = 0, end = 0; begin < sizes[1]; begin = end) {
        end = c.sequence->document_end(row, begin, sizes[1]);
        sums.narrow(0, begin, end - begin).copy_(values.narrow(0, begin, end - begin).cumsum(0));
      }
    }
  };
  if (sizes[0] > 1)
    at::parallel_for(0, sizes[0], 1, rows);
  else
    rows(0, sizes[0]);
  return out;
}

at::Tensor sum(Call& c) {
  const AxisList& over = c.node.axes;
  if (over.empty()) return c.in[0];
  if (over.contains(ir::kPast)) {
    if (over.size() == 1 && c.in[0].size(1) == 1 && c.sequence->length() > 1 && c.window == ir::kAll &&
        !c.sequence->is_block())
      return running_sum(c);
    c.in[0] = mask_pairs(std::move(c.in[0]), c.forms[0], *c.sequence, c.window, 0);
  }
  const at::Tensor y = c.in[0].sum(dims_of(c.forms[0], over));
  const double factor = over.contains(ir::kTime) ? copies(c, true, c.in[0].size(0)) : 1;
  return factor == 1 ? y : y * factor;
}

at::Tensor max_over(Call& c) {
  const std::vector<std::int64_t> dims = dims_of(c.forms[0], c.node.axes);
  if (!c.node.axes.contains(ir::kPast)) return c.in[0].amax(dims);
  constexpr double kLeast = -std::numeric_limits<double>::infinity();
  const PairMask& mask = c.sequence->pairs(c.window);
  if (mask.from == 0 || c.in[0].size(1) == 1 || is_ours(c.in[0]))
    return mask_pairs(std::move(c.in[0]), c.forms[0], *c.sequence, c.window, kLeast).amax(dims);
  // Where all pairs are inside, without copying them.
  const at::Tensor inside = c.in[0].narrow(2, 0, mask.from).amax(dims);
  at::Tensor outside = mask.outside;
  for (int i = 3; i < c.forms[0].rank(); ++i) outside = outside.unsqueeze(-1);
  const at::Tensor edge =
      c.in[0].narrow(2, mask.from, c.in[0].size(2) - mask.from).masked_fill(outside, kLeast);
  return at::maximum(inside, edge.amax(dims));
}

// The order of dimensions as they lie in memory, `last` after all others: there softmax is fastest.
std::vector<std::int64_t> memory_order(const at::Tensor& x, std::int64_t last) {
  std::vector<std::int64_t> dims;
  for (std::int64_t d = 0; d < x.dim(); ++d)
    if (d != last) dims.push_back(d);
  std::stable_sort(dims.begin(), dims.end(),
                   [&](std::int64_t a, std::int64_t b) { return x.stride(a) > x.stride(b); });
  dims.push_back(last);
  return dims;
}

at::Tensor restored(const at::Tensor& x, const std::vector<std::int64_t>& order) {
  std::vector<std::int64_t> back(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    back[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  return x.permute(back);
}

at::Tensor softmax(Call& c) {
  if (c.node.axes.contains(ir::kPast))
    c.in[0] = mask_pairs(std::move(c.in[0]), c.forms[0], *c.sequence, c.window,
                         -std::numeric_limits<double>::infinity());
  const std::vector<std::int64_t> order = memory_order(c.in[0], c.forms[0].dim(c.node.axes[0]));
  return restored(at::_softmax(c.in[0].permute(order), -1, false), order);
}

at::Tensor softmax_grad(Call& c) {
  if (c.node.axes.contains(ir::kPast))
    for (int i = 0; i < 2; ++i)
      c.in[i] = mask_pairs(std::move(c.in[i]), c.forms[i], *c.sequence, c.window, 0);
  // Either may be the same for every t.
  const std::vector<at::Tensor> x = at::broadcast_tensors({operand(c, 0), operand(c, 1)});
  const std::vector<std::int64_t> order = memory_order(x[0], c.form.dim(c.node.axes[0]));
  const at::Tensor w = x[0].permute(order), g = x[1].permute(order);
  return restored(at::_softmax_backward_data(g, w, -1, w.scalar_type()), order);
}

// Contraction by name. Extents of 1 stand for all.
at::Tensor contraction(const Call& c, const at::Tensor& a, const at::Tensor& b) {
  constexpr int kBatch = -1;
  const auto names = [&](const Form& form, bool moved) {
    std::vector<int> out;
    if (form.batch) out.push_back(kBatch);
    for (const AxisId axis : form.axes) out.push_back(moved && axis == ir::kTime ? ir::kPast : axis);
    return out;
  };
  const std::int64_t batch = std::max(c.forms[0].batch ? a.size(0) : 1, c.forms[1].batch ? b.size(0) : 1);
  const at::Tensor y =
      contract({a, names(c.forms[0], false)}, {b, names(c.forms[1], false)}, names(c.form, c.unpast), c.half);
  const double factor = c.node.axes.contains(ir::kTime) ? copies(c, true, batch) : 1;
  return factor == 1 ? y : y * factor;
}

// A contraction over past positions, or over the t that see them. Where every t sees every s it is one of
// whole operands; of the other pairs the products are formed, those outside overwritten by 0, and the rest
// added.
class PairContraction {
 public:
  explicit PairContraction(Call& c)
      : c_(c), mask_(c.sequence->pairs(c.window)), over_time_(c.unpast || c.node.axes.contains(ir::kTime)) {
    for (const Form& form : {c.forms[0], c.forms[1]}) {
      all_.batch = all_.batch || form.batch;
      for (const AxisId axis : form.axes)
        if (!all_.axes.contains(axis)) all_.axes.push_back(axis);
    }
    std::sort(all_.axes.begin(), all_.axes.end());
  }

  at::Tensor run() const {
    std::vector<at::Tensor> parts;
    if (mask_.shared_from > 0) parts.push_back(masked(0, mask_.shared_from));
    if (mask_.shared_from < mask_.shared_to) parts.push_back(shared());
    parts.push_back(masked(mask_.shared_to, c_.sequence->past_length()));
    if (!c_.unpast) {
      at::Tensor sum = parts[0];
      for (std::size_t i = 1; i < parts.size(); ++i) sum = sum + parts[i];
      return sum;
    }
    std::int64_t batch = 1;
    for (const at::Tensor& part : parts) batch = std::max(batch, part.size(0));
    for (at::Tensor& part : parts) {
      std::vector<std::int64_t> sizes = part.sizes().vec();
      sizes[0] = batch;
      part = part.expand(sizes);
    }
    return at::cat(parts, 1);
  }

 private:
  [[nodiscard]] at::Tensor columns(int i, std::int64_t from, std::int64_t to) const {
    const int dim = c_.forms[i].dim(ir::kPast);
    return dim < 0 ? c_.in[i] : c_.in[i].narrow(dim, from, to - from);
  }

  [[nodiscard]] at::Tensor shared() const {
    std::array<at::Tensor, 2> x{columns(0, mask_.shared_from, mask_.shared_to),
                                columns(1, mask_.shared_from, mask_.shared_to)};
    if (over_time_)  // each t counts, also where all are the same
      for (int i = 0; i < 2; ++i)
        if (const int dim = c_.forms[i].dim(ir::kTime); dim >= 0) {
          std::vector<std::int64_t> sizes = x[i].sizes().vec();
          sizes[static_cast<std::size_t>(dim)] = c_.sequence->length();
          x[i] = x[i].expand(sizes);
        }
    return contraction(c_, x[0], x[1]);
  }

  [[nodiscard]] at::Tensor masked(std::int64_t from, std::int64_t to) const {
    const at::Tensor product =
        align(columns(0, from, to), c_.forms[0], all_) * align(columns(1, from, to), c_.forms[1], all_);
    at::Tensor outside = mask_.outside.narrow(2, from - mask_.from, to - from);
    for (int i = 3; i < all_.rank(); ++i) outside = outside.unsqueeze(-1);
    std::vector<std::int64_t> sizes = product.sizes().vec();
    sizes[0] = std::max(sizes[0], outside.size(0));
    sizes[1] = c_.sequence->length();
    sizes[2] = to - from;
    AxisList over = c_.node.axes;
    if (c_.unpast) over.push_back(ir::kTime);
    std::vector<std::int64_t> dims;
    for (const AxisId axis : over) dims.push_back(all_.dim(axis));
    if (!c_.form.batch) dims.push_back(0);
    const at::Tensor sum = product.expand(sizes).masked_fill(outside, 0).sum(dims);
    const double factor = c_.node.axes.contains(ir::kTime) ? copies(c_, true, sizes[0]) : 1;
    return factor == 1 ? sum : sum * factor;
  }

  const Call& c_;
  const PairMask& mask_;
  const bool over_time_;
  Form all_;
};

at::Tensor dot(Call& c) {
  const bool pairs = c.forms[0].axes.contains(ir::kPast) || c.forms[1].axes.contains(ir::kPast);
  const bool over_pairs =
      c.unpast || (pairs && (c.node.axes.contains(ir::kPast) || c.node.axes.contains(ir::kTime)));
  return over_pairs ? PairContraction(c).run() : contraction(c, c.in[0], c.in[1]);
}

at::Tensor top_k(const Call& c) {
  const int dim = c.forms[0].dim(c.node.axes[0]);
  constexpr double kLeast = -std::numeric_limits<double>::infinity();
  const at::Tensor x = c.in[0].masked_fill(c.in[0].isnan(), kLeast);  // ATen sorts NaN first.
  const at::Tensor order = std::get<1>(at::sort(x, /*stable=*/true, dim, /*descending=*/true));
  const at::Tensor chosen = order.narrow(dim, 0, c.node.amount);
  return at::zeros_like(c.in[0]).scatter(dim, chosen, 1.0);
}

// ---- axes

at::Tensor broadcast(const Call& c) {
  std::vector<std::int64_t> sizes;
  const at::Tensor x = operand(c, 0);
  if (c.form.batch) sizes.push_back(x.size(0));
  for (const AxisId axis : c.form.axes) sizes.push_back(extent(c, axis));
  return x.expand(sizes);
}

AxisList replaced(AxisList axes, AxisId from, AxisId to) {
  axes[axes.find(from)] = to;
  return axes;
}

at::Tensor rename(const Call& c) {
  return ascending(c.in[0], c.form.batch, replaced(c.forms[0].axes, c.node.axes[0], c.node.axes[1]));
}

at::Tensor split(const Call& c) {
  const int dim = c.forms[0].dim(c.node.axes[0]);
  std::vector<std::int64_t> sizes;
  AxisList axes;
  for (const AxisId axis : c.forms[0].axes) {
    if (axis != c.node.axes[0]) {
      axes.push_back(axis);
      continue;
    }
    for (int i = 1; i < c.node.axes.size(); ++i) {
      axes.push_back(c.node.axes[i]);
      sizes.push_back(extent(c, c.node.axes[i]));
    }
  }
  return ascending(c.in[0].unflatten(dim, sizes), c.form.batch, axes);
}

at::Tensor merge(const Call& c) {
  AxisList parts = c.node.axes;
  const AxisId whole = parts[parts.size() - 1];
  parts.erase(parts.size() - 1);
  // The parts last, in the order given, then flattened into one.
  AxisList rest;
  std::vector<std::int64_t> dims;
  if (c.form.batch) dims.push_back(0);
  for (const AxisId axis : c.forms[0].axes)
    if (!parts.contains(axis)) {
      rest.push_back(axis);
      dims.push_back(c.forms[0].dim(axis));
    }
  for (const AxisId axis : parts) dims.push_back(c.forms[0].dim(axis));
  rest.push_back(whole);
  return ascending(c.in[0].permute(dims).flatten(rest.size() - 1 + (c.form.batch ? 1 : 0), -1), c.form.batch,
                   rest);
}

at::Tensor slice(const Call& c) {
  const AxisId large = c.node.axes[0], small = c.node.axes[1];
  const at::Tensor part = c.in[0].narrow(c.forms[0].dim(large), c.node.amount, extent(c, small));
  return ascending(part, c.form.batch, replaced(c.forms[0].axes, large, small));
}

at::Tensor pad(const Call& c) {
  const AxisId small = c.node.axes[0], large = c.node.axes[1];
  const int dim = c.forms[0].dim(small);
  std::vector<std::int64_t> sizes = c.in[0].sizes().vec();
  sizes[static_cast<std::size_t>(dim)] = extent(c, large);
  at::Tensor whole = at::zeros(sizes, c.in[0].options());
  whole.narrow(dim, c.node.amount, extent(c, small)).copy_(c.in[0]);
  return ascending(whole, c.form.batch, replaced(c.forms[0].axes, small, large));
}

// ---- tables

// Rows that indices name: rounded down, kept within the axis; NaN names row 0.
at::Tensor rows_of(const at::Tensor& index, std::int64_t rows) {
  if (index.scalar_type() == at::kLong) return index.clamp(0, rows - 1);
  return at::nan_to_num(index, 0.0).floor().clamp(0, static_cast<double>(rows - 1)).to(at::kLong);
}

// Rows of tables that lie one behind the other, one for each sequence: [B, ...] from [B or 1, ...].
at::Tensor rows_apart(const at::Tensor& rows, std::int64_t batch, std::int64_t extent) {
  std::vector<std::int64_t> sizes = rows.sizes().vec(), first(sizes.size(), 1);
  sizes[0] = first[0] = batch;
  return rows.expand(sizes) + (at::arange(batch, rows.options()) * extent).view(first);
}

// In the step of a scan each sequence may have a table of its own.
at::Tensor lookup(const Call& c) {
  const AxisId axis = c.node.axes[0];
  AxisList rest = c.forms[0].axes;
  rest.erase(rest.find(axis));
  const bool apart = c.forms[0].batch;
  at::Tensor table = c.in[0].movedim(c.forms[0].dim(axis), apart ? 1 : 0);
  at::Tensor rows = rows_of(c.in[1], extent(c, axis));
  if (apart) {
    if (!c.forms[1].batch) rows = rows.unsqueeze(0);
    const std::int64_t batch = std::max(rows.size(0), table.size(0));
    std::vector<std::int64_t> sizes = table.sizes().vec();
    sizes[0] = batch;
    table = table.expand(sizes).flatten(0, 1);
    rows = rows_apart(rows, batch, extent(c, axis));
  }
  std::vector<std::int64_t> sizes = rows.sizes().vec();
  for (const AxisId a : rest) sizes.push_back(extent(c, a));
  const at::Tensor found = table.contiguous().index_select(0, rows.flatten()).view(sizes);
  AxisList axes = c.forms[1].axes;
  for (const AxisId a : rest) axes.push_back(a);
  return ascending(found, apart || c.forms[1].batch, axes);
}

// The gradient of a lookup: rows of x are added where the index says, over all positions and sequences; in
// the step of a scan for each sequence apart.
at::Tensor scatter(const Call& c) {
  const AxisId axis = c.node.axes[0];
  const Form &x_form = c.forms[0], &index_form = c.forms[1];
  at::Tensor rows = rows_of(c.in[1], extent(c, axis));
  at::Tensor x = c.in[0];
  // x with the axes of the index first, then the rest.
  std::vector<std::int64_t> dims;
  AxisList rest;
  std::vector<std::int64_t> sizes{extent(c, axis)};
  if (x_form.batch) dims.push_back(0);
  for (const AxisId a : index_form.axes) dims.push_back(x_form.dim(a));
  for (const AxisId a : x_form.axes)
    if (!index_form.axes.contains(a)) {
      dims.push_back(x_form.dim(a));
      rest.push_back(a);
      sizes.push_back(extent(c, a));
    }
  x = x.permute(dims);
  if (index_form.axes.contains(ir::kPast)) {
    std::vector<std::int64_t> sizes_of_pairs = rows.sizes().vec();
    sizes_of_pairs[1] = c.sequence->length();
    sizes_of_pairs[2] = c.sequence->past_length();
    rows = rows.expand(sizes_of_pairs);
    x = mask_pairs(x, x_form, *c.sequence, c.window, 0);
  }
  const bool apart = c.form.batch;
  if (apart && !x_form.batch) x = x.unsqueeze(0);
  if (apart && !index_form.batch) rows = rows.unsqueeze(0);
  if (apart) {
    sizes[0] *= std::max(rows.size(0), x.size(0));
    rows = rows_apart(rows, std::max(rows.size(0), x.size(0)), extent(c, axis));
  }
  std::vector<std::int64_t> full = rows.sizes().vec();
  if (x_form.batch && !apart) {  // either may stand for all sequences
    full[0] = std::max(full[0], x.size(0));
    rows = rows.expand(full);
  }
  std::vector<std::int64_t> x_sizes = full;
  for (const AxisId a : rest) x_sizes.push_back(extent(c, a));
  const double factor = x_form.batch && !apart ? copies(c, true, full[0]) : 1;
  x = x.expand(x_sizes);
  std::vector<std::int64_t> flat{rows.numel()};
  for (const AxisId a : rest) flat.push_back(extent(c, a));
  at::Tensor out = at::zeros(sizes, x.options());
  out.index_add_(0, rows.flatten(), x.reshape(flat));
  if (factor != 1) out = out * factor;
  if (apart) out = out.unflatten(0, {full[0], extent(c, axis)});
  AxisList axes{axis};
  for (const AxisId a : rest) axes.push_back(a);
  return ascending(out, apart, axes);
}

// ---- time

at::Tensor shift(const Call& c) {
  const std::int64_t length = c.sequence->length(), n = c.node.amount,
                     distance = std::min(std::abs(n), length);
  const at::Tensor kept = c.in[0].narrow(1, n > 0 ? 0 : distance, length - distance);
  std::vector<std::int64_t> sizes = kept.sizes().vec();
  sizes[1] = distance;
  const at::Tensor nothing = at::zeros(sizes, kept.options());
  const at::Tensor moved = n > 0 ? at::cat({nothing, kept}, 1) : at::cat({kept, nothing}, 1);
  if (!c.sequence->packed()) return moved;
  at::Tensor reads = c.sequence->reads(n);
  for (int i = 2; i < c.form.rank(); ++i) reads = reads.unsqueeze(-1);
  return moved.masked_fill(reads.logical_not(), 0);
}

// The same for every t: an extent of 1, which broadcasts.
at::Tensor past(const Call& c) { return c.in[0].unsqueeze(1); }

}  // namespace

at::Tensor run_kernel(Call c) {
  if (c.unpast) return dot(c);
  switch (c.node.op) {
    case Op::kConst:
      return at::full({}, c.node.value, c.options);
    case Op::kLag:
      return c.sequence->lag().to(c.options).unsqueeze(0);
    case Op::kIota:
      return at::arange(c.graph.axes[c.node.axes[0]].size, c.options);
    case Op::kPosition:
      return c.sequence->position().to(c.options);
    case Op::kSum:
      return sum(c);
    case Op::kMaxOver:
      return max_over(c);
    case Op::kDot:
      return dot(c);
    case Op::kSoftmax:
      return softmax(c);
    case Op::kSoftmaxGrad:
      return softmax_grad(c);
    case Op::kTopK:
      return top_k(c);
    case Op::kBroadcast:
      return broadcast(c);
    case Op::kRename:
      return rename(c);
    case Op::kSplit:
      return split(c);
    case Op::kMerge:
      return merge(c);
    case Op::kSlice:
      return slice(c);
    case Op::kPad:
      return pad(c);
    case Op::kLookup:
      return lookup(c);
    case Op::kScatter:
      return scatter(c);
    case Op::kShift:
      return shift(c);
    case Op::kPast:
      return past(c);
    case Op::kUnpast:
      return mask_pairs(std::move(c.in[0]), c.forms[0], *c.sequence, c.window, 0).sum(1);
    case Op::kAfter:
      return c.in[0];
    case Op::kRecur:
      return recur(c);
    case Op::kDelay:
      return delays(c);
    case Op::kConvolve:
      return convolve(c);
    case Op::kAdd:
    case Op::kMul:
    case Op::kMax:
    case Op::kLess:
    case Op::kWhere:
    case Op::kDiv:
    case Op::kRecip:
    case Op::kSqrt:
    case Op::kPow:
    case Op::kPower:
    case Op::kExp:
    case Op::kLog:
    case Op::kSin:
    case Op::kCos:
    case Op::kTanh:
    case Op::kSigmoid:
    case Op::kSoftplus:
    case Op::kErf:
    case Op::kFloor:
    case Op::kDetach:
      return pointwise(c);
    default:
      GABBRO_CHECK(!"an op without a kernel in the torch backend");
  }
}

}  // namespace gabbro::exec::torch
