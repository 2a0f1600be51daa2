// Computes embeddings of texts at an endpoint that speaks OpenAI's /v1/embeddings.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::library {

struct EmbeddingEndpoint {
  std::string url;      // base URL: "http://127.0.0.1:8080/v1"; empty: no endpoint
  std::string model;    // name of the model, sent unchanged
  std::string key_env;  // environment variable that holds the key; empty: no key
  double seconds = 60;  // time-out of one request in seconds
};

/// Returns one vector of length one per text, in the order of the texts; makes one request. Errors: those of
/// net::exchange; "library": a status of 400 or above, an invalid response, a wrong number of vectors, values
/// that are not finite, no key in the environment.
Result<std::vector<std::vector<float>>> embed(const EmbeddingEndpoint& endpoint,
                                              const std::vector<std::string>& texts,
                                              const std::atomic<bool>* stop = nullptr);

}  // namespace gabbro::library
