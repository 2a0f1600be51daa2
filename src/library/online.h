// Connectors to the two public indexes of papers: arXiv (Atom) and Semantic Scholar (JSON). This file has
// their addresses and formats; library.h sends the requests and stores the results.
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
  const char* address;  // public base URL
  double pause;         // seconds between two requests that its terms of use require
  /// Returns the URL of a query, relative to `base`.
  std::string (*url)(const std::string& base, const std::string& query, std::size_t limit);
  /// Returns the papers of a response. The id is the arXiv id if there is one, else "s2-" and the paper's id
  /// there. Entries without a title are skipped. Errors, "library": invalid format, or an error reported by
  /// the server.
  Result<std::vector<Paper>> (*parse)(std::string_view body);
};
std::span<const Connector> connectors();

Result<std::vector<Paper>> parse_atom(std::string_view body);
Result<std::vector<Paper>> parse_semantic_scholar(std::string_view body);

}  // namespace gabbro::library
