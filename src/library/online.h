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

/// Maximum length of a server's message in an error.
inline constexpr std::size_t kMaxMessageBytes = 200;

struct Connector {
  const char* name;     // "arXiv"
  const char* address;  // public base URL (LibraryOptions has the one that is used)
  double pause;         // seconds between two requests, as its terms of use require
  /// Returns the URL of a query for at most `limit` results, below the URL `base`.
  std::string (*url)(const std::string& base, const std::string& query, std::size_t limit);
  /// Returns the papers of a response. The id is the arXiv id if there is one, else "s2-" and the beginning
  /// of the paper's id there. Entries without a title or an id are skipped. Errors, "library": invalid
  /// format, or an error reported by the server.
  Result<std::vector<Paper>> (*parse)(std::string_view body);
};
std::span<const Connector> connectors();

Result<std::vector<Paper>> parse_atom(std::string_view body);
Result<std::vector<Paper>> parse_semantic_scholar(std::string_view body);

}  // namespace gabbro::library
