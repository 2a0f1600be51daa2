// The positions of a run: which exist, which see each other, where documents start.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <vector>

namespace gabbro::exec::torch {

/// Which pairs (t, s) of a block are outside of a window: `outside` is [B or 1, t, s] bool over the columns
/// from `from` on; in those before it all pairs are inside. Every t sees every column in [shared_from,
/// shared_to).
struct PairMask {
  at::Tensor outside;
  std::int64_t from = 0, shared_from = 0, shared_to = 0;
};

/// Positions of B sequences of length T with documents in them; or a block of them: positions [first, first +
/// length) of one sequence, with past positions [past_first, first + length). Masks are made once and kept.
class Sequence {
 public:
  Sequence(std::int64_t batch, std::int64_t length, at::Tensor starts);

  /// Returns positions [begin, end) of sequence `row`. Its past positions begin with the first one that a
  /// position of the block sees through a window of `window`.
  [[nodiscard]] Sequence block(std::int64_t row, std::int64_t begin, std::int64_t end,
                               std::int64_t window) const;

  /// The first position in (begin, end) at which a document of sequence `row` starts, or `end`. Not of a
  /// block.
  [[nodiscard]] std::int64_t document_end(std::int64_t row, std::int64_t begin, std::int64_t end) const;

  /// To be called before blocks of up to `length` positions are taken by several threads.
  void prepare_blocks(std::int64_t length);

  [[nodiscard]] std::int64_t batch() const { return batch_; }
  [[nodiscard]] std::int64_t length() const { return length_; }
  [[nodiscard]] std::int64_t first() const { return first_; }
  [[nodiscard]] std::int64_t past_first() const { return past_first_; }
  [[nodiscard]] std::int64_t past_length() const { return first_ + length_ - past_first_; }
  [[nodiscard]] bool is_block() const { return is_block_; }
  [[nodiscard]] bool packed() const { return starts_.defined(); }
  /// [B or 1, T]: the index of each position in its document.
  [[nodiscard]] const at::Tensor& position() const { return position_; }
  /// [t, s]: t - s, negative for the future.
  [[nodiscard]] at::Tensor lag() const;
  /// Outside: s > t, t - s >= window, or s in an earlier document.
  const PairMask& pairs(std::int64_t window);
  /// [B or 1, T] bool: whether position t reads position t - n of its own document (n < 0: ahead). Not of a
  /// block.
  [[nodiscard]] at::Tensor reads(std::int64_t n) const;
  /// [B, T] bool: whether a document starts there. Only when packed; not of a block.
  [[nodiscard]] const at::Tensor& begins() const { return begins_; }
  /// Returns true if a document starts (backwards: ends) at position t in some sequence; at position 0
  /// (T - 1) one always does.
  [[nodiscard]] bool boundary(std::int64_t t, bool backwards) const;
  /// [B] bool: in which sequences.
  [[nodiscard]] at::Tensor boundaries(std::int64_t t, bool backwards) const;

 private:
  Sequence() = default;
  [[nodiscard]] at::Tensor positions(std::int64_t from, std::int64_t to) const {
    return at::arange(from, to, position_.options());
  }

  std::int64_t batch_ = 0, length_ = 0, first_ = 0, past_first_ = 0;
  std::int64_t latest_start_ = 0;  // of the documents of the block's positions
  bool is_block_ = false;
  at::Tensor starts_, position_;
  at::Tensor future_;             // [t, s] bool: s > t
  at::Tensor begins_;             // [B, T] bool, only when packed
  std::vector<bool> begins_any_;  // per position, only when packed
  std::map<std::int64_t, PairMask> pairs_;
};

}  // namespace gabbro::exec::torch
