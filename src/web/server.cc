#include "web/server.h"

#include <fmt/format.h>
#include <httplib.h>

#include <atomic>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/damaged.h"
#include "base/text.h"
#include "campaign/agents.h"
#include "campaign/format.h"
#include "campaign/report.h"
#include "campaign/report_style.h"
#include "chat/call_log.h"
#include "chat/transcript.h"
#include "web/assets.h"
#include "web/guard.h"
#include "web/pages.h"

namespace gabbro::web {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

namespace {

constexpr std::size_t kThreads = 48;         // requests at a time
constexpr int kMostStreams = 32;             // of these, streams of events
constexpr std::size_t kMostBody = 64 << 10;  // bytes
constexpr double kHeartbeat = 4;             // seconds between two messages of a stream
constexpr std::size_t kLongestText = 4000;   // bytes of a direction or of the reason of a veto

// Nothing is loaded from elsewhere, no script or style is inline, and no other page may frame this one.
constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const char* type_of(std::string_view name) {
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "text/html; charset=utf-8";
}

RequestHeaders headers_of(const Request& r) {
  return {.method = r.method,
          .host = r.get_header_value("Host"),
          .origin = r.get_header_value("Origin"),
          .fetch_site = r.get_header_value("Sec-Fetch-Site"),
          .fetch_mode = r.get_header_value("Sec-Fetch-Mode"),
          .content_type = r.get_header_value("Content-Type"),
          .authorization = r.get_header_value("Authorization")};
}

std::int64_t integer(const Request& r, const char* key, std::int64_t otherwise) {
  const std::string text = r.get_param_value(key);
  std::int64_t out = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? out : otherwise;
}

double real(const Request& r, const char* key) {
  const std::string text = r.get_param_value(key);
  double out = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc() ? out : 0;
}

void answer_error(Response& out, int status, const Error& error) {
  out.status = status;
  out.set_content(error_json(error), "application/json");
}

void answer(Response& out, const Result<std::string>& text) {
  if (text) {
    out.set_content(*text, "application/json");
    return;
  }
  const std::string& code = text.error().code;
  answer_error(out, code == kLoading ? 503 : code == "usage" ? 400 : 404, text.error());
}

std::optional<record::Steered> request_of(const json& body, Error& error) {
  const auto text_at = [&](const char* key) {
    const auto at = body.find(key);
    return at != body.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  error = {"usage",
           "the request is not complete",
           "give \"what\", and \"text\" or \"design\" where it needs them",
           {}};
  if (!body.is_object()) return std::nullopt;
  const std::string what = text_at("what"), text = text_at("text");
  const auto parsed = record::parse_word<record::Steering>(what);
  if (!parsed) {
    error = {"usage", "unknown request '" + printable_line(what.substr(0, 40)) + "'", "", {}};
    return std::nullopt;
  }
  if (text.size() > kLongestText) {
    error = {"usage",
             fmt::format("the text has {} bytes; {} are allowed", text.size(), kLongestText),
             "shorten it",
             {}};
    return std::nullopt;
  }
  record::Steered out{.key = "", .what = *parsed, .text = "", .design = 0};
  const auto design = body.find("design");
  const bool needs_design = *parsed == record::Steering::kVeto || *parsed == record::Steering::kPromote;
  if (needs_design) {
    if (design == body.end() || !design->is_number_integer()) return std::nullopt;
    out.design = design->get<std::int64_t>();
    out.text = text;
  }
  if (*parsed == record::Steering::kDirection) {
    if (text.empty()) return std::nullopt;
    out.text = text;
  }
  return out;
}

}  // namespace

struct Server::Parts {
  explicit Parts(const ServerOptions& options)
      : collection(options.folders), document_text(options.document_text) {}

  Collection collection;
  DocumentText document_text;
  httplib::Server http;
  std::optional<Guard> guard;
  std::thread thread;
  std::atomic<bool> stopping{false};
  std::atomic<int> streams{0};
  std::mutex steering;  // one request at a time, so that keys are in order
  int port = 0;

  void add_routes();
  void add_campaign_routes();
  void add_steering_route();
  void events(const Request& request, Response& out);
  void report(const Request& request, Response& out);
  void curves(const Request& request, Response& out);
  std::shared_ptr<Followed> campaign_of(const Request& request, Response& out);
  using Page = std::function<Result<std::string>(const CampaignView&, const Request&)>;
  void page(const std::string& path, Page compute);
};

std::shared_ptr<Followed> Server::Parts::campaign_of(const Request& request, Response& out) {
  auto c = collection.find(request.matches[1]);
  if (!c)
    answer_error(out, 404, {"campaign", "no campaign has this address", "it may have been removed", {}});
  return c;
}

// Adds a page of one campaign. Its answer is remembered by the whole address.
void Server::Parts::page(const std::string& path, Page compute) {
  http.Get("/api/c/([A-Za-z0-9._-]+)/" + path, [this, compute](const Request& request, Response& out) {
    const auto c = campaign_of(request, out);
    if (!c) return;
    answer(out, c->answer(request.target, [&](const CampaignView& view) { return compute(view, request); }));
  });
}

void Server::Parts::add_campaign_routes() {
  page("overview", [](const CampaignView& v, const Request&) { return overview_json(v); });
  page("designs", [](const CampaignView& v, const Request& r) {
    constexpr std::int64_t kMostRows = 500;
    DesignQuery q{.text = r.get_param_value("q").substr(0, 200),
                  .unit = r.get_param_value("unit").substr(0, 100),
                  .origin = r.get_param_value("origin"),
                  .source = r.get_param_value("source"),
                  .status = r.get_param_value("status"),
                  .species = r.get_param_value("species"),
                  .rung = static_cast<int>(std::clamp<std::int64_t>(integer(r, "rung", -1), -1, 1000)),
                  .sort = r.has_param("sort") ? r.get_param_value("sort") : "bits",
                  .descending = r.get_param_value("order") == "down"};
    q.offset = static_cast<std::size_t>(std::max<std::int64_t>(0, integer(r, "offset", 0)));
    q.limit = static_cast<std::size_t>(std::clamp<std::int64_t>(integer(r, "limit", 100), 1, kMostRows));
    return designs_json(v, q);
  });
  const auto design_of = [](const Request& r) { return integer(r, "id", 0); };
  page("design", [=](const CampaignView& v, const Request& r) { return design_json(v, design_of(r)); });
  page("units", [=](const CampaignView& v, const Request& r) { return units_json(v, design_of(r)); });
  page("conversation",
       [=](const CampaignView& v, const Request& r) { return conversation_json(v, design_of(r)); });
  page("documents", [this, design_of](const CampaignView& v, const Request& r) {
    return documents_json(v, design_of(r), integer(r, "against", 0),
                          static_cast<int>(std::clamp<std::int64_t>(integer(r, "rung", -1), -1, 1000)),
                          document_text);
  });
  page("tree", [](const CampaignView& v, const Request& r) {
    return tree_json(v, integer(r, "root", 0),
                     static_cast<std::size_t>(std::clamp<std::int64_t>(integer(r, "limit", 1500), 10, 5000)));
  });
  page("strategies", [](const CampaignView& v, const Request&) { return strategies_json(v); });
  page("agents", [](const CampaignView& v, const Request& r) {
    return agents_json(v, static_cast<std::size_t>(std::max<std::int64_t>(0, integer(r, "offset", 0))), 100);
  });
  page("literature", [](const CampaignView& v, const Request&) { return literature_json(v); });
  page("figure", [](const CampaignView& v, const Request& r) {
    return figure_json(v,
                       {.name = r.get_param_value("name"),
                        .rung = static_cast<int>(std::clamp<std::int64_t>(integer(r, "rung", -1), -1, 1000)),
                        .design = integer(r, "design", 0),
                        .against = integer(r, "against", 0),
                        .x = r.has_param("x") ? r.get_param_value("x") : "decode",
                        .y = r.get_param_value("y"),
                        .from = real(r, "from"),
                        .to = real(r, "to")});
  });
  // The live state does not follow from the events alone, so that these answers are not remembered.
  http.Get("/api/c/([A-Za-z0-9._-]+)/(live|run)", [this](const Request& request, Response& out) {
    const auto c = campaign_of(request, out);
    if (!c) return;
    const auto live = c->live();
    const bool is_running = c->is_running();
    answer(out, c->answer("", [&](const CampaignView& view) {
      return request.matches[2] == "live" ? live_json(view, is_running, live)
                                          : run_figure_json(view, live, integer(request, "id", 0));
    }));
  });
  http.Get("/api/c/([A-Za-z0-9._-]+)/report.html",
           [this](const Request& request, Response& out) { report(request, out); });
}

// Sends the report as a file to save: it has inline styles, which pages of this server may not have.
void Server::Parts::report(const Request& request, Response& out) {
  const auto c = campaign_of(request, out);
  if (!c) return;
  const auto store = store::Store::read(campaign::CampaignPaths{c->dir()}.store());
  if (!store) return answer_error(out, 404, store.error());
  const auto log = chat::CallLog::read(c->dir() + "/calls.db");
  const auto html = campaign::report_html(*store, c->dir(), [&](std::int64_t task) {
    return log ? chat::transcript(**log, task) : std::string();
  });
  if (!html) return answer_error(out, 404, html.error());
  out.set_header("Content-Disposition", "attachment; filename=\"" + c->key() + ".html\"");
  out.set_content(*html, "text/html; charset=utf-8");
}

// Draws curves of several designs (design=CAMPAIGN:ID) or campaigns (campaign=NAME) in one figure.
void Server::Parts::curves(const Request& request, Response& out) {
  constexpr std::size_t kMost = campaign::kLineStyles;
  const bool of_training = request.has_param("design");
  const char* name = of_training ? "design" : "campaign";
  const std::size_t count = std::min(kMost, request.get_param_value_count(name));
  std::vector<std::vector<RungCurve>> all;
  for (std::size_t k = 0; k < count; ++k) {
    const std::string text = request.get_param_value(name, k);
    const std::size_t colon = of_training ? std::min(text.rfind(':'), text.size()) : text.size();
    const auto c = collection.find(text.substr(0, colon));
    if (!c) return answer_error(out, 404, {"campaign", "no campaign has this address", "", {}});
    std::int64_t id = 0;
    std::from_chars(text.data() + std::min(colon + 1, text.size()), text.data() + text.size(), id);
    // A campaign remembers nothing of an answer that concerns several.
    const auto done = c->answer("", [&](const CampaignView& view) -> Result<std::string> {
      if (of_training) {
        GABBRO_TRY(curves, training_curves(view, id));
        all.push_back(std::move(curves));
      } else {
        all.push_back(progress_curves(view));
        for (RungCurve& r : all.back())
          r.curve.label = campaign::one_line(c->key(), 20) + " " + r.curve.label;
      }
      return std::string();
    });
    if (!done) return answer(out, done);
  }
  out.set_content(common_curves_json(all, of_training, real(request, "from"), real(request, "to")),
                  "application/json");
}

// Sends one message for each change, with the versions of all campaigns, and a heartbeat in between.
void Server::Parts::events(const Request&, Response& out) {
  if (streams >= kMostStreams)
    return answer_error(out, 503, {"limit", "too many pages are open", "close some of them", {}});
  ++streams;
  const auto seen = std::make_shared<std::int64_t>(-1);
  out.set_chunked_content_provider(
      "text/event-stream",
      [this, seen](std::size_t, httplib::DataSink& sink) {
        const std::int64_t now = collection.wait(*seen, *seen < 0 ? 0 : kHeartbeat);
        if (stopping) return false;
        *seen = now;
        json versions = json::object();
        for (const auto& c : collection.all()) versions[c->key()] = c->version();
        const std::string message =
            "data: " + json({{"changes", now}, {"campaigns", versions}}).dump() + "\n\n";
        return sink.write(message.data(), message.size());
      },
      [this](bool) { --streams; });
}

void Server::Parts::add_steering_route() {
  http.Get("/api/token", [this](const Request& request, Response& out) {
    out.set_content(json({{"valid", guard->has_token(headers_of(request))}}).dump(), "application/json");
  });
  http.Post("/api/c/([A-Za-z0-9._-]+)/steer", [this](const Request& request, Response& out) {
    if (!guard->has_token(headers_of(request)))
      return answer_error(out, 401,
                          {"token",
                           "steering needs the token that `gabbro serve` printed when it started",
                           "open the address that it printed, or paste the token",
                           {}});
    const auto c = campaign_of(request, out);
    if (!c) return;
    if (nesting_depth(request.body) > kMaxNesting)
      return answer_error(out, 400, {"usage", "invalid JSON", "", {}});
    Error error;
    const auto steered = request_of(json::parse(request.body, nullptr, /*allow_exceptions=*/false), error);
    if (!steered) return answer_error(out, 400, error);
    const std::lock_guard lock(steering);
    if (const auto ok = campaign::steer(c->dir(), {*steered}); !ok)
      return answer_error(out, ok.error().code == "io" ? 500 : 400, ok.error());
    out.set_content(json({{"text", c->is_running() ? "delivered; the campaign applies it within a second"
                                                   : "stored; `gabbro resume` applies it"}})
                        .dump(),
                    "application/json");
  });
}

void Server::Parts::add_routes() {
  http.set_pre_routing_handler([this](const Request& request, Response& out) {
    const std::string refusal = guard->refusal(headers_of(request));
    if (refusal.empty()) return httplib::Server::HandlerResponse::Unhandled;
    answer_error(out, 403, {"refused", refusal, "open the address that `gabbro serve` printed", {}});
    return httplib::Server::HandlerResponse::Handled;
  });
  http.set_post_routing_handler([](const Request&, Response& out) {
    out.set_header("Content-Security-Policy", kPolicy);
    out.set_header("X-Content-Type-Options", "nosniff");
    out.set_header("Referrer-Policy", "no-referrer");
    out.set_header("Cross-Origin-Opener-Policy", "same-origin");
    out.set_header("Cross-Origin-Resource-Policy", "same-origin");
    out.set_header("Cache-Control", "no-store");
  });
  http.set_exception_handler([](const Request&, Response& out, std::exception_ptr thrown) {
    Error error{"bug", "the answer could not be computed", "please report it", {}};
    try {
      std::rethrow_exception(std::move(thrown));
    } catch (const Damaged& e) {
      error = e.error();
    } catch (const std::exception& e) {
      error.message = e.what();
    }
    answer_error(out, 500, error);
  });
  http.Get("/api/campaigns", [this](const Request&, Response& out) {
    out.set_content(campaigns_json(collection.all()), "application/json");
  });
  http.Get("/api/events", [this](const Request& request, Response& out) { events(request, out); });
  http.Get("/api/diff", [this](const Request& request, Response& out) {
    const auto name_of = [&](const char* key) -> Result<DesignName> {
      const std::string text = request.get_param_value(key);
      const std::size_t colon = std::min(text.rfind(':'), text.size());
      const auto c = collection.find(text.substr(0, colon));
      if (!c) return fail("campaign", "no campaign has this address");
      std::int64_t id = 0;
      std::from_chars(text.data() + std::min(colon + 1, text.size()), text.data() + text.size(), id);
      GABBRO_TRY(store, store::Store::read(campaign::CampaignPaths{c->dir()}.store()));
      GABBRO_TRY(design, store.design(id));
      return DesignName{c->key(), fmt::format("{}#{}", c->key(), id), design.created.program};
    };
    const auto a = name_of("a"), b = name_of("b");
    if (!a) return answer_error(out, 404, a.error());
    if (!b) return answer_error(out, 404, b.error());
    out.set_content(diff_json(*a, *b), "application/json");
  });
  http.Get("/api/curves", [this](const Request& request, Response& out) { curves(request, out); });
  add_campaign_routes();
  add_steering_route();
  http.Get("/assets/figures.css", [](const Request&, Response& out) {
    out.set_content(campaign::kFigureStyle, "text/css; charset=utf-8");
  });
  http.Get("/assets/hints.js", [](const Request&, Response& out) {
    out.set_content("export const hints = " + hints_json() + ";\n", type_of("hints.js"));
  });
  http.Get("/assets/([a-z_]+\\.[a-z]+)", [](const Request& request, Response& out) {
    for (const Asset& asset : assets())
      if (asset.name == request.matches[1].str()) {
        out.set_content(asset.text.data(), asset.text.size(), type_of(asset.name));
        return;
      }
    answer_error(out, 404, {"usage", "no such file", "", {}});
  });
  http.Get("/api/.*", [](const Request&, Response& out) {
    answer_error(out, 404, {"usage", "no such address", "", {}});
  });
  // Every other address is a page, which the script in it draws.
  http.Get("/.*", [](const Request&, Response& out) {
    for (const Asset& asset : assets())
      if (asset.name == "index.html")
        out.set_content(asset.text.data(), asset.text.size(), type_of(asset.name));
  });
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::Server(Server&&) noexcept = default;
Server::~Server() {
  if (parts_) stop();
}

int Server::port() const { return parts_->port; }
std::size_t Server::campaigns() const { return parts_->collection.all().size(); }

Result<Server> Server::start(const ServerOptions& options) {
  std::error_code error;
  for (const std::string& folder : options.folders)
    if (!std::filesystem::is_directory(folder, error))
      return fail("usage", fmt::format("{} is not a folder", folder),
                  "name a campaign, or a folder above some");
  auto parts = std::make_unique<Parts>(options);
  httplib::Server& http = parts->http;
  http.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  http.set_payload_max_length(kMostBody);
  http.set_keep_alive_max_count(1000);
  http.set_keep_alive_timeout(5);
  http.set_tcp_nodelay(true);
  // The library would let several servers listen on one port, each of which answers some of the requests.
  http.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  parts->add_routes();
  const bool any_port = options.port == 0;
  parts->port = any_port ? http.bind_to_any_port(options.host) : options.port;
  if (parts->port <= 0 || (!any_port && !http.bind_to_port(options.host, options.port)))
    return fail("io", fmt::format("cannot listen on {}, port {}", options.host, options.port),
                "another program may use the port; choose another one with --port");
  parts->guard.emplace(options.host, parts->port, options.token);
  parts->thread = std::thread([&http] { http.listen_after_bind(); });
  while (!http.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return Server(std::move(parts));
}

void Server::stop() {
  parts_->stopping = true;
  parts_->collection.stop();
  parts_->http.stop();
  if (parts_->thread.joinable()) parts_->thread.join();
}

}  // namespace gabbro::web
