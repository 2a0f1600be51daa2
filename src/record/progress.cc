#include "record/progress.h"

#include "record/fields.h"

namespace gabbro::record {

namespace {

template <class Io, class P>
void fields(Io& io, P& p) {
  io("stage", p.stage);
  io("step", p.step);
  io("steps", p.steps);
  io("tokens", p.tokens);
  io("loss", p.loss);
  io("tokens_per_second", p.tokens_per_second);
  io("share", p.share);
  io("text", p.text);
}

}  // namespace

std::string to_line(const Progress& progress) {
  Writer io;
  fields(io, progress);
  return io.text(/*indented=*/false);
}

Result<Progress> parse_progress(const std::string& line) {
  GABBRO_TRY(io, Reader::parse(line, "progress"));
  Progress out;
  fields(io, out);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  return out;
}

}  // namespace gabbro::record
