// What is tried next: strategies write offspring from what a campaign knows.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "edit/codebook.h"
#include "edit/vary.h"
#include "evolve/population.h"

namespace gabbro::evolve {

/// A program, and where it came from. Well typed and causal, since every operator is.
struct Offspring {
  lang::Program program;
  std::optional<lang::Subject> subject;  // what its check found, where it was checked
  std::string op;
  std::int64_t parent = 0, second_parent = 0;
};

/// A way to search. It keeps nothing between calls: what it proposes is a function of the population and the
/// random stream, so that a campaign that was killed goes on as it would have.
class Strategy {
 public:
  virtual ~Strategy() = default;
  /// Errors: those of the edit that was drawn; the caller draws again with another stream.
  virtual Result<Offspring> propose(const Population& population, edit::CodeBook& book,
                                    Random random) const = 0;
};

/// The names of all strategies: "adaptive", "tournament", "random", "agents", "direct".
std::vector<std::string_view> strategy_names();

/// Whether designs of this strategy are written by agents. "agents": by the whole pipeline and, while none
/// waits to be trained, by the operators of "adaptive"; "direct": by one reply of a model, and by nothing
/// else.
bool asks_agents(std::string_view name);

/// Null for an unknown name, and for "direct", which proposes nothing by itself. `adaptive` is
/// evolve/adaptive.cc; `tournament` is plain genetic programming with aging (Real et al. 2019, arXiv
/// 1802.01548): a parent is the best of ten of the last fifty, operators are drawn evenly; `random` writes
/// every design anew.
std::unique_ptr<Strategy> make_strategy(std::string_view name);

// ---- what strategies share
// -----------------------------------------------------------------------------------------------

/// Designs of `strategy` and the baselines that have an outcome at the first rung (a score, or none: an
/// infinite one), oldest first.
struct Known {
  const Individual* design = nullptr;
  double advantage = 0;  // bits per byte above the best baseline at the highest rung where it is done;
                         // negative: better. Infinite: lost
  int rung = 0;
};
std::vector<Known> known(const Population& population, std::string_view strategy);

/// A design made anew: of random units, and units of the book.
Offspring fresh(edit::CodeBook& book, Random& random);

/// One operator applied to `parent`. `second_parent` may be null.
Result<Offspring> bred(edit::Operator op, const Individual& parent, const Individual* second_parent,
                       edit::CodeBook& book, Random& random);

}  // namespace gabbro::evolve
