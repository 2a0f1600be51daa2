// The commands that test and benchmark language models and show their cost.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace gabbro::cli {

/// Adds `agents test`, `agents bench` and `cost`, and appends "agents" and "cost" to `names`, which serve to
/// suggest corrections. Parsing sets `chosen` to a function that runs the chosen command, if it is one of
/// these, and returns its exit code.
void add_agent_commands(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen);

}  // namespace gabbro::cli
