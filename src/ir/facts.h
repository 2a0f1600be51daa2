// Facts about a model that need no run: proofs, sizes and costs, derived from the graph alone.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/op.h"

namespace gabbro::ir {

/// Checks every node of every body against its op's shape rule, the order of operands, and the bindings of
/// scans. Runs after elaboration and after every pass. Errors: "verify", naming body and node. O(nodes).
[[nodiscard]] Result<bool> verify(const Graph& graph);

/// Returns the reach of every node of body 0, in node order: an upper bound on the positions that can
/// influence it. O(nodes).
std::vector<Reach> infer_reach(const Graph& graph);

/// Returns one flag per node of body `body`: true if a gradient of the nodes `from` reaches it. O(nodes).
std::vector<bool> gradient_nodes(const Graph& graph, int body, std::span<const NodeId> from);

/// Returns the indices of parameters without a gradient path to the outputs of body 0.
std::vector<int> dead_params(const Graph& graph);

/// Returns true if every new state of the scan is an affine function of the old states (jointly), so that a
/// parallel prefix scan can evaluate the recurrence.
bool is_affine(const Graph& graph, const Scan& scan);

struct Facts {
  // Proofs. They follow from the op table and the types of the graph, independently of the language.
  bool causal = false;             // no output reads a later position
  bool prefix_consistent = false;  // outputs do not depend on the length of the text that follows
  bool batch_independent = false;  // no sum runs over sequences
  bool mixes_tokens = false;       // some output reads an earlier position
  Reach reach;                     // of the outputs; unbounded if first == -kFar
  // Sizes and costs per token, symbolic in D, V and the context T. A multiply-add counts as 2 operations.
  Sym params;
  Sym forward_flops;  // in training, averaged over the T positions of a sequence
  Sym train_flops;    // forward and backward: 3 x forward
  Sym decode_flops;   // for the T-th token
  Sym state_bytes;    // kept between tokens when decoding the T-th, 4 bytes per element
  bool state_grows = false;
  std::string complexity;  // of a whole sequence of T tokens: "O(T)", "O(T log T)", "O(T²)"
  // Number of dependent operations on the longest path. An affine scan adds its step and log T, any other
  // scan T times its step.
  Sym parallel_depth;
};

/// Returns all facts of the outputs of body 0. O(nodes).
Facts derive_facts(const Graph& graph);

/// Returns the number of parameters as a formula in D and V (Facts::params).
Sym params_formula(const Graph& graph);

/// Returns the total number of parameters at the concrete sizes.
std::int64_t count_params(const Graph& graph);

}  // namespace gabbro::ir
