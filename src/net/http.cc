#include "net/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>

namespace gabbro::net {

namespace {

// The state that libcurl's callbacks share: the request, and what has arrived of the response.
struct Exchange {
  const HttpRequest& request;
  const std::function<bool()>& stop;
  HttpResponse response;
  bool too_large = false;
};

// libcurl passes `size * count` bytes.
std::size_t take_body(char* data, std::size_t size, std::size_t count, void* exchange) {
  auto& x = *static_cast<Exchange*>(exchange);
  if (x.response.body.size() + size * count > x.request.max_response_bytes) {
    x.too_large = true;
    return 0;  // Makes libcurl end the exchange.
  }
  x.response.body.append(data, size * count);
  return size * count;
}

std::string trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return std::string(text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1));
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* exchange) {
  auto& x = *static_cast<Exchange*>(exchange);
  const std::string_view line(data, size * count);
  // Drops the headers of a response before a redirection.
  if (line.starts_with("HTTP/")) x.response.headers.clear();
  if (const auto colon = line.find(':'); colon != std::string_view::npos) {
    std::string name = trimmed(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    x.response.headers[name] = trimmed(line.substr(colon + 1));
  }
  return size * count;
}

// Makes libcurl end the exchange by returning 1. The sizes and progress that libcurl passes are not needed.
int is_stopped(void* exchange, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& stop = static_cast<Exchange*>(exchange)->stop;
  return stop && stop() ? 1 : 0;
}

// Describes how much of the response has arrived: "250 of 350 bytes", or "250 bytes" if it did not say how
// long it is.
std::string arrived_text(CURL* curl) {
  curl_off_t arrived = 0, announced = -1;
  curl_easy_getinfo(curl, CURLINFO_SIZE_DOWNLOAD_T, &arrived);
  curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
  return announced >= 0 ? fmt::format("{} of {} bytes", arrived, announced)
                        : fmt::format("{} bytes", arrived);
}

// Says why there is no whole response. `sent` is true if the server may have the request.
std::string failure_text(CURLcode code, const Exchange& x, CURL* curl, bool sent, const char* curl_text) {
  const bool has_begun = !x.response.headers.empty() || !x.response.body.empty();
  const double connecting = std::min(x.request.seconds, x.request.connect_seconds);
  if (code == CURLE_OPERATION_TIMEDOUT && !sent)
    return fmt::format("no connection within {:g} s", connecting);
  if (code == CURLE_OPERATION_TIMEDOUT && has_begun)
    return fmt::format("the response was not complete after {:g} s: {} had arrived", x.request.seconds,
                       arrived_text(curl));
  if (code == CURLE_OPERATION_TIMEDOUT) return fmt::format("no response within {:g} s", x.request.seconds);
  if (code == CURLE_GOT_NOTHING) return "the server closed the connection without a response";
  if (code == CURLE_PARTIAL_FILE)
    return fmt::format("the server closed the connection after {} of its response", arrived_text(curl));
  return *curl_text != 0 ? curl_text : curl_easy_strerror(code);
}

}  // namespace

Result<HttpResponse> exchange(const HttpRequest& request, const std::function<bool()>& stop) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (curl == nullptr) return fail("net", "cannot initialise libcurl");
  CURL* c = curl.get();
  Exchange x{.request = request, .stop = stop, .response = {}};
  curl_slist* lines = nullptr;
  for (const auto& [name, value] : request.headers)
    lines = curl_slist_append(lines, fmt::format("{}: {}", name, value).c_str());
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(lines, curl_slist_free_all);
  char error_text[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(c, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");  // accepts all encodings that libcurl can decode
  curl_easy_setopt(c, CURLOPT_USERAGENT, "gabbro");
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);  // There are several threads, so libcurl must not use signals.
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, request.follow_redirects ? 1L : 0L);
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, static_cast<long>(1000 * request.seconds));
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(1000 * request.connect_seconds));
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error_text);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &x);
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, &x);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, is_stopped);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, &x);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  if (!request.body.empty()) {
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  const CURLcode code = curl_easy_perform(c);
  if (code == CURLE_ABORTED_BY_CALLBACK) return fail("stopped", "stopped while waiting for " + request.url);
  curl_off_t before_sending = 0;
  curl_easy_getinfo(c, CURLINFO_PRETRANSFER_TIME_T, &before_sending);
  const bool sent = before_sending > 0;  // libcurl was ready to send, so the server may have the request
  if (x.too_large)
    return fail("net", fmt::format("{}: the response is larger than {} bytes", request.url,
                                   request.max_response_bytes));
  if (code != CURLE_OK) {
    const bool is_late = sent && code == CURLE_OPERATION_TIMEDOUT;
    return fail(is_late ? "net time"
                : sent  ? "net"
                        : "net connect",
                fmt::format("{}: {}", request.url, failure_text(code, x, c, sent, error_text)));
  }
  long status = 0;
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
  x.response.status = static_cast<int>(status);
  return std::move(x.response);
}

std::string proxy_of_loopback(const std::string& url) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parts(curl_url(), curl_url_cleanup);
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    if (curl_url_get(parts.get(), which, &text, 0) != CURLUE_OK) return std::string();
    std::string out = text;
    curl_free(text);
    return out;
  };
  if (parts == nullptr || curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return {};
  const std::string host = part(CURLUPART_HOST);
  if (host != "localhost" && host != "[::1]" && !host.starts_with("127.")) return {};
  const auto is_set = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != 0;
  };
  // libcurl prefers the lower-case names, and ignores HTTP_PROXY.
  for (const char* name : {"no_proxy", "NO_PROXY"})
    if (is_set(name)) {
      const std::string list = std::getenv(name);
      if (list == "*" || list.find(host) != std::string::npos) return {};
      break;
    }
  const bool secure = part(CURLUPART_SCHEME) == "https";
  for (const char* name :
       {secure ? "https_proxy" : "http_proxy", secure ? "HTTPS_PROXY" : "", "all_proxy", "ALL_PROXY"})
    if (*name != 0 && is_set(name)) return name;
  return {};
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace gabbro::net
