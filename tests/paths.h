#pragma once

#include <string>

namespace gabbro {

/// The folder of the sources followed by `below` ("/zoo"), build/gabbro, and build/gabbro-worker. Only the
/// file that CMake writes from paths.cc.in knows them, so that a compiler cache serves every checkout.
std::string source_path(const std::string& below = "");
std::string gabbro_path();
std::string worker_path();

}  // namespace gabbro
