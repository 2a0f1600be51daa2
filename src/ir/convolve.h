// Rewrites sums over past positions with weights that depend on the distance as convolutions.
#pragma once

#include "ir/graph.h"

namespace gabbro::ir {

/// Returns a graph that computes the same function of the same parameters, tokens and inputs, in which every
/// sum over all past positions s of a(t) f(t - s) u(s) is a(t) convolve(f, u). The filter f is computed once
/// per distance (kDelay counts distances along time) instead of once per pair. f may be any formula of the
/// lag and parameters, and u any formula of past values. Terms that mix the two (attention scores) and
/// windows stay as they are. Only body 0 is rewritten; parameters and inputs keep their indices. Run it
/// before differentiation. The backend must implement kDelay and kConvolve. O(nodes). Long convolutions as in
/// Hyena: Poli et al. 2023, arXiv 2302.10866.
Graph convolve(const Graph& graph);

}  // namespace gabbro::ir
