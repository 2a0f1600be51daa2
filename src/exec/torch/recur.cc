#include "exec/torch/recur.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <vector>

#include "exec/torch/affine_kernel.h"
#include "exec/torch/processor.h"

namespace gabbro::exec::torch {

namespace {

// [B or 1, T or 1, ...] with all numbers of a position side by side.
at::Tensor positions(const at::Tensor& x, std::vector<std::int64_t> sizes) {
  sizes[0] = x.size(0);
  sizes[1] = x.size(1);
  const at::Tensor y = x.expand(sizes);
  return y.reshape({sizes[0], sizes[1], -1}).contiguous();
}

template <class T>
void run(const at::Tensor& factor, const at::Tensor& added, const at::Tensor& out, bool backwards,
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
      GABBRO_BEST(affine, run_recur, task);
    }
  });
}

}  // namespace

at::Tensor recur(const Call& c) {
  const Sequence& sequence = *c.sequence;
  const bool backwards = c.node.amount == 1;
  const at::Tensor factor = align(c.in[0], c.forms[0], c.form), added = align(c.in[1], c.forms[1], c.form);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(c.form.rank()));
  for (std::size_t d = 0; d < sizes.size(); ++d)
    sizes[d] = std::max(factor.size(static_cast<std::int64_t>(d)), added.size(static_cast<std::int64_t>(d)));
  if (sequence.packed()) sizes[0] = std::max(sizes[0], sequence.batch());
  sizes[1] = sequence.length();
  RECORD_USER_SCOPE("gabbro::recur");
  const at::Tensor out = at::empty(sizes, added.options()), flat = out.view({sizes[0], sizes[1], -1});
  const at::Tensor a = positions(factor, sizes), x = positions(added, sizes);
  if (added.scalar_type() == at::kDouble)
    run<double>(a, x, flat, backwards, sequence);
  else
    run<float>(a, x, flat, backwards, sequence);
  return out;
}

}  // namespace gabbro::exec::torch
