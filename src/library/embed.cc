#include "library/embed.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "library/text.h"
#include "net/http.h"

namespace gabbro::library {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxResponseBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxMessageBytes = 200;  // of a server's message in an error

// Reads the vector of `item` into `out` and normalises it to length one. Returns false if there is none, a
// value is not a finite number, or all are zero.
bool read_vector(const json& item, std::vector<float>& out) {
  const auto list = item.find("embedding");
  if (list == item.end() || !list->is_array()) return false;
  double square = 0;
  for (const json& x : *list) {
    if (!x.is_number()) return false;
    out.push_back(x.get<float>());
    square += static_cast<double>(out.back()) * out.back();
  }
  if (!std::isfinite(square) || square <= 0) return false;
  for (float& x : out) x = static_cast<float>(x / std::sqrt(square));
  return true;
}

}  // namespace

Result<std::vector<std::vector<float>>> embed(const EmbeddingEndpoint& endpoint,
                                              const std::vector<std::string>& texts,
                                              const std::atomic<bool>* stop) {
  net::HttpRequest request;
  request.url = endpoint.url + "/embeddings";
  request.seconds = endpoint.seconds;
  request.max_response_bytes = kMaxResponseBytes;
  request.headers["Content-Type"] = "application/json";
  if (!endpoint.key_env.empty()) {
    const char* key = std::getenv(endpoint.key_env.c_str());
    if (key == nullptr)
      return fail("library", fmt::format("the environment variable {} is not set", endpoint.key_env),
                  "set it to the key of the embedding endpoint");
    request.headers["Authorization"] = fmt::format("Bearer {}", key);
  }
  request.body = json{{"model", endpoint.model}, {"input", texts}, {"encoding_format", "float"}}.dump(
      -1, ' ', false, json::error_handler_t::replace);
  GABBRO_TRY(response, net::exchange(request, [stop] { return stop != nullptr && stop->load(); }));
  if (response.status >= 400)
    return fail("library", fmt::format("{}: status {}: {}", request.url, response.status,
                                       excerpt(clean(response.body), kMaxMessageBytes)));
  const json parsed = json::parse(response.body, nullptr, false);
  const auto data = parsed.is_object() ? parsed.find("data") : parsed.end();
  if (!parsed.is_object() || data == parsed.end() || !data->is_array() || data->size() != texts.size())
    return fail("library", fmt::format("{}: expected {} vectors in the format of /v1/embeddings", request.url,
                                       texts.size()));
  std::vector<std::vector<float>> out(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const json& item = (*data)[i];
    const auto index = item.is_object() ? item.find("index") : item.end();
    const bool has_index = item.is_object() && index != item.end() && index->is_number_unsigned();
    // A server may return the vectors in another order, each with the index of its text.
    const std::size_t text = has_index ? index->get<std::size_t>() : i;
    if (!item.is_object() || text >= out.size() || !out[text].empty() || !read_vector(item, out[text]))
      return fail("library", fmt::format("{}: vector {} is invalid", request.url, i));
  }
  return out;
}

}  // namespace gabbro::library
