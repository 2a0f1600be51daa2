// Packages by apt-get, kept in a cache.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace gabbro::data::debian {

/// The .deb file of package `name` in folder `cache`: one that is there, or one that `apt-get download`
/// brings (whole or not at all). nullopt when the machine's package lists have no such package. `keep_going`
/// is asked a few times a second. Errors: "fetch" (no apt-get, no network: with what apt-get said),
/// "stopped", "io".
Result<std::optional<std::string>> fetch_package(const std::string& name, const std::string& cache,
                                                 const std::function<bool()>& keep_going);

/// $GABBRO_CACHE, else $XDG_CACHE_HOME/gabbro, else ~/.cache/gabbro.
std::string default_cache();

}  // namespace gabbro::data::debian
