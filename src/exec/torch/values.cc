#include "exec/torch/values.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace gabbro::exec::torch {

std::vector<std::int64_t> sizes_of(const ir::Graph& graph, const ir::Type& type, std::int64_t batch,
                                   std::int64_t length) {
  std::vector<std::int64_t> sizes;
  if (batch > 0) sizes.push_back(batch);
  for (const ir::AxisId axis : type.axes)
    sizes.push_back(axis < ir::kFirstAxis ? length : graph.axes[axis].size);
  return sizes;
}

at::Tensor align(const at::Tensor& x, const Form& from, const Form& to) {
  if (from == to) return x;
  at::Tensor out = x;
  int dim = 0;
  if (to.batch) {
    if (!from.batch) out = out.unsqueeze(0);
    ++dim;
  }
  for (const ir::AxisId axis : to.axes) {
    if (!from.axes.contains(axis)) out = out.unsqueeze(dim);
    ++dim;
  }
  return out;
}

at::Tensor ascending(const at::Tensor& x, bool batch, const ir::AxisList& axes) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(axes.size()));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return axes[static_cast<int>(a)] < axes[static_cast<int>(b)];
  });
  if (std::is_sorted(order.begin(), order.end())) return x;
  std::vector<std::int64_t> dims;
  if (batch) dims.push_back(0);
  for (const std::int64_t i : order) dims.push_back(i + (batch ? 1 : 0));
  return x.permute(dims);
}

}  // namespace gabbro::exec::torch
