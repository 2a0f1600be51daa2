// Runs a graph twice on the torch backend: the results of a part of the batch must not depend on anything
// that the part does not see.
//
// Both runs have the same shape and the same documents, so every value of the watched part is computed by the
// same operations. The values must therefore be bit-identical, with NaN equal to NaN.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "exec/torch/executor.h"
#include "ir/convolve.h"
#include "ir/fuse.h"
#include "ir/gradient.h"
#include "ir/recompute.h"
#include "ir/recurrences.h"

namespace gabbro::testing {

/// The choices in how a graph is lowered and run.
struct Lowering {
  std::optional<ir::RecurrenceOptions> recurrences;
  bool convolutions = true, fuse = true, programs = true, half = false, recompute = false;
  at::ScalarType dtype = at::kFloat;
  std::int64_t block = 0;
};

inline Lowering random_lowering(Random& random) {
  Lowering out;
  if (random.chance(0.8)) out.recurrences = ir::RecurrenceOptions{};
  out.convolutions = random.chance(0.7);
  out.fuse = random.chance(0.8);
  out.programs = random.chance(0.7);
  out.half = random.chance(0.15);
  out.recompute = random.chance(0.2);
  if (!out.half && random.chance(0.1)) out.dtype = at::kDouble;
  if (random.chance(0.3)) out.block = 1 + random.below(50);
  return out;
}

inline std::string to_string(const Lowering& l) {
  return fmt::format("{}, {}{}{}{}{}, {}, block {}", l.recurrences ? "lowered recurrences" : "steps",
                     l.convolutions ? "convolutions" : "no convolutions", l.fuse ? ", fuse" : "",
                     l.programs ? ", programs" : "", l.half ? ", bf16" : "", l.recompute ? ", recompute" : "",
                     at::toString(l.dtype), l.block);
}

/// A lowered graph with its executors. `outputs` vary over time. The gradient is that of sum <output, seed>
/// with respect to the inputs of the graph.
class Runs {
 public:
  Runs(ir::Graph graph, const std::vector<ir::NodeId>& outputs, const Lowering& lowering)
      : lowering_(lowering) {
    graph.bodies[0].outputs = outputs;
    if (lowering.recurrences) graph = ir::lower_recurrences(graph, *lowering.recurrences).graph;
    if (lowering.convolutions) graph = ir::convolve(graph);
    if (lowering.fuse) graph = ir::fuse(graph);
    forward_graph_ = graph;
    graph_ = std::move(graph);
    for (const ir::Node& node : graph_.bodies[0].nodes)
      if (node.op == ir::Op::kInput) inputs_ = std::max(inputs_, node.index + 1);
    input_types_.resize(static_cast<std::size_t>(inputs_));
    for (const ir::Node& node : graph_.bodies[0].nodes)
      if (node.op == ir::Op::kInput) input_types_[static_cast<std::size_t>(node.index)] = node.type;
  }

  [[nodiscard]] int inputs() const { return inputs_; }
  [[nodiscard]] std::vector<std::int64_t> input_shape(int index, std::int64_t batch,
                                                      std::int64_t length) const {
    return shape(input_types_[static_cast<std::size_t>(index)], batch, length);
  }
  [[nodiscard]] std::vector<std::vector<std::int64_t>> seed_shapes(std::int64_t batch,
                                                                   std::int64_t length) const {
    std::vector<std::vector<std::int64_t>> out;
    for (const ir::NodeId id : forward_graph_.bodies[0].outputs)
      out.push_back(shape(forward_graph_.node(0, id).type, batch, length));
    return out;
  }

  std::vector<at::Tensor> forward(const std::vector<at::Tensor>& params, const exec::torch::Batch& batch) {
    if (!forward_)
      forward_ = std::make_unique<exec::torch::Executor>(forward_graph_, forward_graph_.bodies[0].outputs,
                                                         settings());
    return forward_->run(params, batch);
  }
  /// Returns the outputs (omitted if activations are recomputed), then the gradients with respect to what is
  /// read at each position: inputs, or the embedding of each token. `batch.inputs` has the seeds after the
  /// inputs.
  std::vector<at::Tensor> forward_and_backward(const std::vector<at::Tensor>& params,
                                               const exec::torch::Batch& batch) {
    if (!both_) differentiate();
    std::vector<at::Tensor> out = both_->run(params, batch);
    out.resize(compared_);
    return out;
  }

 private:
  std::vector<std::int64_t> shape(const ir::Type& type, std::int64_t batch, std::int64_t length) const {
    std::vector<std::int64_t> out{batch, length};
    for (const ir::AxisId axis : type.axes)
      if (axis != ir::kTime) out.push_back(graph_.axes[axis].size);
    return out;
  }
  exec::torch::Settings settings() const {
    return {.dtype = lowering_.dtype,
            .half = lowering_.half,
            .programs = lowering_.programs,
            .block = lowering_.block};
  }
  void differentiate() {
    const std::vector<ir::NodeId> outputs = graph_.bodies[0].outputs;
    const auto forward = static_cast<ir::NodeId>(graph_.bodies[0].nodes.size());
    ir::Builder builder(graph_, 0);
    std::vector<ir::NodeId> seeds, wrt, params;
    for (std::size_t o = 0; o < outputs.size(); ++o)
      seeds.push_back(builder.add({.op = ir::Op::kInput,
                                   .type = graph_.node(0, outputs[o]).type,
                                   .index = inputs_ + static_cast<std::int32_t>(o)}));
    for (ir::NodeId id = 0; id < forward; ++id) {
      const ir::Node& node = graph_.node(0, id);
      const bool embedded = node.op == ir::Op::kLookup && graph_.node(0, node.in[1]).op == ir::Op::kTokens;
      if ((node.op == ir::Op::kInput || embedded) && node.type.time()) wrt.push_back(id);
      if (node.op == ir::Op::kParam) params.push_back(id);
    }
    std::vector<ir::NodeId> wanted;
    if (!lowering_.recompute) wanted = outputs;
    compared_ = wanted.size() + wrt.size();
    wrt.insert(wrt.end(), params.begin(), params.end());
    for (const ir::NodeId id : ir::differentiate(builder, outputs, seeds, wrt)) wanted.push_back(id);
    if (lowering_.recompute) wanted = ir::recompute_activations(graph_, forward, wanted);
    both_ = std::make_unique<exec::torch::Executor>(graph_, wanted, settings());
  }

  Lowering lowering_;
  ir::Graph forward_graph_, graph_;
  int inputs_ = 0;
  std::vector<ir::Type> input_types_;
  std::size_t compared_ = 0;  // results of `both_` that are returned: all but the gradients of parameters
  std::unique_ptr<exec::torch::Executor> forward_, both_;
};

/// The watched part of a row: positions [start, end) are one document, and `place` is a position in it.
/// [start, place) is watched when what follows changes, [place, end) when adjoints before it change.
struct Watched {
  std::int64_t start = 0, place = 0, end = 0;
};

/// A batch of rows with documents, and the watched part of each row.
struct Layout {
  std::int64_t rows = 0, length = 0;
  std::vector<std::int64_t> starts;  // [rows, length]
  bool packed = false;
  std::vector<Watched> watched;
};

/// Draws documents and watched parts. Seven in ten batches are packed: their rows have several documents.
inline Layout random_layout(Random& random, std::int64_t rows, std::int64_t length) {
  constexpr double kMeanBorders = 2.5;  // between the documents of a row
  Layout out{.rows = rows,
             .length = length,
             .starts = std::vector<std::int64_t>(static_cast<std::size_t>(rows * length), 0),
             .packed = random.chance(0.7)};
  for (std::int64_t row = 0; row < rows; ++row) {
    std::vector<std::int64_t> begins{0};
    if (out.packed)
      for (std::int64_t t = 1; t < length; ++t)
        if (random.chance(kMeanBorders / static_cast<double>(length))) begins.push_back(t);
    begins.push_back(length);
    for (std::size_t d = 0; d + 1 < begins.size(); ++d)
      std::fill(out.starts.begin() + row * length + begins[d],
                out.starts.begin() + row * length + begins[d + 1], begins[d]);
    const std::int64_t watched_position = random.below(length);
    std::size_t d = 0;
    while (begins[d + 1] <= watched_position) ++d;
    const std::int64_t size = begins[d + 1] - begins[d];
    out.watched.push_back(
        {.start = begins[d], .place = begins[d] + random.below(size + 1), .end = begins[d + 1]});
  }
  return out;
}

/// Returns true if position t of a row is changed: everything except [start, place) if `forward` is true, and
/// otherwise everything except the document.
inline bool changes(const Layout& l, std::int64_t row, std::int64_t t, bool forward) {
  const Watched& w = l.watched[static_cast<std::size_t>(row)];
  return t < w.start || t >= (forward ? w.place : w.end);
}

/// Returns a value near or beyond an end of float32's range, or one whose exponential is (e^88, e^-104).
inline double extreme_number(Random& random) {
  static const double kNumbers[] = {INFINITY, -INFINITY, NAN, 1e30, -1e30, 3e38, -3e38, 1e19,
                                    1e-42,    -1e-42,    0,   -0.0, 1e10,  88,   104,   -104};
  return random.pick(kNumbers);
}

/// Returns x [B, T, ...] with new values where `where(row, t)`. A share `extremes` of these positions gets
/// extreme values.
inline at::Tensor with_changes(const at::Tensor& x, const Layout& l, Random& random, double extremes,
                               const std::function<bool(std::int64_t, std::int64_t)>& where) {
  at::Tensor out = x.to(at::kDouble).contiguous().clone();
  const std::int64_t size = out.numel() / (l.rows * l.length);
  double* data = out.data_ptr<double>();
  const double common_extreme = extreme_number(random);  // of most changed elements
  for (std::int64_t row = 0; row < l.rows; ++row)
    for (std::int64_t t = 0; t < l.length; ++t) {
      if (!where(row, t)) continue;
      const bool extreme = random.chance(extremes);
      double* elements = data + (row * l.length + t) * size;
      for (std::int64_t i = 0; i < size; ++i)
        elements[i] = !extreme             ? random.normal()
                      : random.chance(0.6) ? common_extreme
                      : random.chance(0.5) ? random.normal()
                                           : extreme_number(random);
    }
  return out.to(x.scalar_type());
}

/// Returns "" if x and y [B, T, ...] are bit-identical at the positions [from, to) that `range` returns for
/// each row. Otherwise describes the first difference.
inline std::string first_difference(
    const at::Tensor& x, const at::Tensor& y, const Layout& l,
    const std::function<std::pair<std::int64_t, std::int64_t>(const Watched&)>& range) {
  const auto elements_of = [&](const at::Tensor& z) {
    return z.reshape({z.size(0), l.length, -1}).expand({l.rows, l.length, -1}).to(at::kDouble).contiguous();
  };
  const at::Tensor a = elements_of(x), b = elements_of(y);
  const std::int64_t size = a.numel() / (l.rows * l.length);
  for (std::int64_t row = 0; row < l.rows; ++row) {
    const auto [from, to] = range(l.watched[static_cast<std::size_t>(row)]);
    for (std::int64_t t = from; t < to; ++t)
      for (std::int64_t i = 0; i < size; ++i) {
        const double u = a.data_ptr<double>()[(row * l.length + t) * size + i],
                     v = b.data_ptr<double>()[(row * l.length + t) * size + i];
        if (std::isnan(u) && std::isnan(v)) continue;
        if (std::memcmp(&u, &v, sizeof u) != 0)
          return fmt::format("row {} position {} element {}: {:.9g} becomes {:.9g}", row, t, i, u, v);
      }
  }
  return "";
}

}  // namespace gabbro::testing
