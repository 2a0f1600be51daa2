// `gabbro library`: searching the literature, showing a paper, adding documents of one's own.
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
  library::Options options;
  std::string query, id;
  std::vector<std::string> paths;
  std::size_t count = 10;
  bool json = false, online = false, quoted = false;
};

/// Exit 0; 2 for an id that is not there, a file that cannot be used, or nothing found.
int run_library_search(const LibraryCommand& c);
int run_library_show(const LibraryCommand& c);
int run_library_add(const LibraryCommand& c);

/// Adds `library` with its subcommands, whose names go to `words`; the chosen one is put into `chosen`.
void add_library_commands(CLI::App& app, std::vector<std::string>& names, std::vector<std::string>& words,
                          std::function<int()>& chosen);

}  // namespace gabbro::cli
