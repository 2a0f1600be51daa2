// Python functions and classes that exported modules call, written out only where they are used.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace gabbro::pytorch {

/// Returns true if `name` is a helper.
bool is_helper(std::string_view name);

/// Returns the text of the helpers among `names` and of those that they need, in the order of definition.
/// Adds the names of the latter to `names`.
std::string helper_text(std::set<std::string>& names);

}  // namespace gabbro::pytorch
