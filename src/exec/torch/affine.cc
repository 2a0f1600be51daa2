#include "exec/torch/affine.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <memory>

#include "exec/torch/affine_kernel.h"
#include "exec/torch/scratch.h"

namespace gabbro::exec::torch {

using ir::AxisId;
using ir::AxisList;

namespace {

// The kernel that this processor is best at.
#if defined(__x86_64__)
const bool kAvx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"),
           kAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#define GABBRO_BEST(kernel, task) \
  (kAvx512 ? affine_avx512::kernel(task) : kAvx2 ? affine_avx2::kernel(task) : affine_plain::kernel(task))
#else
#define GABBRO_BEST(kernel, task) affine_plain::kernel(task)
#endif

// Axes of a value beside time: the shared ones, then its own.
AxisList arranged_axes(const ir::Affine& affine, const ir::Type& type) {
  AxisList axes;
  for (const AxisId axis : affine.shared) axes.push_back(axis);
  for (const auto* own : {&affine.contracted, &affine.values})
    for (const AxisId axis : *own)
      if (type.has(axis)) axes.push_back(axis);
  return axes;
}

// [B, T, axes...] as [B, T, shared, own], own numbers side by side.
at::Tensor arranged(const at::Tensor& x, const ir::Type& type, const AxisList& axes, std::int64_t shared) {
  const Form form{true, type.axes};
  std::vector<std::int64_t> dims{0, 1};
  for (const AxisId axis : axes) dims.push_back(form.dim(axis));
  std::int64_t own = 1;
  for (std::int64_t d = 2; d < x.dim(); ++d) own *= x.size(d);
  const at::Tensor y = x.permute(dims).reshape({x.size(0), x.size(1), shared, own / shared});
  return y.size(3) > 1 && y.stride(3) != 1 ? y.contiguous() : y;
}

template <class T>
Strip<T> strip(const at::Tensor& x, std::int64_t row, std::int64_t head) {
  using Number = std::remove_const_t<T>;
  T* at = [&] {
    if constexpr (std::is_const_v<T>)
      return x.const_data_ptr<Number>();
    else
      return x.data_ptr<Number>();
  }();
  return {at + (x.size(0) > 1 ? row : 0) * x.stride(0) + head * x.stride(2), x.stride(1)};
}

template <class T>
void run(const ir::Affine& affine, const std::vector<at::Tensor>& in, const std::vector<at::Tensor>& out,
         std::int64_t batch, std::int64_t shared, std::int64_t k, std::int64_t v, const Sequence& sequence) {
  const auto reads = affine.after.size();
  const auto after = std::make_unique<bool[]>(reads + 1);
  std::copy(affine.after.begin(), affine.after.end(), after.get());
  const bool* const begins = sequence.packed() ? sequence.begins().const_data_ptr<bool>() : nullptr;
  const std::int64_t terms = 3 * affine.ranks + affine.added + static_cast<std::int64_t>(reads);
  at::parallel_for(0, batch * shared, 1, [&](std::int64_t from, std::int64_t to) {
    const Scratch<T> scratch(
        affine_scratch(sequence.length(), k, terms, affine.decay == ir::Affine::Decay::kOuter));
    std::vector<Strip<const T>> operands(in.size());
    std::vector<Strip<T>> results(out.size());
    for (std::int64_t i = from; i < to; ++i) {
      const std::int64_t row = i / shared, head = i % shared;
      for (std::size_t n = 0; n < in.size(); ++n) operands[n] = strip<const T>(in[n], row, head);
      for (std::size_t n = 0; n < out.size(); ++n) results[n] = strip<T>(out[n], row, head);
      const AffineTask<T> task{.length = sequence.length(),
                               .k = k,
                               .v = v,
                               .decays = affine.decays() == 1,
                               .channel = affine.decay == ir::Affine::Decay::kChannel,
                               .outer = affine.decay == ir::Affine::Decay::kOuter,
                               .value_decay = affine.value_decay,
                               .ranks = affine.ranks,
                               .added = affine.added,
                               .reads = static_cast<std::int64_t>(reads),
                               .after = after.get(),
                               .begins = begins ? begins + row * sequence.length() : nullptr,
                               .in = operands.data(),
                               .out = results.data(),
                               .scratch = scratch.data()};
      affine.adjoint ? GABBRO_BEST(run_affine_adjoint, task) : GABBRO_BEST(run_affine, task);
    }
  });
}

// [B or 1, T or 1, ...] with all numbers of a position side by side.
at::Tensor positions(const at::Tensor& x, std::vector<std::int64_t> sizes) {
  sizes[0] = x.size(0);
  sizes[1] = x.size(1);
  const at::Tensor y = x.expand(sizes);
  return y.reshape({sizes[0], sizes[1], -1}).contiguous();
}

template <class T>
void run_recur(const at::Tensor& factor, const at::Tensor& added, const at::Tensor& out, bool backwards,
               const Sequence& sequence) {
  const auto strip = [](const at::Tensor& x, std::int64_t row, std::int64_t from) {
    return Strip<const T>{x.const_data_ptr<T>() + (x.size(0) > 1 ? row * x.stride(0) : 0) + from,
                          x.size(1) > 1 ? x.stride(1) : 0};
  };
  const bool* const begins = sequence.packed() ? sequence.begins().const_data_ptr<bool>() : nullptr;
  constexpr std::int64_t kWidth = 512;
  const std::int64_t width = out.size(2), blocks = (width + kWidth - 1) / kWidth;
  at::parallel_for(0, out.size(0) * blocks, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t row = i / blocks, from = i % blocks * kWidth;
      const RecurTask<T> task{.length = out.size(1),
                              .width = std::min(kWidth, width - from),
                              .backwards = backwards,
                              .begins = begins ? begins + row * out.size(1) : nullptr,
                              .factor = strip(factor, row, from),
                              .added = strip(added, row, from),
                              .out = {out.data_ptr<T>() + row * out.stride(0) + from, out.stride(1)}};
      GABBRO_BEST(run_recur, task);
    }
  });
}

}  // namespace

at::Tensor run_recur(const at::Tensor& factor, const at::Tensor& added,
                     const std::vector<std::int64_t>& sizes, bool backwards, const Sequence& sequence) {
  RECORD_USER_SCOPE("gabbro::recur");
  const at::Tensor out = at::empty(sizes, added.options()), flat = out.view({sizes[0], sizes[1], -1});
  const at::Tensor a = positions(factor, sizes), x = positions(added, sizes);
  if (added.scalar_type() == at::kDouble)
    run_recur<double>(a, x, flat, backwards, sequence);
  else
    run_recur<float>(a, x, flat, backwards, sequence);
  return out;
}

std::vector<at::Tensor> run_affine(const ir::Graph& graph, const ir::Affine& affine,
                                   const std::vector<at::Tensor>& in, Sequence& sequence) {
  RECORD_USER_SCOPE(affine.adjoint ? "gabbro::affine_adjoint" : "gabbro::affine");
  const std::int64_t shared = ir::elements(graph, affine.shared), k = ir::elements(graph, affine.contracted),
                     v = ir::elements(graph, affine.values);
  std::int64_t batch = sequence.packed() ? sequence.batch() : 1;
  std::vector<at::Tensor> operands, results, made;
  std::vector<std::pair<std::size_t, at::Tensor>> totals;  // of what has no time, by sequence
  for (std::size_t i = 0; i < in.size(); ++i) {
    const auto at = static_cast<std::int32_t>(i);
    const ir::Type type = at < affine.inputs() ? affine.operand_type(at) : affine.read_type();
    const AxisList axes = arranged_axes(affine, type);
    if (type.time()) {
      operands.push_back(arranged(in[i], type, axes, shared));
      batch = std::max(batch, in[i].size(0));
    } else {
      ir::Type timed = type;
      timed.add(ir::kTime);
      operands.push_back(arranged(in[i].unsqueeze(0).unsqueeze(0), timed, axes, shared));
    }
  }
  for (std::int32_t i = 0; i < affine.results(); ++i) {
    const ir::Type type = affine.result_type(i);
    const AxisList axes = arranged_axes(affine, type);
    const std::int64_t length = type.time() ? sequence.length() : 1;
    std::vector<std::int64_t> sizes{batch, length};
    for (const AxisId axis : axes) sizes.push_back(graph.axes[axis].size);
    const at::Tensor value = at::empty(sizes, in[0].options());
    results.push_back(value.view({batch, length, shared, -1}));
    if (!type.time()) {
      totals.emplace_back(made.size(), value);
      made.emplace_back();
      continue;
    }
    AxisList timed{ir::kTime};
    for (const AxisId axis : axes) timed.push_back(axis);
    made.push_back(ascending(value, true, timed));
  }
  if (in[0].scalar_type() == at::kDouble)
    run<double>(affine, operands, results, batch, shared, k, v, sequence);
  else
    run<float>(affine, operands, results, batch, shared, k, v, sequence);
  for (const auto& [i, value] : totals)
    made[i] = ascending(value.sum({0, 1}), false,
                        arranged_axes(affine, affine.result_type(static_cast<std::int32_t>(i))));
  return made;
}

}  // namespace gabbro::exec::torch
