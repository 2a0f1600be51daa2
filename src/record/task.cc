#include "record/task.h"

#include "record/fields.h"

namespace gabbro::record {

template <class Io, Is<Review> X>
void fields(Io& io, X& x) {
  io("model", x.model);
  io("probability", x.probability);
  io("rating", x.rating);
  io("text", x.text);
  io.optional("known", x.known);
}

template <class Io, Is<FoundPaper> X>
void fields(Io& io, X& x) {
  io("id", x.id);
  io("title", x.title);
}

template <class Io, Is<WrittenUnit> X>
void fields(Io& io, X& x) {
  io("name", x.name);
  io("candidates", x.candidates);
  io("valid", x.valid);
  io("repairs", x.repairs);
}

template <class Io, Is<Promise> X>
void fields(Io& io, X& x) {
  io("property", x.property);
  io("said", x.said);
  io("found", x.found);
  io("kept", x.kept);
}

template <class Io, Is<TaskReport> X>
void fields(Io& io, X& x) {
  io("outcome", x.outcome);
  io("cause", x.cause);
  io("detail", x.detail);
  io("mode", x.mode);
  io.optional("writing", x.writing);
  io.optional("without", x.without);
  io("prompts", x.prompts);
  io("title", x.title);
  io("proposal", x.proposal);
  io.list("promises", x.promises);
  io.list("reviews", x.reviews);
  io.optional_list("papers", x.papers);
  io.list("units", x.units);
  io("attempts", x.attempts);
  io("observation", x.observation);
  io("observed", x.observed);
  io("program", x.program);
  io("calls", x.calls);
  io("input_tokens", x.input_tokens);
  io("output_tokens", x.output_tokens);
  io("cost", x.cost);
  io("seconds", x.seconds);
}

std::string to_json(const TaskReport& report) {
  Writer io;
  fields(io, report);
  return io.text(/*indented=*/false);
}

Result<TaskReport> parse_task_report(const std::string& json) {
  GABBRO_TRY(io, Reader::parse(json, "task"));
  TaskReport report;
  fields(io, report);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  return report;
}

}  // namespace gabbro::record
