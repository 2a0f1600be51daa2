// The grammar of Gab for constrained decoding, in the GBNF notation of llama.cpp.
#pragma once

#include <string>
#include <vector>

namespace gabbro::lang {

/// Returns a grammar whose root matches canonical programs (as the printer writes them, comment lines
/// included). It matches nothing that the parser rejects, except for limits of depth and duplicate names.
/// Indentation is spelled out for three nested blocks, which is all that unit bodies need.
std::string gbnf();

/// Does the same for one unit whose signature is fixed except for its hyperparameters. `inputs` and `results`
/// (those after the first) are ports [t, D]. Comments may precede it.
std::string gbnf_unit(const std::string& name, const std::vector<std::string>& inputs,
                      const std::vector<std::string>& results);

/// Does the same for one expression on a line: the instance at a place in a design.
std::string gbnf_expression();

}  // namespace gabbro::lang
