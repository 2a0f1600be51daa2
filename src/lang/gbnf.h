// The grammar of Gab for constrained decoding, in the GBNF notation of llama.cpp.
#pragma once

#include <string>
#include <vector>

namespace gabbro::lang {

/// Returns a grammar whose root matches canonical programs (as the printer writes them, comment lines
/// included). It matches nothing that the parser rejects, except for limits of depth and duplicate names.
/// Indentation is spelled out for three nested blocks, which is all that unit bodies need.
std::string gbnf();

/// Does the same for one unit whose signature is fixed except for its hyperparameters. `inputs` are the names
/// of its inputs. `results` are the names of its results after the first, which has none. All have the type
/// [t, D]. Comment lines may precede the unit.
std::string gbnf_unit(const std::string& name, const std::vector<std::string>& inputs,
                      const std::vector<std::string>& results);

/// Does the same for one expression on a line: the instance at a place in a design.
std::string gbnf_expression();

}  // namespace gabbro::lang
