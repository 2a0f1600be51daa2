// Scores of held-out text, compared with those of the judge.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "eval/bits.h"
#include "ir/graph.h"
#include "record/trial.h"
#include "trial/judge.h"

namespace gabbro::trial {

/// Differences between the losses of windows as they were scored and those of the judge, in nats per token.
struct Rescoring {
  std::int64_t windows = 0;
  double mean = 0;   // the absolute sums over windows, added up and divided by the number of tokens
  double worst = 0;  // the largest absolute sum over a window, divided by the length of a full one
};

/// Returns the number of windows to rescore: those with a hundredth of the tokens of the training or 16,384
/// tokens, whichever is less, and with a hundredth of its operations or what the judge allows for a row,
/// whichever is more; at least 1. `flops`: those of the training.
std::int64_t windows_to_rescore(const ir::Graph& graph, std::span<const ir::NodeId> outputs,
                                const record::TrialSpec& spec, double flops);

/// A random sample of the windows that were scored, each with the same probability (reservoir sampling,
/// Vitter 1985, algorithm R).
class WindowSample {
 public:
  WindowSample(std::int64_t size, Random random) : size_(size), random_(random) {}

  void add(const eval::ScoredWindow& window);
  /// Compares the losses with those of `judge`, which has the weights of the scored model. `length`: tokens
  /// of a full window.
  [[nodiscard]] Rescoring compare(Judge& judge, std::int64_t length) const;

 private:
  struct Window {
    std::vector<std::int64_t> tokens;
    std::vector<float> losses;
  };
  std::int64_t size_, seen_ = 0;
  Random random_;
  std::vector<Window> windows_;
};

}  // namespace gabbro::trial
