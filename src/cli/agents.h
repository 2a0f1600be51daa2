// The commands on language models and what they cost.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gabbro::cli {

/// Adds `agents test` and `cost`; `chosen` is set to what the command line asks for. The names are appended
/// to `names`.
void add_agent_commands(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen);

}  // namespace gabbro::cli
