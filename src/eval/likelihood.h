// Log-likelihoods of continuations, from which all benchmark tasks are computed.
//
// Texts are tokenised as in EleutherAI's lm-evaluation-harness (its TemplateLM), so that the same model gets
// the same scores. White space at the end of the context belongs to the continuation. The tokens of the
// continuation are those of the joint encoding beyond the length of the context's own encoding. Texts that
// are too long lose tokens on the left. Every text starts with the end token, as documents do in training (in
// the harness: a tokenizer that adds its begin token).
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "data/tokenizer.h"
#include "exec/model.h"

namespace gabbro::eval {

/// A text to score: tokens[i] predicts tokens[i + 1], and the last `scored` tokens are the continuation.
struct LikelihoodRequest {
  std::vector<std::int64_t> tokens;
  std::int64_t scored = 0;
  bool truncated = false;  // True if tokens were dropped.
};

/// Makes a request of at most length + 1 tokens, so that the model reads at most `length`. Errors: "eval" if
/// the continuation has no token of its own.
Result<LikelihoodRequest> make_request(const data::Tokenizer& tokenizer, std::string_view context,
                                       std::string_view continuation, std::int64_t length);

struct Likelihood {
  double nats = 0;     // log-likelihood of the continuation, summed over its tokens
  bool greedy = true;  // True if every token of the continuation is the most likely one at its position.
};

/// Texts are sorted by length and packed into batches of about `tokens` tokens, in rows of at least `row`
/// tokens. A row holds as many texts as fit; they do not see each other.
struct Packing {
  std::int64_t tokens = 8192;
  std::int64_t row = 64;
};

/// Returns the likelihoods in the order of the requests. Likelihood::greedy is only computed if `greedy` is
/// true. `progress` receives the finished share. If it returns false, the scoring stops and the result is
/// empty.
std::vector<Likelihood> likelihoods(exec::Model& model, const std::vector<LikelihoodRequest>& requests,
                                    bool greedy, const Packing& packing = {},
                                    const std::function<bool(double)>& progress = {});

}  // namespace gabbro::eval
