// The grammar of Gab for constrained decoding, in the GBNF notation of llama.cpp.
#pragma once

#include <string>
#include <vector>

namespace gabbro::lang {

/// A grammar whose root matches canonical programs (as the printer writes them, comment lines included) and
/// nothing that the parser refuses, but for limits of depth and names used twice. Indentation is spelled out
/// for three nested blocks, which is all that unit bodies need.
std::string gbnf();

/// The same for one unit whose signature is settled but for its hyperparameters: `inputs` and `results`
/// (those beyond the first) are ports [t, D]. Comments may stand before it.
std::string gbnf_unit(const std::string& name, const std::vector<std::string>& inputs,
                      const std::vector<std::string>& results);

/// The same for one expression on a line: the instance that stands at a place.
std::string gbnf_expression();

}  // namespace gabbro::lang
