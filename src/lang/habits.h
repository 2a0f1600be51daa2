// Hints for habits from other languages: what to write in Gab instead of `x.y`, `a @ b`, `while`, `and` ...
#pragma once

#include <string>
#include <string_view>

#include "lang/lexer.h"

namespace gabbro::lang {

/// A hint for the token `found` where the grammar has no place for it, after `before`; empty if nothing is
/// known.
std::string habit_hint(const Token& before, const Token& found);

/// A hint for `.name`, as in x.mean(dim=1) or torch.roll(x, 1).
std::string method_hint(std::string_view name);

/// A hint for a line that starts with `word`, where a statement or an item was expected; empty if nothing is
/// known.
std::string statement_hint(std::string_view word);

/// A hint for the name of a type that is not one here (`float`, `Tensor`); empty if it could be an interface.
std::string type_hint(std::string_view name);

/// A hint for a name that other languages give to a value (`True`, `None`, `self`); empty for any other.
std::string value_hint(std::string_view name);

}  // namespace gabbro::lang
