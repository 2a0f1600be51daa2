// `gabbro agents bench`: what each part of the pipeline is worth.
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
  std::string agents = "agents.toml", dir = "runs/bench";
  int designs = 10;  // by each variant
  std::vector<std::string> variants{"direct", "units", "no checker", "no planner", "no observer"};
  std::uint64_t seed = 1;
  bool json = false;
};

/// Runs every variant on the same briefs and prints a table: share of valid designs, attempts, repairs,
/// tokens, cost, novelty, size, each with a 95 % interval. Ctrl-C prints what there is. The same seed and
/// record again costs nothing: replies that were paid are read. Exit 0: done; 1: stopped, the cap was
/// reached, or no model answers; 2: configuration.
int run_agents_bench(const AgentsBenchCommand& c);

/// The same with models that are given.
int agents_bench_with(chat::Chat& chat, const agents::Settings& settings, const AgentsBenchCommand& c,
                      const std::function<bool()>& stopped);

/// Adds `bench` to the command `gabbro agents`.
void add_agents_bench(CLI::App& agents, std::function<int()>& chosen);

}  // namespace gabbro::cli
