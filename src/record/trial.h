// What the search asks of a worker, and what it gets back: the one border between programs and tensors.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/anchor.h"
#include "record/eval.h"
#include "record/spelling.h"

namespace gabbro::record {

/// A loss that a run has to be down to after some tokens, or it ends there.
struct Hurdle {
  std::int64_t tokens = 0;  // rounded up to whole batches
  double loss = 0;          // most that Point::recent may be then
};

/// A trial: a design, its size, the text and the budget. `kVersion` changes when a field changes its meaning.
struct TrialSpec {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "train";
  std::string program;      // source text; its last design is trained
  std::string corpus;       // a folder made by `gabbro data build`
  std::string folder;       // of the run: checkpoint, weights, curve
  std::int64_t params = 0;  // the design is resized to so many; 0: as written
  std::int64_t tokens = 5'000'000;
  std::int64_t sequences = 16, length = 256;
  double rate = 3e-3;
  double input_rate = 1, output_rate = 1;  // of the tables of tokens, as factors on what muP gives them
  double decay = 0.1;
  std::string schedule = "cosine";  // or "wsd"
  std::uint64_t seed = 1;           // of the first weights and the data order
  std::uint64_t start = 0;          // of the first weights alone; 0: `seed`
  std::string device = "cpu";
  std::string dtype = "float32";  // or "bf16" (products with weights), "float64"
  int threads = 2;
  std::int64_t rows = 0;              // sequences at a time; 0: all
  std::int64_t memory = 0;            // bytes that the worker may hold; 0: what the machine has left
  std::uint64_t valid_documents = 0;  // held-out documents that are scored; 0: all
  std::uint64_t document_tokens = 0;  // of each its first tokens; 0: all
  std::vector<std::string> tasks;     // benchmarks, "FILE" or "NAME=FILE"
  double checkpoint_seconds = 300;    // between two checkpoints
  std::string text_hash;              // the text that must be consumed, as of the pair's result; "": any
  std::int64_t unread_tokens =
      0;  // of training text that the run does not read, to be scored beside the held-out text
  std::vector<Hurdle> hurdles;  // in any order
  bool thorough =
      false;  // the checks of the trained weights cover the whole training length, whatever they cost
};

/// A point of the learning curve. Runs of one budget in batches of one size have their points at the same
/// steps, but for the last.
struct Point {
  std::int64_t step = 0, tokens = 0;
  double loss = 0, gradient_norm = 0, rate = 0;
  double recent = 0;  // the mean loss of the last tenth of the steps so far, this one included (rounded up to
                      // whole steps)
};

/// A held-out document as it was scored. Results of the same corpus list the same documents in the same
/// order.
struct DocumentScore {
  double bits_per_byte = 0;
  std::uint64_t bytes = 0;  // of its text, at least 1
};
/// Returns true if both list documents of the same lengths in the same order, as runs on one held-out text
/// do.
bool same_documents(const std::vector<DocumentScore>& a, const std::vector<DocumentScore>& b);

/// The anchors of every result that is "done" (docs/verdict.md).
inline constexpr std::array<std::string_view, 16> kAnchors{
    "probe", "whole text",          "context", "unseen values",       "first loss", "finite",    "budget",
    "text",  "better than bigrams", "weights", "backend = reference", "future",     "documents", "batch",
    "place", "decoding = parallel"};

/// What context beyond the last `tokens` tokens is worth to the trained weights, in held-out bits per byte:
/// positive where they use it (eval/context.h).
struct ContextGain {
  std::int64_t tokens = 0;
  double gain = 0, error = 0;
  std::int64_t positions = 0;
};

struct TrialResult {
  static constexpr int kVersion = 1;
  static constexpr const char* kJob = "train";
  /// "done": trained and scored, and every anchor holds. "refused": an anchor does not hold. "stopped": from
  /// outside; can go on. "hurdle": a loss above a hurdle ended it; neither scored nor held to anchors.
  /// "failed": no result, `cause` says why (the design, the corpus, not finite, diverged, memory).
  Status status = Status::kFailed;
  std::string cause;
  std::string design;  // its name
  std::string hash;    // canonical
  std::int64_t width = 0, params = 0, tokens = 0;
  std::string moved;  // hyperparameters that resizing moved (lang::text_of): "Mamba2.state 16 to 21"
  double bits_per_byte = 0, bits_low = 0, bits_high = 0, bits_error = 0;  // held-out, 95 %
  double valid_loss = 0;                                                  // nats per token
  std::uint64_t valid_documents = 0, valid_bytes = 0;
  std::vector<DocumentScore> documents;  // their mean, weighted by bytes, is bits_per_byte
  double bigram_bits_per_byte = 0;
  /// The mean loss on `unread_tokens` tokens of training text that the run has not read, nats per token. A
  /// lead that is on the held-out text alone may stand in the program: nobody writes a whole training text
  /// into one.
  double unread_loss = 0;
  std::int64_t unread_tokens = 0;
  std::vector<ContextGain> context;  // reported, not part of the verdict
  double rate = 0, input_rate = 1,
         output_rate = 1;  // that it was trained at (TrialSpec); 0: of a record that does not say
  double first_loss = 0, last_loss = 0;
  double train_seconds = 0, tokens_per_second = 0;
  std::string sandbox;  // what stood around the worker (sandbox::Machine::text); empty: not known
  double train_flops_per_token = 0, decode_flops_per_token = 0, state_bytes = 0;
  // Bytes the worker holds at most while training: expected before the first step, and seen. `recomputed`:
  // activations were computed again for the gradient, to need less.
  std::int64_t memory_expected = 0, memory_seen = 0;
  bool recomputed = false;
  std::string weights_hash;
  std::vector<TaskScore> tasks;  // reported, not part of the verdict
  std::string text_hash;      // of the batches consumed, in their order: runs that are compared agree in it
  std::string held_out_hash;  // of the documents that were scored, in their order (eval/bits.h): these agree
                              // in it too
  std::vector<Anchor> anchors;
  std::vector<Point> curve;  // at most some hundred points, the last included
};

/// What a result says of unread text in bits per byte, by the held-out text's tokens per byte; 0: nothing.
double unread_bits(const TrialResult& result);
/// Nats per token over bits per byte of the held-out score, which its text alone decides; 0: there is no
/// score.
double nats_per_bit(const TrialResult& result);
/// Whether a run that ended without a score says something of its design or its rate, and not of its worker,
/// a limit, or a text that changed.
bool speaks_of_design(const TrialResult& result);
/// Why a result cannot be, in words; empty: it can. A worker wrote it: numbers are held against each other,
/// and anchors against the status.
std::string misfit(const TrialResult& result);
/// The same, and against what was asked for: tokens, parameters, rates.
std::string misfit(const TrialSpec& spec, const TrialResult& result);
/// The same, and against the hash of the design at the size that was asked for.
std::string misfit(const TrialSpec& spec, const std::string& hash, const TrialResult& result);

std::string to_json(const TrialSpec& spec);
std::string to_json(const TrialResult& result);
/// Errors: "spec" and "result": not JSON, another version, a field that is missing or of another type, by its
/// name; of a spec also a number outside of its range.
Result<TrialSpec> parse_spec(const std::string& json);
Result<TrialResult> parse_result(const std::string& json);

}  // namespace gabbro::record
