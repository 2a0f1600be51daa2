#include <cmath>

#include "exec/reference/reference.h"

namespace gabbro::exec {

namespace {

constexpr double kVectorDeviation = 0.02;  // standard deviation of normal parameters without fan-in

double deviation(const ir::Graph& graph, const ir::Param& param) {
  if (param.init.a != 0) return param.init.a;
  if (param.fan_in.empty()) return kVectorDeviation;
  return 1 / std::sqrt(static_cast<double>(ir::elements(graph, param.fan_in)));
}

double draw(const ir::Init& init, double deviation, Random& random) {
  switch (init.kind) {
    case ir::Init::Kind::kConstant:
      return init.a;
    case ir::Init::Kind::kNormal:
      return deviation * random.normal();
    case ir::Init::Kind::kUniform:
      return random.uniform(init.a, init.b);
  }
  return 0;
}

}  // namespace

std::vector<Tensor> initial_params(const ir::Graph& graph, const Random& random) {
  std::vector<Tensor> out;
  for (const ir::Param& param : graph.params) {
    Random stream = random.split(param.name);
    Tensor x = zeros(graph, param.axes, 0);
    const double std = deviation(graph, param);
    for (double& value : x.data) value = draw(param.init, std, stream);
    out.push_back(std::move(x));
  }
  return out;
}

}  // namespace gabbro::exec
