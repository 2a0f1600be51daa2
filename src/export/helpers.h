// Python functions and classes that exported modules call, written out only where they are used.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

namespace gabbro::pytorch {

struct Helper {
  std::string_view name, text;
};

/// Returns the helpers that decode with a cache (decoding.cc).
std::span<const Helper> decoding_helpers();

/// Returns true if `name` is a helper.
bool is_helper(std::string_view name);

/// Returns the text of the helpers among `names` and of those that they need, in the order of definition.
/// Adds the names that they read to `names`.
std::string helper_text(std::set<std::string>& names);

}  // namespace gabbro::pytorch
