// Tests of propose, review and agents bench against a loopback server that plays every role.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "agents/pieces.h"
#include "chat/server.h"
#include "cli/run.h"
#include "lang/check.h"

namespace gabbro {
namespace {

using namespace agents::testing;
using nlohmann::json;

// Returns only standard output; the steps go to standard error.
Output without_steps(const std::string& arguments) { return gabbro(arguments, "2>/dev/null"); }

// Answers in the role that the beginning of the prompt shows.
std::string answer_to(const std::string& prompt) {
  if (prompt.starts_with("You search a library")) return R"({"queries": ["gated memory"]})";
  if (prompt.starts_with("Propose one new design")) return kProposal;
  if (prompt.starts_with("You review a proposal")) return "\x1b[31m" + review_reply(4);
  if (prompt.starts_with("Turn the proposal into units")) return kPlan;
  if (prompt.starts_with("You write units")) return "```\n" + kUnit + "```";
  if (prompt.starts_with("You compare a finished program")) return observation_reply(4);
  if (prompt.starts_with("Write a new design as a whole program"))
    return kUnit + "\ndesign Mine:\n    stack = [4 * Block(mixer=LeakyMemory), RMSNorm]\n";
  return "?";
}

chat::ScriptedResponse play(const chat::ReceivedRequest& seen) {
  const json request = json::parse(seen.body);
  json reply{
      {"choices",
       {{{"message", {{"role", "assistant"}, {"content", answer_to(request["messages"][1]["content"])}}},
         {"finish_reason", "stop"}}}},
      {"usage", {{"prompt_tokens", 1000}, {"completion_tokens", 100}}}};
  return {200, reply.dump(), "Content-Type: application/json\r\n"};
}

class Agents : public ::testing::Test {
 protected:
  // Creates a folder with an agents.toml whose only model is the server; returns the options that name it.
  std::string write_config(const std::string& more = "") {
    const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    dir_ = ::testing::TempDir() + "agents_" + name;
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    std::ofstream(dir_ + "/agents.toml")
        << "[[endpoint]]\nname = \"here\"\nurl = \"" << server_.url()
        << "\"\nretries = 0\n[[model]]\nname = \"m\"\nendpoint = \"here\"\nmodel = \"m\"\n"
           "input = 1.0\noutput = 2.0\n"
        << more;
    return "--agents " + dir_ + "/agents.toml --dir " + dir_ + "/record ";
  }
  chat::Server server_{play};
  std::string dir_;
};

TEST_F(Agents, ProposeWritesADesign) {
  const std::string options = write_config();
  const std::string file = dir_ + "/design.gab";
  const Output out = gabbro("propose " + options + "--parent llama --direction 'no cache' --out " + file);
  ASSERT_EQ(out.code, 0) << out.text;
  for (const char* step : {"proposer", "reviewer", "planner", "coder", "observer", "kept: state",
                           "valid: LeakyMemory", "librarian", "6 calls"})
    EXPECT_NE(out.text.find(step), std::string::npos) << step << "\n" << out.text;
  EXPECT_EQ(out.text.find('\x1b'), std::string::npos) << "a reply does not steer the terminal";
  std::ifstream in(file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_TRUE(lang::check(text, zoo::library()).valid()) << text;
  EXPECT_NE(server_.received()[0].body.find("no cache"), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(dir_ + "/record/calls.db"));
}

TEST_F(Agents, ProposeAsJson) {
  const Output out = without_steps("propose --json " + write_config() + "--parent llama");
  ASSERT_EQ(out.code, 0) << out.text;
  const json report = json::parse(out.text);
  EXPECT_EQ(report["outcome"], "design");
  EXPECT_EQ(report["input_tokens"], 6000);
  EXPECT_NEAR(report["cost"].get<double>(), 6 * (1000 * 1.0 + 100 * 2.0) / 1e6, 1e-9);
}

TEST_F(Agents, AFailureHasItsCauseAndExitCode) {
  Output out = without_steps("propose --json " + write_config("[pipeline]\npass = 5\nattempts = 2\n") +
                             "--parent llama");
  EXPECT_EQ(out.code, 1);
  EXPECT_EQ(json::parse(out.text)["cause"], "review");
  out = without_steps("propose --json " + write_config("[cap]\nmoney = 0.0001\n") + "--parent llama");
  EXPECT_EQ(out.code, 1);
  EXPECT_EQ(json::parse(out.text)["cause"], "cap") << out.text;
}

TEST_F(Agents, WithoutAModelThereIsAMessageAndNoNumbers) {
  write_config();
  std::ofstream(dir_ + "/dead.toml")
      << "[[endpoint]]\nname = \"here\"\nurl = \"http://127.0.0.1:1/v1\"\nretries = 0\n"
         "[[model]]\nname = \"m\"\nendpoint = \"here\"\nmodel = \"m\"\n";
  const std::string options = "--agents " + dir_ + "/dead.toml --dir " + dir_ + "/record ";
  Output out = gabbro("propose " + options + "--parent llama");
  EXPECT_EQ(out.code, 2);
  EXPECT_NE(out.text.find("chat down"), std::string::npos) << out.text;
  out = without_steps("agents bench --json --designs 2 " + options);
  EXPECT_EQ(out.code, 1);
  const json bench = json::parse(out.text);
  for (const json& v : bench["variants"]) EXPECT_EQ(v["designs"], 0);
}

TEST_F(Agents, ReportsWrongUse) {
  const std::string options = write_config();
  EXPECT_EQ(without_steps("propose --agents /nowhere.toml").code, 2);
  EXPECT_EQ(without_steps("propose " + options + "--mode crossover --parent llama").code, 2);
  EXPECT_EQ(without_steps("propose " + options + "--mode dream").code, 2);
  EXPECT_EQ(without_steps("propose " + options + "--parent nothing_of_this_name").code, 2);
  EXPECT_EQ(server_.request_count(), 0);
  const Output out = gabbro("propose " + write_config("[pipeline]\nattemps = 1\n") + "--parent llama");
  EXPECT_EQ(out.code, 2);
  EXPECT_NE(out.text.find("agents.toml:12:"), std::string::npos) << out.text;
}

TEST_F(Agents, ReviewOfAFile) {
  const std::string options = write_config();
  const std::string file = dir_ + "/gla.gab";
  std::ofstream(file) << zoo_text("gla.gab");
  const Output out = without_steps("review " + options + file);
  EXPECT_EQ(out.code, 0);
  EXPECT_NE(out.text.find("m: rated 4 of 5, probability 0.30 of beating its parent"), std::string::npos)
      << out.text;
  EXPECT_NE(out.text.find("the gate may saturate"), std::string::npos);
}

TEST_F(Agents, BenchComparesVariants) {
  const std::string options =
      write_config("[pipeline]\nmutation = 1\ncrossover = 0\nscratch = 0\nattempts = 1\n");
  Output out = without_steps("agents bench --json --designs 3 " + options);
  ASSERT_EQ(out.code, 0) << out.text;
  const json result = json::parse(out.text);
  ASSERT_EQ(result["variants"].size(), 8U);
  EXPECT_TRUE(result["whole"]);
  EXPECT_EQ(result["variants"][0]["variant"], "direct");
  EXPECT_EQ(result["variants"][0]["valid"]["count"], 3);
  EXPECT_EQ(result["variants"][0]["calls"]["mean"], 1);
  EXPECT_GT(result["variants"][0]["novelty"]["mean"], 0.1);
  for (const json& v : result["variants"]) EXPECT_EQ(v["designs"], 3);
  // A repetition is answered from the call log, so it costs nothing and has the same result.
  const int requests = server_.request_count();
  out = without_steps("agents bench --json --designs 3 " + options);
  EXPECT_EQ(json::parse(out.text), result);
  EXPECT_EQ(server_.request_count(), requests);
  EXPECT_NE(without_steps("agents bench --designs 3 " + options).text.find("direct"), std::string::npos);
}

}  // namespace
}  // namespace gabbro
