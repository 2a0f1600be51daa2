// Numbers of a value by sequence and position.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace gabbro::exec::torch {

/// Where the numbers of one position lie, and how far it is from one sequence and position to the next (0:
/// all share them).
template <class T>
struct Rows {
  T* at = nullptr;
  std::int64_t row = 0, position = 0;

  /// Of `x` with sequences first when `batch`, then positions when `time`; nothing where it is undefined.
  static Rows of_tensor(const at::Tensor& x, bool batch, bool time) {
    if (!x.defined()) return {};
    return {x.data_ptr<T>(), batch && x.size(0) > 1 ? x.stride(0) : 0, time ? x.stride(1) : 0};
  }
  [[nodiscard]] T* of(std::int64_t r, std::int64_t t) const {
    return at ? at + r * row + t * position : nullptr;
  }
};

}  // namespace gabbro::exec::torch
