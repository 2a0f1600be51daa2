#include "exec/torch/chunk.h"

#include <algorithm>
#include <vector>

#include "exec/torch/affine.h"
#include "ir/op.h"

namespace gabbro::exec::torch {

using ir::AxisId;
using ir::AxisList;
using ir::Node;
using ir::NodeId;
using ir::Op;

namespace {

// Time and the position in the chunk first, then the rest of `form`.
AxisList chunk_first(const Form& form, AxisId inner) {
  AxisList axes{ir::kTime, inner};
  for (const AxisId axis : form.axes)
    if (axis != ir::kTime && axis != inner) axes.push_back(axis);
  return axes;
}

at::Tensor chunk(const Call& c) {
  const AxisId inner = c.node.axes[0];
  const std::int64_t size = c.graph.axes[inner].size, length = c.in[0].size(1);
  const std::int64_t count = (length + size - 1) / size;
  at::Tensor x = c.in[0];
  if (count * size > length) {
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes[1] = count * size - length;
    x = at::cat({x, at::zeros(sizes, x.options())}, 1);
  }
  return ascending(x.unflatten(1, {count, size}), true, chunk_first(c.form, inner));
}

at::Tensor unchunk(const Call& c) {
  std::vector<std::int64_t> dims{0};
  for (const AxisId axis : chunk_first(c.forms[0], c.node.axes[0])) dims.push_back(c.forms[0].dim(axis));
  return c.in[0].permute(dims).flatten(1, 2).narrow(1, 0, c.sequence->length());
}

// Dimensions of `form` for `axes`; the batch first when it has one.
at::Tensor arranged(const at::Tensor& x, const Form& form, const AxisList& axes) {
  Form sorted{form.batch, axes};
  std::sort(sorted.axes.begin(), sorted.axes.end());
  const at::Tensor aligned = align(x, form, sorted);
  std::vector<std::int64_t> dims;
  if (form.batch) dims.push_back(0);
  for (const AxisId axis : axes) dims.push_back(sorted.dim(axis));
  return aligned.permute(dims);
}

at::Tensor solve(const Call& c) {
  const AxisId row = c.node.axes[0], col = c.node.axes[1];
  AxisList shared, matrix, columns;
  for (const AxisId axis : c.forms[0].axes)
    if (axis != row && axis != col) shared.push_back(axis);
  for (const AxisId axis : c.forms[1].axes)
    if (axis != row && !c.forms[0].axes.contains(axis)) columns.push_back(axis);
  matrix = shared;
  matrix.push_back(row);
  matrix.push_back(col);
  AxisList right = shared;
  right.push_back(row);
  for (const AxisId axis : columns) right.push_back(axis);
  at::Tensor l = arranged(c.in[0], c.forms[0], matrix).neg();
  at::Tensor y = arranged(c.in[1], c.forms[1], right);
  const bool batch = c.forms[0].batch || c.forms[1].batch;
  if (batch && !c.forms[0].batch) l = l.unsqueeze(0);
  if (batch && !c.forms[1].batch) y = y.unsqueeze(0);
  const std::int64_t first = shared.size() + (batch ? 1 : 0);  // the dimension of rows
  const std::vector<std::int64_t> tail(y.sizes().begin() + first + 1, y.sizes().end());
  y = columns.empty() ? y.unsqueeze(-1) : y.flatten(first + 1, -1);
  at::Tensor x = c.node.amount == 0 ? at::linalg_solve_triangular(l, y, false, true, true)
                                    : at::linalg_solve_triangular(l.mT(), y, true, true, true);
  x = columns.empty() ? x.squeeze(-1) : x.unflatten(-1, tail);
  return ascending(x, batch, right);
}

// h = a h + x along time, from nothing wherever a document starts (backwards: ends).
at::Tensor recur(const Call& c) {
  Sequence& sequence = *c.sequence;
  const bool backwards = c.node.amount == 1;
  const at::Tensor a = align(c.in[0], c.forms[0], c.form), b = align(c.in[1], c.forms[1], c.form);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(c.form.rank()));
  for (std::size_t d = 0; d < sizes.size(); ++d)
    sizes[d] = std::max(a.size(static_cast<std::int64_t>(d)), b.size(static_cast<std::int64_t>(d)));
  const std::int64_t length = sequence.length();
  if (sequence.packed()) sizes[0] = std::max(sizes[0], sequence.batch());
  sizes[1] = length;
  if (b.is_cpu()) return run_recur(a, b, sizes, backwards, sequence);
  // Time first, so that a position is one block of memory.
  std::vector<std::int64_t> turned = sizes;
  std::swap(turned[0], turned[1]);
  at::Tensor out = at::empty(turned, b.options()).transpose(0, 1);
  const at::Tensor factor = a.expand(a.size(1) == 1 ? sizes : a.sizes().vec()), added = b.expand(sizes);
  for (std::int64_t i = 0; i < length; ++i) {
    const std::int64_t t = backwards ? length - 1 - i : i;
    at::Tensor now = out.select(1, t);
    if (i == 0) {
      now.copy_(added.select(1, t));
      continue;
    }
    const at::Tensor before = out.select(1, backwards ? t + 1 : t - 1);
    at::addcmul_out(now, added.select(1, t), factor.select(1, t), before);
    if (!sequence.boundary(t, backwards)) continue;
    at::Tensor fresh = sequence.boundaries(t, backwards);
    for (std::int64_t d = 1; d < now.dim(); ++d) fresh = fresh.unsqueeze(-1);
    now.copy_(at::where(fresh, added.select(1, t), now));
  }
  return out;
}

}  // namespace

at::Tensor run_chunk_kernel(const Call& c) {
  switch (c.node.op) {
    case Op::kChunk:
      return chunk(c);
    case Op::kUnchunk:
      return unchunk(c);
    case Op::kSolve:
      return solve(c);
    case Op::kRecur:
      return recur(c);
    default:
      GABBRO_CHECK(!"not an op of lowered graphs");
  }
}

std::vector<std::int64_t> chunk_sizes(const ir::Graph& graph) {
  constexpr std::int64_t kOpen = -1;
  const std::vector<Node>& nodes = graph.bodies[0].nodes;
  std::vector<std::int64_t> out(nodes.size(), kOpen);
  const auto timed = [&](NodeId id) { return nodes[id].type.time() || nodes[id].op == Op::kScan; };
  for (NodeId id = 0; id < static_cast<NodeId>(nodes.size()); ++id) {
    const Node& node = nodes[id];
    if (node.op == Op::kChunk)
      out[id] = graph.axes[node.axes[0]].size;
    else if (node.op == Op::kUnchunk || (timed(id) && node.in[0] < 0 && node.op != Op::kScan))
      out[id] = 0;
    else
      ir::for_each_operand(graph, node, [&](NodeId in) {
        if (timed(in) && !(node.op == Op::kAfter && in != node.in[0])) out[id] = std::max(out[id], out[in]);
      });
  }
  for (NodeId id = static_cast<NodeId>(nodes.size()) - 1; id >= 0; --id) {
    const Node& node = nodes[id];
    if (node.op == Op::kUnchunk) continue;
    const std::int64_t inside = node.op == Op::kChunk ? 0 : out[id];
    ir::for_each_operand(graph, node, [&](NodeId in) {
      if (timed(in) && out[in] == kOpen) out[in] = inside;
    });
  }
  for (std::int64_t& size : out) size = std::max<std::int64_t>(size, 0);
  return out;
}

}  // namespace gabbro::exec::torch
