// Settings of a campaign: its ladder, strategies and limits. They are read from TOML by campaign/preset.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "record/spelling.h"

namespace gabbro::evolve {

/// A rung of the ladder. All designs and baselines train here with equal parameters, tokens and data order.
struct Rung {
  std::string name;
  std::int64_t params = 0;                   // number of parameters of a design, met within 1 %
  std::int64_t tokens = 0;                   // number of training tokens of a run
  std::int64_t sequences = 8, length = 128;  // batch size in sequences, and tokens of a sequence
  double depth = 1;  // number of repetitions in a design's stack, relative to the first rung
  // Learning rate. Each design has a factor on it (SearchSettings::tune_rates), and muP adapts it to the
  // width.
  double rate = 3e-3;
  std::int64_t designs = 0;  // maximum number of designs that enter; 0: no bound
  // Share of the designs done here that is promoted (asynchronous successive halving).
  double promote_fraction = 0.25;
  int seeds = 1;  // number of runs of a design here before it may be promoted
  // If not 0, promotion requires that the interval at this level of the difference from the best baseline, on
  // the seeds of the search, lies below 0. If 0, rank alone decides.
  double evidence = 0;
  // Share of the runs on one data order, the worst, that is stopped at each of SearchSettings::hurdles; 0:
  // none.
  double stop_fraction = 0;
  std::int64_t documents = 0;        // number of held-out documents scored; 0: all
  std::int64_t document_tokens = 0;  // number of leading tokens scored of each document; 0: all
  // The engine of the runs here. The engine cpu runs on the device of the campaign.
  record::Engine engine = record::Engine::kCpu;
  std::string device = "cpu";  // of the engine pytorch
  int gpus = 1;                // processes of a run of the engine pytorch
  bool compile = false;        // the engine pytorch uses torch.compile where it is faster
};

/// Limits on a design's costs. The first three are multiples of the most expensive baseline at the first
/// rung, and grow with the rung; 0: no limit.
struct DesignLimits {
  double train_flops = 4;
  double decode_flops = 4;
  double state_bytes = 8;
  // Absolute limits, which hold at every rung and whatever baselines cost; 0: no limit.
  double most_train_flops = 0, most_decode_flops = 0, most_state_bytes = 0;
};

struct SearchSettings {
  std::string preset = "laptop";
  std::vector<Rung> rungs;
  std::vector<std::string> baselines;  // names of files of zoo/, for example "llama"
  std::vector<std::string> controls;   // the same, for designs that see few tokens
  // Capability tasks that promoted designs run (capability/task.h); none: rung 0 is left out.
  std::vector<std::string> capabilities;
  std::int64_t blocks = 0;  // repetitions of a baseline at the first rung; 0: as written
  std::vector<std::string> strategies{"adaptive"};  // the strategies share training FLOPs equally
  std::vector<double> hurdles{0.25, 0.5};  // where runs may be stopped early: fractions of a run's tokens
  int hurdle_runs = 8;  // minimum number of earlier runs on one data order before a run is stopped
  DesignLimits limits;
  // Every design has a learning rate of its own (evolve/rates.h); false: the rung's rate for all.
  bool tune_rates = true;
  // Nothing until a campaign begins with "auto": then bf16 if the processor supports it, or else float32.
  std::optional<record::Dtype> dtype = record::Dtype::kFloat32;
  record::Optimizer optimizer = record::Optimizer::kAdamW;
  // Learning rates of token tables, as factors on those that muP gives.
  double input_rate = 1, output_rate = 1;
  std::int64_t vocab = 1024;  // vocabulary size of a corpus that the campaign makes
  // Difference in bits per byte that the final comparison should detect with 80 % power.
  double effect = 0.02;
  int final_seeds = 32;  // maximum number of seeds of the final comparison; at least 3
  bool ablate = true;    // run ablations of the winner
  // Minimum share of a budget for the search; the rest is reserved for the final comparison.
  double search_share = 0.6;
  double worker_seconds = 900;  // time limit of a trial, scaled by its work relative to the first rung's
  std::int64_t worker_bytes = 4LL << 30;  // memory limit of a trial
};

}  // namespace gabbro::evolve
