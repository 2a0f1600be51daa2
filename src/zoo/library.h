// The library that every program is checked against: the prelude and the zoo, parsed once.
#pragma once

#include "lang/library.h"

namespace gabbro::zoo {

/// Prelude and zoo. The first call parses them (about 2 ms); a mistake in an embedded file is an internal
/// error.
const lang::Library& library();

/// The parsed program of an embedded file ("gla.gab"), or null.
const lang::Program* program(std::string_view file);

}  // namespace gabbro::zoo
