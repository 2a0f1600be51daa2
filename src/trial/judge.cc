#include "trial/judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "exec/reference/predicted_cost.h"
#include "trial/backend.h"

namespace gabbro::trial {

namespace {

exec::TokenBatch beginning_of(const exec::TokenBatch& row, std::int64_t length) {
  const auto part = [&](const std::vector<std::int64_t>& x) {
    return x.empty() ? x : std::vector<std::int64_t>(x.begin(), x.begin() + length);
  };
  return {1, length, part(row.tokens), part(row.targets), part(row.starts)};
}

}  // namespace

Judge::Judge(const ir::Graph& graph, std::span<const ir::NodeId> outputs, const record::TrialSpec& spec,
             std::int64_t length, std::int64_t left) {
  constexpr double kMib = 1 << 20;
  const auto make = [&](bool as_written) {
    return torch_backend(
        {.threads = spec.threads, .dtype = record::Dtype::kFloat64, .as_written = as_written})(graph,
                                                                                               spec.seed);
  };
  written_ = make(true);
  std::string why;
  for (written_length_ = length; written_length_ > 0; written_length_ /= 2) {
    const std::int64_t bytes = written_->score_bytes(1, written_length_);
    const double operations = exec::predict_cost(graph, outputs, written_length_).operations;
    if (bytes <= left && operations <= kMostOperations) break;
    if (!why.empty()) continue;
    why = bytes > left ? fmt::format("the whole takes {:.0f} MiB, and {:.0f} are left",
                                     static_cast<double>(bytes) / kMib, static_cast<double>(left) / kMib)
                       : fmt::format("the whole takes {:.2g} operations", operations);
  }
  if (written_length_ == length) return;
  note_ = fmt::format("; float64 as written for the first {} tokens, then with rewrites: {}", written_length_,
                      why);
  rewritten_ = make(false);
  if (written_length_ == 0) written_.reset();
}

void Judge::restore(const std::vector<exec::NamedArray>& weights) {
  for (const auto& model : {std::cref(written_), std::cref(rewritten_)})
    if (model.get()) GABBRO_CHECK(model.get()->restore(weights));
}

std::vector<double> Judge::losses(const exec::TokenBatch& row) {
  GABBRO_CHECK(row.sequences == 1);
  std::vector<double> out;
  if (rewritten_) {
    const std::vector<float> losses = rewritten_->losses(row);
    out.assign(losses.begin(), losses.end());
  }
  if (written_) {
    const std::vector<float> losses =
        written_->losses(rewritten_ ? beginning_of(row, std::min(written_length_, row.length)) : row);
    out.resize(static_cast<std::size_t>(row.length));
    std::copy(losses.begin(), losses.end(), out.begin());
  }
  return out;
}

}  // namespace gabbro::trial
