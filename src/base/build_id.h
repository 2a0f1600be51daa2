// Identifies what computes: the program with its libraries, and the processor.
#pragma once

#include <string>
#include <string_view>

namespace gabbro {

/// Returns a hash of this program and the libraries that it has loaded, and the vector instructions ("avx2",
/// "avx512f", "avx512bf16" or "baseline") and the vendor of the processor: "0a1b2c3d4e5f6071 avx512f amd".
/// Programs of one id usually compute equal numbers; those of others may not. The hash is of the build ids
/// (ELF notes), or of a library's name and size if it has none. It is computed once.
const std::string& build_id();

/// Separates the ids in a list of several builds, as of a run that another build continued.
inline constexpr std::string_view kBuildSeparator = "; ";

}  // namespace gabbro
