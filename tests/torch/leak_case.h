// Tests a graph by changing everything that its watched positions do not see. Some of the replacement values
// are infinite, NaN, overflowing or denormal.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "exec/reference/reference.h"
#include "exec/torch/stepper.h"
#include "lang/elaborate.h"
#include "torch/perturbed.h"

namespace gabbro::testing {

constexpr std::int64_t kStrangeTokens = 4;  // the last tokens of the vocabulary

/// Returns random parameters, with a few large elements if `extreme`. The embeddings of the last tokens are
/// always extreme.
inline std::vector<at::Tensor> strange_params(const ir::Graph& graph, Random& random, at::ScalarType dtype,
                                              bool extreme) {
  std::vector<at::Tensor> out;
  std::vector<exec::Tensor> params = exec::initial_params(graph, random);
  for (std::size_t p = 0; p < params.size(); ++p) {
    for (double& v : params[p].data) {
      v += 0.3 * random.normal();
      if (extreme && random.chance(0.05)) v = random.chance(0.5) ? 1e20 : -1e3;
    }
    const std::vector<std::int64_t> sizes(params[p].dims.begin(), params[p].dims.end());
    out.push_back(at::from_blob(params[p].data.data(), sizes, at::kDouble).to(dtype, false, true));
  }
  for (const ir::Node& node : graph.bodies[0].nodes) {
    if (node.op != ir::Op::kLookup || graph.node(0, node.in[1]).op != ir::Op::kTokens) continue;
    const ir::Node& table = graph.node(0, node.in[0]);
    if (table.op != ir::Op::kParam) continue;
    at::Tensor& x = out[static_cast<std::size_t>(table.index)];
    for (std::int64_t token = x.size(1) - kStrangeTokens; token < x.size(1); ++token)  // [D, V]
      x.select(1, token).fill_(extreme_number(random));
  }
  return out;
}

/// A graph, lowered in one way, on a batch of 1 to 3 rows of `length` positions.
class LeakCase {
 public:
  LeakCase(const lang::Elaboration& e, const Lowering& lowering, std::int64_t length, Random& random)
      : random_(random),
        lowering_(lowering),
        vocab_(static_cast<std::int64_t>(e.graph.env.vocab)),
        runs_(e.graph, e.outputs, lowering),
        layout_(random_layout(random, 1 + random.below(3), length)),
        extreme_(random.chance(0.15)),
        params_(strange_params(e.graph, random, lowering.dtype, extreme_)) {
    batch_.tokens = at::zeros({layout_.rows, length}, at::kLong);
    for (std::int64_t i = 0; i < layout_.rows * length; ++i)
      batch_.tokens.data_ptr<std::int64_t>()[i] = random.below(vocab_ - kStrangeTokens);
    if (layout_.packed)
      batch_.starts = at::tensor(layout_.starts, at::kLong).view({layout_.rows, layout_.length});
    // Share of extreme values among those that the watched positions see.
    const double seen_extremes = random.chance(0.1) ? 0.02 : 0;
    for (int i = 0; i < runs_.inputs(); ++i)
      batch_.inputs.push_back(
          with_changes(at::zeros(runs_.input_shape(i, layout_.rows, layout_.length), lowering.dtype),
                       seen_extremes, [](std::int64_t, std::int64_t) { return true; }));
  }

  /// Returns "" if the outputs of the watched positions are bit-identical whatever the rest of the batch
  /// holds. Otherwise describes the first difference.
  std::string forward() {
    const std::vector<at::Tensor> base = runs_.forward(params_, batch_);
    for (const double extremes : {0.0, random_.chance(0.5) ? 1.0 : 0.05}) {
      const std::string found =
          compare_forward(base, extremes, [&](std::int64_t row, std::int64_t t) { return unseen(row, t); });
      if (!found.empty()) return fmt::format("forward, {}: {}", leaking_parts(base, extremes), found);
    }
    return "";
  }

  /// Returns "" if the gradients at the watched positions are bit-identical when earlier adjoints, other
  /// documents and other rows change. Otherwise describes the first difference.
  std::string backward() {
    for (const auto& shape : runs_.seed_shapes(layout_.rows, layout_.length))
      batch_.inputs.push_back(with_changes(at::zeros(shape, lowering_.dtype), 0,
                                           [](std::int64_t, std::int64_t) { return true; }));
    const std::vector<at::Tensor> base = runs_.forward_and_backward(params_, batch_);
    const double extremes = random_.chance(0.3) ? 0 : random_.chance(0.5) ? 1.0 : 0.05;
    std::vector<at::Tensor> other = runs_.forward_and_backward(params_, changed_adjoints(extremes));
    const std::size_t outputs = lowering_.recompute ? 0 : runs_.seed_shapes(1, 1).size();
    for (std::size_t i = 0; i < base.size(); ++i) {
      const std::string found = first_difference(base[i], other[i], layout_, [&](const Watched& w) {
        return i < outputs ? std::pair{w.start, w.end} : std::pair{w.place, w.end};
      });
      if (!found.empty())
        return fmt::format("{} when earlier adjoints change: {}", i < outputs ? "outputs" : "gradient",
                           found);
    }
    return "";
  }

  /// Decodes the first positions of the original graph in float64. Rows must not influence each other by a
  /// single bit. If `moderate` says that all values are moderate, the results must equal those of the whole
  /// sequence at once. Returns "" or what is violated.
  std::string decoded(const lang::Elaboration& e, bool moderate) {
    constexpr std::int64_t kPositions = 40, kRows = 2;
    const std::int64_t length = std::min(layout_.length, kPositions);
    std::vector<at::Tensor> params;
    for (const at::Tensor& p : params_) params.push_back(p.to(at::kDouble));
    const exec::torch::Settings settings{.dtype = at::kDouble};
    exec::torch::Batch batch = decoding_batch(kRows, length);
    const auto run = [&] {
      exec::torch::Stepper stepper(e.graph, e.outputs, params, settings);
      std::vector<at::Tensor> outputs;  // by position
      for (std::int64_t t = 0; t < length; ++t) {
        std::vector<at::Tensor> inputs;
        for (const at::Tensor& x : batch.inputs) inputs.push_back(x.select(1, t));
        const at::Tensor y = stepper.step(batch.tokens.select(1, t), inputs)[0];
        std::vector<std::int64_t> sizes = y.sizes().vec();
        sizes[0] = kRows;
        outputs.push_back(y.expand(sizes).clone());
      }
      return at::stack(outputs, 1);
    };
    const at::Tensor first = run();
    if (moderate && !extreme_) {
      exec::torch::Executor all(e.graph, e.outputs, settings);
      const at::Tensor want = all.run(params, batch)[0].expand_as(first);
      const double difference = (first - want).abs().max().item<double>(),
                   largest = want.abs().max().item<double>();
      if (std::isfinite(largest) && !(difference <= 1e-6 * std::max(1.0, largest)))
        return fmt::format("decoded: {:.3g} apart from the sequence at once, of {:.3g}", difference, largest);
    }
    for (at::Tensor& x : batch.inputs) x.select(0, 1).fill_(extreme_number(random_));
    batch.tokens.select(0, 1).fill_(vocab_ - 1);
    const at::Tensor a = first.select(0, 0).contiguous(), other = run().select(0, 0).contiguous();
    return at::equal(at::nan_to_num(a, 1.5), at::nan_to_num(other, 1.5)) &&
                   at::equal(a.isnan(), other.isnan())
               ? ""
               : "decoded: a row changes with another";
  }

  [[nodiscard]] std::string describe() const {
    std::string out = fmt::format("{}; rows", to_string(lowering_));
    for (const Watched& w : layout_.watched) out += fmt::format(" [{}, {}, {})", w.start, w.place, w.end);
    return out + (layout_.packed ? ", packed" : "");
  }

 private:
  exec::torch::Batch decoding_batch(std::int64_t rows, std::int64_t length) {
    exec::torch::Batch out;
    out.tokens = at::zeros({rows, length}, at::kLong);
    for (std::int64_t i = 0; i < rows * length; ++i)
      out.tokens.data_ptr<std::int64_t>()[i] = random_.below(vocab_ - kStrangeTokens);
    for (int i = 0; i < runs_.inputs(); ++i) {
      at::Tensor x = at::zeros(runs_.input_shape(i, rows, length), at::kDouble);
      for (std::int64_t j = 0; j < x.numel(); ++j) x.data_ptr<double>()[j] = random_.normal();
      out.inputs.push_back(x);
    }
    return out;
  }

  // True for a row and a position that are changed.
  using Where = std::function<bool(std::int64_t row, std::int64_t t)>;
  bool unseen(std::int64_t row, std::int64_t t) const { return changes(layout_, row, t, /*forward=*/true); }

  at::Tensor with_changes(const at::Tensor& x, double extremes, const Where& where) {
    return testing::with_changes(x, layout_, random_, extremes, where);
  }

  // Returns the batch with other values and tokens at `where`. A share `extremes` of the values is extreme.
  exec::torch::Batch changed(double extremes, const Where& where) {
    exec::torch::Batch out = batch_;
    for (at::Tensor& x : out.inputs) x = with_changes(x, extremes, where);
    out.tokens = batch_.tokens.clone();
    for (std::int64_t row = 0; row < layout_.rows; ++row)
      for (std::int64_t t = 0; t < layout_.length; ++t)
        if (where(row, t))
          out.tokens[row][t] = random_.below(extremes > 0 ? vocab_ : vocab_ - kStrangeTokens);
    return out;
  }

  // Changes the adjoints everywhere except in [place, end), and the values everywhere except in the document.
  exec::torch::Batch changed_adjoints(double extremes) {
    exec::torch::Batch out = changed(extremes, [&](std::int64_t row, std::int64_t t) {
      return changes(layout_, row, t, /*forward=*/false);
    });
    for (std::size_t i = static_cast<std::size_t>(runs_.inputs()); i < out.inputs.size(); ++i)
      out.inputs[i] = with_changes(batch_.inputs[i], extremes, [&](std::int64_t row, std::int64_t t) {
        const Watched& w = layout_.watched[static_cast<std::size_t>(row)];
        return t < w.place || t >= w.end;
      });
    return out;
  }

  // Returns "" if the outputs of the watched positions stay those of `base` when the batch changes at
  // `where`.
  std::string compare_forward(const std::vector<at::Tensor>& base, double extremes, const Where& where) {
    const std::vector<at::Tensor> other = runs_.forward(params_, changed(extremes, where));
    for (std::size_t i = 0; i < base.size(); ++i) {
      const std::string found = first_difference(base[i], other[i], layout_, [](const Watched& w) {
        return std::pair{w.start, w.place};
      });
      if (!found.empty()) return found;
    }
    return "";
  }

  // Names the unseen parts that have an influence on their own; "together" if none has.
  std::string leaking_parts(const std::vector<at::Tensor>& base, double extremes) {
    std::string out;
    const auto watched = [&](std::int64_t row) -> const Watched& {
      return layout_.watched[static_cast<std::size_t>(row)];
    };
    const std::pair<const char*, Where> kParts[] = {
        {"future",
         [&](std::int64_t row, std::int64_t t) { return t >= watched(row).place && t < watched(row).end; }},
        {"document before", [&](std::int64_t row, std::int64_t t) { return t < watched(row).start; }},
        {"document after", [&](std::int64_t row, std::int64_t t) { return t >= watched(row).end; }}};
    for (const auto& [name, where] : kParts)
      for (int tries = 0; tries < 3; ++tries)
        if (!compare_forward(base, extremes, where).empty()) {
          out += (out.empty() ? "" : ", ") + std::string(name);
          break;
        }
    return out.empty() ? "together" : out;
  }

  Random& random_;
  Lowering lowering_;
  std::int64_t vocab_;
  Runs runs_;
  Layout layout_;
  bool extreme_;  // The parameters amplify rounding too much for a comparison with a tolerance.
  std::vector<at::Tensor> params_;
  exec::torch::Batch batch_;
};

}  // namespace gabbro::testing
