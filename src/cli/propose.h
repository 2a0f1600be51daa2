// `gabbro propose` and `gabbro review`.
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

struct ProposeCommand {
  std::string agents = "agents.toml", dir = "runs/agents";
  std::vector<std::string> parents;     // files, or names of the zoo
  std::string mode;                     // empty: follows from the number of parents
  std::vector<std::string> directions;  // instructions of the user
  std::string out;                      // file for the program; empty: standard output
  std::string file;                     // review: file of the program
  std::uint64_t seed = 1;               // seed of the choice of example units
  bool json = false;
};

/// Makes one design with the whole pipeline. The steps are printed on standard error; the program goes to
/// standard output or to `out`. Exit codes: 0 a design; 1 no design, with the cause; 2 usage, I/O,
/// configuration.
int run_propose(const ProposeCommand& c);
/// Prints reviews of a program. Exit codes: 0 it passes; 1 it does not.
int run_review(const ProposeCommand& c);

/// As run_propose and run_review, with the given models.
int propose_with(chat::Chat& chat, const agents::AgentSettings& settings, std::int64_t task,
                 const ProposeCommand& c);
int review_with(chat::Chat& chat, const agents::AgentSettings& settings, std::int64_t task,
                const ProposeCommand& c);

/// Adds propose and review in the same way as add_campaign_commands.
void add_propose_commands(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen);

}  // namespace gabbro::cli
