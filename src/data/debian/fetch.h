// Fetches packages with apt-get and keeps them in a cache.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace gabbro::data::debian {

/// Returns the path of the .deb file of package `name` in the folder `cache`. If it is missing, `apt-get
/// download` fetches it, completely or not at all. Returns nullopt if the machine's package lists do not
/// contain the package. `keep_going` is called a few times a second and returns false to stop. Errors:
/// "fetch" (no apt-get or no network; with apt-get's message), "stopped", "io".
Result<std::optional<std::string>> fetch_package(const std::string& name, const std::string& cache,
                                                 const std::function<bool()>& keep_going);

/// Returns $GABBRO_CACHE, or else $XDG_CACHE_HOME/gabbro, or else ~/.cache/gabbro.
std::string default_cache();

}  // namespace gabbro::data::debian
