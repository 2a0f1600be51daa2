// The library against which every program is checked: the prelude (zoo/prelude.gab) and the zoo
// (the other files of zoo/: known architectures and controls). The build embeds their texts in the program.
#pragma once

#include "lang/library.h"

namespace gabbro::zoo {

/// Returns the prelude and the zoo. The first call parses them (about 2 ms) and aborts if an embedded file
/// has an error.
const lang::Library& library();

/// Returns the parsed program of an embedded file ("gla.gab"), or null.
const lang::Program* program(std::string_view file);

}  // namespace gabbro::zoo
