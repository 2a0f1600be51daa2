#include "exec/reference/body.h"
#include "exec/reference/reference.h"

namespace gabbro::exec {

namespace {

constexpr int kMainBody = 0;  // the other bodies of a graph are steps of scans

// Removes the time axis of a value at a single position. It is the first axis if there is one.
void remove_time_axis(Tensor& value) {
  if (value.axes.empty() || value.axes[0] != ir::kTime) return;
  value.axes.erase(0);
  value.dims.erase(value.dims.begin());
}

}  // namespace

struct Stepper::State {
  std::vector<ir::NodeId> wanted;
  std::vector<Tensor> params;
  BodyRun body;
  std::int64_t position = 0;  // of the next step
};

Stepper::Stepper(const ir::Graph& graph, std::span<const ir::NodeId> wanted,
                 const std::vector<Tensor>& params)
    : state_(new State{{wanted.begin(), wanted.end()}, params, BodyRun(graph, kMainBody, wanted)}) {}

Stepper::~Stepper() = default;

std::vector<Tensor> Stepper::step(const Feed& feed) {
  BodyRun& body = state_->body;
  const Sources sources{.params = state_->params, .tokens = feed.tokens, .inputs = feed.inputs, .args = {}};
  body.run(body.schedule(), sources, {.t_begin = state_->position, .t_count = 1, .stepping = true});
  ++state_->position;
  std::vector<Tensor> out;
  for (const ir::NodeId id : state_->wanted) {
    Tensor value = body.value(id);
    remove_time_axis(value);
    out.push_back(std::move(value));
  }
  return out;
}

}  // namespace gabbro::exec
