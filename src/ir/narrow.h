// Shrinks a graph to smaller sizes while it keeps its structure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "ir/graph.h"

namespace gabbro::ir {

/// Treatment of constants that depend on the width: recomputed at the new width, or kept as they are.
enum class Constants : std::uint8_t { kComputed, kKept };

/// Returns `graph` with the sizes of its axes, its slices and (kComputed) its width-dependent constants
/// computed at `width` and `vocab`, so that a design can be run small with the structure that it has at its
/// training width.
/// Everything decided when the graph was built stays: loop counts, branches, windows, distances, amounts of
/// top_k and literal constants. If such a constant is compared with the indices of an axis (iota), some
/// indices remain on either side. Returns nullopt if a size is not an integer of at least 1, an axis shrinks
/// to one element, top_k would keep all elements, or the result does not verify. O(nodes).
std::optional<Graph> narrowed(const Graph& graph, std::int64_t width, std::int64_t vocab,
                              Constants constants = Constants::kComputed);

/// Widths tried for small runs.
constexpr std::array<std::int64_t, 9> kNarrowWidths = {8, 12, 16, 24, 32, 48, 64, 96, 128};

/// Returns `graph` at the narrowest of these widths, starting at `from`, that `narrowed` accepts. If no width
/// below its own is accepted, returns `graph` at its own width and `vocab`.
Graph narrowest(const Graph& graph, std::int64_t vocab, std::int64_t from = 8);

}  // namespace gabbro::ir
