// `gabbro agents bench`: measures the contribution of each part of the pipeline.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agents/settings.h"
#include "chat/chat.h"

namespace CLI {
class App;
}

namespace gabbro::cli {

struct AgentsBenchCommand {
  std::string agents = "agents.toml";  // configuration file
  std::string dir = "runs/bench";      // folder of the call log
  int designs = 10;                    // number of designs per variant
  std::vector<std::string> variants{"direct",     "program",     "units",        "no checker",
                                    "no planner", "no observer", "no librarian", "no reviewer"};
  std::uint64_t seed = 1;
  bool json = false;
};

/// Runs every variant on the same briefs and prints a table: share of valid designs, attempts, repairs,
/// tokens, cost, novelty and size, each with a 95 % interval. Ctrl-C prints the results so far. A repetition
/// with the same seed and call log costs nothing, since recorded replies are reused. Exit codes: 0 finished;
/// 1 stopped, the cap was reached, or no model answers; 2 configuration.
int run_agents_bench(const AgentsBenchCommand& c);

/// As run_agents_bench, with the given models, until `stopped` returns true.
int agents_bench_with(chat::Chat& chat, const agents::AgentSettings& settings, const AgentsBenchCommand& c,
                      const std::function<bool()>& stopped);

/// Adds `bench` to the command `gabbro agents`.
void add_agents_bench(CLI::App& agents, std::function<int()>& chosen);

}  // namespace gabbro::cli
