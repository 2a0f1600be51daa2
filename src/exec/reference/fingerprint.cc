#include "exec/reference/fingerprint.h"

#include <algorithm>
#include <cmath>

#include "base/hash.h"
#include "exec/reference/reference.h"

namespace gabbro::exec {

namespace {

constexpr std::int64_t kPositions = 5;

// The seeds of the values of parameters, of inputs (plus their index) and of projections of outputs (plus
// kSeedsPerOutput times the index of the output, plus that of the projection).
constexpr std::uint64_t kParamSeed = 1, kInputSeed = 10, kProjectionSeed = 100, kSeedsPerOutput = 10;

// The roles of axes. Axes of the same size and role are interchangeable.
enum AxisRole : std::uint64_t { kFanIn = 1, kFanOut, kInputChannel, kInputTime, kOutputTime, kOutputChannel };

// Maps a hash to a uniform value in [-1, 1).
double value_of(std::uint64_t hash) { return static_cast<double>(hash >> 11) * 0x1.0p-52 - 1; }

// Fills `x` with pseudo-random values in [-scale, scale) that do not depend on the order of its axes. The
// hash of an element is a sum over its axes, of hashes of the axis' size, its role (`role_of`) and the index
// along it. The size of time and past axes counts as 0.
template <class RoleOf>
void fill(Tensor& x, const ir::Graph& graph, std::uint64_t seed, double scale, RoleOf&& role_of) {
  std::vector<std::int64_t> index(x.dims.size(), 0);
  for (double& v : x.data) {
    std::uint64_t sum = seed;
    for (std::size_t d = 0; d < index.size(); ++d) {
      const ir::AxisId axis = x.axes[static_cast<int>(d)];
      const std::int64_t size = axis < ir::kFirstAxis ? 0 : graph.axes[axis].size;
      const std::uint64_t axis_hash = mix(static_cast<std::uint64_t>(size), role_of(axis));
      sum += mix(axis_hash, static_cast<std::uint64_t>(index[d]));
    }
    v = scale * value_of(mix(sum, 0x5eed));
    // Moves to the next element, in row-major order.
    for (std::size_t d = index.size(); d-- > 0 && ++index[d] == x.dims[d];) index[d] = 0;
  }
}

std::vector<Tensor> params_of(const ir::Graph& graph) {
  std::vector<Tensor> out;
  for (const ir::Param& param : graph.params) {
    Tensor x = zeros(graph, param.axes, 0);
    fill(x, graph, kParamSeed, 1, [&](ir::AxisId a) { return param.fan_in.contains(a) ? kFanIn : kFanOut; });
    out.push_back(std::move(x));
  }
  return out;
}

std::vector<std::int64_t> tokens_of(const ir::Graph& graph) {
  const std::int64_t vocab = std::max<std::int64_t>(1, std::llround(graph.env.vocab));
  std::vector<std::int64_t> out;
  for (std::int64_t t = 0; t < kPositions; ++t) out.push_back((t * t + 1) % vocab);
  return out;
}

std::vector<Tensor> inputs_of(const ir::Graph& graph) {
  std::vector<Tensor> out;
  for (const ir::Node& node : graph.bodies[0].nodes) {
    if (node.op != ir::Op::kInput) continue;
    const auto index = static_cast<std::size_t>(node.index);
    Tensor x = zeros(graph, node.type.axes, kPositions);
    fill(x, graph, kInputSeed + index, 1.5,
         [](ir::AxisId a) { return a == ir::kTime ? kInputTime : kInputChannel; });
    if (out.size() <= index) out.resize(index + 1);
    out[index] = std::move(x);
  }
  return out;
}

}  // namespace

Fingerprint fingerprint(const ir::Graph& graph, std::span<const ir::NodeId> outputs) {
  const Feed feed{.tokens = tokens_of(graph), .inputs = inputs_of(graph), .params = params_of(graph)};
  Fingerprint out;
  out.params = graph.params.size();
  std::uint64_t output_index = 0;
  for (const Tensor& y : evaluate(graph, outputs, feed, kPositions)) {
    for (std::size_t k = 0; k < out.values.size(); ++k) {
      Tensor weights = y;  // has the right shape; its values are replaced
      fill(weights, graph, kProjectionSeed + kSeedsPerOutput * output_index + k, 1,
           [](ir::AxisId a) { return a == ir::kTime ? kOutputTime : kOutputChannel; });
      for (std::size_t i = 0; i < y.data.size(); ++i) out.values[k] += y.data[i] * weights.data[i];
    }
    ++output_index;
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
