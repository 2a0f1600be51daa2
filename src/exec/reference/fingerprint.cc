#include "exec/reference/fingerprint.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "exec/reference/reference.h"

namespace gabbro::exec {

namespace {

constexpr std::int64_t kLength = 5;

// Maps a hash to a uniform value in [-1, 1).
double value_of(std::uint64_t hash) { return static_cast<double>(hash >> 11) * 0x1.0p-52 - 1; }

// Fills `x` with values that do not depend on the order of its axes: each index contributes the hash of its
// axis' size, its role (`part`) and the index itself to a sum.
template <class Part>
void fill(Tensor& x, const ir::Graph& graph, std::uint64_t seed, double scale, Part&& part) {
  std::vector<std::int64_t> index(x.dims.size(), 0);
  for (double& v : x.data) {
    std::uint64_t sum = seed;
    for (std::size_t d = 0; d < index.size(); ++d) {
      const ir::AxisId axis = x.axes[static_cast<int>(d)];
      const std::int64_t size = axis < ir::kFirstAxis ? 0 : graph.axes[axis].size;
      sum += mix(mix(static_cast<std::uint64_t>(size), part(axis)), static_cast<std::uint64_t>(index[d]));
    }
    v = scale * value_of(mix(sum, 0x5eed));
    for (std::size_t d = index.size(); d-- > 0 && ++index[d] == x.dims[d];) index[d] = 0;
  }
}

}  // namespace

Fingerprint fingerprint(const ir::Graph& graph, std::span<const ir::NodeId> outputs) {
  Feed feed;
  for (const ir::Param& param : graph.params) {
    Tensor x = zeros(graph, param.axes, 0);
    fill(x, graph, 1, 1, [&](ir::AxisId a) { return param.fan_in.contains(a) ? 1ULL : 2ULL; });
    feed.params.push_back(std::move(x));
  }
  for (std::int64_t t = 0; t < kLength; ++t)
    feed.tokens.push_back((t * t + 1) % std::max<std::int64_t>(1, std::llround(graph.env.vocab)));
  for (const ir::Node& node : graph.bodies[0].nodes) {
    if (node.op != ir::Op::kInput) continue;
    Tensor x = zeros(graph, node.type.axes, kLength);
    fill(x, graph, 10 + static_cast<std::uint64_t>(node.index), 1.5,
         [](ir::AxisId a) { return 3ULL + (a == ir::kTime ? 1 : 0); });
    if (feed.inputs.size() <= static_cast<std::size_t>(node.index)) feed.inputs.resize(node.index + 1);
    feed.inputs[node.index] = std::move(x);
  }
  Fingerprint out;
  out.params = graph.params.size();
  std::uint64_t which = 0;
  for (const Tensor& y : evaluate(graph, outputs, feed, kLength)) {
    for (std::size_t k = 0; k < out.values.size(); ++k) {
      Tensor weight = y;
      fill(weight, graph, 100 + 10 * which + k, 1, [](ir::AxisId a) { return a == ir::kTime ? 5ULL : 6ULL; });
      for (std::size_t i = 0; i < y.data.size(); ++i) out.values[k] += y.data[i] * weight.data[i];
    }
    ++which;
  }
  return out;
}

bool same_function(const Fingerprint& a, const Fingerprint& b) {
  if (a.params != b.params) return false;
  double largest = 1e-12, difference = 0;
  for (std::size_t k = 0; k < a.values.size(); ++k) {
    if (std::isnan(a.values[k]) != std::isnan(b.values[k])) return false;
    if (std::isnan(a.values[k])) continue;
    largest = std::max({largest, std::abs(a.values[k]), std::abs(b.values[k])});
    difference = std::max(difference, std::abs(a.values[k] - b.values[k]));
  }
  return difference <= 1e-7 * largest;
}

}  // namespace gabbro::exec
