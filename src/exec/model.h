// What a backend offers to training and evaluation: a design with weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gabbro::exec {

/// The target of a position at which nothing is asked.
constexpr std::int64_t kNotAsked = -1;

/// `sequences` rows of `length` tokens and the token that follows each, row-major. `starts` holds for every
/// position the position of its row at which its document starts: nothing passes from one document to the
/// next. A target of kNotAsked has no loss (0) and no gradient, whatever the logits are, and means are taken
/// over the positions that are asked.
struct TokenBatch {
  std::int64_t sequences = 0;
  std::int64_t length = 0;
  std::vector<std::int64_t> tokens, targets, starts;
};

/// One update by AdamW with decoupled decay (Loshchilov and Hutter 2019, arXiv 1711.05101). `rate` is the
/// rate of vectors and input tables; matrices get rate * base_fan_in / fan-in, as muP asks of Adam (Yang et
/// al. 2022, arXiv 2203.03466, table 3), so that one rate serves all widths. `input` and `output` are factors
/// on the rates of the two tables of tokens; a table that is both gets `output`. Decay acts on matrices and
/// tables. `clip` bounds the norm of the whole gradient.
struct AdamW {
  double rate = 1e-3;
  double input = 1, output = 1;
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double decay = 0.1;
  double clip = 1;
  double base_fan_in = 256;
};

/// Mean loss of the batch in nats per token that is asked (0 when none is) before the update, and the norm of
/// its gradient before clipping. When one of them is not finite, nothing is updated.
struct StepReport {
  double loss = 0;
  double gradient_norm = 0;
  bool updated = false;
};

/// Per position, row-major: the loss of the target in nats, and whether no token is likelier than the target
/// (of equally likely ones the first counts).
struct Scores {
  std::vector<float> losses;
  std::vector<bool> greedy;
};

/// A named array in float32, as checkpoints and safetensors files hold it.
struct NamedArray {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> data;
};

/// A design with weights and the state of their optimizer. The same calls give the same bits on the same
/// machine with the same number of threads.
class Model {
 public:
  virtual ~Model() = default;
  /// Bytes that a step needs with batches of this shape, weights and optimizer included: an estimate. 0: not
  /// known.
  [[nodiscard]] virtual std::int64_t step_bytes(std::int64_t /*sequences*/, std::int64_t /*length*/) const {
    return 0;
  }
  virtual StepReport step(const TokenBatch& batch, const AdamW& update) = 0;
  /// The loss at every position in nats, row-major.
  virtual std::vector<float> losses(const TokenBatch& batch) = 0;
  virtual Scores score(const TokenBatch& batch) = 0;
  /// The losses of `batch` where every row is one document (no `starts`) that is read token by token, with
  /// nothing but the state that decoding carries: later tokens do not exist. Empty: the backend does not
  /// decode, or not a graph that looks ahead.
  virtual std::vector<float> decoded_losses(const TokenBatch& /*batch*/) { return {}; }
  /// Weights, by the names of the graph's parameters.
  [[nodiscard]] virtual std::vector<NamedArray> weights() const = 0;
  /// Moments of the optimizer, "m." and "v." before the names, and "steps".
  [[nodiscard]] virtual std::vector<NamedArray> moments() const = 0;
  /// Takes weights and moments back. False when a name or a shape does not fit; nothing is changed then.
  virtual bool restore(const std::vector<NamedArray>& arrays) = 0;
};

}  // namespace gabbro::exec
