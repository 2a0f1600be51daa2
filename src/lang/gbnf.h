// The grammar of Gab for constrained decoding, in the GBNF notation of llama.cpp.
#pragma once

#include <string>

namespace gabbro::lang {

/// A grammar whose root matches canonical programs (as the printer writes them, comment lines included) and nothing that the
/// parser refuses, but for limits of depth and names used twice. Indentation is spelled out for three nested blocks, which
/// is all that unit bodies need.
std::string gbnf();

}  // namespace gabbro::lang
