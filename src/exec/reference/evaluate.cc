#include "exec/reference/body.h"
#include "exec/reference/reference.h"

namespace gabbro::exec {

Tensor zeros(const ir::Graph& graph, const ir::AxisList& axes, std::int64_t length) {
  Tensor out;
  reshape(out, graph, axes, {0, length, 0, length});
  return out;
}

std::vector<Tensor> evaluate(const ir::Graph& graph, std::span<const ir::NodeId> wanted, const Feed& feed,
                             std::int64_t length, bool float32) {
  BodyRun body(graph, 0, wanted);
  const Sources sources{.params = feed.params, .tokens = feed.tokens, .inputs = feed.inputs, .args = {}};
  body.run_once(wanted, sources, {.t_begin = 0, .t_count = length, .float32 = float32});
  std::vector<Tensor> out;
  for (ir::NodeId id : wanted) out.push_back(body.value(id));
  return out;
}

}  // namespace gabbro::exec
