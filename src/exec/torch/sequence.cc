#include "exec/torch/sequence.h"

#include <algorithm>

#include "ir/graph.h"

namespace gabbro::exec::torch {

Sequence::Sequence(std::int64_t batch, std::int64_t length, at::Tensor starts)
    : batch_(batch), length_(length), starts_(std::move(starts)) {
  const at::Tensor t = at::arange(length, at::kLong);
  if (!packed()) {
    position_ = t.unsqueeze(0);
    return;
  }
  starts_ = starts_.contiguous();
  position_ = t.unsqueeze(0) - starts_;
  begins_ = position_.eq(0);
  latest_start_ = length;
  const at::Tensor any = begins_.any(0);
  for (std::int64_t i = 0; i < length; ++i) begins_any_.push_back(any[i].item<bool>());
}

Sequence Sequence::block(std::int64_t row, std::int64_t begin, std::int64_t end, std::int64_t window) const {
  Sequence out;
  out.is_block_ = true;
  out.batch_ = 1;
  out.length_ = end - begin;
  out.first_ = begin;
  out.past_first_ = window == ir::kAll ? 0 : std::max<std::int64_t>(0, begin - window + 1);
  const auto part = [&](const at::Tensor& x) {
    return (x.size(0) > 1 ? x.narrow(0, row, 1) : x).narrow(1, begin, end - begin);
  };
  out.position_ = part(position_);
  out.future_ = future_;
  if (!packed()) return out;
  out.starts_ = part(starts_);
  const std::int64_t* const starts = starts_.const_data_ptr<std::int64_t>() + row * length_;
  out.latest_start_ = starts[end - 1];  // starts rise along a row
  out.past_first_ = std::max(out.past_first_, starts[begin]);
  return out;
}

std::int64_t Sequence::document_end(std::int64_t row, std::int64_t begin, std::int64_t end) const {
  if (!packed()) return end;
  GABBRO_CHECK(!is_block_);
  const std::int64_t* const starts = starts_.const_data_ptr<std::int64_t>() + row * length_;
  for (std::int64_t t = begin + 1; t < end; ++t)
    if (starts[t] == t) return t;
  return end;
}

void Sequence::prepare_blocks(std::int64_t length) {
  if (!future_.defined() || future_.size(0) < length)
    future_ = at::ones({length, length}, position_.options().dtype(at::kBool)).triu_(1);
}

at::Tensor Sequence::lag() const {
  return positions(first_, first_ + length_).unsqueeze(1) -
         positions(past_first_, first_ + length_).unsqueeze(0);
}

const PairMask& Sequence::pairs(std::int64_t window) {
  PairMask& mask = pairs_[window];
  if (mask.outside.defined()) return mask;
  const std::int64_t end = first_ + length_;
  mask.shared_to = first_ - past_first_;
  mask.shared_from = std::max<std::int64_t>(latest_start_ - past_first_, 0);
  if (window != ir::kAll) mask.shared_from = std::max(mask.shared_from, end - window - past_first_);
  mask.shared_from = std::min(mask.shared_from, mask.shared_to);
  const bool whole = latest_start_ <= past_first_ && (window == ir::kAll || end - 1 - past_first_ < window);
  if (whole) {  // only the future is outside
    mask.from = first_ - past_first_;
    prepare_blocks(length_);
    mask.outside = future_.narrow(0, 0, length_).narrow(1, 0, length_).unsqueeze(0);
    return mask;
  }
  const at::Tensor distance = lag().unsqueeze(0);
  mask.outside = distance.lt(0).logical_or_(packed() ? distance.gt(position_.unsqueeze(2))
                                                     : distance.ge(static_cast<double>(window)));
  if (packed() && window != ir::kAll) mask.outside.logical_or_(distance.ge(static_cast<double>(window)));
  return mask;
}

at::Tensor Sequence::reads(std::int64_t n) const {
  if (n >= 0) return position_.ge(n);
  // Ahead by m: the position m later exists and lies at least m into its document.
  const std::int64_t m = std::min(-n, length_);
  const at::Tensor later = position_.narrow(1, m, length_ - m).ge(m);
  return at::constant_pad_nd(later, {0, m}, 0).to(at::kBool);
}

bool Sequence::boundary(std::int64_t t, bool backwards) const {
  if (backwards) ++t;
  return t == 0 || t == length_ || (packed() && begins_any_[static_cast<std::size_t>(t)]);
}

at::Tensor Sequence::boundaries(std::int64_t t, bool backwards) const {
  if (backwards) ++t;
  if (t == 0 || t == length_) return at::ones({batch_}, position_.options().dtype(at::kBool));
  return begins_.select(1, t);
}

}  // namespace gabbro::exec::torch
