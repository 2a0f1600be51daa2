// The commands that test language models and show their cost.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gabbro::cli {

/// Adds `agents test` and `cost`. Parsing sets `chosen` to the command that the user chose. The names are
/// appended to `names`.
void add_agent_commands(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen);

}  // namespace gabbro::cli
