// The table [pipeline] of agents.toml.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "record/spelling.h"
#include "record/task.h"

namespace gabbro::agents {

/// Relative frequencies (weights) of the modes.
struct Modes {
  double mutation = 0.80, crossover = 0.15, scratch = 0.05;
};

struct AgentSettings {
  Modes modes;
  int tasks = 2;  // number of tasks that run at once

  int queries = 3;       // queries of the librarian; 0: no literature
  int excerpts = 2;      // excerpts read per query
  int attempts = 10;     // proposals per task, at most
  int reviewers = 1;     // reviews per proposal; 0: every proposal that is not a duplicate passes
  double pass = 4;       // mean rating, from 1 to 5, that a proposal must reach
  double similar = 0.8;  // cosine similarity (similar.h) from which a proposal is a duplicate

  int most_units = 6;        // new units per design, at most
  int candidates = 1;        // replies requested per unit
  int beam = 1;              // beam width of the search over units
  int repairs = 7;           // repair requests per unit, each with the checker's messages
  int examples = 2;          // units of the library shown to the coder
  double observer_pass = 3;  // rating, from 1 to 5, that a finished design must reach

  int reply_tokens = 2048;   // maximum number of tokens of a reply
  double temperature = 0.7;  // temperature of proposer and coder; the other roles use 0.2

  // Switches for experiments that turn off parts of the pipeline.
  bool planner = true, checker = true, observer = true;
  bool grammar = true;  // constrains the coder's replies to Gab's grammar if the server can

  // The way of writing designs. Nothing ("auto"): in a campaign, as its record says is worth its money;
  // otherwise unit by unit.
  std::optional<record::Writing> writing;
};

/// Reads [pipeline] from the text of an agents.toml. Other tables are ignored; missing keys keep their
/// defaults. Errors, "agents": not TOML, an unknown key, or a value of another type or out of range; each
/// message gives the line, the value and what is allowed.
Result<AgentSettings> parse_settings(std::string_view text);

/// Draws a mode ("mutation", "crossover" or "scratch") by its weight. Modes that need more than `parents`
/// parents are not drawn.
record::Mode draw_mode(const Modes& modes, int parents, Random& random);

}  // namespace gabbro::agents
