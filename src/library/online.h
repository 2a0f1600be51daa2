// The two public indexes of papers: arXiv (Atom) and Semantic Scholar (JSON). Addresses and formats; asking
// and keeping is library.h's.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "library/paper.h"

namespace gabbro::library {

struct Connector {
  const char* name;     // "arXiv"
  const char* address;  // its public one
  double pause;         // seconds between two questions that its terms ask for
  /// The address of a question, below `base`.
  std::string (*url)(const std::string& base, const std::string& query, std::size_t limit);
  /// Papers of an answer; ids are arXiv's where there is one, else "s2-" and the paper's number there.
  /// Entries without a title are passed over. Errors, "library": not the format; an error that the server put
  /// into it.
  Result<std::vector<Paper>> (*parse)(std::string_view body);
};
std::span<const Connector> connectors();

Result<std::vector<Paper>> parse_atom(std::string_view body);
Result<std::vector<Paper>> parse_semantic_scholar(std::string_view body);

}  // namespace gabbro::library
