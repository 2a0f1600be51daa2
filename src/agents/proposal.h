// Proposals, their promises, and the comparison of promises with facts that the checker derives.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/facts.h"
#include "record/task.h"

namespace gabbro::agents {

/// The earlier tokens that a design reads: only a window of the last ones, or all.
enum class PromisedReach : std::uint8_t { kWindow, kAll };
/// The memory that decoding needs as the text grows.
enum class PromisedState : std::uint8_t { kBounded, kGrows };
/// The work for a text of T tokens, from the least to the most.
enum class Complexity : std::uint8_t { kLinear, kLogLinear, kQuadratic };

struct Proposal {
  std::string title, idea;  // a line; the mechanism as prose
  std::string place;        // path (edit/edit.h) at which the first parent changes; empty if from scratch
  std::string from;         // path in the second parent of what crossover inserts; otherwise empty
  std::vector<std::string> units;  // names of new units
  std::optional<bool> tied;        // one table for embedding and output, or two; empty: as the parent
  // Promised properties of the whole design; empty: not promised.
  std::optional<PromisedReach> reach;
  std::optional<PromisedState> state;
  std::optional<Complexity> complexity;
  double gain = 0;   // expected improvement in bits per byte, above 0
  std::string risk;  // what could make it fail (the field "why" of a reply)
};

/// Reads a proposer's reply. Errors, "proposal": not an object, no title or idea, an illegal or repeated unit
/// name, more than `max_units` units, or a promise that is not one of the allowed words.
Result<Proposal> parse_proposal(const std::string& json, int max_units);

/// Returns the proposal as text for reviewers, planner, coder and the record.
std::string describe(const Proposal& proposal);

/// Returns each promise with the property that the checker derived. A promise is also kept if the design is
/// better than promised: its state is bounded, or its complexity is lower.
std::vector<record::Promise> verify_promises(const Proposal& proposal, const ir::Facts& facts);

/// Returns a description "reach: ...; state: ..." of the broken promises; empty if all are kept.
std::string broken_promises(const std::vector<record::Promise>& promises);

/// Lists the facts of a design, one per line.
std::string facts_text(const ir::Facts& facts);

}  // namespace gabbro::agents

template <>
struct gabbro::record::Spelling<gabbro::agents::PromisedReach> {
  static constexpr std::string_view kWhat = "reach";
  static constexpr std::array<std::string_view, 2> kWords{"window", "all"};
};
template <>
struct gabbro::record::Spelling<gabbro::agents::PromisedState> {
  static constexpr std::string_view kWhat = "state";
  static constexpr std::array<std::string_view, 2> kWords{"bounded", "grows"};
};
template <>
struct gabbro::record::Spelling<gabbro::agents::Complexity> {
  static constexpr std::string_view kWhat = "complexity";
  static constexpr std::array<std::string_view, 3> kWords{"O(T)", "O(T log T)", "O(T^2)"};
};
