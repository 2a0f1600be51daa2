// Tests of the commands that check configured models and show the cost of a campaign's conversations.
#include "agents/check.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "chat/client.h"
#include "chat/server.h"
#include "paths.h"

namespace gabbro::agents {
namespace {

namespace fs = std::filesystem;
using chat::CallLog;
using chat::ChatClient;
using chat::ChatRequest;
using chat::MessageAuthor;
using chat::parse_config;
using chat::ReceivedRequest;
using chat::ScriptedResponse;
using chat::Server;
using nlohmann::json;

ScriptedResponse answer(const std::string& text, std::size_t input = 40) {
  const json body{{"choices", {{{"message", {{"content", text}}}, {"finish_reason", "stop"}}}},
                  {"usage", {{"prompt_tokens", input}, {"completion_tokens", 5}}}};
  return {.body = body.dump()};
}

// kObeys: schemas and grammars are followed. kThinks: as well, after thoughts that the server does not
// remove. kIgnores: they are not. kCuts: as kObeys, but only 2048 tokens of a prompt are read.
enum class Manner { kObeys, kThinks, kIgnores, kCuts };

ScriptedResponse respond(const ReceivedRequest& s, Manner manner) {
  const json body = json::parse(s.body);
  if (body["model"] == "unknown") return {.status = 404, .body = R"({"error":{"message":"no such model"}})"};
  const std::string before = manner == Manner::kThinks ? "Is it {\"a\": 1}?\n</think>\n\n" : "";
  constexpr std::size_t kLong = 3000;  // bytes
  if (s.body.size() > kLong) return answer("basalt", manner == Manner::kCuts ? 2048 : s.body.size() / 4);
  if (body.contains("response_format") && manner != Manner::kIgnores)
    return answer(before + R"({"colour":"red","count":3})");
  if (body.contains("grammar") && manner != Manner::kIgnores) return answer(before + "yes");
  return answer("Well, that is a good question.");
}

std::string toml(const std::string& url, const std::string& model = "q") {
  return fmt::format(R"([cap]
money = 1
[[endpoint]]
name = "local"
url = "{}"
structured = "grammar"
retries = 0
[[model]]
name = "small"
endpoint = "local"
model = "{}"
input = 1
output = 2
)",
                     url, model);
}

class CommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder = fs::path(::testing::TempDir()) / ("gabbro_talk" + std::to_string(getpid()));
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string gabbro(const std::string& arguments) {
    const std::string out = folder / "out";
    const int status =
        std::system(fmt::format("no_proxy=127.0.0.1 {} {} > {} 2>&1", gabbro_path(), arguments, out).c_str());
    code = WEXITSTATUS(status);
    std::ifstream file(out);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string write(const std::string& text) {
    std::ofstream(folder / "agents.toml") << text;
    return folder / "agents.toml";
  }

  fs::path folder;
  int code = -1;
};

TEST_F(CommandTest, AgentsTestReportsEachModel) {
  {
    const Server good([](const ReceivedRequest& s) { return respond(s, Manner::kObeys); });
    const std::string out = gabbro("agents test --agents " + write(toml(good.url())));
    EXPECT_EQ(code, 0) << out;
    for (const char* line : {"small at local", "answers      yes, in ", "structured   yes",
                             "grammar      yes", "long prompt  yes, ", "for 4 calls, "})
      EXPECT_NE(out.find(line), std::string::npos) << line << "\n" << out;
  }
  {
    const Server loose([](const ReceivedRequest& s) { return respond(s, Manner::kIgnores); });
    const std::string out = gabbro("agents test --agents " + write(toml(loose.url())));
    EXPECT_EQ(code, 1) << out;
    for (const char* line :
         {"answers      yes", "structured   no [chat reply]: the reply is not valid under the schema: Well",
          "grammar      no [chat reply]: the reply is not valid under the grammar: Well", "hint: "})
      EXPECT_NE(out.find(line), std::string::npos) << line << "\n" << out;
    const std::string missing = gabbro("agents test --agents " + write(toml(loose.url(), "unknown")));
    EXPECT_EQ(code, 1);
    EXPECT_NE(missing.find("no [chat reply]: local: status 404: no such model"), std::string::npos)
        << missing;
  }
  {
    const Server cut([](const ReceivedRequest&) {
      const nlohmann::json body{
          {"choices", {{{"message", {{"content", "{\"colour\": \"r"}}}, {"finish_reason", "length"}}}}};
      return ScriptedResponse{.body = body.dump()};
    });
    const std::string out = gabbro("agents test --agents " + write(toml(cut.url())));
    EXPECT_NE(out.find("the reply was cut at its limit of 200 tokens and is not valid under the schema"),
              std::string::npos)
        << out;
  }
  const std::string gone = gabbro("agents test --agents " + write(toml("http://127.0.0.1:1/v1")));
  EXPECT_EQ(code, 1);
  EXPECT_NE(gone.find("no [chat down]: local: http://127.0.0.1:1/v1/chat/completions"), std::string::npos)
      << gone;
  EXPECT_NE(gabbro("agents test --agents " + write("[cap]\nmony = 1\n")).find(":2:8: error[agents]"),
            std::string::npos);
  EXPECT_EQ(code, 2);
  EXPECT_NE(gabbro("agents test --agents /nowhere.toml").find("cannot read /nowhere.toml: No such file"),
            std::string::npos);
  EXPECT_EQ(code, 2);
}

TEST_F(CommandTest, CostPrintsTheSumsOfTheCallLog) {
  EXPECT_NE(gabbro("cost " + folder.string()).find("there are no conversations in"), std::string::npos);
  EXPECT_EQ(code, 2);
  const Server server([](const ReceivedRequest& s) { return respond(s, Manner::kObeys); });
  {
    const auto log = CallLog::open(folder / "calls.db");
    const auto config = parse_config(toml(server.url()));
    ASSERT_TRUE(config.has_value());
    const auto client = ChatClient::open(*config, **log);
    ChatRequest r;
    r.messages = {{MessageAuthor::kUser, "hello"}};
    for (const char* role : {"coder", "coder", "planner"}) {
      r.role = role, r.task = 5;
      ASSERT_TRUE((*client)->ask(r).has_value());
    }
    ASSERT_TRUE((*log)->begin(r, 1, "small", {1000, 500}, 0).has_value());  // This call stays open.
  }
  const std::string out = gabbro("cost " + folder.string());
  EXPECT_EQ(code, 0);
  for (const char* line : {"cost    0.00115 of 1.00, 0.99885 left", "tokens  635, no cap",
                           "held    0.001 and 500 tokens", "coder                  2       0          80"})
    EXPECT_NE(out.find(line), std::string::npos) << line << "\n" << out;
  const json j = json::parse(gabbro("cost --json " + folder.string()));
  EXPECT_EQ(j["spent"]["tokens"], 635);
  EXPECT_EQ(j["held"]["money"], 0.001);
  EXPECT_EQ(j["left"]["tokens"], nullptr);
  EXPECT_EQ(j["tasks"][0]["name"], "5");
  EXPECT_EQ(j["models"][0]["calls"], 4);
}

}  // namespace
}  // namespace gabbro::agents
