// `gabbro serve`: the dashboard.
#pragma once

#include <string>
#include <vector>

namespace gabbro::cli {

struct ServeCommand {
  std::vector<std::string> folders;  // empty: the current one
  std::string host = "127.0.0.1";
  int port = 8100;
  bool open = false;  // opens the page in the user's browser
};

/// Serves the dashboard until Ctrl-C. Exit codes: 0; 2 the address cannot be used, or a folder does not
/// exist.
int run_serve(const ServeCommand& c);

}  // namespace gabbro::cli
