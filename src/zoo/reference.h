// The language reference in short form, for prompts, generated from the tables and the library.
#pragma once

#include <string>

namespace gabbro::zoo {

/// Returns the functions of Gab, one per line, then the signatures of those written in Gab.
std::string functions_text();

/// Returns the units of the library by file, as they are called: "GLA(heads=4, rank=16, norm: Unit=RMSNorm)".
/// Ports are x: [t, D] -> [t, D] unless they are written out.
std::string units_text();

}  // namespace gabbro::zoo
