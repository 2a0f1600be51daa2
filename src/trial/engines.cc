#include "trial/engines.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "exec/model.h"

namespace gabbro::trial {

std::vector<double> losses_of(const exec::Tensor& logits, const std::vector<std::int64_t>& targets) {
  const auto vocab = static_cast<std::size_t>(logits.dims.at(1));
  std::vector<double> out;
  for (std::size_t t = 0; t * vocab < logits.data.size(); ++t) {
    if (targets[t] == exec::kNotScored) {
      out.push_back(0);
      continue;
    }
    const double* row = logits.data.data() + t * vocab;
    const double top = *std::max_element(row, row + vocab);
    double sum = 0;
    for (std::size_t v = 0; v < vocab; ++v) sum += std::exp(row[v] - top);
    out.push_back(top + std::log(sum) - row[targets[t]]);
  }
  return out;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a[i] - b[i]);
    if (std::isnan(d)) return d;
    largest = std::max(largest, d);
  }
  return largest;
}

exec::Tensor decode_logits(const ir::Graph& graph, ir::NodeId logits, const exec::Feed& feed) {
  const std::vector<ir::NodeId> wanted{logits};
  exec::Stepper stepper(graph, wanted, feed.params);
  exec::Tensor out;
  for (const std::int64_t token : feed.tokens) {
    exec::Feed step;
    step.tokens = {token};
    const exec::Tensor row = std::move(stepper.step(step)[0]);
    out.data.insert(out.data.end(), row.data.begin(), row.data.end());
    out.dims = {static_cast<std::int64_t>(feed.tokens.size()), static_cast<std::int64_t>(row.data.size())};
  }
  return out;
}

}  // namespace gabbro::trial
