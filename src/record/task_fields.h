// Fields of task scores, which are part of the results of "eval" and "train".
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
  io.optional("training_items", t.counts.training);
  io.optional("single_choice_items", t.counts.single);
  io.optional("equal_choice_items", t.counts.equal);
  io.optional("repeated_items", t.counts.repeated);
  io.optional("spaced_items", t.counts.spaced);
  io("truncated", t.truncated);
  io.optional("windowed", t.windowed);
  io("seconds", t.seconds);
  io.list("metrics", t.metrics);
}

}  // namespace gabbro::record
