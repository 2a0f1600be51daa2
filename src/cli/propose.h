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
  std::string agents = "agents.toml";   // configuration file
  std::string dir = "runs/agents";      // folder of the call log
  std::vector<std::string> parents;     // files, or names of the zoo
  std::string mode;                     // a record::Mode; empty: follows from the number of parents
  std::vector<std::string> directions;  // instructions of the user
  std::string out;                      // file for the program; empty: standard output
  std::string file;                     // review: file of the program
  bool json = false;                    // prints the report as JSON
};

/// Makes one design with the whole pipeline. The steps are printed on standard error; the program goes to
/// `out`, or to standard output. With `json`, no steps are printed, and standard output gets the report,
/// which contains the program. Exit codes: 0 a design; 1 no design, with the cause; 2 usage, I/O,
/// configuration, or no model answers.
int run_propose(const ProposeCommand& c);
/// Prints reviews of a program. Exit codes: 0 it passes; 1 it does not, or there is no review; 2 as above.
int run_review(const ProposeCommand& c);

/// As run_propose and run_review, with the given models. `task` is the id to which the call log charges them.
int propose_with(chat::Chat& chat, const agents::AgentSettings& settings, std::int64_t task,
                 const ProposeCommand& c);
int review_with(chat::Chat& chat, const agents::AgentSettings& settings, std::int64_t task,
                const ProposeCommand& c);

/// Adds propose and review, and their names to `names`. Parsing sets `chosen` to a function that runs the
/// chosen command, if it is one of these, and returns its exit code.
void add_propose_commands(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen);

}  // namespace gabbro::cli
