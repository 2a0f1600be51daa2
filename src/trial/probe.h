// The second line of defence behind the proofs: a design is run on random numbers and must behave as was
// proved.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ir/graph.h"
#include "record/probe.h"
#include "trial/backend.h"

namespace gabbro::trial {

struct ProbeOptions {
  std::uint64_t seed = 1;
  std::int64_t length = 160;  // of texts in the backend whose unseen parts are changed
  std::int64_t whole_length =
      256;  // of the texts of probe_program's "whole text", "context" (trial/first_text.h) and "screen"
            // (exec/reference/screen.h); 0: left out
  double rounding = 0x1.0p-24;  // of the backend's products with weights, relative
  double seconds = 0;           // again with other numbers while this much time is not used up; 0: once
  std::function<bool()> goes_on = {};  // asked before it is done again; empty: yes
};

/// Runs `graph` (body 0: tokens to logits [t, V]) on texts of several lengths, with all parameters drawn at
/// random, since those that start at zero hide what is behind them: in the reference engine (float64), and
/// through `backend` in batches and with several documents in a sequence. The checks, each with its numbers
/// (docs/verdict.md): "finite", "future", "prefix", "step = parallel", "gradient", "mixing", "backend =
/// reference", "batch", "documents", "determinism". When the logits are not finite the rest means nothing,
/// and "finite" is the only one. Cost: about 20 runs of 24 positions in float64.
std::vector<record::Anchor> probe(const ir::Graph& graph, const MakeModel& backend,
                                  const ProbeOptions& options = {});

/// `graph` as it is probed: with 31 tokens, at the narrowest width from 16 on with the structure of its own
/// (ir/narrow.h), so that a program which asks for its width does not see that it is probed.
ir::Graph small_graph(const ir::Graph& graph);

/// probe() of a small graph, if it can be run. Errors: "size" when even 8 tokens would take gigabytes.
Result<std::vector<record::Anchor>> probe_small(const ir::Graph& small, const MakeModel& backend,
                                                const ProbeOptions& options = {});

/// Probes the last design of `program`, small, with the structure of its written width. The report has no
/// file. Errors: those of the program and of probe_small.
Result<record::ProbeReport> probe_program(const std::string& program, const MakeModel& backend,
                                          const ProbeOptions& options = {});

}  // namespace gabbro::trial
