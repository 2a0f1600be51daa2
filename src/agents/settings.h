// The table [pipeline] of agents.toml.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::agents {

/// How often tasks are of each mode: weights.
struct Modes {
  double mutation = 0.80, crossover = 0.15, scratch = 0.05;
};

struct Settings {
  Modes modes;
  int tasks = 2;  // designs in the making at once

  int queries = 3;       // of the librarian; 0: no literature
  int excerpts = 2;      // read for each query
  int attempts = 10;     // proposals of a task
  int reviewers = 1;     // opinions on a proposal; 0: none, every proposal that is new passes
  double pass = 4;       // rating, of 1 to 5, that a proposal must reach
  double similar = 0.8;  // from this similarity of descriptions on a proposal is a duplicate

  int most_units = 6;        // new units of a design
  int candidates = 1;        // replies asked for each unit
  int beam = 1;              // partial designs kept from unit to unit
  int repairs = 7;           // messages of the checker sent back for each unit
  int examples = 2;          // units of the library shown to the coder
  double observer_pass = 3;  // rating, of 1 to 5, that a finished design must reach

  int reply_tokens = 2048;   // of a reply, at most
  double temperature = 0.7;  // of proposer and coder; reviewers, planner and observer are asked at 0.2

  // For experiments: what the pipeline does without.
  bool planner = true, checker = true, observer = true;
  bool grammar = true;  // the coder's replies are held to Gab's grammar where the server can
  bool direct = false;  // the whole program in one reply
};

/// Reads [pipeline] of the text of an agents.toml; other tables are not looked at, keys that are left out
/// keep their defaults. Errors, "agents": not TOML, an unknown key, a value of another type or out of its
/// range; each with its line, the value, and what is allowed.
Result<Settings> parse_settings(std::string_view text);

/// "mutation", "crossover" or "scratch", as often as the weights say; modes that need more than `parents`
/// parents are not drawn.
record::Mode draw_mode(const Modes& modes, int parents, Random& random);

}  // namespace gabbro::agents
