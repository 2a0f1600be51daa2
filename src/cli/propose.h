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
  std::string mode;                     // empty: by the number of parents
  std::vector<std::string> directions;  // what the person wants
  std::string out;                      // file of the program; empty: printed
  std::string file;                     // review: the program
  std::uint64_t seed = 1;               // of the library's units that are shown
  bool json = false;
};

/// One design through the whole pipeline, step by step on standard error, the program on standard output or
/// in `out`. Exit 0: a design; 1: none, with its cause; 2: usage, I/O, configuration.
int run_propose(const ProposeCommand& c);
/// What reviewers say of a program. Exit 0: it passes; 1: it does not.
int run_review(const ProposeCommand& c);

/// The same with models that are given.
int propose_with(chat::Chat& chat, const agents::Settings& settings, std::int64_t task,
                 const ProposeCommand& c);
int review_with(chat::Chat& chat, const agents::Settings& settings, std::int64_t task,
                const ProposeCommand& c);

/// Adds propose and review, as add_campaign_commands does.
void add_propose_commands(CLI::App& app, std::vector<std::string>& names, std::function<int()>& chosen);

}  // namespace gabbro::cli
