// Facts about a model that need no run: proofs, sizes and costs, derived from the graph alone.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/op.h"

namespace gabbro::ir {

/// Checks every node of every body against its op's shape rule, the order of operands, and the bindings of
/// scans. The checker runs it after elaboration (lang/check.h), and tests run it after passes. Errors:
/// "verify", naming body and node. O(nodes).
[[nodiscard]] Result<bool> verify(const Graph& graph);

/// Returns the reach of every node of body 0, in node order: an upper bound on the positions that can
/// influence it. O(nodes).
std::vector<Reach> infer_reach(const Graph& graph);

/// Returns one flag per node of body `body`: true if a gradient of the nodes `from` reaches it. O(nodes).
std::vector<bool> gradient_nodes(const Graph& graph, int body, std::span<const NodeId> from);

/// Returns the indices in Graph::params of parameters that no gradient of the outputs of body 0 reaches.
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
  // A formula over past positions is counted for every pair of positions, as it is run, even if it depends on
  // the past position or the distance alone. Exceptions are running sums and long convolutions
  // (ir/convolve.h), which evaluate it once per position or distance.
  Sym params;
  Sym forward_flops;  // in training, averaged over the T positions of a sequence
  Sym train_flops;    // forward and backward: 3 x forward
  Sym decode_flops;   // for the T-th token
  // Work on parameters and constants alone, symbolic in D and V, which the costs per token leave out:
  // training does it once per step, decoding (forward) once per text. TokenCosts divides it among the tokens.
  Sym step_forward_flops;
  Sym step_train_flops;      // forward and backward: 3 x forward
  Sym state_bytes;           // kept between tokens when decoding the T-th, 4 bytes per element
  bool state_grows = false;  // with T, without bound
  std::string complexity;    // of a whole sequence of T tokens: "O(T)", "O(T log T)", "O(T²)"
  // Number of dependent operations on the longest path. An affine scan adds its step and log T, any other
  // scan T times its step.
  Sym parallel_depth;
};

/// Returns all facts of the outputs of body 0. O(nodes).
Facts derive_facts(const Graph& graph);

/// Costs per token at concrete sizes, including each token's share of the work on parameters and constants.
struct TokenCosts {
  double forward_flops = 0, train_flops = 0, decode_flops = 0, state_bytes = 0;
  // The shares of that work in `train_flops` and `decode_flops`.
  double train_share = 0, decode_share = 0;
};

/// Returns the costs per token of training with steps of `sequences` sequences of `length` tokens, and of
/// decoding the last token of a text of `length` tokens. `env.context` is not read. The tokens of a step
/// share the work on parameters and constants; so do those of a text, since a decoder does it once and keeps
/// the results. Screens, workers and benchmarks all take their costs from here, so that these agree.
TokenCosts token_costs(const Facts& facts, SymEnv env, std::int64_t sequences, std::int64_t length);

/// Returns the number of parameters as a formula in D and V (Facts::params).
Sym params_formula(const Graph& graph);

/// Returns the total number of parameters at the concrete sizes.
std::int64_t count_params(const Graph& graph);

}  // namespace gabbro::ir
