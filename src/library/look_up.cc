// Queries the connectors: one at a time, with the pauses that they require, and with a cache of responses.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "library/impl.h"
#include "library/text.h"
#include "net/http.h"

namespace gabbro::library {

namespace {

constexpr double kDay = 86400;                                 // seconds
constexpr double kConnectSeconds = 10;                         // longest time-out of connecting
constexpr double kSlice = 0.1;                                 // seconds after which a wait looks at `stop`
constexpr std::size_t kMaxQueryBytes = 300, kMaxResults = 50;  // of a request

bool is_stopped(const std::atomic<bool>* stop) { return stop != nullptr && stop->load(); }

// Returns the seconds of a Retry-After header, or `fallback` if there is none or it is a date.
double retry_after(const net::HttpResponse& response, double fallback) {
  const auto found = response.headers.find("retry-after");
  if (found == response.headers.end()) return fallback;
  char* end = nullptr;
  const double seconds = std::strtod(found->second.c_str(), &end);
  return end != found->second.c_str() && *end == 0 && std::isfinite(seconds) && seconds >= 0 ? seconds
                                                                                             : fallback;
}

}  // namespace

void Library::Impl::wait(double seconds, const std::atomic<bool>* stop) const {
  while (seconds > 0 && !is_stopped(stop)) {
    const double slice = std::min(seconds, kSlice);
    options.sleep(slice);
    seconds -= slice;
  }
}

Result<std::string> Library::Impl::fetch(const Connector& connector, const std::string& url,
                                         const std::atomic<bool>* stop) {
  net::HttpRequest request;
  request.url = url;
  request.seconds = options.seconds;
  request.connect_seconds = std::min(options.seconds, kConnectSeconds);
  request.follow_redirects = true;  // The request contains no keys.
  std::string problem;
  for (int attempt = 0; attempt < std::max(options.attempts, 1); ++attempt) {
    double last_request = last_requests[connector.name];
    {
      const std::lock_guard lock(mutex);
      if (file != nullptr) last_request = std::max(last_request, file->last_request(connector.name));
    }
    wait(std::clamp(last_request + connector.pause - options.now(), 0.0, connector.pause), stop);
    if (is_stopped(stop)) return fail("stopped", "stopped");
    last_requests[connector.name] = options.now();
    {
      const std::lock_guard lock(mutex);
      // The pause is only a courtesy, so an error is ignored.
      if (auto opened = open_or_create_file())
        (void)(*opened)->set_last_request(connector.name, options.now());
    }
    GABBRO_TRY(response, net::exchange(request, [stop] { return is_stopped(stop); }));
    if (response.status < 400) return std::move(response.body);
    problem = fmt::format("status {}", response.status);
    if (response.status != 429 && response.status < 500) break;  // Another attempt would give the same.
    const double pause = retry_after(response, connector.pause * std::pow(2.0, attempt));
    if (pause > options.longest_pause) {
      problem += fmt::format(", retry after {:g} s", pause);
      break;
    }
    if (attempt + 1 < options.attempts) wait(pause, stop);
  }
  return fail("library", problem);
}

Result<bool> Library::Impl::store_papers(const std::vector<Paper>& papers, const std::string& url,
                                         const std::string& body) {
  GABBRO_TRY(user_file, open_or_create_file());
  if (auto ok = user_file->put_response(url, body, options.now()); !ok) return ok;
  for (const Paper& p : papers) {
    if (find_built_in(p.arxiv.empty() ? p.id : p.arxiv) != nullptr || user_file->find(p.id)) continue;
    if (auto ok = user_file->put(p.source + " " + p.id, {p}); !ok) return tl::unexpected(ok.error());
  }
  embedded_texts.reset();
  return true;
}

Result<HitList> Library::Impl::query_connector(const Connector& connector, const std::string& base,
                                               const std::string& query, std::size_t limit,
                                               const std::atomic<bool>* stop) {
  const std::lock_guard turn(connector_mutex);
  const std::string url =
      connector.url(base, excerpt(clean(query), kMaxQueryBytes), std::min(limit, kMaxResults));
  std::string body;
  {
    const std::lock_guard lock(mutex);
    if (file != nullptr) body = file->response(url, options.now(), options.days * kDay);
  }
  const bool from_file = !body.empty();
  if (!from_file) {
    GABBRO_TRY(fetched, fetch(connector, url, stop));
    body = std::move(fetched);
  }
  GABBRO_TRY(papers, connector.parse(body));
  const std::lock_guard lock(mutex);
  // Results are returned even if they cannot be stored (a full disk, no file).
  if (!from_file) (void)store_papers(papers, url, body);
  HitList out;
  for (const Paper& p : papers) {
    // A built-in paper has more facts than a result.
    const Paper* known = find_built_in(p.arxiv.empty() ? p.id : p.arxiv);
    out.push_back(known == nullptr ? hit_of(p, p.text) : hit_of(*known, known->body()));
  }
  return out;
}

}  // namespace gabbro::library
