#include "exec/reference/body.h"
#include "exec/reference/reference.h"

namespace gabbro::exec {

struct Stepper::State {
  std::vector<ir::NodeId> wanted;
  std::vector<Tensor> params;
  BodyRun body;
  std::int64_t position = 0;
};

Stepper::Stepper(const ir::Graph& graph, std::span<const ir::NodeId> wanted,
                 const std::vector<Tensor>& params)
    : state_(new State{{wanted.begin(), wanted.end()}, params, BodyRun(graph, 0, wanted)}) {}

Stepper::~Stepper() = default;

std::vector<Tensor> Stepper::step(const Feed& feed) {
  const Sources sources{.params = state_->params, .tokens = feed.tokens, .inputs = feed.inputs, .args = {}};
  state_->body.run(state_->body.plan(), sources,
                   {.t_begin = state_->position++, .t_count = 1, .stepping = true});
  std::vector<Tensor> out;
  for (ir::NodeId id : state_->wanted) {
    Tensor value = state_->body.value(id);
    if (!value.axes.empty() && value.axes[0] == ir::kTime) {
      value.axes.erase(0);
      value.dims.erase(value.dims.begin());
    }
    out.push_back(std::move(value));
  }
  return out;
}

}  // namespace gabbro::exec
