#pragma once

#include <string>

namespace gabbro {

// Only the file that CMake writes from paths.cc.in knows these paths, so that a compiler cache serves every
// checkout.

/// Returns the folder of the sources, followed by `suffix` ("/zoo").
std::string source_path(const std::string& suffix = "");
/// Returns the path of build/gabbro.
std::string gabbro_path();
/// Returns the path of build/gabbro-worker.
std::string worker_path();

}  // namespace gabbro
