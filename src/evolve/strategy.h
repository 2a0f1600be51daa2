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

/// A program made by a strategy or by agents, and its parents. Edits and generation preserve types and
/// causality; a program of agents is checked by the screen.
struct Offspring {
  lang::Program program;
  std::optional<lang::Subject> subject{};  // the checked design; if absent, the screen checks `program`
  record::Provenance provenance{};
  std::int64_t parent = 0, second_parent = 0;  // ids of designs; 0: none
};

/// A search strategy. It keeps no state between calls: its proposals are a function of the population, the
/// catalogue (which follows from the library and the campaign's events) and the random stream, so that a
/// killed campaign continues identically.
class Strategy {
 public:
  virtual ~Strategy() = default;
  /// Proposes an offspring. Errors: those of the edit that was drawn; the caller draws again with another
  /// stream.
  virtual Result<Offspring> propose(const Population& population, edit::UnitCatalogue& catalogue,
                                    Random random) const = 0;
};

/// The name of the strategy for which one reply of a model contains the whole design.
inline constexpr std::string_view kDirect = "direct";

/// Returns the names of all strategies: "adaptive", "tournament", "random", "agents", "direct".
std::vector<std::string_view> strategy_names();

/// Returns true if agents write designs of this strategy. "agents" uses the whole pipeline (docs/agents.md)
/// and, while none of the pipeline's designs waits to be trained, the operators of "adaptive". "direct" uses
/// one reply of a model and nothing else.
bool asks_agents(std::string_view name);

/// Creates a strategy. Returns null for an unknown name, and for "direct", which proposes nothing by itself.
/// "adaptive" and "agents" are implemented in evolve/adaptive.cc. "tournament" is plain genetic programming
/// with aging (Real et al. 2019, arXiv 1802.01548): a parent is the best of ten draws from the fifty latest
/// possible parents, and operators are drawn uniformly. "random" creates every design afresh.
std::unique_ptr<Strategy> make_strategy(std::string_view name);

// ---- Shared by strategies ----

/// A design that a strategy may use as a parent.
struct ParentCandidate {
  const Individual* design = nullptr;
  // Score minus that of the best baseline, in bits per byte, at the highest rung at which a run of the design
  // has ended; below 0: better. The score itself if no baseline has one there. Infinite if a run there ended
  // without a score.
  double excess_bits = 0;
  int rung = 0;  // that rung
};
/// Returns the designs of which a run has ended, oldest first: those of `strategy`, the baselines and the
/// users' designs. Vetoed designs are left out.
std::vector<ParentCandidate> parent_candidates(const Population& population, std::string_view strategy);

/// Returns a fresh design, made of newly generated units and units of the catalogue. It has not been checked.
Offspring fresh_offspring(edit::UnitCatalogue& catalogue, Random& random);

/// Applies one operator to `parent`. Only a crossover uses `second_parent`; if that is null or `parent`, it
/// takes the part of a random program instead. Errors: those of edit::vary_checked.
Result<Offspring> breed(record::Operator op, const Individual& parent, const Individual* second_parent,
                        edit::UnitCatalogue& catalogue, Random& random);

}  // namespace gabbro::evolve
