// The language reference in short form, for prompts: generated from the tables and the library.
#pragma once

#include <string>

namespace gabbro::zoo {

/// The functions of Gab, a line each, then the signatures of those written in Gab.
std::string functions_text();

/// The units of the library as they are called, by file: "GLA(heads=4, rank=16, norm: Unit=RMSNorm)". Ports
/// are x: [t, D] -> [t, D] unless they are written.
std::string units_text();

}  // namespace gabbro::zoo
