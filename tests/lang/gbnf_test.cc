// Tests the generated grammar against the parser: the grammar accepts every canonical program, and every
// sample of the grammar parses.
#include "lang/gbnf.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "lang/gbnf_matcher.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "zoo/embedded.h"

namespace gabbro::lang {
namespace {

using testing::Grammar;
using testing::refused_at;
using testing::Sequence;
using testing::Symbol;

// Appends a random text that `symbol` matches.
void sample(const Grammar& g, const Symbol& symbol, Random& random, int depth, std::string& out) {
  if (symbol.rule < 0) {
    if (symbol.inverted) {
      out += static_cast<char>('a' + random.below(26));
      return;
    }
    const auto& [low, high] = random.pick(symbol.ranges);
    out += static_cast<char>(low + random.below(high - low + 1));
    return;
  }
  const auto& choices = g.rules[symbol.rule];
  // At great depth, the shortest alternative is chosen, so that the sample ends.
  constexpr int kDeep = 24;
  const Sequence* chosen = &choices[random.below(static_cast<std::int64_t>(choices.size()))];
  if (depth > kDeep)
    for (const Sequence& s : choices)
      if (s.size() < chosen->size()) chosen = &s;
  for (const Symbol& s : *chosen) sample(g, s, random, depth + 1, out);
}

TEST(Gbnf, AcceptsTheZooInCanonicalForm) {
  const std::string text = gbnf();
  const Grammar g(text);
  int count = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) {
    const std::string canonical = print(parse(entry.text).program);
    const std::size_t at = refused_at(g, canonical);
    EXPECT_EQ(at, std::string::npos) << entry.file << " is refused before: " << canonical.substr(at, 60);
    ++count;
  }
  EXPECT_GT(count, 2);
}

TEST(Gbnf, RejectsTextsThatAreNotPrograms) {
  const std::string text = gbnf();
  const Grammar g(text);
  for (const char* bad : {"unit A(x: [t, D]) -> [t, D]:\n    return if\n", "def f(x):\n    return x\n",
                          "unit A(x: [t, D]) -> [t, D]:\n  return x\n", "x = 1\n"})
    EXPECT_NE(refused_at(g, bad), std::string::npos) << bad;
}

TEST(Gbnf, SamplesParse) {
  const std::string text = gbnf();
  const Grammar g(text);
  const Symbol item{g.names.at("item"), {}, false};
  int parsed = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Random random(seed);
    std::string program;
    sample(g, item, random, 0, program);
    const ParseResult result = parse(program);
    bool limit = false;
    for (const Error& e : result.errors)
      limit = limit || e.code == "limit" || e.message.find("twice") != std::string::npos;
    if (limit) continue;  // a context-free grammar cannot express depth and repeated names
    ++parsed;
    ASSERT_TRUE(result.errors.empty()) << "seed " << seed << "\n"
                                       << format_error("sample", result.errors[0]) << "\n"
                                       << program;
  }
  EXPECT_GT(parsed, 1000);
}

TEST(Gbnf, SamplesOfAUnitParseAndKeepItsSignature) {
  const std::string text = gbnf_unit("Two", {"x", "first"}, {"value"});
  const Grammar g(text);
  const Symbol root{g.names.at("root"), {}, false};
  int parsed = 0;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    Random random(seed);
    std::string program;
    sample(g, root, random, 0, program);
    const ParseResult result = parse(program);
    if (std::any_of(result.errors.begin(), result.errors.end(), [](const Error& e) {
          return e.code == "limit" || e.message.find("twice") != std::string::npos;
        }))
      continue;
    ++parsed;
    ASSERT_TRUE(result.errors.empty()) << "seed " << seed << "\n"
                                       << format_error("sample", result.errors[0]) << "\n"
                                       << program;
    ASSERT_EQ(result.program.items.size(), 1U);
    const auto* unit = std::get_if<Unit>(&result.program.items[0].value);
    ASSERT_TRUE(unit);
    EXPECT_EQ(unit->name, "Two");
    EXPECT_EQ(unit->inputs.size(), 2U);
    ASSERT_EQ(unit->outputs.size(), 2U);
    EXPECT_EQ(unit->outputs[1].name, "value");
  }
  EXPECT_GT(parsed, 500);
}

}  // namespace
}  // namespace gabbro::lang
