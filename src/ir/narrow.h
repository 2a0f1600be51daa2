// A graph with its own structure and smaller sizes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "ir/graph.h"

namespace gabbro::ir {

/// Numbers that follow from the width: computed at the new one, or kept as they were.
enum class Constants : std::uint8_t { kComputed, kKept };

/// `graph` with the sizes of its axes, its slices and (kComputed) its width-dependent constants computed at
/// `width` and `vocab`. What was decided when it was built stays: loop counts, branches, windows, distances,
/// amounts of top_k and numbers that were written; where such a number is compared with those of an axis
/// (iota), some of them stay on either side. So a design can be run small with the structure that it has at
/// the width at which it is trained. Nothing when a size is no whole number of at least 1, an axis shrinks to
/// one element, top_k keeps more than there is, or the result does not verify. O(nodes).
std::optional<Graph> narrowed(const Graph& graph, std::int64_t width, std::int64_t vocab,
                              Constants constants = Constants::kComputed);

/// Widths that are tried for small runs.
constexpr std::array<std::int64_t, 9> kNarrowWidths = {8, 12, 16, 24, 32, 48, 64, 96, 128};

/// The narrowest of these from `from` on that `narrowed` allows; `graph` itself at `vocab` when there is none
/// below its own.
Graph narrowest(const Graph& graph, std::int64_t vocab, std::int64_t from = 8);

}  // namespace gabbro::ir
