// How likely a model finds a continuation after a context: what all benchmark tasks are made of.
//
// Texts become tokens as in EleutherAI's lm-evaluation-harness (its TemplateLM), so that the same model gets
// the same numbers: white space at the end of the context counts to the continuation; the continuation is
// what the encoding of both together has beyond the length of the context's own; too long texts lose tokens
// on the left. Every text starts with the end piece, as documents do in training (harness: a tokenizer that
// adds its begin piece).
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "data/tokenizer.h"
#include "exec/model.h"

namespace gabbro::eval {

/// tokens[i] predicts tokens[i + 1]; the last `scored` tokens are the continuation.
struct Request {
  std::vector<std::int64_t> tokens;
  std::int64_t scored = 0;
  bool truncated = false;  // tokens were left out
};

/// At most length + 1 tokens: the model reads at most `length`. Errors: "eval" when the continuation has no
/// token of its own.
Result<Request> make_request(const data::Tokenizer& tokenizer, std::string_view context,
                             std::string_view continuation, std::int64_t length);

struct Likelihood {
  double nats = 0;     // the logarithm of the probability of the continuation, summed over its tokens
  bool greedy = true;  // every token of it is the likeliest in its place
};

/// Texts are sorted by length and packed: `tokens` at a time, in rows of at least `row` tokens that hold as
/// many texts as fit (they do not see each other).
struct Packing {
  std::int64_t tokens = 8192;
  std::int64_t row = 64;
};

/// In the order of the requests. Whether a continuation is greedy is looked at when `greedy` is set.
/// `progress` gets the share done; false stops: the result is then empty.
std::vector<Likelihood> likelihoods(exec::Model& model, const std::vector<Request>& requests, bool greedy,
                                    const Packing& packing = {},
                                    const std::function<bool(double)>& progress = {});

}  // namespace gabbro::eval
