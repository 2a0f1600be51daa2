// A named check with its outcome and numbers.
#pragma once

#include <string>

#include "record/fields.h"

namespace gabbro::record {

/// A check that must hold for a result to count.
struct Anchor {
  std::string name;
  bool holds = false;
  std::string detail;  // includes the numbers
};

template <class Io, Is<Anchor> A>
void fields(Io& io, A& a) {
  io("name", a.name);
  io("holds", a.holds);
  io("detail", a.detail);
}

}  // namespace gabbro::record
