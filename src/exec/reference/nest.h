// Loop nests over named axes. Kernels need not know the memory layout of values, nor which pairs (t, s)
// exist; `lag` and `shift` (kernels.cc) are the exceptions.
//
// A kernel specifies the axes that it loops over (a Space) and the layout of each operand (a Layout). The
// Nest then visits the space in runs of constant stride. A value with a past axis has two position axes: t is
// in the frame, and s runs over the positions of the frame with 0 <= t - s < window. Other pairs are never
// visited, so they stay 0 and do not take part in reductions.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "base/inline_vec.h"
#include "exec/reference/tensor.h"
#include "ir/graph.h"

namespace gabbro::exec {

/// The positions that values cover: t in [t_begin, t_begin + t_count), s in [s_begin, s_begin + s_count). In
/// parallel form both are the whole sequence. When decoding, t is one position and s is its history.
struct Frame {
  std::int64_t t_begin = 0;
  std::int64_t t_count = 0;
  std::int64_t s_begin = 0;
  std::int64_t s_count = 0;
};

/// Half-open range of positions.
struct Span {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Returns the past positions of `frame` that position t sees.
inline Span past_of(const Frame& frame, std::int32_t window, std::int64_t t) {
  return {std::max(frame.s_begin, t - window + 1), std::min(frame.s_begin + frame.s_count, t + 1)};
}

/// Returns the number of indices along `axis`.
inline std::int64_t extent(const ir::Graph& graph, const Frame& frame, ir::AxisId axis) {
  if (axis == ir::kTime) return frame.t_count;
  if (axis == ir::kPast) return frame.s_count;
  return graph.axes[axis].size;
}

/// Holds the strides of a tensor's axes in memory. Ops that only move data change the layout of one side: a
/// rename gives an axis of the input a new name, a slice starts it at an offset, and a split treats one axis
/// as several.
class Layout {
 public:
  Layout() = default;
  explicit Layout(const Tensor& x) {
    std::int64_t stride = 1;
    for (int i = x.axes.size() - 1; i >= 0; --i) {
      strides_.push_back({x.axes[i], stride});
      stride *= x.dims[i];
    }
  }

  /// Returns 0 for an axis that the operand lacks, so that its values repeat along the axis.
  [[nodiscard]] std::int64_t stride(ir::AxisId axis) const {
    for (const Entry& e : strides_)
      if (e.axis == axis) return e.stride;
    return 0;
  }
  [[nodiscard]] std::int64_t offset() const { return offset_; }

  Layout& rename(ir::AxisId from, ir::AxisId to) {
    for (Entry& e : strides_)
      if (e.axis == from) e.axis = to;
    return *this;
  }
  /// Makes the layout start at index `first` of `axis`.
  Layout& start(ir::AxisId axis, std::int64_t first) {
    offset_ += first * stride(axis);
    return *this;
  }
  /// Replaces `axis` by the axes `parts`, in row-major order.
  Layout& split(const ir::Graph& graph, ir::AxisId axis, const ir::AxisList& parts) {
    std::int64_t step = stride(axis);
    for (int i = 0; i < strides_.size(); ++i)
      if (strides_[i].axis == axis) strides_.erase(i--);
    for (int i = parts.size() - 1; i >= 0; --i) {
      strides_.push_back({parts[i], step});
      step *= graph.axes[parts[i]].size;
    }
    return *this;
  }

 private:
  struct Entry {
    ir::AxisId axis = 0;
    std::int64_t stride = 0;
  };
  InlineVec<Entry, 2 * ir::kMaxRank> strides_;
  std::int64_t offset_ = 0;
};

/// The indices that a kernel loops over: all of `axes`. When the past axis is among them, only existing pairs
/// (t, s) are included.
struct Space {
  const ir::Graph& graph;
  Frame frame;
  std::int32_t window = 0;  // t sees the positions s with 0 <= t - s < window
  InlineVec<ir::AxisId, 2 * ir::kMaxRank> axes{};

  Space& add(const ir::AxisList& more) {
    for (ir::AxisId axis : more)
      if (!axes.contains(axis)) axes.push_back(axis);
    return *this;
  }
  /// Removes `axis`, which must be there.
  Space& remove(ir::AxisId axis) {
    GABBRO_CHECK(axes.contains(axis));
    axes.erase(axes.find(axis));
    return *this;
  }
};

/// The loops over a space with N operands.
template <int N>
class Nest {
 public:
  using Offsets = std::array<std::int64_t, N>;

  Nest(const Space& space, const std::array<Layout, N>& operands)
      : frame_(space.frame), window_(space.window) {
    for (int k = 0; k < N; ++k) base_[k] = operands[k].offset();
    ragged_ = space.axes.contains(ir::kPast);
    GABBRO_CHECK(!ragged_ || space.axes.contains(ir::kTime));
    for (ir::AxisId axis : space.axes) add_loop(axis, extent(space.graph, frame_, axis), operands);
    // The axis with the largest strides becomes the outermost loop. The sort is stable, so axes with equal
    // strides keep their order.
    std::stable_sort(loops_.begin(), loops_.end(),
                     [](const Loop& a, const Loop& b) { return a.total_stride() > b.total_stride(); });
    coalesce();
    if (loops_.empty()) loops_.push_back({1, {}, false});
  }

  /// Calls f(offsets, count, strides) for runs that together visit every index exactly once: the elements of
  /// operand k are those at offsets[k] + i * strides[k] for 0 <= i < count.
  template <class F>
  void for_each_run(F&& f) const {
    if (!ragged_) return walk(loops_, base_, f);
    Loops loops = loops_;
    for (std::int64_t t = frame_.t_begin; t < frame_.t_begin + frame_.t_count; ++t) {
      const Span past = past_of(frame_, window_, t);
      for (Loop& loop : loops)
        if (loop.is_past) loop.count = past.end - past.begin;
      Offsets at = base_;
      advance(at, t_strides_, t - frame_.t_begin);
      advance(at, s_strides_, past.begin - frame_.s_begin);
      walk(loops, at, f);
    }
  }

 private:
  struct Loop {
    std::int64_t count = 0;
    Offsets strides{};
    bool is_past = false;  // The number of iterations depends on t.

    [[nodiscard]] std::int64_t total_stride() const {
      std::int64_t sum = 0;
      for (std::int64_t s : strides) sum += std::abs(s);
      return sum;
    }
  };
  using Loops = InlineVec<Loop, 2 * ir::kMaxRank>;

  static void advance(Offsets& at, const Offsets& strides, std::int64_t times) {
    for (int k = 0; k < N; ++k) at[k] += strides[k] * times;
  }

  void add_loop(ir::AxisId axis, std::int64_t count, const std::array<Layout, N>& operands) {
    Loop loop{count, {}, axis == ir::kPast};
    for (int k = 0; k < N; ++k) loop.strides[k] = operands[k].stride(axis);
    if (loop.is_past) s_strides_ = loop.strides;
    if (ragged_ && axis == ir::kTime)
      t_strides_ = loop.strides;
    else if (count != 1 || loop.is_past)
      loops_.push_back(loop);
  }

  // Merges neighbouring loops that together step through memory with one stride.
  void coalesce() {
    for (int i = 0; i + 1 < loops_.size();) {
      const Loop &outer = loops_[i], &inner = loops_[i + 1];
      bool joined = !outer.is_past && !inner.is_past;
      for (int k = 0; k < N; ++k) joined = joined && outer.strides[k] == inner.strides[k] * inner.count;
      if (!joined) {
        ++i;
        continue;
      }
      loops_[i + 1].count *= outer.count;
      loops_.erase(i);
    }
  }

  template <class F>
  static void walk(const Loops& loops, Offsets at, F& f) {
    for (const Loop& loop : loops)
      if (loop.count <= 0) return;
    const Loop& inner = loops[loops.size() - 1];
    std::array<std::int64_t, 2 * ir::kMaxRank> index{};
    for (;;) {
      f(at, inner.count, inner.strides);
      int d = loops.size() - 2;
      for (; d >= 0; --d) {
        advance(at, loops[d].strides, 1);
        if (++index[d] < loops[d].count) break;
        advance(at, loops[d].strides, -loops[d].count);
        index[d] = 0;
      }
      if (d < 0) return;
    }
  }

  Frame frame_;
  std::int32_t window_;
  bool ragged_ = false;  // true if the space has a past axis, whose extent depends on t
  Loops loops_;
  Offsets base_{}, t_strides_{}, s_strides_{};
};

}  // namespace gabbro::exec
