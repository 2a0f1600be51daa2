// `gabbro library`: searches the literature, shows a paper, or adds the user's own documents.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "library/library.h"

namespace CLI {
class App;
}

namespace gabbro::cli {

struct LibraryCommand {
  library::LibraryOptions options;
  std::string query, id;
  std::vector<std::string> paths;
  std::size_t count = 10;
  bool json = false, online = false, quoted = false;
};

/// Exit codes: 0; 2 for an unknown id, an unusable file, or a search without results.
int run_library_search(const LibraryCommand& c);
int run_library_show(const LibraryCommand& c);
int run_library_add(const LibraryCommand& c);

/// Adds `library` with its subcommands, whose names are appended to `words`. Parsing sets `chosen` to the
/// subcommand that the user chose.
void add_library_commands(CLI::App& app, std::vector<std::string>& names, std::vector<std::string>& words,
                          std::function<int()>& chosen);

}  // namespace gabbro::cli
