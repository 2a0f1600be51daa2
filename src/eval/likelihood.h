// Log-likelihoods of continuations, from which all benchmark tasks are computed.
//
// Texts are tokenised as in EleutherAI's lm-evaluation-harness (its TemplateLM), so that the same model gets
// the same scores. White space at the end of the context belongs to the continuation. The tokens of the
// continuation are those of the joint encoding beyond the tokens that it shares with the context's own
// encoding. Contexts that are too long lose tokens on the left. Every text starts with the end token, as
// documents do in training (in the harness: a tokenizer that adds its begin token).
//
// A continuation longer than the model reads is scored in several windows, where the harness drops its
// beginning.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "data/tokenizer.h"
#include "exec/model.h"

namespace gabbro::eval {

/// A part of a text that the model reads at once: tokens[i] predicts tokens[i + 1], and the last `scored`
/// tokens belong to the continuation.
struct LikelihoodWindow {
  std::vector<std::int64_t> tokens;
  std::int64_t scored = 0;
};

/// A text to score, as windows that together predict every token of the continuation once.
struct LikelihoodRequest {
  std::vector<LikelihoodWindow> windows;
  bool truncated = false;  // true if the context lost tokens
};

/// Makes a request with windows of at most length + 1 tokens, so that the model reads at most `length` >= 1.
/// A continuation of at most `length` tokens has one window, with as much of the context as fits. A longer
/// one has several: every window but the last predicts about length / 2 tokens, the first one more if the
/// context is short, and each begins as far before the tokens that it predicts as the length allows. Errors:
/// "eval" if the continuation has no token of its own.
Result<LikelihoodRequest> make_request(const data::Tokenizer& tokenizer, std::string_view context,
                                       std::string_view continuation, std::int64_t length);

struct Likelihood {
  double nats = 0;     // log-likelihood of the continuation, summed over its tokens
  bool greedy = true;  // true if every token of the continuation is the most likely one at its position
};

/// Windows are sorted by length and packed into batches of about `tokens` tokens, in rows of at least `row`
/// tokens. A row holds as many windows as fit; they do not see each other.
struct Packing {
  std::int64_t tokens = 8192;
  std::int64_t row = 64;
};

/// Returns the likelihoods in the order of the requests, over all windows of each. Likelihood::greedy is only
/// computed if `greedy` is true. `progress` receives the finished share. If it returns false, the scoring
/// stops and the result is empty.
std::vector<Likelihood> likelihoods(exec::Model& model, const std::vector<LikelihoodRequest>& requests,
                                    bool greedy, const Packing& packing = {},
                                    const std::function<bool(double)>& progress = {});

}  // namespace gabbro::eval
