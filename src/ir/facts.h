// What can be said about a model without running it: proofs, sizes and costs, re-derived from the graph
// alone.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/op.h"

namespace gabbro::ir {

/// Checks every node of every body against its op's shape rule, operand order, and the bindings of scans. Run
/// after elaboration and after every pass. Errors: "verify", naming body and node. O(nodes).
[[nodiscard]] Result<bool> verify(const Graph& graph);

/// Reach of every node of body 0, in node order: an upper bound on what can influence it. O(nodes).
std::vector<Reach> infer_reach(const Graph& graph);

/// Which nodes of body `body` a gradient of the nodes `from` reaches; one flag per node. O(nodes).
std::vector<bool> gradient_nodes(const Graph& graph, int body, std::span<const NodeId> from);

/// Names of parameters without a gradient path to the outputs of body 0.
std::vector<int> dead_params(const Graph& graph);

/// True when every new state of the scan is an affine function of the old states (jointly), so that the
/// recurrence can be evaluated by a parallel prefix scan.
bool is_affine(const Graph& graph, const Scan& scan);

struct Facts {
  // Proofs, independent of the language: from the op table and the types of the graph.
  bool causal = false;             // no output reads a later position
  bool prefix_consistent = false;  // outputs do not depend on how long the text goes on
  bool batch_independent = false;  // nothing is summed over sequences
  bool mixes_tokens = false;       // some output reads an earlier position
  Reach reach;                     // of the outputs; first == -kFar: unbounded
  // Sizes and costs per token, multiply-add = 2 operations; symbolic in D, V and the context T.
  Sym params;
  Sym forward_flops;  // at training, averaged over the T positions of a sequence
  Sym train_flops;    // forward and backward: 3 x forward
  Sym decode_flops;   // for the T-th token
  Sym state_bytes;    // carried between tokens when decoding the T-th, 4 bytes a number
  bool state_grows = false;
  std::string complexity;  // of a whole sequence of T tokens: "O(T)", "O(T log T)", "O(T²)"
  Sym parallel_depth;  // dependent operations on the longest path; affine scans count log T, others T times
                       // their step
};

/// All facts of the outputs of body 0. O(nodes).
Facts derive_facts(const Graph& graph);

/// Number of parameters in D and V: Facts::params.
Sym params_formula(const Graph& graph);

/// Total number of parameters at the concrete sizes.
std::int64_t count_params(const Graph& graph);

}  // namespace gabbro::ir
