// Sums over past positions with weights by distance, as convolutions.
#pragma once

#include "ir/graph.h"

namespace gabbro::ir {

/// A graph that computes the same from the same parameters, tokens and inputs, in which every sum over all
/// past positions s of a(t) f(t - s) u(s) is a(t) convolve(f, u): f is computed once per distance (kDelay
/// counts them along time) and not once per pair, and a backend for it knows kDelay and kConvolve. f may
/// follow from the lag and parameters by any formula, u from past values; what mixes the two (scores of
/// attention) and windows stay as they are. Body 0 is rewritten, parameters and inputs keep their numbers. To
/// be run before differentiation. O(nodes). Long convolutions as in Hyena: Poli et al. 2023, arXiv
/// 2302.10866.
Graph convolve(const Graph& graph);

}  // namespace gabbro::ir
