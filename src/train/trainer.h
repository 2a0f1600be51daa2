// Trains a model on a corpus for a budget of tokens.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/corpus.h"
#include "exec/model.h"
#include "train/schedule.h"

namespace gabbro::train {

/// Ends the run if its recent loss (recent_loss) is above `loss` when `tokens` have been consumed.
struct Hurdle {
  std::int64_t tokens = 0;  // rounded up to whole batches, at least one
  double loss = 0;          // in nats per token
};

struct TrainOptions {
  std::int64_t tokens = 5'000'000;  // token budget, rounded up to whole batches
  std::int64_t sequences = 16;      // sequences of a batch
  std::int64_t length = 256;        // tokens of a sequence
  std::uint64_t seed = 1;           // random seed of the data order
  exec::Update update{};
  Schedule schedule{};
  std::string design;               // identity of the design; a checkpoint of another design is rejected
  std::string checkpoint;           // checkpoint file; empty: no checkpoint is written
  std::string build;                // the program and processor, for TrainResult::build
  double checkpoint_seconds = 300;  // time between two checkpoints
  double divergence = 3;  // the run ends if its average loss is this much above its best, in nats per token
  std::vector<Hurdle> hurdles;
  // `valid` scores the weights on held-out text, in bits per byte. It is called after each of `valid_points`
  // equal parts of the run but the last; 0: never.
  int valid_points = 0;
  std::function<double()> valid;
};

struct CurvePoint {
  std::int64_t step = 0;    // counted from 0
  std::int64_t tokens = 0;  // tokens consumed, including this step
  double loss = 0;          // loss of the step, in nats per token
  double gradient_norm = 0;
  double rate = 0;  // learning rate of the step
  friend bool operator==(const CurvePoint&, const CurvePoint&) = default;
};

struct ValidPoint {
  std::int64_t tokens = 0;  // tokens consumed before the scoring
  double bits_per_byte = 0;
  friend bool operator==(const ValidPoint&, const ValidPoint&) = default;
};

struct TrainResult {
  enum class End : std::uint8_t { kDone, kStopped, kNotFinite, kDiverged, kHurdle } end = End::kDone;
  std::string cause;  // description of why the run ended; empty if it is done
  std::vector<CurvePoint> curve;
  std::vector<ValidPoint> valid;
  std::int64_t tokens = 0;      // tokens consumed
  std::uint64_t text_hash = 0;  // hash of the consumed batches in their order (add_text)
  double seconds = 0;           // training time without scoring, over all sessions of the run
  std::string
      build;  // TrainOptions::build of all of them, each once, joined by kBuildSeparator (base/build_id.h)
};

/// Returns the mean loss of the last tenth of the first `steps` steps, rounded up to whole steps. `curve`
/// must contain every step, and 1 <= steps <= curve.size().
double recent_loss(const std::vector<CurvePoint>& curve, std::size_t steps);

/// Receives the last step, the number of all steps, and the mean speed of the run. Returns false to stop the
/// run, which then writes a checkpoint.
using TrainProgress = std::function<bool(const CurvePoint&, std::int64_t steps, double tokens_per_second)>;

/// Runs training steps until the budget is used up. If the checkpoint file exists, the run continues from it,
/// with bit-identical results to a run that was never interrupted. A loss that is not finite, diverges, or is
/// above a hurdle ends the run; this is a result and not an error. Hurdles are not part of a run's identity:
/// if a checkpoint is past a hurdle that it fails, the curve is truncated at the hurdle, and is that of a run
/// that had the hurdle from the start; the weights and `seconds` are those of the checkpoint. Errors:
/// "checkpoint" (the file belongs to another run, design or text, is damaged, or cannot be read; it is left
/// unchanged), "io", "budget" (no tokens, or a split shorter than one sequence).
Result<TrainResult> train(exec::Model& model, const data::Split& split, std::int64_t end_token,
                          const TrainOptions& options, const TrainProgress& progress = {});

}  // namespace gabbro::train
