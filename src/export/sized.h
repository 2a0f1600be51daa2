// The module of a program at a size.
#pragma once

#include <cstdint>
#include <string>

#include "export/export.h"
#include "lang/check.h"

namespace gabbro::pytorch {

/// Returns the module of the last design of the program with this text. `subject` is that design at the size
/// that is written (zoo::sized_design). Comments of the program and the library become docstrings. Errors: as
/// write_module.
Result<Module> module_of(const std::string& text, const lang::Subject& subject);

}  // namespace gabbro::pytorch
