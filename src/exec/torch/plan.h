// The order in which the nodes of a model are computed, and which of them are computed together, block by
// block.
#pragma once

#include <span>
#include <vector>

#include "ir/graph.h"

namespace gabbro::exec::torch {

/// Numbers of one value that fit a core's cache together with some others: the size of a block.
constexpr std::int64_t kBlockNumbers = 1 << 16;

/// Nodes that need no other position than their own, or only past ones through values that are ready: they
/// are computed for one block of positions at a time, so that what lies between them stays in cache, and no
/// value over pairs of positions is ever whole in memory (the idea of FlashAttention, Dao et al. 2022, arXiv
/// 2205.14135, for any formula over past positions and its gradient alike: pairs are computed again where a
/// gradient needs them).
struct Region {
  std::vector<ir::NodeId> nodes;  // in order
  std::vector<ir::NodeId> exits;  // those whose values leave the region
  std::vector<ir::NodeId> reads;  // what it reads from outside
  bool pairs = false;             // it has values over pairs of positions
};

/// One step of a run: a node, or a region (node < 0).
struct Unit {
  ir::NodeId node = -1;
  int region = -1;
};

struct Plan {
  std::vector<Unit> units;
  std::vector<Region> regions;
};

/// Input number `input` is made from the value of node `reads`.
struct Late {
  int input = -1;
  ir::NodeId reads = -1;
};

/// The plan for the live nodes of body 0. O(nodes log nodes).
Plan make_plan(const ir::Graph& graph, const std::vector<bool>& live, std::span<const ir::NodeId> wanted,
               Late late);

/// How the value of a node of a region leaves it.
enum class Exit : std::uint8_t {
  kRows,   // every block holds other positions
  kPast,   // every block adds to all positions before it: unpast
  kTotal,  // every block adds to one value without time
  kPairs,  // a value over pairs that was asked for
};
Exit exit_of(const ir::Node& node);

}  // namespace gabbro::exec::torch
