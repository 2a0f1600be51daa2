// The probe: runs a design on random parameters and checks that it behaves as the static proofs say.
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
  // Length of the texts of which the backend's leak checks (trial/leak_check.h) change unseen parts. 0: these
  // checks are skipped.
  std::int64_t length = 160;
  // Length of the texts for probe_program's checks "whole text", "context" (trial/first_text.h) and "screen"
  // (exec/reference/screen.h). 0: these checks are skipped.
  std::int64_t whole_length = 256;
  double rounding = 0x1.0p-24;  // relative rounding error of the backend's products with weights
  double seconds = 0;  // Repeats the probe with other random values until this much time has passed; 0: once.
  std::function<bool()> goes_on = {};  // called before each repetition; false ends the probe
};

/// Runs `graph` (body 0: tokens to logits [t, V]) on texts of several lengths, in the reference engine
/// (float64) and through `backend`, in batches and with several documents in a sequence. All parameters are
/// random, since parameters initialised to zero hide what is behind them. The checks, each with its numbers
/// (docs/verdict.md), are "finite", "future", "prefix", "step = parallel", "gradient", "mixing", "backend =
/// reference", "batch", "documents" and "determinism". If the logits are not finite, the other checks mean
/// nothing and only "finite" is returned. Cost: about 20 runs of 24 positions in float64.
std::vector<record::Anchor> probe(const ir::Graph& graph, const MakeModel& backend,
                                  const ProbeOptions& options = {});

/// Returns `graph` at the size at which it is probed: 31 tokens of vocabulary, and the narrowest width of at
/// least 16 that keeps the structure of its own width (ir/narrow.h). A program that branches on its width
/// therefore cannot detect that it is probed.
ir::Graph small_graph(const ir::Graph& graph);

/// Runs probe() on a small graph. Errors: "size" if even 8 tokens would take gigabytes.
Result<std::vector<record::Anchor>> probe_small(const ir::Graph& small, const MakeModel& backend,
                                                const ProbeOptions& options = {});

/// Probes the last design of `program` as small_graph makes it. The report has no file name. Errors: those of
/// the program and of probe_small.
Result<record::ProbeReport> probe_program(const std::string& program, const MakeModel& backend,
                                          const ProbeOptions& options = {});

}  // namespace gabbro::trial
