// Tests of the client against a server that injects faults: retries, counted costs, and the cap.
#include "chat/client.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "chat/choice.h"
#include "chat/replay.h"
#include "chat/scripted.h"
#include "chat/server.h"
#include "chat/wire.h"
#include "net/http.h"

namespace gabbro::chat {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Fault = ScriptedResponse::Fault;

ScriptedResponse reply(const std::string& text, std::int64_t input = 100, std::int64_t output = 10) {
  const json body{{"choices", {{{"message", {{"content", text}}}, {"finish_reason", "stop"}}}},
                  {"usage", {{"prompt_tokens", input}, {"completion_tokens", output}}}};
  return {.body = body.dump()};
}
ScriptedResponse status(int code, const std::string& headers = "") {
  return {.status = code, .body = R"({"error":{"message":"planted"}})", .headers = headers};
}
ScriptedResponse fault(Fault kind) { return {.body = "{\"choices\": [", .fault = kind}; }

ChatRequest question(const std::string& text, std::int64_t task = 0, const std::string& role = "coder") {
  ChatRequest r;
  r.role = role, r.task = task;
  r.messages = {{MessageAuthor::kSystem, "You write units."}, {MessageAuthor::kUser, text}};
  r.max_tokens = 100;
  return r;
}

class ClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("no_proxy", "127.0.0.1", 1);
    folder =
        fs::path(::testing::TempDir()) / ("gabbro_chat" + std::to_string(getpid()) +
                                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder);
    path = folder / "calls.db";
    log = std::move(*CallLog::open(path));
  }
  void TearDown() override {
    client.reset();
    log.reset();
    fs::remove_all(folder);
  }

  static Config config_for(const std::string& url) {
    Config c;
    Endpoint e;
    e.name = "there", e.url = url, e.seconds = 10;
    c.endpoints = {e};
    ChatModel m;
    m.name = "m", m.model = "m-1";
    m.price = {.input = 3'000'000, .cached = 300'000, .written = 3'000'000, .output = 15'000'000};
    c.models = {m};
    return c;
  }
  // Opens a client whose clock advances only when it waits.
  void open(const Config& config) {
    auto made = ChatClient::open(config, *log,
                                 {.seed = 1,
                                  .now = [this] { return time.load(); },
                                  .wait =
                                      [this](double seconds) {
                                        const std::lock_guard lock(mutex);
                                        time = time + seconds;
                                        waits.push_back(seconds);
                                      }});
    ASSERT_TRUE(made.has_value()) << made.error().message;
    client = std::move(*made);
  }
  void serve(std::function<ScriptedResponse(const ReceivedRequest&)> answer) {
    server = std::make_unique<Server>(std::move(answer));
    config = config_for(server->url());
  }
  Error error_of(const ChatRequest& r) {
    const auto out = client->ask(r);
    return out ? Error{"none", out->text, "", {}} : out.error();
  }

  fs::path folder;
  std::string path;
  std::unique_ptr<CallLog> log;
  std::unique_ptr<Server> server;
  Config config;
  std::unique_ptr<ChatClient> client;
  std::atomic<double> time = 1e9;
  std::mutex mutex;
  std::vector<double> waits;
};

TEST_F(ClientTest, ARequestIsAnsweredCountedAndKept) {
  serve([](const ReceivedRequest&) { return reply("a unit", 100, 10); });
  open(config);
  const auto out = client->ask(question("Write.", 7));
  ASSERT_TRUE(out.has_value()) << out.error().message;
  EXPECT_EQ(out->text, "a unit");
  EXPECT_EQ(out->model, "m");
  EXPECT_DOUBLE_EQ(out->cost, 450e-6);
  EXPECT_EQ(log->spent().money, 450);
  EXPECT_EQ(log->spent().tokens, 110);
  const auto exchanges = log->exchanges(7);
  ASSERT_EQ(exchanges.size(), 1u);
  EXPECT_EQ(exchanges[0].request.messages[1].text, "Write.");
  EXPECT_EQ(exchanges[0].reply, "a unit");
  EXPECT_EQ(exchanges[0].call.state, chat::CallState::kSettled);
  EXPECT_EQ(server->received()[0].head.substr(0, 30), "POST /v1/chat/completions HTTP");
}

TEST_F(ClientTest, TransientFaultsAreRetried) {
  const std::vector<ScriptedResponse> plays{status(500), status(429), fault(Fault::kClose),
                                            fault(Fault::kShort), reply("at last")};
  serve([plays](const ReceivedRequest& s) { return plays[static_cast<std::size_t>(s.number)]; });
  open(config);
  const auto out = client->ask(question("Write."));
  ASSERT_TRUE(out.has_value()) << out.error().message;
  EXPECT_EQ(out->text, "at last");
  ASSERT_EQ(waits.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_GE(waits[i], 0.5 * (1 << i));
    EXPECT_LE(waits[i], 1.0 * (1 << i));
  }
  // The two attempts that broke off after they were sent may be billed; the refused ones are not.
  const auto calls = log->calls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_GT(calls[0].counted.tokens, 2 * 100 + 110);
  EXPECT_LT(calls[0].counted.tokens, 2 * 1000 + 110);
  EXPECT_EQ(calls[0].usage.input, 100);
}

TEST_F(ClientTest, UnusableResponsesAreErrorsAndCounted) {
  const std::string megabyte(1 << 20, 'x');
  const std::vector<std::pair<ScriptedResponse, const char*>> rows{
      {{.body = "{\"choices\": [{\"mess"}, "chat reply"},
      {{.body = "<html>busy</html>"}, "chat reply"},
      {reply(""), "chat reply"},
      {{.body = "{\"choices\": []}"}, "chat reply"},
      {reply(megabyte), "none"},
      {{.body = megabyte}, "chat reply"},
      {{.status = 400, .body = R"({"error":{"message":"maximum context length is 10"}})"}, "chat context"},
      {{.status = 400, .body = "no"}, "chat reply"}};
  serve([rows](const ReceivedRequest& s) { return rows[static_cast<std::size_t>(s.number)].first; });
  config.endpoints[0].retries = 0;
  open(config);
  std::int64_t before = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Error e = error_of(question("Write."));
    EXPECT_EQ(e.code, rows[i].second) << e.message.substr(0, 300);
    if (e.code != "none") {
      EXPECT_LT(e.message.size(), 300u);
    }
    const bool paid = rows[i].first.status == 200;
    EXPECT_EQ(log->spent().tokens > before, paid) << i;
    before = log->spent().tokens;
  }
  EXPECT_TRUE(waits.empty());
  EXPECT_EQ(log->calls().size(), rows.size());
}

TEST_F(ClientTest, RetryAfterIsHonouredWithinBounds) {
  const std::vector<ScriptedResponse> plays{
      status(429, "Retry-After: 7\r\n"),
      status(503, "Retry-After: Sun, 09 Sep 2001 01:47:20 GMT\r\n"),  // 1e9 + 33 s
      reply("at last"), status(429, "Retry-After: 86400\r\n"), reply("no more")};
  serve([plays](const ReceivedRequest& s) { return plays[static_cast<std::size_t>(s.number)]; });
  open(config);
  EXPECT_EQ(error_of(question("Write.")).message, "at last");
  EXPECT_EQ(waits, (std::vector<double>{7, 33}));
  // A delay of a day is too long to wait, so the endpoint is paused, for at most an hour.
  EXPECT_EQ(error_of(question("Write.")).code, "chat down");
  EXPECT_EQ(waits.size(), 2u);
  EXPECT_TRUE(client->pause_reason().has_value());
  EXPECT_EQ(error_of(question("Write.")).code, "chat down");
  EXPECT_EQ(server->request_count(), 4);
  time = time + 3601;
  EXPECT_FALSE(client->pause_reason().has_value());
  EXPECT_EQ(error_of(question("Write.")).message, "no more");
}

TEST_F(ClientTest, ADeadEndpointIsPausedAndTriedAgain) {
  std::atomic<bool> dead = true;
  serve([&](const ReceivedRequest&) { return dead ? status(500) : reply("alive"); });
  open(config);
  EXPECT_EQ(error_of(question("Write.")).code, "chat down");
  EXPECT_EQ(server->request_count(), 5);  // the first attempt and four retries
  EXPECT_EQ(error_of(question("Write.")).code, "chat down");
  EXPECT_EQ(server->request_count(), 8);  // the eighth failure in a row
  ASSERT_TRUE(client->pause_reason().has_value());
  EXPECT_NE(client->pause_reason()->find("status 500"), std::string::npos);
  EXPECT_NE(error_of(question("Write.")).message.find("is paused"), std::string::npos);
  EXPECT_EQ(server->request_count(), 8);
  time = time + CircuitBreaker::kFirstPause + 1;
  EXPECT_FALSE(client->pause_reason().has_value());
  EXPECT_EQ(error_of(question("Write.")).code, "chat down");  // one trial call, then a longer pause
  EXPECT_EQ(server->request_count(), 9);
  time = time + CircuitBreaker::kFirstPause + 1;
  EXPECT_TRUE(client->pause_reason().has_value());
  time = time + CircuitBreaker::kFirstPause;
  dead = false;
  EXPECT_EQ(error_of(question("Write.")).message, "alive");
  EXPECT_EQ(error_of(question("Write.")).message, "alive");
  EXPECT_EQ(log->spent().tokens, 220);
  server.reset();
}

TEST_F(ClientTest, AnotherModelStandsInForOneThatIsDown) {
  serve([](const ReceivedRequest&) { return reply("from there"); });
  Endpoint gone = config.endpoints[0];
  gone.name = "gone", gone.url = "http://127.0.0.1:1/v1", gone.retries = 0;
  config.endpoints.push_back(gone);
  ChatModel first = config.models[0];
  first.name = "first", first.endpoint = 1, first.roles = {{"coder", 1e6}, {"planner", 1}};
  config.models.push_back(first);
  open(config);
  EXPECT_EQ(error_of(question("Write.")).message, "from there");
  EXPECT_EQ(error_of(question("Plan.", 0, "planner")).message, "from there");
  const auto calls = log->calls();
  ASSERT_GE(calls.size(), 2u);
  EXPECT_EQ(calls[0].model, "first");
  EXPECT_EQ(calls[0].error.code, "chat down");
  EXPECT_EQ(calls[0].counted.money, 0);  // nothing was sent
  EXPECT_FALSE(client->pause_reason().has_value());
}

// Routers send an empty reply now and then; each may be billed, so a few are asked for again.
TEST_F(ClientTest, EmptyRepliesAreAskedForAgainAFewTimes) {
  serve(
      [](const ReceivedRequest& s) { return s.number == 1 ? reply("a unit", 100, 10) : reply("", 100, 0); });
  open(config);
  EXPECT_EQ(error_of(question("Write.")).message, "a unit");
  EXPECT_EQ(log->spent().tokens, 100 + 110) << "both are billed";
  const Error e = error_of(question("Write."));
  EXPECT_EQ(e.code, "chat reply");
  EXPECT_NE(e.message.find("the reply is empty (tried 3 times)"), std::string::npos) << e.message;
  EXPECT_EQ(server->request_count(), 5);
  EXPECT_EQ(log->spent().tokens, 5 * 100 + 10);
}

// Returns a server's message with this field, and nothing in the field of the reply.
ScriptedResponse elsewhere(const std::string& field, const std::string& text) {
  const json body{
      {"choices", {{{"message", {{"content", nullptr}, {field, text}}}, {"finish_reason", "stop"}}}},
      {"usage", {{"prompt_tokens", 100}, {"completion_tokens", 10}}}};
  return {.body = body.dump()};
}

TEST_F(ClientTest, AnotherModelAnswersWhereOneGivesNothingToRead) {
  ScriptedResponse bad;
  serve([&](const ReceivedRequest& s) {
    return json::parse(s.body)["model"] == "m-1" ? bad : reply("from the other", 20, 5);
  });
  config.endpoints[0].retries = 0;
  config.models[0].roles = {{"coder", 1e6}};
  config.models.push_back(config.models[0]);
  config.models[1].name = "other", config.models[1].model = "m-2", config.models[1].roles = {{"coder", 1e-6}};
  const std::vector<ScriptedResponse> rows{
      reply(""),
      elsewhere("reasoning_content", "Let me think"),
      {.body = "<html>sign in</html>"},
      {.status = 400, .body = R"({"error":{"message":"no","code":"content_filter"}})"},
      {.status = 404, .body = R"({"error":{"message":"no such model"}})"},
      {.body = R"({"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]})"}};
  for (const ScriptedResponse& row : rows) {
    bad = row;
    open(config);
    const int before = server->request_count();
    EXPECT_EQ(error_of(question("Write.")).message, "from the other") << row.body;
    EXPECT_EQ(server->request_count(), before + 2) << row.body;
  }
  // A conversation that is too long is shortened first, by who asked.
  bad = {.status = 400, .body = R"({"error":{"message":"maximum context length is 10"}})"};
  EXPECT_EQ(error_of(question("Write.")).code, "chat context");
  // The bandit learns that the model is worth nothing.
  for (const auto& w : log->worths())
    if (w.model == "m") {
      EXPECT_EQ(w.judged, 6);
      EXPECT_EQ(w.sum, 0);
    }
}

TEST_F(ClientTest, ARefusalWithAStatusOfSuccessIsRetriedAndCostsNothing) {
  serve([](const ReceivedRequest& s) {
    if (s.number == 0)
      return ScriptedResponse{
          .body = R"({"error":{"code":"rate_limit_exceeded","message":"slow down, try again in 45s"}})"};
    if (s.number == 1) return ScriptedResponse{.body = R"({"error":{"code":429,"message":"slow down"}})"};
    return reply("at last", 100, 10);
  });
  open(config);
  EXPECT_EQ(error_of(question("Write.")).message, "at last");
  ASSERT_EQ(waits.size(), 2u);
  EXPECT_EQ(waits[0], 45);
  EXPECT_EQ(log->spent().tokens, 110);
}

TEST_F(ClientTest, AnEmptyAccountPausesTheEndpointAtOnce) {
  serve([](const ReceivedRequest&) {
    return ScriptedResponse{.status = 429,
                            .body = R"({"error":{"message":"Insufficient balance. Please recharge."}})"};
  });
  open(config);
  const Error e = error_of(question("Write."));
  EXPECT_EQ(e.code, "chat key");
  EXPECT_NE(e.hint.find("top up the account"), std::string::npos) << e.hint;
  EXPECT_EQ(server->request_count(), 1);
  EXPECT_TRUE(client->pause_reason().has_value());
}

// A server that bills thoughts beyond max_tokens surprises once; later calls reserve as much.
TEST_F(ClientTest, BilledThoughtsAreCountedAndReserved) {
  std::atomic<std::int64_t> bill = 0;
  serve([&](const ReceivedRequest&) {
    bill += 1000 * 3 + 8100 * 15;
    return ScriptedResponse{
        .body =
            R"({"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":1000,"completion_tokens":100,
        "total_tokens":9100,"completion_tokens_details":{"reasoning_tokens":8000}}})"};
  });
  config.cap.money = 300'000;
  open(config);
  int answered = 0;
  Error e;
  while ((e = error_of(question("Write."))).code == "none" && answered < 10) ++answered;
  EXPECT_EQ(e.code, "cap");
  EXPECT_EQ(answered, 2);
  EXPECT_EQ(log->spent().money, bill);
  EXPECT_LE(bill, 300'000);
  ASSERT_EQ(client->doubts().size(), 1u);
  EXPECT_NE(client->doubts()[0].find("counts 8100 tokens of output"), std::string::npos);
  open(config);  // as a new process would
  EXPECT_EQ(error_of(question("Write.")).code, "cap");
}

// Several first calls at once would each surprise.
TEST_F(ClientTest, TheFirstCallOfAModelIsMadeAlone) {
  std::atomic<std::int64_t> bill = 0;
  std::atomic<int> running = 0, most = 0;
  serve([&](const ReceivedRequest&) {
    most = std::max(most.load(), ++running);
    usleep(30'000);
    bill += 1000 * 3 + 8100 * 15;
    --running;
    return ScriptedResponse{
        .body =
            R"({"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":1000,"completion_tokens":100,
        "total_tokens":9100}})"};
  });
  config.cap.money = 300'000;
  open(config);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] { (void)client->ask(question(std::to_string(i))); });
  for (std::thread& t : threads) t.join();
  EXPECT_LE(bill, 300'000);
  EXPECT_EQ(log->spent().money, bill);
  EXPECT_EQ(server->request_count(), 2);
  // A model whose thinking is known is asked at once: the reservation holds it.
  config.models[0].name = "thinker", config.models[0].thinking = 8000;
  config.cap.money = 3'000'000;
  open(config);
  most = 0;
  std::vector<std::thread> more;
  for (int i = 0; i < 4; ++i)
    more.emplace_back([&, i] { (void)client->ask(question(std::to_string(10 + i))); });
  for (std::thread& t : more) t.join();
  EXPECT_GT(most, 1);
  EXPECT_EQ(server->request_count(), 6);
}

TEST_F(ClientTest, TheRestOfACutPromptCostsAsInput) {
  serve([](const ReceivedRequest&) {
    return ScriptedResponse{
        .body =
            R"({"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":2048,"completion_tokens":100,
        "total_tokens":4100}})"};
  });
  open(config);
  ASSERT_TRUE(client->ask(question(std::string(16'000, 'x'))).has_value());
  EXPECT_EQ(log->spent().tokens, 4100);
  EXPECT_EQ(log->spent().money, 4000 * 3 + 100 * 15);
  ASSERT_EQ(client->doubts().size(), 1u);
  EXPECT_NE(client->doubts()[0].find("read 2048 tokens"), std::string::npos);
}

TEST_F(ClientTest, CountsThatContradictEachOtherCostTheMost) {
  serve([](const ReceivedRequest&) {
    return ScriptedResponse{
        .body =
            R"({"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":50,"completion_tokens":10,
        "total_tokens":20}})"};
  });
  open(config);
  ASSERT_TRUE(client->ask(question("Write.")).has_value());
  const std::int64_t most = estimate_tokens(question("Write.")).maximum + 100;
  EXPECT_EQ(log->spent().tokens, most);
}

// Calls in progress may end when the client is stopped, so that they cost what they are billed.
TEST_F(ClientTest, AStopGivesCallsInProgressTheirTime) {
  std::atomic<bool> may_answer = false;
  serve([&](const ReceivedRequest&) {
    while (!may_answer) usleep(1000);
    return reply("late", 100, 10);
  });
  open(config);
  Error e;
  std::thread asking([&] { e = error_of(question("Write.")); });
  while (server->request_count() == 0) usleep(1000);
  client->stop(60);
  EXPECT_EQ(error_of(question("more")).code, "stopped");
  may_answer = true;
  asking.join();
  EXPECT_EQ(e.message, "late");
  EXPECT_EQ(log->spent().tokens, 110);
}

TEST_F(ClientTest, FailedCallsOfATaskAreSummed) {
  serve([](const ReceivedRequest& s) {
    return s.number == 0 ? reply("ok") : ScriptedResponse{.body = "<html>"};
  });
  open(config);
  EXPECT_EQ(client->failed_calls(7).calls, 0);
  EXPECT_EQ(error_of(question("Write.", 7)).code, "none");
  EXPECT_EQ(error_of(question("Again.", 7)).code, "chat reply");
  const FailedCalls failed = client->failed_calls(7);
  EXPECT_EQ(failed.calls, 1);
  EXPECT_EQ(failed.input_tokens + failed.output_tokens, log->spent().tokens - 110);
  EXPECT_NEAR(failed.cost, static_cast<double>(log->spent().money - 450) / 1e6, 1e-12);
}

TEST_F(ClientTest, AProxyForThisMachineIsNamed) {
  config = config_for("http://127.0.0.1:9/v1");
  config.endpoints[0].retries = 0;
  unsetenv("no_proxy");
  setenv("http_proxy", "http://user:secret@127.0.0.1:1", 1);
  open(config);
  const Error e = error_of(question("Write."));
  EXPECT_EQ(e.code, "chat down");
  EXPECT_EQ(e.hint,
            "http_proxy is set, so that a proxy is asked for http://127.0.0.1:9/v1: export "
            "no_proxy=localhost,127.0.0.1");
  EXPECT_EQ(net::proxy_of_loopback("http://example.org/v1"), "");
  setenv("no_proxy", "localhost,127.0.0.1", 1);
  EXPECT_EQ(net::proxy_of_loopback("http://127.0.0.1:9/v1"), "");
  unsetenv("http_proxy");
}

TEST_F(ClientTest, ACallToAHangingServerTimesOut) {
  serve([](const ReceivedRequest&) { return fault(Fault::kHang); });
  config.endpoints[0].seconds = 0.05;
  config.endpoints[0].retries = 1;
  open(config);
  const Error e = error_of(question("Write."));
  EXPECT_EQ(e.code, "chat down");
  EXPECT_NE(e.message.find("no response within 0.05 s (tried 2 times)"), std::string::npos) << e.message;
}

TEST_F(ClientTest, ABrokenResponseSaysHowItBroke) {
  const std::pair<Fault, const char*> rows[] = {
      {Fault::kHang, "no response within 0.2 s (tried 1 time)"},
      {Fault::kClose, "the server closed the connection without a response"},
      {Fault::kShort, "the server closed the connection after 13 of 113 bytes of its response"},
      {Fault::kStall, "the response was not complete after 0.2 s: 13 of 113 bytes had arrived"}};
  for (const auto& [kind, says] : rows) {
    serve([kind = kind](const ReceivedRequest&) { return fault(kind); });
    config.endpoints[0].seconds = 0.2;
    config.endpoints[0].retries = 0;
    open(config);
    const Error e = error_of(question("Write."));
    EXPECT_EQ(e.code, "chat down");
    EXPECT_NE(e.message.find(says), std::string::npos) << e.message;
  }
}

// A server that says when to come back, or that loads its model, is not down.
TEST_F(ClientTest, AServerThatWillAnswerIsWaitedFor) {
  const ScriptedResponse loading{.status = 503,
                                 .body = R"({"error":{"code":503,"message":"Loading model"}})"};
  for (const ScriptedResponse& busy :
       {loading, status(429, "Retry-After: 3\r\n"), status(503, "Retry-After: 3\r\n")}) {
    serve([&](const ReceivedRequest& s) { return s.number < 6 ? busy : reply("at last"); });
    config.endpoints[0].retries = 2;
    open(config);
    waits.clear();
    EXPECT_EQ(error_of(question("Write.")).message, "at last");
    EXPECT_EQ(waits.size(), 6u);
    EXPECT_FALSE(client->pause_reason().has_value());
  }
  // It is not waited for without end, nor without retries.
  serve([&](const ReceivedRequest&) { return loading; });
  config.endpoints[0].retries = 2;
  open(config);
  waits.clear();
  const Error e = error_of(question("Write."));
  EXPECT_EQ(e.code, "chat down");
  EXPECT_NE(e.message.find("Loading model (tried "), std::string::npos) << e.message;
  EXPECT_NE(e.hint.find("has loaded its model"), std::string::npos) << e.hint;
  const double total = std::accumulate(waits.begin(), waits.end(), 0.0);
  EXPECT_GT(total, 60);
  EXPECT_LE(total, 120);
  config.endpoints[0].retries = 0;
  open(config);
  waits.clear();
  EXPECT_EQ(error_of(question("Write.")).code, "chat down");
  EXPECT_TRUE(waits.empty());
}

TEST_F(ClientTest, StopEndsCallsInProgressAndLaterOnes) {
  serve([](const ReceivedRequest&) { return fault(Fault::kHang); });
  config.endpoints[0].calls = 1;
  open(config);
  std::vector<Error> errors(2);  // One call is sent, the other waits for a slot.
  std::vector<std::thread> threads;
  for (Error& e : errors) threads.emplace_back([&] { e = error_of(question("Write.")); });
  while (server->request_count() == 0) usleep(1000);
  client->stop();
  for (std::thread& t : threads) t.join();
  for (const Error& e : errors) EXPECT_EQ(e.code, "stopped");
  EXPECT_EQ(error_of(question("Write.")).code, "stopped");
  EXPECT_EQ(server->request_count(), 1);
  EXPECT_EQ(log->calls().size(), 1u);
}

TEST_F(ClientTest, PromptsBeyondEveryContextAreNotSent) {
  serve([](const ReceivedRequest&) { return reply("x"); });
  config.models[0].context = 1000;
  open(config);
  const Error e = error_of(question(std::string(3000, 'x')));
  EXPECT_EQ(e.code, "chat context");
  EXPECT_NE(
      e.message.find(
          "a prompt of about 1037 tokens plus a reply of up to 100 exceed the context of 1000 tokens of m"),
      std::string::npos)
      << e.message;
  EXPECT_EQ(server->request_count(), 0);
  EXPECT_EQ(log->calls().size(), 1u);
  // A model with a larger context is asked instead.
  ChatModel wide = config.models[0];
  wide.name = "wide", wide.context = 10000, wide.roles = {{"coder", 1e-9}};
  config.models.push_back(wide);
  open(config);
  EXPECT_EQ(client->ask(question(std::string(3000, 'x')))->model, "wide");
}

TEST_F(ClientTest, ConcurrentCallsOfAnEndpointAreLimited) {
  std::atomic<int> running = 0, most = 0;
  serve([&](const ReceivedRequest&) {
    const int n = ++running;
    int m = most;
    while (n > m && !most.compare_exchange_weak(m, n)) {
    }
    usleep(3000);
    --running;
    return reply("x");
  });
  config.endpoints[0].calls = 3;
  open(config);
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i)
    threads.emplace_back([&, i] { (void)client->ask(question(std::to_string(i))); });
  for (std::thread& t : threads) t.join();
  EXPECT_LE(most, 3);
  EXPECT_EQ(server->request_count(), 12);
  server.reset();
}

// Returns the amount that a server with these prices bills for a reply.
Micro billed(std::int64_t input, std::int64_t output) { return input * 3 + output * 15; }

TEST_F(ClientTest, ConcurrentCallsNeverExceedTheCap) {
  std::atomic<std::int64_t> bill = 0;
  serve([&](const ReceivedRequest& s) {
    const std::int64_t input = 20 + s.number % 7, output = 100 - s.number % 13;
    if (s.number % 5 == 4) return status(500);
    bill += billed(input, output);
    return reply("x", input, output);
  });
  config.endpoints[0].calls = 16;
  config.endpoints[0].retries = 20;
  config.cap.money = 50'000;  // 0.05
  open(config);
  std::atomic<int> capped = 0;
  std::vector<std::thread> threads;
  std::atomic<std::int64_t> returned = 0;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&, i] {
      for (int k = 0; k < 100; ++k) {
        const auto out = client->ask(question(std::to_string(100 * i + k)));
        if (out) {
          returned += std::llround(out->cost * 1e6);
        } else {
          EXPECT_EQ(out.error().code, "cap") << out.error().message;
          ++capped;
          return;
        }
      }
    });
  for (std::thread& t : threads) t.join();
  server.reset();
  EXPECT_EQ(capped, 16);
  EXPECT_LE(bill, 50'000);
  EXPECT_EQ(log->spent().money, bill);
  EXPECT_EQ(returned, bill);
  // Calls were made until no further one fits, so the rest is less than the maximum cost of one call.
  EXPECT_GT(log->spent().money, 50'000 - 5'000);
  for (const LoggedCall& c : log->calls()) EXPECT_EQ(c.state, chat::CallState::kSettled);
  const Error e = error_of(question("more"));
  EXPECT_EQ(e.code, "cap");
  EXPECT_NE(e.message.find("of 0.05 left (0.00 held"), std::string::npos) << e.message;
}

TEST_F(ClientTest, ACallWaitsForBudgetThatOthersRelease) {
  serve([](const ReceivedRequest&) {
    usleep(20'000);
    return reply("x", 20, 5);
  });
  config.cap.money = 5'000;  // maximum cost of one call, and true cost of all of them
  open(config);
  std::vector<Error> errors(4);
  std::vector<std::thread> threads;
  for (Error& e : errors) threads.emplace_back([&] { e = error_of(question("Write.")); });
  for (std::thread& t : threads) t.join();
  for (const Error& e : errors) EXPECT_EQ(e.code, "none") << e.message;
  EXPECT_EQ(log->spent().money, 4 * billed(20, 5));
}

TEST_F(ClientTest, TheTokenCapHolds) {
  serve([](const ReceivedRequest&) { return reply("x", 60, 40); });
  config.cap.tokens = 3000;
  open(config);
  int answered = 0;
  Error e;
  while ((e = error_of(question("Write."))).code == "none") ++answered;
  EXPECT_EQ(e.code, "cap");
  EXPECT_NE(e.message.find("tokens"), std::string::npos);
  EXPECT_EQ(log->spent().tokens, 100 * answered);
  EXPECT_LE(log->spent().tokens, 3000);
  EXPECT_GT(answered, 20);
}

TEST_F(ClientTest, AKilledProcessLeavesMoreCountedThanSpent) {
  int port_pipe[2];
  ASSERT_EQ(pipe(port_pipe), 0);
  log.reset();
  const pid_t child = fork();  // before this process has threads
  if (child == 0) {
    int port = 0;
    if (read(port_pipe[0], &port, sizeof port) != sizeof port) _exit(1);
    Config c = config_for(fmt::format("http://127.0.0.1:{}/v1", port));
    c.endpoints[0].calls = 8;
    auto own = CallLog::open(path);
    auto asking = ChatClient::open(c, **own);
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&, i] {
        for (int k = 0; k < 1000; ++k) (void)(*asking)->ask(question(std::to_string(1000 * i + k)));
      });
    for (std::thread& t : threads) t.join();
    _exit(1);
  }
  std::atomic<std::int64_t> bill = 0;
  serve([&](const ReceivedRequest&) {
    bill += billed(50, 90);
    return reply("x", 50, 90);
  });
  const int port = server->port();
  ASSERT_EQ(write(port_pipe[1], &port, sizeof port), static_cast<ssize_t>(sizeof port));
  while (server->request_count() < 40) usleep(500);
  kill(child, SIGKILL);
  int ended = 0;
  waitpid(child, &ended, 0);
  ASSERT_TRUE(WIFSIGNALED(ended));
  for (const int end : port_pipe) close(end);
  server.reset();  // Calls in progress are billed by then.
  const auto again = CallLog::open(path);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_GE((*again)->spent().money, bill);
  EXPECT_LE((*again)->spent().money, bill + 8 * 5'000);
  for (const LoggedCall& c : (*again)->calls()) EXPECT_NE(c.state, chat::CallState::kOpen);
  // The cap includes them, in this process and any other.
  ASSERT_TRUE((*again)->set_cap({(*again)->spent().money + 10, 0}).has_value());
  EXPECT_EQ((*again)->begin(question("x"), 0, "m", {11, 0}, 0).error().code, "cap");
  EXPECT_TRUE((*again)->begin(question("x"), 0, "m", {10, 0}, 0).has_value());
}

TEST_F(ClientTest, ARepeatedTaskReusesRecordedReplies) {
  serve([](const ReceivedRequest& s) {
    return s.number == 2 ? status(400) : reply("reply " + std::to_string(s.number));
  });
  open(config);
  const auto all = [&](std::int64_t task) {
    std::string out;
    for (const char* text : {"a", "a", "b"}) out += error_of(question(text, task)).message + "|";
    return out;
  };
  const std::string first = all(3);
  EXPECT_EQ(first.substr(0, 16), "reply 0|reply 1|");  // equal questions, one after the other
  open(config);                                        // as a new process would
  EXPECT_EQ(all(3), "reply 0|reply 1|reply 3|");       // The failed question is asked again.
  open(config);
  EXPECT_EQ(all(3), "reply 0|reply 1|reply 3|");
  EXPECT_EQ(server->request_count(), 4);
  EXPECT_EQ(all(4), "reply 4|reply 5|reply 6|");  // Another task asks for itself.
  EXPECT_EQ(error_of(question("c")).message, "reply 7");
  open(config);
  EXPECT_EQ(error_of(question("c")).message, "reply 8");  // A question without a task is asked each time.

  // A replay of the call log gives the same replies and errors without a network.
  server.reset();
  auto played = ReplayedChat::open(path);
  ASSERT_TRUE(played.has_value());
  const auto play = [&](const char* text, std::int64_t task) {
    const auto out = (*played)->ask(question(text, task));
    return out ? out->text : out.error().code;
  };
  EXPECT_EQ(play("a", 3), "reply 0");
  EXPECT_EQ(play("a", 3), "reply 1");
  EXPECT_EQ(play("b", 3), "reply 3");
  EXPECT_EQ(play("c", 0), "reply 7");
  EXPECT_EQ(play("c", 0), "reply 8");
  EXPECT_EQ(play("c", 0), "replay");
  const auto missing = (*played)->ask(question("never\nasked", 5));
  EXPECT_EQ(missing.error().code, "replay");
  EXPECT_NE(missing.error().message.find("task 5, coder: no reply is recorded for this prompt: never asked"),
            std::string::npos)
      << missing.error().message;
}

TEST_F(ClientTest, RecordedErrorsAreReplayed) {
  serve([](const ReceivedRequest&) { return ScriptedResponse{.status = 400, .body = "no schema here"}; });
  open(config);
  const Error live = error_of(question("x", 1));
  const auto played = (*ReplayedChat::open(path))->ask(question("x", 1));
  EXPECT_EQ(played.error().code, live.code);
  EXPECT_EQ(played.error().message, live.message);
  EXPECT_EQ(played.error().hint, live.hint);
}

TEST_F(ClientTest, KeysAppearNowhere) {
  const std::string key = "sk-distinctive/4711+\"quoted\"";
  setenv("GABBRO_TEST_KEY", key.c_str(), 1);
  serve([key](const ReceivedRequest& s) {
    EXPECT_NE(s.head.find("Authorization: Bearer " + key), std::string::npos);
    switch (s.number) {
      case 0:
        return ScriptedResponse{.status = 400,
                                .body = json{{"error", {{"message", "bad: " + s.head}}}}.dump()};
      case 1:
        return ScriptedResponse{.status = 400, .body = s.head};
      case 2:
        return ScriptedResponse{.status = 401, .body = s.head};
      case 3:
        return ScriptedResponse{.body = s.head};
      case 4:
        return reply("your key is " + key + ", thank you");
      case 5:
        return ScriptedResponse{
            .body = R"({"choices":[{"message":{"content":"sk-distinctiv\u0065\/4711+\"quoted\""}}]})"};
      case 6:
        return ScriptedResponse{.status = 302, .headers = "Location: http://127.0.0.1:1/?k=" + key + "\r\n"};
      case 7:
        return ScriptedResponse{.status = 400,
                                .body = std::string(190, 'x') + key};  // Messages are cut after 200 bytes.
      default:
        return status(500);
    }
  });
  config.endpoints[0].key = "GABBRO_TEST_KEY";
  open(config);
  std::string said;
  for (int i = 0; i < 10; ++i) {
    time = time + 10'000;  // after any pause
    const auto out = client->ask(question("Here is " + key + " from a user's file", i));
    said += out ? out->text : format_error("x", out.error());
    said += client->pause_reason().value_or("") + "\n";
  }
  unsetenv("GABBRO_TEST_KEY");
  EXPECT_NE(said.find("your key is [key], thank you"), std::string::npos) << said;
  for (const ReceivedRequest& s : server->received()) said += s.body;
  client.reset();
  for (const auto& t : log->exchanges(4)) said += t.request.messages[1].text;
  log.reset();
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    said.append(std::istreambuf_iterator<char>(file), {});
  }
  EXPECT_NE(said.find("[key] from a user's file"), std::string::npos);
  EXPECT_EQ(said.find("sk-dis"), std::string::npos) << said.substr(said.find("sk-dis"), 100);
  EXPECT_EQ(said.find("4711"), std::string::npos);
}

TEST_F(ClientTest, AMissingKeyIsReported) {
  config = config_for("http://127.0.0.1:1/v1");
  config.endpoints[0].key = "GABBRO_NEVER_SET";
  const auto made = ChatClient::open(config, *log);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, "chat key");
  EXPECT_NE(made.error().message.find("GABBRO_NEVER_SET is not set"), std::string::npos);
  setenv("GABBRO_NEVER_SET", "abc\ndef-secret", 1);
  const auto broken = ChatClient::open(config, *log);
  unsetenv("GABBRO_NEVER_SET");
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().message.find("def-secret"), std::string::npos);
}

TEST_F(ClientTest, ModelsAreDrawnByWeightAndEqualRequestsAlike) {
  serve([](const ReceivedRequest&) { return reply("x"); });
  config.models.push_back(config.models[0]);
  config.models[1].name = "other";
  config.models[1].roles = {{"coder", 3}};
  open(config);
  std::map<std::string, int> count;
  for (int i = 0; i < 40; ++i) ++count[client->ask(question(std::to_string(i), 1))->model];
  EXPECT_GT(count["other"], 20);
  EXPECT_GT(count["m"], 2);
  EXPECT_EQ(client->ask(question("plan", 1, "planner"))->model, "m");
  std::set<std::size_t> first;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto order = drawn_order(config, "coder", seed);
    ASSERT_EQ(order.size(), 2u);
    EXPECT_EQ(order, drawn_order(config, "coder", seed));
    first.insert(order[0]);
  }
  EXPECT_EQ(first.size(), 2u);
}

TEST_F(ClientTest, LearnedOrderWeighsWorthAgainstCost) {
  config = config_for("http://127.0.0.1:1/v1");
  config.models.push_back(config.models[0]);
  config.models[1].name = "other";
  const auto best = [&](double worth, double other, Micro cost, Micro other_cost) {
    return learned_order(
        config, "coder", 1,
        {{.role = "coder", .model = "m", .judged = 200, .sum = 200 * worth, .calls = 200, .cost = 200 * cost},
         {.role = "coder",
          .model = "other",
          .judged = 200,
          .sum = 200 * other,
          .calls = 200,
          .cost = 200 * other_cost},
         {.role = "planner", .model = "other", .judged = 200, .sum = 200, .calls = 200, .cost = 0}})[0];
  };
  EXPECT_EQ(best(0.9, 0.3, 100, 100), 0u);
  EXPECT_EQ(best(0.3, 0.9, 100, 100), 1u);
  EXPECT_EQ(best(0.9, 0.6, 1000, 100), 1u);  // less worth, but far cheaper
  EXPECT_EQ(best(0.9, 0.0, 1000, 0), 1u);    // 0.0 plus its bonus, at a tenth of the cost
  EXPECT_EQ(best(0.9, 0.3, 0, 0), 0u);       // both are free
  const auto unknown = learned_order(
      config, "coder", 1, {{.role = "coder", .model = "m", .judged = 5, .sum = 5, .calls = 5, .cost = 5}});
  EXPECT_EQ(unknown[0], 1u);  // A model that was never judged comes first.
}

TEST_F(ClientTest, TotalsAddUpByRoleModelAndTask) {
  serve([](const ReceivedRequest& s) { return s.number == 3 ? status(400) : reply("x", 100, 10); });
  open(config);
  for (const char* role : {"coder", "planner", "coder", "coder"}) (void)client->ask(question("x", 9, role));
  (void)client->ask(question("x", 10));
  const auto roles = log->totals(CallLog::By::kRole);
  ASSERT_EQ(roles.size(), 2u);
  EXPECT_EQ(roles[0].name, "coder");
  EXPECT_EQ(roles[0].calls, 4);
  EXPECT_EQ(roles[0].failed, 1);
  EXPECT_EQ(roles[0].counted.money, 3 * 450);
  const auto tasks = log->totals(CallLog::By::kTask);
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].name, "9");
  EXPECT_EQ(tasks[0].counted.money + tasks[1].counted.money, log->spent().money);
  const auto models = log->totals(CallLog::By::kModel);
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].usage.input, 400);
  ASSERT_TRUE(log->record_worth("coder", "m", 1).has_value());
  ASSERT_TRUE(log->record_worth("coder", "m", 0.5).has_value());
  for (const auto& w : log->worths())
    if (w.role == "coder") {
      EXPECT_EQ(w.judged, 3);  // The refused call is worth nothing.
      EXPECT_DOUBLE_EQ(w.sum, 1.5);
    }
}

// A reader copies the log beside its writer, and after it, when the reader itself may not change the file.
TEST_F(ClientTest, ReadersCopyTheLog) {
  serve([](const ReceivedRequest&) { return reply("x", 100, 10); });
  open(config);
  (void)client->ask(question("x", 9));
  const auto expect_copy = [&](const char* name) {
    const auto reader = CallLog::read(path);
    ASSERT_TRUE(reader) << reader.error().message;
    const auto copied = (*reader)->copy_to(folder / name);
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_FALSE((*reader)->copy_to(folder / name)) << "nothing is overwritten";
    const auto copy = CallLog::read(folder / name);
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_EQ((*copy)->exchanges(9).size(), 1U);
    EXPECT_EQ((*copy)->spent().money, (*reader)->spent().money);
  };
  expect_copy("beside.db");
  client.reset();
  log.reset();
  expect_copy("after.db");
  EXPECT_FALSE(fs::exists(path + "-wal")) << "readers leave no files";
}

TEST_F(ClientTest, OnlyCallLogsAreOpened) {
  EXPECT_NE(CallLog::read(folder / "none.db").error().message.find("not found"), std::string::npos);
  std::ofstream(folder / "text.db") << std::string(5000, 'x');
  EXPECT_EQ(CallLog::open(folder / "text.db").error().code, "store");
  EXPECT_EQ(CallLog::open(folder / "none" / "x.db").error().code, "store");
  EXPECT_TRUE(CallLog::read(path).has_value());  // Reading is possible beside the writer.
}

TEST(RetryAfter, NumbersAndDates) {
  const auto seconds = [](const std::string& text) { return retry_after({{"retry-after", text}}, "", 1e9); };
  EXPECT_EQ(seconds("12"), 12);
  EXPECT_EQ(seconds("0.5"), 0.5);
  EXPECT_EQ(seconds("Sun, 09 Sep 2001 01:46:50 GMT"), 10);
  EXPECT_EQ(seconds("Sun, 09 Sep 2001 01:00:00 GMT"), 0);
  for (const char* text : {"", "soon", "-1", "inf", "12 s", "Sun, 99 Sep 2001 01:46:50 GMT"})
    EXPECT_FALSE(seconds(text).has_value()) << text;
  EXPECT_FALSE(retry_after({}, "", 0).has_value());
  EXPECT_EQ(retry_after({{"retry-after-ms", "4200"}}, "", 0), 4.2);
}

TEST(RetryAfter, Words) {
  const auto seconds = [](const std::string& text) { return retry_after({}, text, 0).value_or(-1); };
  EXPECT_DOUBLE_EQ(seconds("Limit 10000, Used 9000. Please try again in 4.842s. Visit"), 4.842);
  EXPECT_DOUBLE_EQ(seconds("Please try again in 1m30s"), 90);
  EXPECT_DOUBLE_EQ(seconds("TRY AGAIN IN 500ms"), 0.5);
  EXPECT_DOUBLE_EQ(seconds("please retry in 30 seconds."), 30);
  EXPECT_DOUBLE_EQ(seconds("Please retry after 2 minutes"), 120);
  EXPECT_DOUBLE_EQ(seconds("try again in 1 day"), 86400);
  EXPECT_DOUBLE_EQ(seconds(R"({"error":{"details":[{"retryDelay": "34s"}]}})"), 34);
  EXPECT_DOUBLE_EQ(seconds("try again in 7"), 7);
  for (const char* text : {"", "try again in a while", "slow down", "try again in -3s"})
    EXPECT_EQ(seconds(text), -1) << text;
}

TEST(ScriptedChat, RepliesInOrderAndRecordsRequests) {
  ScriptedChat chat(std::map<std::string, std::deque<std::string>>{{"coder", {"one", "two"}}});
  EXPECT_EQ(chat.ask(question("a"))->text, "one");
  EXPECT_EQ(chat.ask(question("b"))->text, "two");
  EXPECT_EQ(chat.ask(question("c")).error().code, "replay");
  EXPECT_EQ(chat.requests().size(), 3u);
  ScriptedChat echo([](const ChatRequest& r) -> Result<std::string> { return r.messages.back().text; },
                    0.001);
  EXPECT_EQ(echo.ask(question("hi"))->text, "hi");
}

}  // namespace
}  // namespace gabbro::chat
