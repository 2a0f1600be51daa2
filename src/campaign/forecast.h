// Forecasts what a preset's ladder takes before anything runs: `gabbro evolve --plan`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "evolve/settings.h"

namespace gabbro::campaign {

/// Assumed speeds, in FLOP/s of a design's training FLOPs.
struct AssumedSpeed {
  double cpu = 20e9;         // of a run on the CPU
  double gpu_peak = 989e12;  // peak of a GPU: an H100 or H200 with dense bf16 products (NVIDIA's data sheet)
  double utilisation = 0.4;  // share of that peak that training reaches
};

/// The forecast of one rung.
struct RungForecast {
  std::string name;
  bool on_gpu = false;
  int gpus = 1;  // number of GPUs that one run uses
  std::int64_t params = 0, tokens = 0;
  // Training FLOPs of a run, over the known designs (the preset's baselines and controls).
  double lowest_flops = 0, highest_flops = 0, mean_flops = 0;
  double mean_seconds = 0;  // of a run with `mean_flops`, at the assumed speed
  /// Bytes that any run needs: for weights, gradients and AdamW's moments in float32, and for logits with
  /// their gradient for one sequence. The activations of the stack come on top.
  double memory_floor = 0;
  /// Runs of designs, baselines and controls, at most. Nothing if the rung sets no number of designs, since
  /// the budget of the campaign decides then.
  std::optional<std::int64_t> search_runs;
  /// Runs of the final comparison, its searches for learning rates and its ablations, at most. It is held at
  /// the last rung; the others have 0.
  std::int64_t final_runs = 0;
};

/// Computes the forecast of each rung from the known designs of the preset, sized and deepened as a campaign
/// trains them. Errors: those of sizing; "preset" without known designs. Takes one elaboration or more for
/// each known design and rung.
Result<std::vector<RungForecast>> forecast(const evolve::SearchSettings& settings, const AssumedSpeed& speed);

/// Formats the forecast as a table with its assumptions.
std::string forecast_text(const evolve::SearchSettings& settings, const AssumedSpeed& speed,
                          const std::vector<RungForecast>& rungs);

}  // namespace gabbro::campaign
