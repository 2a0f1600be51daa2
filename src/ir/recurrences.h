// Lowers recurrences to ops that compute all positions at once.
//
// A scan runs T steps one after the other, and each step consists of many ops. If the step is
// S' = decay S + sum_r p_r (c_r . S) + sum_m k_m v_m, as in linear attention, the delta rule and state-space
// models, the whole recurrence of that state becomes one op (kAffine), whose kernel visits the positions in
// order while the state stays in cache. The decay may have any sign. A state without a value axis, or one
// that is read other than by contractions, becomes a diagonal recurrence (kRecur). A state that fits neither
// form keeps its step form.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace gabbro::ir {

struct RecurrenceOptions {
  // Maximum number of elements of a state that becomes a diagonal recurrence. A larger state keeps its step
  // form, because storing its values at all positions costs more than the calls it saves.
  std::int64_t diagonal = 1024;
};

/// The form chosen for one state of a scan of the given graph.
struct LoweredState {
  int scan = 0;   // index in Graph::scans
  int state = 0;  // index of the state in the scan
  enum class Form { kStep, kDiagonal, kAffine } form = Form::kStep;
  std::string reason;  // for kStep, why the state was not lowered
};

struct LoweredRecurrences {
  Graph graph;
  // For each node of body 0 of the given graph, the node of `graph`; -1 for nodes of lowered scans.
  std::vector<NodeId> map;
  std::vector<LoweredState> states;
};

/// Returns a graph that computes the same function of the same parameters, tokens and inputs. Parameters keep
/// their indices. Use it for sequences of more than a few positions that are not decoded step by step. The
/// backend must implement kRecur and kAffine. O(nodes).
LoweredRecurrences lower_recurrences(const Graph& graph, const RecurrenceOptions& options = {});

}  // namespace gabbro::ir
