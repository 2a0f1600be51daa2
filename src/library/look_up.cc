// Queries the connectors: one at a time, with the pauses that they require, and with a cache of responses.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "library/inside.h"
#include "library/text.h"
#include "net/http.h"

namespace gabbro::library {

namespace {

constexpr double kDay = 86400;

bool is_stopped(const std::atomic<bool>* stop) { return stop != nullptr && stop->load(); }

// Returns the seconds of a Retry-After header, or `otherwise` if there is none or it is a date.
double retry_after(const net::HttpResponse& response, double otherwise) {
  const auto found = response.headers.find("retry-after");
  if (found == response.headers.end()) return otherwise;
  char* end = nullptr;
  const double seconds = std::strtod(found->second.c_str(), &end);
  return end != found->second.c_str() && *end == 0 && std::isfinite(seconds) && seconds >= 0 ? seconds
                                                                                             : otherwise;
}

}  // namespace

void Library::Inside::wait(double seconds, const std::atomic<bool>* stop) const {
  while (seconds > 0 && !is_stopped(stop)) {
    const double slice = std::min(seconds, 0.1);
    options.sleep(slice);
    seconds -= slice;
  }
}

Result<std::string> Library::Inside::fetch(const Connector& connector, const std::string& url,
                                           const std::atomic<bool>* stop) {
  net::HttpRequest request;
  request.url = url;
  request.seconds = options.seconds;
  request.connect_seconds = std::min(options.seconds, 10.0);
  request.follow = true;  // The request contains no keys.
  std::string trouble;
  for (int attempt = 0; attempt < std::max(options.attempts, 1); ++attempt) {
    double last = asked[connector.name];
    {
      const std::lock_guard lock(mutex);
      if (file != nullptr) last = std::max(last, file->last_asked(connector.name));
    }
    wait(std::clamp(last + connector.pause - options.now(), 0.0, connector.pause), stop);
    if (is_stopped(stop)) return fail("stopped", "stopped");
    asked[connector.name] = options.now();
    {
      const std::lock_guard lock(mutex);
      // The pause is only a courtesy, so an error is ignored.
      if (auto kept = keep()) (void)(*kept)->put_asked(connector.name, options.now());
    }
    GABBRO_TRY(response, net::exchange(request, stop));
    if (response.status < 400) return std::move(response.body);
    trouble = fmt::format("status {}", response.status);
    if (response.status != 429 && response.status < 500) break;
    const double pause = retry_after(response, connector.pause * std::pow(2.0, attempt));
    if (pause > options.longest_pause) {
      trouble += fmt::format(", retry after {:g} s", pause);
      break;
    }
    if (attempt + 1 < options.attempts) wait(pause, stop);
  }
  return fail("library", trouble);
}

Result<bool> Library::Inside::keep_papers(const std::vector<Paper>& papers, const std::string& url,
                                          const std::string& body) {
  GABBRO_TRY(kept, keep());
  if (auto ok = kept->put_answer(url, body, options.now()); !ok) return ok;
  for (const Paper& p : papers) {
    if (built_in_of(p.arxiv.empty() ? p.id : p.arxiv) != nullptr || kept->find(p.id)) continue;
    if (auto ok = kept->put(p.source + " " + p.id, {p}); !ok) return tl::unexpected(ok.error());
  }
  placed.reset();
  return true;
}

Result<List> Library::Inside::ask(const Connector& connector, const std::string& base,
                                  const std::string& query, std::size_t limit,
                                  const std::atomic<bool>* stop) {
  const std::lock_guard turn(asking);
  const std::string url = connector.url(base, excerpt(clean(query), 300), std::min<std::size_t>(limit, 50));
  std::string body;
  {
    const std::lock_guard lock(mutex);
    if (file != nullptr) body = file->answer(url, options.now(), options.days * kDay);
  }
  const bool from_file = !body.empty();
  if (!from_file) {
    GABBRO_TRY(fetched, fetch(connector, url, stop));
    body = std::move(fetched);
  }
  GABBRO_TRY(papers, connector.parse(body));
  const std::lock_guard lock(mutex);
  // Results are returned even if they cannot be stored (a full disk, no file).
  if (!from_file) (void)keep_papers(papers, url, body);
  List out;
  for (const Paper& p : papers) {
    const Paper* known = built_in_of(p.arxiv.empty() ? p.id : p.arxiv);
    out.push_back(known == nullptr ? hit_of(p, p.text) : hit_of(*known, known->body()));
  }
  return out;
}

}  // namespace gabbro::library
