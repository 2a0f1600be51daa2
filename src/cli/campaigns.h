// The command-line options of campaigns.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gabbro::cli {

/// Adds evolve, resume and the commands that read a record. Parsing sets `chosen` to a function that runs
/// the command that the user chose, and returns its exit code. The names are appended to `names`.
void add_campaign_commands(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen);

/// Adds scale in the same way.
void add_scale_command(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen);

}  // namespace gabbro::cli
