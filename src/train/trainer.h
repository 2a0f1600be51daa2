// Trains a model on a corpus for a budget of tokens.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/corpus.h"
#include "exec/model.h"
#include "train/schedule.h"

namespace gabbro::train {

/// The run ends when its recent loss (recent_loss) is above `loss` once `tokens` are consumed.
struct Hurdle {
  std::int64_t tokens = 0;  // rounded up to whole batches, at least one
  double loss = 0;
};

struct TrainOptions {
  std::int64_t tokens = 5'000'000;  // the budget, rounded up to whole batches
  std::int64_t sequences = 16;
  std::int64_t length = 256;
  std::uint64_t seed = 1;  // of the data order
  exec::AdamW update{};
  Schedule schedule{};
  std::string design;               // its identity: a checkpoint of another is not taken up
  std::string checkpoint;           // a file; empty: none is kept
  double checkpoint_seconds = 300;  // between two
  double divergence = 3;            // a loss so much above the best average ends the run
  std::vector<Hurdle> hurdles;
};

struct CurvePoint {
  std::int64_t step = 0;
  std::int64_t tokens = 0;  // consumed, this step included
  double loss = 0;          // of the step, nats per token
  double gradient_norm = 0;
  double rate = 0;
  friend bool operator==(const CurvePoint&, const CurvePoint&) = default;
};

struct TrainResult {
  enum class End : std::uint8_t { kDone, kStopped, kNotFinite, kDiverged, kHurdle } end = End::kDone;
  std::string cause;  // in words, unless done
  std::vector<CurvePoint> curve;
  std::int64_t tokens = 0;
  std::uint64_t text = 0;  // the identity of the batches consumed, in their order (add_text)
  double seconds = 0;      // of training, over all sessions of the run
};

/// The mean loss of the last tenth of the first `steps` steps, rounded up to whole steps. 1 <= steps <= the
/// points of `curve`, which has every step.
double recent_loss(const std::vector<CurvePoint>& curve, std::size_t steps);

/// How far a run is; return false to stop it (after writing a checkpoint).
using TrainProgress = std::function<bool(const CurvePoint&, std::int64_t steps, double tokens_per_second)>;

/// Runs steps until the budget is used up. With a checkpoint file that exists, the run goes on where it
/// stopped, and gives the bits that it would have given without stopping. Losses that are not finite,
/// diverge, or are above a hurdle end the run as a result. Hurdles are no part of a run's identity: a
/// checkpoint beyond one that it did not have is cut back to it, and the result is the one of a run that
/// always had it. Errors: "checkpoint" and "format" (of another run, design or text, damaged; the file is
/// left as it is), "io", "budget" (no tokens, a split shorter than one window).
Result<TrainResult> train(exec::Model& model, const data::Split& split, std::int64_t end_piece,
                          const TrainOptions& options, const TrainProgress& progress = {});

}  // namespace gabbro::train
