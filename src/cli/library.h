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
  std::string query;               // search
  std::string id;                  // show: id of a paper, or its arXiv id
  std::vector<std::string> paths;  // add: files and folders
  std::size_t count = 10;          // search: maximum number of papers
  bool json = false;
  bool online = false, quoted = false;  // search: also asks arXiv and Semantic Scholar; prints for a prompt
};

/// Exit codes: 0; 2 for an unknown id, an unusable file, or a search without results.
int run_library_search(const LibraryCommand& c);
int run_library_show(const LibraryCommand& c);
int run_library_add(const LibraryCommand& c);

/// Adds `library` with its subcommands. Its name is appended to `names`, theirs to `subcommand_names`.
/// Parsing sets `chosen` to a function that runs the subcommand that the user chose, and returns its exit
/// code.
void add_library_commands(CLI::App& app, std::vector<std::string>& names,
                          std::vector<std::string>& subcommand_names, std::function<int()>& chosen);

}  // namespace gabbro::cli
