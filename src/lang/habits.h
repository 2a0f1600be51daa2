// Hints for syntax of other languages: what to write in Gab instead of `x.y`, `a @ b`, `while`, `and` ...
#pragma once

#include <string>
#include <string_view>

#include "lang/lexer.h"

namespace gabbro::lang {

/// Returns a hint for the unexpected token `found` after `before`; empty if there is none.
std::string habit_hint(const Token& before, const Token& found);

/// Returns a hint for `.name`, as in x.mean(dim=1) or torch.roll(x, 1).
std::string method_hint(std::string_view name);

/// Returns a hint for a line that starts with `word` where a statement or an item was expected; empty if
/// there is none.
std::string statement_hint(std::string_view word);

/// Returns a hint for a type name that Gab does not have (`float`, `Tensor`); empty if it could be an
/// interface.
std::string type_hint(std::string_view name);

/// Returns a hint for a name that is a value in other languages (`True`, `None`, `self`); empty for any
/// other.
std::string value_hint(std::string_view name);

}  // namespace gabbro::lang
