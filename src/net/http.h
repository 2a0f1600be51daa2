// HTTP by libcurl: one request, one response; proxies, certificates and names by libcurl's defaults and the
// usual environment variables.
#pragma once

#include <atomic>
#include <map>
#include <string>

#include "base/result.h"

namespace gabbro::net {

struct HttpRequest {
  std::string url;
  std::string body;                            // not empty: POST
  std::map<std::string, std::string> headers;  // "Authorization" and others
  double seconds = 120;                        // for the whole exchange
  double connect_seconds = 10;
  std::size_t most_bytes = 16 << 20;  // of a response's body
  bool follow = false;                // redirections; never with keys in headers
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

/// Blocks until the response is there; may be called from several threads. A status of 400 and above is a
/// response, not an error. `stop`, where given, ends the exchange within a fraction of a second once it is
/// true. Errors: "net connect" (no such host, refused, no connection in time: nothing was sent), "net"
/// (broken off, too large; libcurl's words), "net time" (beyond `seconds`), "stopped".
Result<HttpResponse> exchange(const HttpRequest& request, const std::atomic<bool>* stop = nullptr);

/// Percent-encodes a text for a query.
std::string escaped(const std::string& text);

}  // namespace gabbro::net
