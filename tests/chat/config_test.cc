// Tests of agents.toml: its values, and the messages for errors in it.
#include "chat/config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "chat/estimate.h"
#include "paths.h"

namespace gabbro::chat {
namespace {

constexpr const char* kGood = R"(
[cap]
money = 5.0
tokens = "20M"
[[endpoint]]
name = "local"
url = "http://127.0.0.1:8080/v1/"
structured = "grammar"
calls = 2
[[endpoint]]
name = "far"
kind = "anthropic"
url = "https://example.org/v1"
key = "FAR_KEY"
[[model]]
name = "small"
endpoint = "local"
model = "q"
context = "8k"
roles = { coder = 3.0, observer = 1 }
[[model]]
name = "large"
endpoint = "far"
model = "c-1"
input = 3.0
cached = 0.3
output = 15
[pipeline]
anything = 1
)";

Error error_of(std::string text) {
  const auto c = parse_config(text);
  return c ? Error{} : c.error();
}

// Returns kGood with `to` in the place of `from`.
std::string with(std::string from, const std::string& to) {
  std::string text = kGood;
  const std::size_t begin = text.find(from);
  EXPECT_NE(begin, std::string::npos) << from;
  return text.replace(begin, from.size(), to);
}

TEST(Config, ReadsAllValues) {
  const auto c = parse_config(kGood);
  ASSERT_TRUE(c.has_value()) << format_error("agents.toml", c.error());
  EXPECT_EQ(c->cap.money, 5'000'000);
  EXPECT_EQ(c->cap.tokens, 20'000'000);
  EXPECT_EQ(c->endpoints[0].url, "http://127.0.0.1:8080/v1");
  EXPECT_EQ(c->endpoints[0].structured, Structured::kGrammar);
  EXPECT_EQ(c->endpoints[0].calls, 2);
  EXPECT_EQ(c->endpoints[1].structured, Structured::kTool);
  EXPECT_EQ(c->key_variables(), std::vector<std::string>{"FAR_KEY"});
  EXPECT_EQ(c->models[0].context, 8000);
  EXPECT_EQ(c->models[0].weight("coder"), 3);
  EXPECT_EQ(c->models[0].weight("planner"), 0);
  EXPECT_EQ(c->models[1].weight("planner"), 1);
  EXPECT_EQ(c->models[1].endpoint, 1u);
  EXPECT_EQ(c->models[1].price.written, 3'750'000);  // a quarter more than the input price
}

TEST(Config, ErrorsHaveTheirPosition) {
  const struct {
    std::string text, message;
    int line;
  } rows[] = {
      {with("money = 5.0", "mony = 5.0"), "cap: unknown key 'mony'", 3},
      {with("tokens = \"20M\"", "tokens = \"many\""), "tokens must be an amount", 4},
      {with("calls = 2", "calls = 0"), "calls is 0, outside 1 to 1000", 9},
      {with("kind = \"anthropic\"", "kind = \"claude\""), "kind must be one of \"openai\", \"anthropic\"",
       12},
      {with("\"grammar\"", "\"tool\""), "structured must be one of", 8},
      {with("https://example.org/v1", "example.org"), "not an HTTP URL", 13},
      {with("https://example.org", "https://me:secret@example.org"),
       "must not contain a user name, a password", 13},
      {with("\"FAR_KEY\"", "\"sk-123\""), "not a valid environment variable name", 14},
      {with("coder = 3.0", "codr = 3.0"), "unknown role 'codr'", 20},
      {with("coder = 3.0", "coder = -1"), "the weight of coder", 20},
      {with("endpoint = \"far\"", "endpoint = \"fra\""), "unknown endpoint 'fra'", 23},
      {with("name = \"large\"", "name = \"small\""), "two models are named 'small'", 21},
      {with("input = 3.0", "input = -3.0"), "input must be a number of at least 0", 25},
      {with("[pipeline]", "[pipelin]"), "unknown key 'pipelin'", 28},
      {with("output = 15", "output = 15\nroles = { coder = 1 }"), "no model has the role of librarian", 0},
      {"[[model]]\nname = \"x\"", "there is no [[endpoint]]", 0},
      {"[cap\n", "", 1},
  };
  for (const auto& row : rows) {
    const Error e = error_of(row.text);
    EXPECT_EQ(e.code, "agents") << row.message;
    EXPECT_NE(e.message.find(row.message), std::string::npos) << e.message;
    EXPECT_EQ(e.at.line, row.line) << e.message;
  }
  EXPECT_EQ(error_of(with("\"FAR_KEY\"", "\"sk-123\"")).message.find("sk-123"), std::string::npos);
}

TEST(Config, TheExampleOfTheDocumentationIsValid) {
  std::ifstream file(source_path("/docs/agents.md"));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t from = text.find("```toml\n"), to = text.find("```\n", from + 8);
  ASSERT_NE(to, std::string::npos);
  const auto c = parse_config(text.substr(from + 8, to - from - 8));
  ASSERT_TRUE(c.has_value()) << format_error("docs/agents.md", c.error());
  EXPECT_EQ(c->models.size(), 3u);
  EXPECT_EQ(c->models[2].thinking, 8000);
  EXPECT_EQ(c->key_variables().size(), 2u);
}

TEST(Config, MoneyIsExactAndRoundedUp) {
  const Price p{.input = 3'000'000, .cached = 300'000, .written = 3'750'000, .output = 15'000'000};
  EXPECT_EQ(cost_of(p, {.input = 1000, .output = 100}), 3000 + 1500);
  EXPECT_EQ(cost_of(p, {.input = 1000, .cache_read = 600, .cache_written = 200}), 200 * 3 + 180 + 750);
  EXPECT_EQ(cost_of({.input = 150'000}, {.input = 1}), 1);  // 0.15 millionths are rounded up to 1
  EXPECT_EQ(cost_of({}, {.input = 1'000'000'000, .output = 1'000'000'000}), 0);
  EXPECT_EQ(cost_of({.input = 100'000'000'000}, {.input = 1'000'000'000}), 100'000'000'000'000);
  EXPECT_EQ(money_text(5'000'000), "5.00");
  EXPECT_EQ(money_text(31'200), "0.0312");
  EXPECT_EQ(money_text(-1), "-0.000001");
}

TEST(Config, AnEstimateFollowsWeightsAndPrices) {
  const auto c = parse_config(kGood);
  ASSERT_TRUE(c.has_value());
  const auto e = estimate(*c, {{.role = "coder", .calls = 10, .input = 1000, .cached = 600, .output = 200},
                               {.role = "planner", .calls = 2, .input = 500, .cached = 0, .output = 100}});
  ASSERT_EQ(e.size(), 2u);
  EXPECT_DOUBLE_EQ(e[0].tokens, 12000);
  EXPECT_NEAR(e[0].money, 10 * (400 * 3 + 600 * 0.3 + 200 * 15) / 1e6 / 4,
              1e-12);  // A quarter of the calls goes to the large model.
  EXPECT_NEAR(e[1].money, 2 * (500 * 3 + 100 * 15) / 1e6, 1e-12);
}

}  // namespace
}  // namespace gabbro::chat
