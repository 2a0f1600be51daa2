// HTTP by libcurl: one request, one response. Proxies, certificates and name resolution follow libcurl's
// defaults and the usual environment variables.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/result.h"

namespace gabbro::net {

struct HttpRequest {
  std::string url;
  std::string body;                            // if not empty, the method is POST
  std::map<std::string, std::string> headers;  // values by name, such as "Authorization"
  double seconds = 120;                        // time-out of the whole exchange
  double connect_seconds = 10;                 // time-out of connecting
  std::size_t max_response_bytes = 16 << 20;   // maximum size of the response's body
  bool follow_redirects = false;               // follows redirections; never set it with keys in headers
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

/// Sends a request and blocks until the response arrives. May be called from several threads. A status of 400
/// or above is a response, not an error. If `stop` is given and returns true, the exchange ends within about
/// a second; it is called from this thread, and must not throw. Errors: "net connect" (unknown host,
/// connection refused or not made in time; nothing was sent), "net" (broken off, too large, or libcurl cannot
/// be used), "net time" (took longer than `seconds`), "stopped".
Result<HttpResponse> exchange(const HttpRequest& request, const std::function<bool()>& stop = {});

/// Returns the environment variable (such as "http_proxy") by which libcurl asks a proxy for an address of
/// this machine (localhost, 127.0.0.1, ::1), which is seldom wanted; empty if it asks none, or the URL has
/// another host.
std::string proxy_of_loopback(const std::string& url);

/// Percent-encodes a text for a query.
std::string escaped(const std::string& text);

}  // namespace gabbro::net
