// The positions of a run: which exist, which see each other, where documents start.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <vector>

namespace gabbro::exec::torch {

/// Positions of B sequences of length T with documents in them. Masks are made once and kept for the run.
class Sequence {
 public:
  Sequence(std::int64_t batch, std::int64_t length, at::Tensor starts, at::Device device);

  [[nodiscard]] std::int64_t batch() const { return batch_; }
  [[nodiscard]] std::int64_t length() const { return length_; }
  [[nodiscard]] bool packed() const { return starts_.defined(); }
  /// [B or 1, T]: the index of each position in its document.
  [[nodiscard]] const at::Tensor& position() const { return position_; }
  /// [T, T]: t - s, negative for the future.
  const at::Tensor& lag();
  /// [B or 1, T, T] bool: s <= t, t - s < window, both in one document.
  const at::Tensor& pairs(std::int64_t window);
  /// [B or 1, T] bool: whether position t reads position t - n of its own document (n < 0: ahead).
  at::Tensor reads(std::int64_t n);
  /// [B, T]: the position before the document of each position, -1 when there is none. Only when packed.
  [[nodiscard]] at::Tensor before_document() const { return starts_ - 1; }
  /// Whether a document starts (backwards: ends) at position t in some sequence; position 0 (T - 1) always does.
  [[nodiscard]] bool boundary(std::int64_t t, bool backwards) const;
  /// [B] bool: in which sequences.
  [[nodiscard]] at::Tensor boundaries(std::int64_t t, bool backwards) const;

 private:
  std::int64_t batch_, length_;
  at::Tensor starts_, position_, lag_;
  at::Tensor first_;             // [B, T] bool, only when packed
  std::vector<bool> first_any_;  // per position, only when packed
  std::map<std::int64_t, at::Tensor> pairs_;
};

}  // namespace gabbro::exec::torch
