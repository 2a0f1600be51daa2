// The interface that a backend offers to training and evaluation: a design with weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gabbro::exec {

/// The target of a position that is not scored.
constexpr std::int64_t kNotScored = -1;

/// A batch of `sequences` rows of `length` tokens with their targets (the next tokens), row-major. For every
/// position, `starts` holds the position in its row at which its document starts; no information passes from
/// one document to the next. A target of kNotScored has loss 0 and no gradient, whatever the logits are.
/// Means are taken over the scored positions only.
struct TokenBatch {
  std::int64_t sequences = 0;
  std::int64_t length = 0;
  std::vector<std::int64_t> tokens, targets, starts;
};

/// The rule of an update. Under kMuon, the matrices within the stack follow Muon with Nesterov momentum
/// (Jordan et al. 2024), and all other parameters AdamW.
enum class UpdateRule : std::uint8_t { kAdamW, kMuon };

/// One update, by AdamW with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101) or Muon.
/// `rate` is the learning rate of vectors and input tables. Matrices get rate * base_fan_in / fan-in, as muP
/// prescribes for Adam (Yang et al. 2022, arXiv 2203.03466, table 3), so that one learning rate serves all
/// widths; an update by Muon has the size of AdamW's at base_fan_in. `input` and `output` are factors on the
/// learning rates of the input and output embedding tables; a tied table gets `output`. Weight decay acts on
/// matrices and tables. `clip` bounds the norm of the whole gradient; 0: no bound.
struct Update {
  UpdateRule rule = UpdateRule::kAdamW;
  double rate = 1e-3;
  double input = 1, output = 1;
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double decay = 0.1;
  double clip = 1;
  double base_fan_in = 256;
};

/// The mean loss of the batch before the update, in nats per scored token (0 if no token is scored), and the
/// norm of its gradient before clipping. If either is not finite, the weights are not updated.
struct StepReport {
  double loss = 0;
  double gradient_norm = 0;
  bool updated = false;
};

/// For each position, row-major: the loss of the target in nats, and true if no token is more likely than the
/// target. Among equally likely tokens the first wins.
struct Scores {
  std::vector<float> losses;
  std::vector<bool> greedy;
};

/// A named float32 array, as stored in checkpoints and safetensors files.
struct NamedArray {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> data;
};

/// A design with its weights and the state of their optimizer. The same calls give identical bits on the same
/// machine with the same number of threads.
class Model {
 public:
  virtual ~Model() = default;
  /// Estimates the bytes that a training step needs with batches of this shape, including weights and
  /// optimizer state. Returns 0 if the backend does not know.
  [[nodiscard]] virtual std::int64_t step_bytes(std::int64_t /*sequences*/, std::int64_t /*length*/) const {
    return 0;
  }
  /// Estimates the bytes that the losses of a batch of this shape need, including weights; 0 if unknown.
  [[nodiscard]] virtual std::int64_t score_bytes(std::int64_t /*sequences*/, std::int64_t /*length*/) const {
    return 0;
  }
  /// Trains on `batch` with one update.
  virtual StepReport step(const TokenBatch& batch, const Update& update) = 0;
  /// Returns the loss at every position in nats, row-major.
  virtual std::vector<float> losses(const TokenBatch& batch) = 0;
  /// Returns the losses, and for each target whether it is the likeliest token.
  virtual Scores score(const TokenBatch& batch) = 0;
  /// Returns the losses of `batch`, decoded token by token from the state that decoding carries, so that
  /// later tokens cannot influence a loss. Every row must be one document (no `starts`). The result is empty
  /// if the backend does not decode, or if the graph looks ahead.
  virtual std::vector<float> decoded_losses(const TokenBatch& /*batch*/) { return {}; }
  /// Returns the weights, named as the graph's parameters.
  [[nodiscard]] virtual std::vector<NamedArray> weights() const = 0;
  /// Returns the state of the optimizer: moments named "m/" or "v/" plus the parameter's name, and "steps".
  [[nodiscard]] virtual std::vector<NamedArray> moments() const = 0;
  /// Describes libraries, device and micro-batches, if they depend on the machine; else returns "".
  [[nodiscard]] virtual std::string description() const { return ""; }
  /// Returns the most bytes held so far outside of this process, 0 if none.
  [[nodiscard]] virtual std::int64_t peak_bytes() const { return 0; }
  /// Restores weights and moments. Returns false, and changes nothing, if a name or a shape does not fit.
  virtual bool restore(const std::vector<NamedArray>& arrays) = 0;
};

}  // namespace gabbro::exec
