// Strategies propose new designs from the state of a campaign.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "edit/unit_catalogue.h"
#include "edit/vary.h"
#include "evolve/population.h"

namespace gabbro::evolve {

/// A program and its parents. It is well typed and causal, since every operator preserves that.
struct Offspring {
  lang::Program program;
  std::optional<lang::Subject> subject;  // result of its check, if it was checked
  record::Provenance provenance;
  std::int64_t parent = 0, second_parent = 0;
};

/// A search strategy. It keeps no state between calls: its proposals are a function of the population and the
/// random stream, so that a killed campaign continues identically.
class Strategy {
 public:
  virtual ~Strategy() = default;
  /// Proposes an offspring. Errors: those of the edit that was drawn; the caller draws again with another
  /// stream.
  virtual Result<Offspring> propose(const Population& population, edit::UnitCatalogue& catalogue,
                                    Random random) const = 0;
};

/// The strategy whose designs agents write in one reply.
inline constexpr std::string_view kDirect = "direct";

/// Returns the names of all strategies: "adaptive", "tournament", "random", "agents", "direct".
std::vector<std::string_view> strategy_names();

/// Returns true if agents write designs of this strategy. "agents" uses the whole pipeline and, while no
/// design of it waits to be trained, the operators of "adaptive". "direct" uses one reply of a model and
/// nothing else.
bool asks_agents(std::string_view name);

/// Creates a strategy. Returns null for an unknown name, and for "direct", which proposes nothing by itself.
/// "adaptive" and "agents" are evolve/adaptive.cc. "tournament" is plain genetic programming with aging (Real
/// et al. 2019, arXiv 1802.01548): a parent is the best of ten drawn from the last fifty, and operators are
/// drawn uniformly. "random" creates every design afresh.
std::unique_ptr<Strategy> make_strategy(std::string_view name);

// ---- Shared by strategies ----

/// A design with an outcome, which strategies may use as a parent.
struct Known {
  const Individual* design = nullptr;
  // Bits per byte above the best baseline at the highest rung with an outcome; negative: better; infinite:
  // its runs ended without a score.
  double advantage = 0;
  int rung = 0;
};
/// Returns the designs of `strategy`, the baselines and the users' designs that have an outcome, oldest
/// first. Vetoed designs are left out.
std::vector<Known> known(const Population& population, std::string_view strategy);

/// Returns a fresh design, made of random units and units of the catalogue.
Offspring fresh(edit::UnitCatalogue& catalogue, Random& random);

/// Applies one operator to `parent`. `second_parent` may be null.
Result<Offspring> bred(record::Operator op, const Individual& parent, const Individual* second_parent,
                       edit::UnitCatalogue& catalogue, Random& random);

}  // namespace gabbro::evolve
