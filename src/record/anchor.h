// The outcome of a named check.
#pragma once

#include <string>

#include "record/fields.h"

namespace gabbro::record {

/// The outcome of a sanity check: an anchor, which must hold for a training result to count
/// (docs/verdict.md), or a check of the probe.
struct Anchor {
  std::string name;  // in a training result one of kAnchors (record/trial.h)
  bool holds = false;
  std::string detail;  // for people: why it holds or not, with the numbers
};

/// Lists the fields for JSON (record/fields.h).
template <class Io, Is<Anchor> A>
void fields(Io& io, A& a) {
  io("name", a.name);
  io("holds", a.holds);
  io("detail", a.detail);
}

}  // namespace gabbro::record
