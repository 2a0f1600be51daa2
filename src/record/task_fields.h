// Fields of task scores, which are part of the results of "eval" and "train". A field given to `later` is
// missing in records of earlier versions.
#pragma once

#include "record/eval.h"
#include "record/fields.h"

namespace gabbro::record {

template <class Io, Is<Metric> M>
void fields(Io& io, M& m) {
  io("name", m.name);
  io("group", m.group);
  io("value", m.value);
  io("error", m.error);
  io("items", m.items);
}

template <class Io, Is<TaskScore> T>
void fields(Io& io, T& t) {
  io("name", t.name);
  io("kind", t.kind);
  io("file", t.file);
  io("items", t.items);
  io.later("training_items", t.counts.training);
  io.later("single_choice_items", t.counts.single);
  io.later("equal_choice_items", t.counts.equal);
  io.later("repeated_items", t.counts.repeated);
  io("truncated", t.truncated);
  io.later("windowed", t.windowed);
  io("seconds", t.seconds);
  io.list("metrics", t.metrics);
}

}  // namespace gabbro::record
