// The server as a browser uses it: addresses, security, hostile texts, changes, steering.
#include "web/server.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"
#include "campaign/agents.h"
#include "campaign/live.h"
#include "campaign/remarks.h"
#include "web/assets.h"
#include "web/records.h"

namespace gabbro::web {
namespace {

using campaign::TemporaryFolder;
using nlohmann::json;

constexpr const char* kToken = "0123456789abcdef0123456789abcdef";

// A server for the campaigns in a folder, and a client.
class Dashboard {
 public:
  explicit Dashboard(const std::string& folder, DocumentText document_text = {}) {
    auto server = Server::start(
        {.folders = {folder}, .port = 0, .token = kToken, .document_text = std::move(document_text)});
    EXPECT_TRUE(server.has_value()) << (server ? "" : server.error().message);
    server_.emplace(std::move(*server));
  }
  [[nodiscard]] int port() const { return server_->port(); }
  [[nodiscard]] httplib::Client client() const { return httplib::Client("127.0.0.1", port()); }

  // Returns the JSON of an address, once the record has been read.
  json get(const std::string& path, int status = 200) const {
    for (int k = 0; k < 500; ++k) {
      const auto answer = client().Get(path.c_str());
      EXPECT_TRUE(answer) << path;
      if (!answer) return {};
      if (answer->status == 503) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        continue;
      }
      EXPECT_EQ(answer->status, status) << path << ": " << answer->body;
      return json::parse(answer->body, nullptr, false);
    }
    ADD_FAILURE() << path << " is not ready after 10 s";
    return {};
  }
  httplib::Result steer(const std::string& campaign, const json& body, httplib::Headers headers) const {
    return client().Post(("/api/c/" + campaign + "/steer").c_str(), headers, body.dump(), "application/json");
  }
  [[nodiscard]] httplib::Headers allowed() const {
    return {{"Origin", "http://127.0.0.1:" + std::to_string(port())},
            {"Authorization", std::string("Bearer ") + kToken}};
  }

 private:
  std::optional<Server> server_;
};

TEST(Server, ListsCampaignsAndShowsTheirPages) {
  const TemporaryFolder folder;
  write_record(campaign::whole_campaign(), folder.file("a/whole"));
  write_record(campaign::whole_campaign(0.0), folder.file("b"));
  const Dashboard d(folder.file(""));
  d.get("/api/c/b/overview");
  d.get("/api/c/a-whole/overview");
  const json all = d.get("/api/campaigns")["campaigns"];
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]["key"], "a-whole");
  EXPECT_EQ(all[0]["state"], "at rest");
  EXPECT_EQ(all[0]["designs"], 5);
  EXPECT_EQ(all[0]["leader"], 5);

  const json overview = d.get("/api/c/a-whole/overview");
  EXPECT_NE(overview["verdict"].get<std::string>().find("is ahead of all 3 baselines"), std::string::npos);
  EXPECT_EQ(overview["ladder"].size(), 3U);
  EXPECT_EQ(overview["ladder"][0]["best_design"], 5);
  EXPECT_EQ(overview["standings"]["rows"][0]["id"], 5);
  EXPECT_EQ(overview["duels"].size(), 3U);
  EXPECT_EQ(overview["failures"][0]["count"], 1);

  const json design = d.get("/api/c/a-whole/design?id=5");
  EXPECT_EQ(design["status"], "done");
  EXPECT_EQ(design["parent"], 4);
  EXPECT_EQ(design["changes_count"], 1);
  EXPECT_EQ(design["lineage"]["rows"].size(), 3U);
  EXPECT_EQ(design["parts"][0]["word"], "helps");
  const json units = d.get("/api/c/a-whole/units?id=5");
  EXPECT_FALSE(units["rows"].empty());
  EXPECT_EQ(units["facts"][1]["name"], "training FLOPs per token");
  for (const char* figure :
       {"ladder", "learning", "progress", "plane", "forest", "parts", "generations", "strategies",
        "design&design=5", "documents&design=5", "plane&x=state&rung=0", "plane&x=bits0&y=train"})
    EXPECT_EQ(
        d.get(std::string("/api/c/a-whole/figure?name=") + figure)["svg"].get<std::string>().substr(0, 4),
        "<svg")
        << figure;
  EXPECT_EQ(d.get("/api/c/a-whole/strategies")["strategies"].size(), 2U);
  EXPECT_EQ(d.get("/api/c/a-whole/tree")["rows"].size(), 8U);  // without the ablation
  EXPECT_EQ(d.get("/api/diff?a=a-whole:4&b=a-whole:5")["count"], 1);
  const std::string both = d.get("/api/curves?design=a-whole:4&design=a-whole:5")["svg"];
  EXPECT_NE(both.find("curve line0"), std::string::npos);
  EXPECT_NE(both.find("curve line1"), std::string::npos);
  EXPECT_NE(d.get("/api/curves?campaign=a-whole")["svg"].get<std::string>().find("curve line0"),
            std::string::npos);
  EXPECT_EQ(d.get("/api/curves")["svg"], "");
  EXPECT_EQ(d.get("/api/curves?design=a-whole:99", 404)["error"], "unknown design 99");
  EXPECT_EQ(d.get("/api/curves?design=nowhere:1", 404)["error"], "no campaign has this address");
  EXPECT_EQ(d.get("/api/c/a-whole/agents")["count"], 0);
  EXPECT_TRUE(d.get("/api/c/a-whole/literature")["papers"].empty());
}

// Texts of both the report and the pages are written once, in C++.
TEST(Server, ShowsDocumentsOnWhichADesignDiffers) {
  const TemporaryFolder folder;
  write_record(campaign::whole_campaign(), folder.file("c"));
  std::vector<HeldOutDocument> asked;
  bool is_missing = false;
  const Dashboard d(folder.file(""), [&](const HeldOutDocument& document) -> Result<std::string> {
    asked.push_back(document);
    if (is_missing) return fail("corpus", "the corpus is not there");
    return fmt::format("text \u202e {}\nmore", document.index + 1);
  });
  const json rungs = d.get("/api/c/c/design?id=5")["rungs"];
  ASSERT_EQ(rungs[0]["opponents"].size(), 1U) << "its parent has no run there";
  EXPECT_EQ(rungs[0]["opponents"][0]["label"], "llama");
  const json found = d.get("/api/c/c/documents?id=5&against=1&rung=2");
  EXPECT_EQ(found["problem"], "");
  EXPECT_TRUE(found["losses"].empty());
  ASSERT_EQ(found["wins"].size(), 2U);
  EXPECT_LT(found["wins"][0]["difference"], 0);
  EXPECT_EQ(found["wins"][0]["text"],
            fmt::format("text \\u202e {} more", found["wins"][0]["document"].get<int>()));
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].index + 1, found["wins"][0]["document"]);
  is_missing = true;
  const json without = d.get("/api/c/c/documents?id=5&against=1&rung=2&again");
  EXPECT_EQ(without["problem"], "the corpus is not there");
  EXPECT_EQ(without["wins"].size(), 2U);
  EXPECT_EQ(d.get("/api/c/c/documents?id=5&against=99&rung=2", 404)["error"], "unknown design 99");
  EXPECT_EQ(d.get("/api/c/c/documents?id=5&against=1&rung=9", 400)["error"], "unknown rung 9");
}

TEST(Server, SendsTheHintsOfColumnsToThePages) {
  const TemporaryFolder folder;
  write_record(campaign::whole_campaign(), folder.file("c"));
  const Dashboard d(folder.file(""));
  const auto answer = d.client().Get("/assets/hints.js");
  EXPECT_EQ(answer->get_header_value("Content-Type").substr(0, 15), "text/javascript");
  const std::string html = d.client().Get("/api/c/c/report.html")->body;
  for (const campaign::Hint& hint : campaign::kHints) {
    EXPECT_NE(answer->body.find(hint.text), std::string::npos) << hint.text;
    for (const Asset& asset : assets())
      EXPECT_EQ(asset.text.find(hint.text), std::string_view::npos) << asset.name;
    if (hint.table != "ladder" && hint.table != "standings") continue;
    EXPECT_NE(html.find(fmt::format("title=\"{}\">{}</th>", hint.text, hint.column)), std::string::npos)
        << hint.column;
  }
}

TEST(Server, SendsTheTextsOfTheReport) {
  const TemporaryFolder folder;
  write_record(campaign::whole_campaign(), folder.file("c"));
  const Dashboard d(folder.file(""));
  const json overview = d.get("/api/c/c/overview");
  const json design = d.get("/api/c/c/design?id=5");
  const std::string html = d.client().Get("/api/c/c/report.html")->body;
  const std::vector<std::string> in_report = {
      overview["remarks"]["standings"], overview["comparison_reason"],
      design["lineage"]["remark"],      design["promotions"][0],
      design["changes_remark"],         d.get("/api/c/c/strategies")["remark"]};
  for (const std::string& text : in_report) EXPECT_NE(html.find(text), std::string::npos) << text;
  std::vector<std::string> all = {campaign::kNoEntry,       campaign::kNoScore,
                                  campaign::kNoDuel,        campaign::kNoRefusal,
                                  campaign::kNoFailure,     campaign::standings_remark(),
                                  campaign::kLineageRemark, campaign::kOperatorsRemark,
                                  "When it started",        "Marked lines are"};
  for (const Asset& asset : assets())
    for (const std::string& text : all)
      EXPECT_EQ(asset.text.find(text), std::string_view::npos) << asset.name << ": " << text;
  EXPECT_EQ(overview["standings"]["rows"][0]["params"], 150'000);
  EXPECT_NE(html.find(">parameters</th>"), std::string::npos);
  EXPECT_NE(html.find(">tokens/s</th>"), std::string::npos);
}

// Whoever knows the secret of a campaign can compute the seeds, and so the texts, that judge.
TEST(Server, NoPageShowsTheSecret) {
  const TemporaryFolder folder;
  campaign::RecordBuilder m = campaign::whole_campaign();
  m.plan.secret = "0123456789abcdef";
  m.events.front() =
      record::CampaignBegun{.config = campaign::to_toml(m.plan), .seed = m.plan.seed, .version = "0.1.0"};
  write_record(m, folder.file("whole"));
  const Dashboard d(folder.file(""));
  d.get("/api/c/whole/overview");  // waits until the record is read
  const auto store = store::Store::read(folder.file("whole/campaign.db"));
  ASSERT_NE(store->campaign()->config.find(m.plan.secret), std::string::npos);
  for (const char* page : {"overview", "designs", "design?id=5", "units?id=5", "tree", "strategies", "agents",
                           "literature", "figure?name=learning", "live", "report.html"}) {
    const auto answer = d.client().Get((std::string("/api/c/whole/") + page).c_str());
    ASSERT_TRUE(answer) << page;
    EXPECT_EQ(answer->status, 200) << page;
    EXPECT_EQ(answer->body.find(m.plan.secret), std::string::npos) << page;
  }
}

TEST(Server, UnknownAddressesAreErrorsAsJson) {
  const TemporaryFolder folder;
  write_record(campaign::whole_campaign(), folder.file("whole"));
  const Dashboard d(folder.file(""));
  d.get("/api/c/whole/overview");
  EXPECT_EQ(d.get("/api/c/none/overview", 404)["error"], "no campaign has this address");
  EXPECT_EQ(d.get("/api/c/whole/design?id=99", 404)["error"], "unknown design 99");
  EXPECT_EQ(d.get("/api/c/whole/design", 404)["error"], "unknown design 0");
  EXPECT_EQ(d.get("/api/c/whole/figure?name=x", 400)["error"], "unknown figure 'x'");
  EXPECT_EQ(d.get("/api/c/whole/figure?name=plane&rung=9", 400)["error"], "unknown rung 9");
  EXPECT_EQ(d.get("/api/c/whole/figure?name=plane&x=beauty", 400)["error"], "unknown axis 'beauty'");
  EXPECT_EQ(d.get("/api/c/whole/figure?name=plane&y=bits9", 400)["error"], "unknown axis 'bits9'");
  EXPECT_EQ(d.get("/api/c/whole/figure?name=design&design=-4", 404)["error"], "unknown design -4");
  EXPECT_EQ(d.get("/api/c/whole/tree?root=1000", 404)["error"], "unknown design 1000");
  EXPECT_EQ(d.get("/api/nothing", 404)["error"], "no such address");
  EXPECT_EQ(d.get("/assets/none.js", 404)["error"], "no such file");
  EXPECT_EQ(d.get("/api/c/whole/conversation?id=5", 400)["error"], "design 5 was not written by agents");
  EXPECT_EQ(d.get("/api/diff?a=whole:5&b=x", 404)["error"], "no campaign has this address");
  for (const char* path : {"/api/c/..%2f..%2fetc/overview", "/assets/..%2fdev", "/api/c/whole/../../x"})
    EXPECT_NE(d.client().Get(path)->status, 500) << path;
}

TEST(Server, PagesCarryAPolicyThatLoadsNothingFromElsewhere) {
  const TemporaryFolder folder;
  const Dashboard d(folder.file(""));
  for (const char* path : {"/", "/c/any/design/5", "/api/campaigns", "/assets/app.js", "/api/nothing"}) {
    const auto answer = d.client().Get(path);
    ASSERT_TRUE(answer) << path;
    const std::string policy = answer->get_header_value("Content-Security-Policy");
    EXPECT_TRUE(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'")) << path;
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_EQ(answer->get_header_value("X-Content-Type-Options"), "nosniff") << path;
    EXPECT_EQ(answer->get_header_value("Cache-Control"), "no-store") << path;
    EXPECT_EQ(answer->get_header_value("Access-Control-Allow-Origin"), "") << path;
  }
  for (const Asset& asset : assets()) {
    EXPECT_EQ(asset.text.find("http://") == std::string_view::npos || asset.name.ends_with(".svg") ||
                  asset.name == "dom.js",
              true)
        << asset.name;
    EXPECT_EQ(asset.text.find("https://"), std::string_view::npos) << asset.name;
    for (const char* sink :
         {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"})
      EXPECT_EQ(asset.text.find(sink), std::string_view::npos) << asset.name << ": " << sink;
  }
}

TEST(Server, RefusesForeignHostsAndOrigins) {
  const TemporaryFolder folder;
  write_record(campaign::whole_campaign(), folder.file("whole"));
  const Dashboard d(folder.file(""));
  const auto rebound = d.client().Get("/api/campaigns", {{"Host", "evil.example"}});
  EXPECT_EQ(rebound->status, 403);
  EXPECT_EQ(rebound->body.find("whole"), std::string::npos);
  EXPECT_EQ(d.client().Get("/api/campaigns", {{"Origin", "http://evil.example"}})->status, 403);
  EXPECT_EQ(d.client()
                .Get("/api/campaigns", {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "no-cors"}})
                ->status,
            403);
}

TEST(Server, ShowsHostileTextsAsText) {
  const TemporaryFolder folder;
  write_record(hostile_campaign(), folder.file("hostile"));
  write_hostile_calls(folder.file("hostile"));
  const Dashboard d(folder.file(""));
  const json overview = d.get("/api/c/hostile/overview");
  EXPECT_NE(overview["ladder"][0]["name"].get<std::string>().find("<script>"), std::string::npos);
  for (const char* path :
       {"/api/campaigns", "/api/c/hostile/overview", "/api/c/hostile/designs", "/api/c/hostile/design?id=2",
        "/api/c/hostile/units?id=2", "/api/c/hostile/agents", "/api/c/hostile/tree",
        "/api/c/hostile/strategies", "/api/c/hostile/literature", "/api/c/hostile/conversation?id=2",
        "/api/diff?a=hostile:1&b=hostile:2", "/api/curves?design=hostile:1&design=hostile:2"}) {
    const auto answer = d.client().Get(path);
    EXPECT_EQ(answer->status, 200) << path << answer->body;
    EXPECT_EQ(answer->get_header_value("Content-Type"), "application/json") << path;
    // Characters that reverse the direction of writing are shown as escapes.
    EXPECT_EQ(answer->body.find("\u202e"), std::string::npos) << path;
  }
  for (const char* name : {"ladder", "learning", "progress", "plane", "forest", "generations",
                           "design&design=2", "documents&design=2"}) {
    const json figure = d.get(std::string("/api/c/hostile/figure?name=") + name);
    const std::string svg = figure["svg"], caption = figure["caption"];
    EXPECT_EQ(caption.find("\u202e"), std::string::npos) << name;
    EXPECT_EQ(svg.find("<script"), std::string::npos) << name;
    EXPECT_EQ(svg.find("<img"), std::string::npos) << name;
  }
}

TEST(Server, TheTableNamesDesignsByWhatIsSearched) {
  const TemporaryFolder folder;
  write_record(hostile_campaign(), folder.file("c"));
  write_record(campaign::whole_campaign(), folder.file("whole"));
  const Dashboard d(folder.file(""));
  const json found = d.get("/api/c/c/designs?q=onerror&sort=name");
  ASSERT_EQ(found["matches"], 1);
  EXPECT_NE(found["rows"][0]["title"].get<std::string>().find("onerror"), std::string::npos);
  std::string last;
  const json by_name = d.get("/api/c/whole/designs?sort=name");
  EXPECT_EQ(by_name["rows"].size(), 9U);
  for (const json& row : by_name["rows"]) {
    EXPECT_LE(last, row["title"].get<std::string>());
    last = row["title"];
  }
  EXPECT_EQ(d.get("/api/c/whole/designs?origin=baseline&q=llama")["rows"][0]["title"], "llama");
  std::vector<std::string> statuses;
  const json by_status = d.get("/api/c/whole/designs?sort=status&order=down");
  for (const json& row : by_status["rows"]) statuses.push_back(row["status"]);
  ASSERT_EQ(statuses.size(), 9U);
  EXPECT_EQ(statuses[0], "failed");
  EXPECT_EQ(statuses[1], "stopped");
  EXPECT_EQ(statuses[2], "done");
}

TEST(Server, AnEarlierLeaderKeepsItsAblations) {
  const TemporaryFolder folder;
  write_record(campaign_with_two_leaders(), folder.file("c"));
  const Dashboard d(folder.file(""));
  EXPECT_EQ(d.get("/api/c/c/overview")["leader"], 10);
  ASSERT_EQ(d.get("/api/c/c/design?id=5")["parts"].size(), 1U);
  EXPECT_EQ(d.get("/api/c/c/design?id=5")["parts"][0]["word"], "helps");
  EXPECT_TRUE(d.get("/api/c/c/design?id=10")["parts"].empty());
}

TEST(Server, BestScoresOverTimeIncludeThoseOfBaselines) {
  const TemporaryFolder folder;
  campaign::RecordBuilder m;
  m.session(true);
  m.run(m.baseline("llama"), 0, 7, 2.5, record::Purpose::kBaseline);
  write_record(m, folder.file("begun"));
  write_record(campaign::whole_campaign(), folder.file("whole"));
  const Dashboard d(folder.file(""));
  const auto svg = [&](const char* campaign) -> std::string {
    return d.get(std::string("/api/c/") + campaign + "/figure?name=progress&rung=0")["svg"];
  };
  const std::string whole = svg("whole"), begun = svg("begun");
  for (const char* name : {"llama 2.5000", "gpt2 2.7000", "retnet 2.5500", "#5 2.4000"})
    EXPECT_NE(whole.find(std::string("data-name=\"") + name), std::string::npos) << name << whole;
  // A baseline is shown before the search begins, and one point makes no empty axis.
  EXPECT_NE(begun.find("data-name=\"llama 2.5000"), std::string::npos) << begun;
  for (const std::string& each : {whole, begun}) {
    const std::size_t at = each.find("data-x=\"");
    ASSERT_NE(at, std::string::npos);
    double low = -1, high = -1;
    ASSERT_EQ(std::sscanf(each.c_str() + at, "data-x=\"%lf %lf", &low, &high), 2);
    EXPECT_EQ(low, 0);
    EXPECT_GE(high, 1);
  }
}

TEST(Server, ShowsWhatAgentsReadSaidAndCost) {
  const TemporaryFolder folder;
  write_record(hostile_campaign(), folder.file("c"));
  write_hostile_calls(folder.file("c"));
  const Dashboard d(folder.file(""));
  const json literature = d.get("/api/c/c/literature");
  ASSERT_EQ(literature["papers"].size(), 2U);
  const json& paper = literature["papers"][0];
  EXPECT_EQ(paper["id"], "gla");
  EXPECT_EQ(paper["title"], "Gated linear attention");
  EXPECT_EQ(paper["authors"], "Yang et al. (2023)");
  EXPECT_EQ(paper["excerpt"], "Its state decays by gates.");
  EXPECT_EQ(paper["uses"], 2);
  EXPECT_EQ(paper["designs"], json::array({2}));
  // The search for papers near a proposal is no query.
  ASSERT_EQ(literature["queries"].size(), 1U);
  EXPECT_TRUE(literature["queries"][0]["query"].get<std::string>().starts_with("gated memory"));
  EXPECT_EQ(literature["queries"][0]["found"], 2);
  EXPECT_EQ(literature["nearest"], 1);

  const std::string talk = d.get("/api/c/c/conversation?id=2")["text"];
  EXPECT_NE(talk.find("---- to proposer (user)"), std::string::npos) << talk;
  EXPECT_NE(talk.find("large-model as proposer: 4000 + 500 tokens"), std::string::npos) << talk;

  const json agents = d.get("/api/c/c/agents");
  const auto row = [](const json& rows, const std::string& name) {
    for (const json& r : rows)
      if (r["name"] == name) return r;
    return json();
  };
  EXPECT_EQ(row(agents["by_role"], "proposer"), json({{"name", "proposer"},
                                                      {"calls", 1},
                                                      {"failed", 0},
                                                      {"input", 4000},
                                                      {"cached", 3000},
                                                      {"output", 500},
                                                      {"cost", 0.07}}));
  EXPECT_EQ(row(agents["by_model"], "small-model")["calls"], 2);
  EXPECT_EQ(row(agents["by_model"], "small-model")["cost"], 0.007);
  EXPECT_EQ(agents["tasks"][0]["design"], 2);
}

TEST(Server, FiltersSortsAndPagesDesigns) {
  const TemporaryFolder folder;
  write_large_record(folder.file("large"), 900);
  const Dashboard d(folder.file(""));
  const std::string base = "/api/c/large/designs?limit=7";
  const json first = d.get(base);
  EXPECT_EQ(first["matches"], 900);
  EXPECT_EQ(first["rows"].size(), 7U);
  EXPECT_EQ(first["rows"][0]["rung"], "600k");
  for (std::size_t k = 1; k < 7; ++k)
    EXPECT_LE(first["rows"][k - 1]["bits"].get<double>(), first["rows"][k]["bits"].get<double>());
  const json second = d.get(base + "&offset=7");
  EXPECT_NE(first["rows"][6]["id"], second["rows"][0]["id"]);
  EXPECT_LE(first["rows"][6]["bits"].get<double>(), second["rows"][0]["bits"].get<double>());
  EXPECT_TRUE(d.get(base + "&offset=999999999")["rows"].empty());
  const json by_id = d.get(base + "&sort=id&order=down");
  EXPECT_EQ(by_id["rows"][0]["id"], 900);
  const json stopped = d.get(base + "&source=random&status=stopped");
  for (const json& row : stopped["rows"]) {
    EXPECT_EQ(row["source"], "random");
    EXPECT_EQ(row["status"], "stopped");
  }
  EXPECT_EQ(d.get(base + "&origin=baseline")["matches"], 3);
  const json wrapped = d.get(base + "&q=WRAP%20adaptive");
  EXPECT_GT(wrapped["matches"].get<int>(), 0);
  for (const json& row : wrapped["rows"]) EXPECT_EQ(row["maker"], "wrap");
  for (int k = 0; k < 500 && d.get(base)["with_units"] != 900; ++k)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(d.get(base + "&unit=SwiGLU")["matches"], 0);
  EXPECT_EQ(d.get(base + "&unit=Block&origin=search")["matches"], 897);
  EXPECT_EQ(d.get(base + "&unit=Nothing")["matches"], 0);
  const json tree = d.get("/api/c/large/tree?limit=100");
  EXPECT_EQ(tree["all"], 900);
  EXPECT_LT(tree["rows"].size(), 900U);
}

// Reads a stream until it says that a campaign has another version, and returns the seconds that this took.
double seconds_until_change(const Dashboard& d, const std::function<void()>& change) {
  std::atomic<int> messages{0};
  std::atomic<bool> changed{false};
  std::string before;
  auto started = std::chrono::steady_clock::now();
  std::thread reader([&] {
    httplib::Client client = d.client();
    client.set_read_timeout(20);
    client.Get("/api/events", [&](const char* data, std::size_t size) {
      const std::string text(data, size);
      const std::size_t at = text.find("\"campaigns\"");
      if (at == std::string::npos) return true;
      const std::string now = text.substr(at, text.find("}", at) - at);
      if (++messages == 1) {
        before = now;
        return true;
      }
      changed = changed || now != before;
      return !changed;
    });
  });
  while (messages == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  started = std::chrono::steady_clock::now();
  change();
  reader.join();
  EXPECT_TRUE(changed);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

TEST(Server, TellsOfNewEventsWithinTwoSeconds) {
  const TemporaryFolder folder;
  campaign::RecordBuilder m;
  m.session(true);
  const std::int64_t llama = m.baseline("llama");
  m.run(llama, 0, 7, 2.5, record::Purpose::kBaseline);
  write_record(m, folder.file("live"));
  const Dashboard d(folder.file(""));
  EXPECT_EQ(d.get("/api/c/live/overview")["runs"], 1);
  const double seconds = seconds_until_change(d, [&] {
    auto store = store::Store::open(folder.file("live/campaign.db"));
    ASSERT_TRUE(store.has_value());
    const std::size_t before = m.events.size();
    m.run(m.design("adaptive", {}, llama), 0, 7, 2.4);
    ASSERT_TRUE(
        store->append({m.events.begin() + static_cast<std::ptrdiff_t>(before), m.events.end()}).has_value());
  });
  EXPECT_LT(seconds, 2);
  const json overview = d.get("/api/c/live/overview");
  EXPECT_EQ(overview["runs"], 2);
  EXPECT_EQ(overview["leader"], 2);
  EXPECT_EQ(d.get("/api/c/live/designs")["rows"][0]["id"], 2);
}

TEST(Server, ShowsRunsInProgress) {
  const TemporaryFolder folder;
  campaign::RecordBuilder m;
  m.session(true);
  const std::int64_t llama = m.baseline("llama");
  const std::int64_t trial = m.begin(llama, 0, 7, record::Purpose::kBaseline);
  write_record(m, folder.file("live"));
  const evolve::Population population = m.population();
  campaign::LiveFile file(folder.file("live"));
  campaign::Snapshot snapshot{.population = population, .phase = evolve::Phase::kSearch};
  snapshot.seconds_left = 90;
  snapshot.workers = 3, snapshot.busy = 1;
  for (int k = 1; k <= 5; ++k) {
    snapshot.running = {
        {trial, {.stage = "training", .step = k, .steps = 10, .tokens = 10'000 * k, .loss = 5.0 / k}}};
    file(snapshot);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1050));
  file(snapshot);  // at most one write a second
  const Dashboard d(folder.file(""));
  json live = d.get("/api/c/live/live");
  for (int k = 0; k < 100 && live["state"] != "running"; ++k) live = d.get("/api/c/live/live");
  EXPECT_EQ(live["state"], "running");
  EXPECT_EQ(live["seconds_left"], 90);
  EXPECT_EQ(live["left"], "90 s left");
  EXPECT_EQ(live["workers"], 3);
  EXPECT_EQ(live["idle"], 2);
  ASSERT_EQ(live["runs"].size(), 1U);
  EXPECT_EQ(live["runs"][0]["label"], "llama");
  EXPECT_EQ(live["runs"][0]["step"], 5);
  EXPECT_EQ(live["runs"][0]["points"], 5);
  EXPECT_EQ(d.get("/api/c/live/run?id=1")["svg"].get<std::string>().substr(0, 4), "<svg");
  EXPECT_EQ(d.get("/api/c/live/run?id=99")["svg"], "");
}

TEST(Server, ShowsTheJobsOfACluster) {
  const TemporaryFolder folder;
  write_record(campaign::whole_campaign(), folder.file("c"));
  write_record(campaign::whole_campaign(), folder.file("local"));
  std::filesystem::create_directories(folder.file("c/slurm"));
  ASSERT_TRUE(replace_file(folder.file("c/slurm/status"),
                           "1000\ncluster: 1 job running, 1 pending\n  run 7 job 12 PENDING: Priority\n")
                  .has_value());
  const Dashboard d(folder.file(""));
  const std::string cluster = d.get("/api/c/c/live")["cluster"];
  EXPECT_TRUE(cluster.starts_with("cluster: 1 job running, 1 pending, ")) << cluster;
  EXPECT_NE(cluster.find("run 7 job 12 PENDING: Priority"), std::string::npos) << cluster;
  EXPECT_EQ(d.get("/api/c/local/live")["cluster"], "");
}

TEST(Server, SteersWithTheTokenAlone) {
  const TemporaryFolder folder;
  write_record(campaign::whole_campaign(), folder.file("whole"));
  const Dashboard d(folder.file(""));
  d.get("/api/c/whole/overview");
  const json pause{{"what", "pause"}};
  const std::string origin = "http://127.0.0.1:" + std::to_string(d.port());
  EXPECT_EQ(d.steer("whole", pause, {{"Origin", origin}})->status, 401);
  EXPECT_EQ(d.steer("whole", pause, {{"Origin", origin}, {"Authorization", "Bearer wrong"}})->status, 401);
  httplib::Headers foreign = d.allowed();
  foreign.erase("Origin");
  EXPECT_EQ(d.steer("whole", pause, foreign)->status, 403);
  foreign.emplace("Origin", "http://evil.example");
  EXPECT_EQ(d.steer("whole", pause, foreign)->status, 403);
  EXPECT_TRUE(campaign::inbox(folder.file("whole")).empty());

  EXPECT_EQ(json::parse(d.steer("whole", pause, d.allowed())->body)["text"],
            "stored; `gabbro resume` applies it");
  EXPECT_EQ(d.steer("whole", {{"what", "veto"}, {"design", 5}, {"text", "too slow"}}, d.allowed())->status,
            200);
  EXPECT_EQ(d.steer("whole", {{"what", "promote"}, {"design", 6}, {"text", ""}}, d.allowed())->status, 200);
  EXPECT_EQ(d.steer("whole", {{"what", "promote"}}, d.allowed())->status, 400);
  EXPECT_EQ(d.steer("whole", {{"what", "direction"}, {"text", "shorter windows"}}, d.allowed())->status, 200);
  const auto requests = campaign::inbox(folder.file("whole"));
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_EQ(requests[0].what, record::Steering::kPause);
  EXPECT_EQ(requests[1].design, 5);
  EXPECT_EQ(requests[1].text, "too slow");
  EXPECT_EQ(requests[2].what, record::Steering::kPromote);
  EXPECT_EQ(requests[3].text, "shorter windows");

  const auto refused = [&](const json& body) {
    return json::parse(d.steer("whole", body, d.allowed())->body)["error"].get<std::string>();
  };
  EXPECT_EQ(refused({{"what", "veto"}, {"design", 1}}),
            "design 1 is the baseline llama, which cannot be vetoed");
  EXPECT_EQ(refused({{"what", "promote"}, {"design", 5}}),
            "design 5 cannot be promoted by hand: it has been at the highest rung, or was promoted to it");
  EXPECT_EQ(refused({{"what", "veto"}, {"design", 99}}), "unknown design 99");
  EXPECT_EQ(refused({{"what", "veto"}}), "the request is not complete");
  EXPECT_EQ(refused({{"what", "direction"}}), "the request is not complete");
  EXPECT_EQ(refused({{"what", "delete"}}), "unknown request 'delete'");
  EXPECT_EQ(refused({{"what", "direction"}, {"text", std::string(5000, 'x')}}),
            "the text has 5000 bytes; 4000 are allowed");
  EXPECT_EQ(refused(json::array()), "the request is not complete");
  EXPECT_EQ(d.client()
                .Post("/api/c/whole/steer", d.allowed(), std::string(200'000, '['), "application/json")
                ->status,
            413);
  EXPECT_EQ(
      d.client().Post("/api/c/whole/steer", d.allowed(), std::string(2000, '['), "application/json")->status,
      400);
  EXPECT_EQ(campaign::inbox(folder.file("whole")).size(), 4U);
  EXPECT_EQ(json::parse(d.client().Get("/api/token", d.allowed())->body)["valid"], true);
  EXPECT_EQ(d.get("/api/token")["valid"], false);
}

TEST(Server, TheSecretOfACampaignIsNotShown) {
  const TemporaryFolder folder;
  campaign::RecordBuilder m = campaign::whole_campaign();
  m.plan.secret = "5ec2e75ec2e75ec2";
  std::get<record::CampaignBegun>(m.events[0]).config = campaign::to_toml(m.plan);
  write_record(m, folder.file("whole"));
  const Dashboard d(folder.file(""));
  for (const char* path : {"overview", "live", "designs", "strategies"})
    EXPECT_EQ(d.get(std::string("/api/c/whole/") + path).dump().find("5ec2e7"), std::string::npos) << path;
}

TEST(Server, ADamagedRecordIsNamedAndTheOthersAreShown) {
  const TemporaryFolder folder;
  write_record(campaign::whole_campaign(), folder.file("good"));
  std::filesystem::create_directories(folder.file("bad"));
  ASSERT_TRUE(replace_file(folder.file("bad/campaign.db"), std::string(9000, 'x')).has_value());
  const Dashboard d(folder.file(""));
  d.get("/api/c/good/overview");
  json all;
  for (int k = 0; k < 200; ++k) {
    all = d.get("/api/campaigns")["campaigns"];
    if (all[0]["state"] == "unreadable") break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(all[0]["state"], "unreadable");
  EXPECT_EQ(all[1]["state"], "at rest");
  EXPECT_NE(d.client().Get("/api/c/bad/overview")->status, 200);
}

TEST(Server, ReportsWrongUse) {
  const auto missing = Server::start({.folders = {"/nonexistent"}, .port = 0, .token = kToken});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().message, "/nonexistent is not a folder");
  const TemporaryFolder folder;
  const Dashboard d(folder.file(""));
  const auto taken = Server::start({.folders = {folder.file("")}, .port = d.port(), .token = kToken});
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().message, "cannot listen on 127.0.0.1, port " + std::to_string(d.port()));
}

}  // namespace
}  // namespace gabbro::web
