// The spec and the result of a training run: the only interface between the search, which knows programs, and
// the worker, which knows tensors.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/anchor.h"
#include "record/cause.h"
#include "record/eval.h"
#include "record/spelling.h"

namespace gabbro::record {

/// A limit on the training loss after a number of tokens. A run above it ends there.
struct Hurdle {
  std::int64_t tokens = 0;  // rounded up to whole batches
  double loss = 0;          // maximum of Point::recent at that point
};

/// The spec of a trial: a design, its size, the text and the budget. `kVersion` changes when a field changes
/// its meaning.
struct TrialSpec {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "train";
  std::string program;      // source text; its last design is trained
  std::string corpus;       // a folder made by `gabbro data build`
  std::string corpus_hash;  // hash that the corpus must have (data::hash_of); "": any
  std::string folder;       // folder of the run: checkpoint, weights, curve
  std::int64_t params = 0;  // number of parameters to resize to; 0: as written
  std::int64_t tokens = 5'000'000;
  std::int64_t sequences = 16, length = 256;  // batch size, and tokens of a sequence
  Optimizer optimizer = Optimizer::kAdamW;
  double rate = 3e-3;  // base learning rate; matrices get it times 256 / fan-in (muP)
  // Learning rates of token tables, as factors on those that muP gives.
  double input_rate = 1, output_rate = 1;
  double decay = 0.1;  // weight decay
  RateSchedule schedule = RateSchedule::kCosine;
  std::uint64_t seed = 1;   // of the initialisation and the data order
  std::uint64_t start = 0;  // of the initialisation alone; 0: `seed`
  Engine engine = Engine::kCpu;
  std::string device = "cpu";
  int gpus = 1;          // processes of the engine pytorch that train together, each on a GPU of its own
  bool compile = false;  // The engine pytorch uses torch.compile where it is faster.
  Dtype dtype = Dtype::kFloat32;
  int threads = 2;
  std::int64_t rows = 0;              // sequences per micro-batch; 0: all
  std::int64_t memory = 0;            // bytes that the worker may hold; 0: all that the machine has left
  std::uint64_t valid_documents = 0;  // number of held-out documents scored; 0: all
  std::uint64_t document_tokens = 0;  // number of leading tokens scored of each document; 0: all
  std::vector<std::string> tasks;     // benchmarks, "FILE" or "NAME=FILE"
  double checkpoint_seconds = 300;    // time between two checkpoints
  std::string text_hash;  // hash that the consumed text must have, from a result to pair with; "": any
  // Number of tokens of training text that the run does not read and that is scored beside the held-out text.
  std::int64_t unread_tokens = 0;
  std::vector<Hurdle> hurdles;  // in any order
  // Number of equal parts of the training after each of which the held-out text is scored; 0: only at the
  // end.
  int valid_points = 0;
  // The anchors of the trained weights cover the whole training length, whatever they cost.
  bool thorough = false;
};

/// A point of the learning curve. Runs with the same budget and batch size have their points at the same
/// steps, except the last point.
struct Point {
  std::int64_t step = 0, tokens = 0;  // `tokens` includes those of this step
  double loss = 0;                    // loss of the step, nats per token
  double gradient_norm = 0, rate = 0;
  // Mean loss of the last tenth of the steps so far, including this one (rounded up to whole steps).
  double recent = 0;
};

/// The score on the held-out text after a number of training tokens.
struct ValidPoint {
  std::int64_t tokens = 0;
  double bits_per_byte = 0;  // 0: not finite
};

/// The score of a held-out document. Results on one corpus list the same documents in the same order.
struct DocumentScore {
  double bits_per_byte = 0;
  std::uint64_t bytes = 0;  // bytes of its text, at least 1
};
/// Returns true if both list documents of the same lengths in the same order, as runs on one held-out text
/// do.
bool same_documents(const std::vector<DocumentScore>& a, const std::vector<DocumentScore>& b);

/// Names of the anchors of every result that is "done" (docs/verdict.md).
inline constexpr std::array<std::string_view, 17> kAnchors{"probe",
                                                           "whole text",
                                                           "context",
                                                           "unseen values",
                                                           "first loss",
                                                           "finite",
                                                           "budget",
                                                           "text",
                                                           "better than bigrams",
                                                           "weights",
                                                           "backend = reference",
                                                           "gradient",
                                                           "future",
                                                           "documents",
                                                           "batch",
                                                           "place",
                                                           "decoding = parallel"};

/// The gain of the trained weights from context beyond the last `tokens` tokens, in held-out bits per byte;
/// positive if they use it (eval/context.h).
struct ContextGain {
  std::int64_t tokens = 0;
  double gain = 0, error = 0;  // `error` is the standard error
  std::int64_t positions = 0;  // number of positions compared
};

struct TrialResult {
  static constexpr int kVersion = 2;
  static constexpr const char* kJob = "train";
  /// "done": trained and scored, and every anchor holds. "refused": an anchor does not hold. "stopped": from
  /// outside; it can be resumed. "hurdle": a loss was above a hurdle; the run is neither scored nor checked
  /// by anchors. "failed": no result; `cause` says why (the design, the corpus, not finite, diverged,
  /// memory).
  Status status = Status::kFailed;
  std::string cause;
  // Code of the error that `cause` describes; kNone: the run ended for its losses or an anchor.
  Cause error = Cause::kNone;
  std::string design;  // name of the design
  std::string hash;    // canonical hash
  std::int64_t width = 0, params = 0, tokens = 0;
  // Hyperparameters that resizing changed (lang::text_of), such as "Mamba2.state 16 to 21".
  std::string moved;
  // Held-out bits per byte, with the 95 % interval and the standard error.
  double bits_per_byte = 0, bits_low = 0, bits_high = 0, bits_error = 0;
  double valid_loss = 0;  // nats per token
  std::uint64_t valid_documents = 0, valid_bytes = 0;
  std::vector<DocumentScore> documents;  // their mean weighted by bytes is bits_per_byte
  double changed_share = 0;              // changed_text_note
  double bigram_bits_per_byte = 0;       // of the bigram model on the same documents
  /// Mean loss on `unread_tokens` tokens of training text that the run has not read, in nats per token. A
  /// lead on the held-out text alone may come from a program that contains this text; no program contains a
  /// whole training text.
  double unread_loss = 0;
  std::int64_t unread_tokens = 0;
  std::vector<ContextGain> context;  // reported, not part of the verdict
  // As it was trained (TrialSpec); a rate of 0: not recorded.
  Optimizer optimizer = Optimizer::kAdamW;
  double rate = 0, input_rate = 1, output_rate = 1;
  double first_loss = 0, last_loss = 0;  // nats per token, in training
  double train_seconds = 0, tokens_per_second = 0;
  std::string engine;  // what ran where (exec::Model::description); empty: the engine cpu
  // Program and processor that computed it (base/build_id.h); several, separated by "; ", if it was continued
  // by another; empty: not recorded.
  std::string build;
  std::string sandbox;  // sandbox around the worker (sandbox::Machine::text); empty: not known
  // Predicted from the program, at the batch size and length of the spec (ir::token_costs).
  double train_flops_per_token = 0, decode_flops_per_token = 0, state_bytes = 0;
  // Maximum bytes that the worker holds while training: predicted before the first step, and measured.
  // `recomputed`: activations were recomputed for the gradient, to save memory.
  std::int64_t memory_expected = 0, memory_seen = 0;
  bool recomputed = false;
  std::string weights_hash;
  std::vector<TaskScore> tasks;  // reported, not part of the verdict
  // Hash of the batches consumed, in order. Runs that are compared have the same one.
  std::string text_hash;
  // Hash of the documents scored, in order (eval/bits.h). Runs that are compared have the same one.
  std::string held_out_hash;
  std::vector<Anchor> anchors;
  std::vector<Point> curve;             // at most some hundred points, including the last
  std::vector<ValidPoint> valid_curve;  // TrialSpec::valid_points; its last point is bits_per_byte
};

/// Returns the sentence that goes with scores on a corpus whose tokenizer does not reproduce this share of
/// the held-out documents; "" if it reproduces all.
std::string changed_text_note(double changed_share);
/// Returns the loss on unread text in bits per byte, as if it had as many tokens per byte as the held-out
/// text; 0 if it is not known.
double unread_bits(const TrialResult& result);
/// Returns nats per token divided by bits per byte of the held-out score, which depends on its text alone; 0
/// if there is no score.
double nats_per_bit(const TrialResult& result);
/// Returns true if a run that ended without a score tells something about its design or learning rate, and
/// not about its worker, a limit, or a text that changed.
bool speaks_of_design(const TrialResult& result);
/// Returns true if a run was refused for its score alone: it was trained, scored and checked, and all that
/// does not hold is that it is better than bigrams. Its score and documents are valid.
bool is_refused_for_score(const TrialResult& result);
/// Returns true if a run was lost for its numbers: its losses diverged or were not finite, or an anchor other
/// than "better than bigrams" does not hold.
bool is_lost_for_numbers(const TrialResult& result);
/// Returns why a result is impossible; "" if it is possible. A worker wrote it, so its numbers are checked
/// against each other, and its anchors against the status.
std::string misfit(const TrialResult& result);
/// Also checks the result against the spec: tokens, parameters, rates.
std::string misfit(const TrialSpec& spec, const TrialResult& result);
/// Also checks the result against the hash of the design at the requested size.
std::string misfit(const TrialSpec& spec, const std::string& hash, const TrialResult& result);

std::string to_json(const TrialSpec& spec);
std::string to_json(const TrialResult& result);
/// Parse a spec and a result. Errors: "spec" and "result" for invalid JSON, another version, or a field that
/// is missing or of another type, with its name; for a spec also a number out of range.
Result<TrialSpec> parse_spec(const std::string& json);
Result<TrialResult> parse_result(const std::string& json);
/// Reads the spec of a run folder. Errors: "run" if the folder has none, or it cannot be parsed.
Result<TrialSpec> read_run_spec(const std::string& folder);

}  // namespace gabbro::record
