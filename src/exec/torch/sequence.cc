#include "exec/torch/sequence.h"

namespace gabbro::exec::torch {

Sequence::Sequence(std::int64_t batch, std::int64_t length, at::Tensor starts, at::Device device)
    : batch_(batch), length_(length), starts_(std::move(starts)) {
  const at::Tensor t = at::arange(length, at::TensorOptions().dtype(at::kLong).device(device));
  if (!packed()) {
    position_ = t.unsqueeze(0);
    return;
  }
  position_ = t.unsqueeze(0) - starts_;
  first_ = position_.eq(0);
  const at::Tensor any = first_.any(0).to(at::kCPU);
  for (std::int64_t i = 0; i < length; ++i) first_any_.push_back(any[i].item<bool>());
}

const at::Tensor& Sequence::lag() {
  if (!lag_.defined()) {
    const at::Tensor t = at::arange(length_, position_.options());
    lag_ = t.unsqueeze(1) - t.unsqueeze(0);
  }
  return lag_;
}

const at::Tensor& Sequence::pairs(std::int64_t window) {
  at::Tensor& mask = pairs_[window];
  if (mask.defined()) return mask;
  mask = lag().ge(0).logical_and(lag().lt(window)).unsqueeze(0);
  if (packed()) mask = mask.logical_and(lag().unsqueeze(0).le(position_.unsqueeze(2)));
  return mask;
}

at::Tensor Sequence::reads(std::int64_t n) {
  if (n >= 0) return position_.ge(n);
  // Ahead by m: the position m later exists and lies at least m into its document.
  const std::int64_t m = std::min(-n, length_);
  const at::Tensor later = position_.narrow(1, m, length_ - m).ge(m);
  return at::constant_pad_nd(later, {0, m}, 0).to(at::kBool);
}

bool Sequence::boundary(std::int64_t t, bool backwards) const {
  if (backwards) ++t;
  return t == 0 || t == length_ || (packed() && first_any_[static_cast<std::size_t>(t)]);
}

at::Tensor Sequence::boundaries(std::int64_t t, bool backwards) const {
  if (backwards) ++t;
  if (t == 0 || t == length_) return at::ones({batch_}, position_.options().dtype(at::kBool));
  return first_.select(1, t);
}

}  // namespace gabbro::exec::torch
