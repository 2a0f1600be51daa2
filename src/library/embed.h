// Vectors of texts from an endpoint that speaks OpenAI's /v1/embeddings.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::library {

struct Endpoint {
  std::string url;      // "http://127.0.0.1:8080/v1"; empty: none
  std::string model;    // sent as it is
  std::string key_env;  // the environment's variable that holds the key; empty: no key
  double seconds = 60;  // of one request
};

/// One vector per text, in their order, each of length one; one request. Errors: those of net::exchange;
/// "library": a status of 400 and more, not the format, another number of vectors, numbers that are not
/// finite, no key in the environment.
Result<std::vector<std::vector<float>>> embed(const Endpoint& endpoint, const std::vector<std::string>& texts,
                                              const std::atomic<bool>* stop = nullptr);

}  // namespace gabbro::library
