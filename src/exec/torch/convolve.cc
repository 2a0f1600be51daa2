#include "exec/torch/convolve.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <map>
#include <vector>

#include "exec/torch/contract.h"

namespace gabbro::exec::torch {

using ir::AxisId;
using ir::AxisList;

namespace {

// The side of sum_ts g[t] f[t - s] u[s] that is computed; the other two are the operands, in the order f, u, g.
enum class Side : std::uint8_t { kResult, kSource, kFilter };

std::int64_t longest_document(const Sequence& sequence) {
  return sequence.packed() ? sequence.position().max().item<std::int64_t>() + 1 : sequence.length();
}

AxisList without_time(const Form& form) {
  AxisList out = form.axes;
  out.erase(out.find(ir::kTime));
  return out;
}

// Values lie as [axes..., positions] here, filled up with zeros to a power of two times the positions multiplied out.
class Convolution {
 public:
  explicit Convolution(const Call& call)
      : call_(call),
        side_(static_cast<Side>(call.node.amount)),
        direct_(call.node.index),
        length_(call.sequence->length()),
        whole_(call.node.index),
        result_(without_time(call.form)) {
    for (int i = 0; i < 2; ++i) {
      axes_[i] = without_time(call.forms[i]);
      for (const AxisId axis : axes_[i])
        if (!all_.contains(axis)) all_.push_back(axis);
    }
    std::sort(all_.begin(), all_.end());
    while (whole_ < length_) whole_ *= 2;
    std::int64_t reach = direct_;
    for (const std::int64_t longest = longest_document(*call.sequence); reach < longest;) reach *= 2;
    for (std::int64_t half = direct_; half < length_; half *= 2)
      levels_.push_back({half, std::min(half, reach)});
    if (call.sequence->packed())
      starts_ = at::constant_pad_nd(call.sequence->before_document() + 1, {0, whole_ - length_}, -1);
    if (side_ != Side::kFilter) prepare_filter();
  }

  at::Tensor run() const {
    const std::int64_t batch = call_.sequence->packed() ? call_.sequence->batch()
                                                        : std::max(call_.in[0].size(0), call_.in[1].size(0));
    std::vector<std::int64_t> sizes{side_ == Side::kFilter ? 1 : batch, length_};
    for (const AxisId axis : result_) sizes.push_back(call_.graph.axes[axis].size);
    at::Tensor out = at::empty(sizes, call_.options);
    std::vector<at::Tensor> parts(static_cast<std::size_t>(batch));
    const auto rows = [&](std::int64_t from, std::int64_t to) {
      const c10::InferenceMode no_autograd;  // it is the thread's
      for (std::int64_t r = from; r < to; ++r) {
        const at::Tensor y = row(r).narrow(-1, 0, length_).movedim(-1, 0);
        if (side_ == Side::kFilter)
          parts[static_cast<std::size_t>(r)] = y;
        else
          out.select(0, r).copy_(y);
      }
    };
    if (out.is_cpu() && batch > 1)
      at::parallel_for(0, batch, 1, rows);
    else
      rows(0, batch);
    if (side_ != Side::kFilter) return out;
    at::Tensor total = out.select(0, 0).copy_(parts[0]);
    for (std::size_t r = 1; r < parts.size(); ++r) total.add_(parts[r]);
    total.div_(static_cast<double>(batch));
    return out;
  }

 private:
  // Names of dimensions besides axes.
  static constexpr int kBlock = -1, kLater = -2, kEarlier = -3;

  // Blocks of 2 `half` positions, and how many on each side of their middle have pairs across it.
  struct Level {
    std::int64_t half = 0, width = 0;
  };

  // The documents of one sequence. A block with several of them is multiplied out once for each, the others blanked.
  struct Documents {
    at::Tensor starts;   // [positions]; undefined: one document
    at::Tensor block;    // [rows]: which block; undefined: rows are blocks
    at::Tensor outside;  // [rows, positions] bool: of other documents
  };

  void prepare_filter() {
    const at::Tensor filter = padded(call_.in[0], 0);
    const at::Tensor i = at::arange(direct_, call_.options.dtype(at::kLong));
    const at::Tensor distance = (i.unsqueeze(1) - i).clamp_min_(0);
    toeplitz_ = filter.index_select(-1, distance.flatten()).unflatten(-1, {direct_, direct_}).tril();
    for (const auto& [_, width] : levels_) {
      if (transforms_.contains(width)) continue;
      const at::Tensor f = at::fft_rfft(spread(filter.narrow(-1, 0, 2 * width), 0), 2 * width).unsqueeze(-2);
      transforms_[width] = side_ == Side::kResult ? f : f.conj();
    }
  }

  // Sequence r of an operand; one that all share has that alone.
  [[nodiscard]] at::Tensor padded(const at::Tensor& x, std::int64_t r) const {
    const at::Tensor y = x.select(0, x.size(0) == 1 ? 0 : r).movedim(0, -1);
    std::vector<std::int64_t> sizes = y.sizes().vec();
    sizes.back() = whole_;
    at::Tensor out = at::zeros(sizes, y.options());
    out.narrow(-1, 0, length_).copy_(y);
    return out;
  }

  [[nodiscard]] at::Tensor row(std::int64_t r) const {
    const at::Tensor first = side_ == Side::kFilter ? padded(call_.in[0], r) : at::Tensor(),
                     second = padded(call_.in[1], r);
    std::vector<std::int64_t> sizes;
    for (const AxisId axis : result_) sizes.push_back(call_.graph.axes[axis].size);
    sizes.push_back(whole_);
    at::Tensor out = at::zeros(sizes, call_.options);
    const Documents documents = documents_of(r);
    near(documents, first, second, out);
    for (const Level& level : levels_) far(level, documents, first, second, out);
    return out;
  }

  [[nodiscard]] std::int64_t blocks() const { return (length_ + direct_ - 1) / direct_; }

  [[nodiscard]] Documents documents_of(std::int64_t r) const {
    Documents out;
    if (!starts_.defined()) return out;
    out.starts = starts_.select(0, r);
    const at::Tensor starts = out.starts.narrow(0, 0, blocks() * direct_);
    const at::Tensor t = at::arange(starts.size(0), starts.options());
    const at::Tensor begins = t.remainder(direct_).eq(0).logical_or_(starts.eq(t)).nonzero().squeeze(1);
    if (begins.size(0) == blocks()) return out;
    out.block = begins.div(direct_, "floor");
    out.outside =
        starts.view({-1, direct_}).index_select(0, out.block).ne(starts.index_select(0, begins).unsqueeze(1));
    return out;
  }

  [[nodiscard]] std::vector<int> names(const AxisList& axes, std::initializer_list<int> more) const {
    std::vector<int> out(axes.begin(), axes.end());
    out.insert(out.end(), more);
    return out;
  }

  // Pairs within a block of the positions multiplied out.
  void near(const Documents& documents, const at::Tensor& first, const at::Tensor& second,
            at::Tensor& out) const {
    const auto cut = [&](const at::Tensor& x) {
      const at::Tensor y = x.narrow(-1, 0, blocks() * direct_).unflatten(-1, {blocks(), direct_});
      return documents.block.defined()
                 ? y.index_select(-2, documents.block).masked_fill_(documents.outside, 0)
                 : y;
    };
    if (side_ == Side::kFilter) {
      add_diagonals(
          contract({cut(first), names(axes_[0], {kBlock, kEarlier})},
                   {cut(second), names(axes_[1], {kBlock, kLater})}, names(result_, {kLater, kEarlier})),
          out);
      return;
    }
    const bool forward = side_ == Side::kResult;
    at::Tensor y = contract({cut(second), names(axes_[1], {kBlock, forward ? kEarlier : kLater})},
                            {toeplitz_, names(axes_[0], {kLater, kEarlier})},
                            names(result_, {kBlock, forward ? kLater : kEarlier}));
    const at::Tensor part = out.narrow(-1, 0, blocks() * direct_).unflatten(-1, {blocks(), direct_});
    if (documents.block.defined())
      part.index_add_(-2, documents.block, y.masked_fill(documents.outside, 0));
    else
      part.copy_(y);
  }

  // out[l] += the sum of x[i, j] over i - j = l. With j turned round and rows one number longer than the matrix of diagonals is wide,
  // diagonals become columns.
  void add_diagonals(const at::Tensor& x, at::Tensor& out) const {
    const at::Tensor wide = at::constant_pad_nd(x.flip(-1), {0, direct_});
    const at::Tensor skewed =
        wide.flatten(-2).narrow(-1, 0, direct_ * (2 * direct_ - 1)).unflatten(-1, {direct_, 2 * direct_ - 1});
    out.narrow(-1, 0, direct_).add_(skewed.sum(-2).narrow(-1, direct_ - 1, direct_));
  }

  // Pairs across the middles of blocks.
  void far(const Level& level, const Documents& documents, const at::Tensor& first, const at::Tensor& second,
           at::Tensor& out) const {
    const std::int64_t half = level.half, width = level.width;
    const std::int64_t count = (length_ - half + 2 * half - 1) / (2 * half);  // whose middle exists
    const auto part = [&](const at::Tensor& x, bool later) {
      return x.narrow(-1, 0, 2 * half * count)
          .unflatten(-1, {count, 2 * half})
          .narrow(-1, later ? half : half - width, width);
    };
    // Only the document around the middle has such pairs.
    at::Tensor outside[2];
    if (documents.starts.defined()) {
      const at::Tensor start =
          documents.starts.narrow(0, 0, 2 * half * count).view({count, 2 * half}).narrow(1, half, 1);
      for (const bool later : {false, true}) outside[later ? 1 : 0] = part(documents.starts, later).ne(start);
    }
    const auto blanked = [&](const at::Tensor& x, bool later) {
      return outside[0].defined() ? x.masked_fill(outside[later ? 1 : 0], 0) : x;
    };
    const auto transform = [&](const at::Tensor& x, int operand, bool later) {
      const at::Tensor y = blanked(part(x, later), later);
      return at::fft_rfft(spread(later ? at::constant_pad_nd(y, {width, 0}) : y, operand), 2 * width);
    };
    const auto back = [&](const at::Tensor& y) { return at::fft_irfft(y, 2 * width); };
    if (side_ == Side::kFilter) {
      const at::Tensor product = (transform(first, 0, false).conj() * transform(second, 1, true)).sum(-2);
      out.narrow(-1, 0, 2 * width).add_(back(gathered(product, 1)));
      return;
    }
    const bool later = side_ == Side::kResult;  // where the sum goes
    const at::Tensor product = transform(second, 1, !later) * transforms_.at(width);
    const at::Tensor sum = back(gathered(product, 2)).narrow(-1, later ? width : 0, width);
    part(out, later).add_(blanked(sum, later));
  }

  // Dimensions of extent 1 for the axes that only the other operand has.
  [[nodiscard]] at::Tensor spread(at::Tensor x, int operand) const {
    for (int i = 0; i < all_.size(); ++i)
      if (!axes_[operand].contains(all_[i])) x = x.unsqueeze(i);
    return x;
  }

  // Summed over the axes that the result has not; `more` dimensions come after the axes.
  [[nodiscard]] at::Tensor gathered(const at::Tensor& x, int more) const {
    std::vector<std::int64_t> over;
    for (int i = 0; i < all_.size(); ++i)
      if (!result_.contains(all_[i])) over.push_back(i);
    GABBRO_CHECK(x.dim() == all_.size() + more);
    return over.empty() ? x : x.sum(over);
  }

  const Call& call_;
  const Side side_;
  const std::int64_t direct_, length_;
  std::int64_t whole_;  // length_ filled up
  std::array<AxisList, 2> axes_;
  AxisList all_;
  const AxisList result_;
  std::vector<Level> levels_;
  at::Tensor starts_;                              // [B, whole]: -1 beyond the sequence; only when packed
  at::Tensor toeplitz_;                            // [axes of the filter, later, earlier]
  std::map<std::int64_t, at::Tensor> transforms_;  // by width, of the filter up to twice that
};

}  // namespace

at::Tensor delays(const Call& call) {
  const Sequence& sequence = *call.sequence;
  return at::arange(sequence.length(), call.options)
      .clamp_max_(static_cast<double>(longest_document(sequence) - 1))
      .unsqueeze(0);
}

at::Tensor convolve(const Call& call) { return Convolution(call).run(); }

}  // namespace gabbro::exec::torch
