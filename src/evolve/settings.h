// What a campaign is: its ladder, its strategies, its limits. Read from TOML by campaign/preset.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gabbro::evolve {

/// A rung of the ladder: every design and every baseline is trained here at equal parameters, tokens and data
/// order.
struct Rung {
  std::string name;
  std::int64_t params = 0;  // ±1 %
  std::int64_t tokens = 0;
  std::int64_t sequences = 8, length = 128;  // of a batch
  double depth = 1;          // repetitions of a design here, as a multiple of those at the first rung
  double rate = 3e-3;        // of all designs; muP fits it to the width
  std::int64_t designs = 0;  // at most so many enter; 0: no bound
  double promote_fraction =
      0.25;             // of the designs that are done here, so many go on (asynchronous successive halving)
  int seeds = 1;        // runs of a design here before it is judged
  double evidence = 0;  // to enter the next rung the interval of this level against the best baseline, on the
                        // seeds of the search, must lie below 0; 0: rank alone
  double stop_fraction =
      0;  // of the runs at this data order, the worst share is stopped at each of `hurdles`; 0: none
  std::int64_t documents = 0;        // held-out documents that are scored; 0: all
  std::int64_t document_tokens = 0;  // of each, its first tokens; 0: all
};

/// Costs of a design at the size of the first rung, as multiples of the most expensive baseline; 0: no limit.
struct Limits {
  double train_flops = 4;
  double decode_flops = 4;
  double state_bytes = 8;
  // What a search is held to, in numbers: at every rung, whatever baselines cost; 0: not.
  double most_train_flops = 0, most_decode_flops = 0, most_state_bytes = 0;
};

struct Settings {
  std::string preset = "laptop";
  std::vector<Rung> rungs;
  std::vector<std::string> baselines;  // files of zoo/: "llama"
  std::vector<std::string> controls;   // the same, of designs that see few tokens
  std::vector<std::string>
      capabilities;  // tasks that promoted designs are asked (capability/task.h); none: rung 0 is left out
  std::int64_t blocks = 0;  // repetitions of a baseline at the first rung; 0: as written
  std::vector<std::string> strategies{"adaptive"};  // at equal training FLOPs
  std::vector<double> hurdles{0.25, 0.5};           // shares of a run's tokens
  int hurdle_runs = 8;                              // runs at one data order before the first is stopped
  Limits limits;
  bool tune_rates = true;  // every design at a rate of its own (evolve/rates.h); false: the rung's for all
  std::string dtype = "float32";  // of products with weights: "float32", "bf16", "auto" (bf16 where the
                                  // processor multiplies it)
  double input_rate = 1, output_rate = 1;  // of the tables of tokens, as factors on what muP gives them
  std::int64_t vocab = 1024;               // of a corpus that the campaign makes
  double effect = 0.02;         // bits per byte that the last comparison is to see in 80 % of cases
  int final_seeds = 32;         // of winner and baselines in the last comparison, at most; at least 3
  bool ablate = true;           // the winner, unit by unit
  double search_share = 0.6;    // of a budget, at least; what the last comparison needs is kept for it
  double worker_seconds = 900;  // limit of a trial, times the ratio of its work to the first rung's
  std::int64_t worker_bytes = 4LL << 30;
};

}  // namespace gabbro::evolve
