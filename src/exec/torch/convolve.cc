#include "exec/torch/convolve.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include <algorithm>
#include <vector>

#include "exec/torch/pair_kernel.h"
#include "exec/torch/processor.h"

namespace gabbro::exec::torch {

using ir::AxisId;
using ir::AxisList;

namespace {

// The side of sum_ts g[t] f[t - s] u[s] that is computed; the other two are the operands, in the order f, u,
// g.
enum class Side : std::uint8_t { kResult, kSource, kFilter };

AxisList without_time(const Form& form) {
  AxisList out = form.axes;
  out.erase(out.find(ir::kTime));
  return out;
}

// The values of a channel are contiguous: [B or 1, axes..., T].
struct Channels {
  AxisList axes;
  at::Tensor values;
  std::vector<std::int64_t> strides;  // by axis of the loop over channels; 0: it has not this axis

  Channels(const AxisList& own, const at::Tensor& x, const AxisList& all) : axes(own), values(x) {
    for (const AxisId axis : all) strides.push_back(own.contains(axis) ? x.stride(1 + own.find(axis)) : 0);
  }
};

template <class T>
class Convolution {
 public:
  explicit Convolution(const Call& call)
      : call_(call),
        side_(static_cast<Side>(call.node.amount)),
        length_(call.sequence->length()),
        all_(axes_of(call)),
        out_(channels(without_time(call.form), at::Tensor(), batch_of(call))),
        a_(channels(without_time(call.forms[0]), call.in[0], 0)),
        b_(channels(without_time(call.forms[1]), call.in[1], 0)) {}

  at::Tensor run() {
    const std::int64_t rows = out_.values.size(0), results = elements(out_.axes);
    at::parallel_for(0, rows * results, 1, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t i = from; i < to; ++i) channel(i / results, i % results);
    });
    const at::Tensor y = out_.values.movedim(-1, 1);
    // A filter is the same for all sequences, and so is its adjoint: what stands for all is a mean.
    return side_ == Side::kFilter ? y.sum(0, /*keepdim=*/true).div_(static_cast<double>(rows)) : y;
  }

 private:
  // Those of the result come last, so that they vary slowest in the number of a channel.
  static AxisList axes_of(const Call& call) {
    AxisList out;
    const AxisList result = without_time(call.form);
    for (const Form& form : {call.forms[0], call.forms[1]})
      for (const AxisId axis : form.axes)
        if (axis != ir::kTime && !out.contains(axis) && !result.contains(axis)) out.push_back(axis);
    for (const AxisId axis : result) out.push_back(axis);
    return out;
  }

  static std::int64_t batch_of(const Call& call) {
    return call.sequence->packed() ? call.sequence->batch()
                                   : std::max(call.in[0].size(0), call.in[1].size(0));
  }

  [[nodiscard]] std::int64_t size(AxisId axis) const { return call_.graph.axes[axis].size; }
  [[nodiscard]] std::int64_t elements(const AxisList& axes) const {
    std::int64_t n = 1;
    for (const AxisId axis : axes) n *= size(axis);
    return n;
  }

  // An operand, or for `batch` > 0 a result of zeros.
  [[nodiscard]] Channels channels(const AxisList& axes, const at::Tensor& x, std::int64_t batch) const {
    if (batch == 0) return {axes, x.movedim(1, -1).contiguous(), all_};
    std::vector<std::int64_t> sizes{batch};
    for (const AxisId axis : axes) sizes.push_back(size(axis));
    sizes.push_back(length_);
    return {axes, at::zeros(sizes, call_.options), all_};
  }

  T* channel_of(const Channels& c, std::int64_t row, const std::vector<std::int64_t>& index) const {
    T* at = c.values.template data_ptr<T>() + (c.values.size(0) > 1 ? row * c.values.stride(0) : 0);
    for (std::size_t d = 0; d < index.size(); ++d) at += index[d] * c.strides[d];
    return at;
  }

  // One channel of the result: the sum over all channels of the axes that it has not.
  void channel(std::int64_t row, std::int64_t result) {
    std::vector<std::int64_t> index(static_cast<std::size_t>(all_.size()), 0);
    const auto summed = index.size() - static_cast<std::size_t>(out_.axes.size());
    for (std::size_t d = index.size(); d-- > summed; result /= size(all_[static_cast<int>(d)]))
      index[d] = result % size(all_[static_cast<int>(d)]);
    do {
      documents(row, channel_of(out_, row, index), channel_of(a_, row, index), channel_of(b_, row, index));
    } while (next(index, summed));
  }

  bool next(std::vector<std::int64_t>& index, std::size_t count) const {
    for (std::size_t d = count; d-- > 0;) {
      if (++index[d] < size(all_[static_cast<int>(d)])) return true;
      index[d] = 0;
    }
    return false;
  }

  void documents(std::int64_t row, T* y, const T* a, const T* b) const {
    for (std::int64_t begin = 0, end = 0; begin < length_; begin = end) {
      end = call_.sequence->document_end(row, begin, length_);
      const std::int64_t n = end - begin;
      switch (side_) {
        case Side::kResult:
          GABBRO_BEST(pair, convolve, y + begin, a, b + begin, n);
          break;
        case Side::kSource:
          GABBRO_BEST(pair, correlate, y + begin, a, b + begin, n);
          break;
        case Side::kFilter:
          GABBRO_BEST(pair, lag_products, y, a + begin, b + begin, n);
          break;
      }
    }
  }

  const Call& call_;
  const Side side_;
  const std::int64_t length_;
  const AxisList all_;
  const Channels out_, a_, b_;
};

}  // namespace

at::Tensor delays(const Call& call) {
  const Sequence& sequence = *call.sequence;
  const std::int64_t longest =
      sequence.packed() ? sequence.position().max().item<std::int64_t>() + 1 : sequence.length();
  return at::arange(sequence.length(), call.options)
      .clamp_max_(static_cast<double>(longest - 1))
      .unsqueeze(0);
}

at::Tensor convolve(const Call& call) {
  RECORD_USER_SCOPE("gabbro::convolve");
  return call.in[0].scalar_type() == at::kDouble ? Convolution<double>(call).run()
                                                 : Convolution<float>(call).run();
}

}  // namespace gabbro::exec::torch
