#include "agents/brief.h"

#include "record/fields.h"

namespace gabbro::agents {

using record::Is;

template <class Io, Is<Parent> X>
void fields(Io& io, X& x) {
  io("id", x.id);
  io("name", x.name);
  io("program", x.program);
  io("evidence", x.evidence);
  io("history", x.history);
}

// An entry of Brief::reviewer_weights, as a record for JSON.
struct Weight {
  std::string model;
  double weight = 1;
};

template <class Io, Is<Weight> X>
void fields(Io& io, X& x) {
  io("model", x.model);
  io("weight", x.weight);
}

template <class Io, Is<Brief> X>
void fields(Io& io, X& x) {
  io("task", x.task);
  io("mode", x.mode);
  io("writing", x.writing);
  io.list("parents", x.parents);
  io.list("best", x.best);
  io("ladder", x.ladder);
  io("credit", x.credit);
  io("neighbours", x.neighbours);
  io("failures", x.failures);
  io("forecasts", x.forecasts);
  io("directions", x.directions);
  std::vector<Weight> weights;
  for (const auto& [model, weight] : x.reviewer_weights) weights.push_back({model, weight});
  io.list("reviewer_weights", weights);
  if constexpr (!std::is_const_v<X>)
    for (const Weight& w : weights) x.reviewer_weights[w.model] = w.weight;
}

std::string to_json(const Brief& brief) {
  record::Writer io;
  fields(io, brief);
  std::string line = io.text(/*indented=*/false);
  line.pop_back();  // Removes the line end.
  return line;
}

Result<Brief> parse_brief(const std::string& json) {
  GABBRO_TRY(io, record::Reader::parse(json, "brief"));
  Brief out;
  fields(io, out);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  return out;
}

}  // namespace gabbro::agents
