// Tests the trees of good programs, limits, and recovery after errors. The errors themselves are tested in
// parse_error_test.cc.
#include "lang/parser.h"

#include <gtest/gtest.h>

#include <string>

#include "lang/dump.h"
#include "lang/mutate.h"
#include "lang/round_trip.h"
#include "lang/samples.h"

namespace gabbro::lang {
namespace {

using testing::dump;

struct TreeRow {
  const char* text;
  const char* tree;
};

TEST(ParseExpression, Trees) {
  const TreeRow rows[] = {
      {"a + b - c", "(- (+ a b) c)"},
      {"a - (b - c)", "(- a (- b c))"},
      {"a + b * c", "(+ a (* b c))"},
      {"a // b % c / d", "(/ (% (// a b) c) d)"},
      {"-a * b", "(* (- a) b)"},
      {"-a ** b", "(- (** a b))"},
      {"(-a) ** -b", "(** (- a) (- b))"},
      {"a ** b ** c", "(** a (** b c))"},
      {"a ** -b ** c", "(** a (- (** b c)))"},
      {"--a", "(- (- a))"},
      {"a + b < c * d", "(< (+ a b) (* c d))"},
      {"a if b == c else d if e else f", "(if a (== b c) (if d e f))"},
      {"f()", "(call f)"},
      {"f(a, g(b), over=k, to=[h, k],)", "(call f a (call g b) over=k to=(list h k))"},
      {"skip[i - 1] + y[0]", "(+ (index skip (- i 1)) (index y 0))"},
      {"[]", "(list)"},
      {"[a if b else c, true, false, all]", "(list (if a b c) true false all)"},
      {"12 * Block(mixer=GLA(heads=4))", "(* 12 (call Block mixer=(call GLA heads=4)))"},
      {"1e-5 + .5 + 2. + 1E3 + 007", "(+ (+ (+ (+ 1e-05 0.5) 2) 1000) 7)"},
      {"\n  f(\n# comment\na)\n", "(call f a)"},
  };
  for (const auto& row : rows) {
    const auto expr = parse_expression(row.text);
    ASSERT_TRUE(expr.has_value()) << row.text << ": " << expr.error().message;
    EXPECT_EQ(dump(*expr), row.tree) << row.text;
  }
}

TEST(ParseExpression, PositionsAreThoseOfOperatorsAndNames) {
  const Expr expr = parse_expression("a +\n  f(b, 1) if c[2] else [-d]").value();
  EXPECT_EQ(expr.at, (Position{2, 11}));                  // if
  EXPECT_EQ(expr.args[0].at, (Position{1, 3}));           // +
  EXPECT_EQ(expr.args[0].args[1].at, (Position{2, 3}));   // f
  EXPECT_EQ(expr.args[1].at, (Position{2, 14}));          // c[2]
  EXPECT_EQ(expr.args[2].at, (Position{2, 24}));          // [
  EXPECT_EQ(expr.args[2].args[0].at, (Position{2, 25}));  // -
}

TEST(Parse, Statements) {
  const char* head = "unit U(x: [t, D]) -> [t, D]:\n";
  const TreeRow rows[] = {
      {"axis h = heads, k = D / heads", "(axis h k =heads =(/ D heads))"},
      {"share n = Norm(eps=1)", "(share n =(call Norm eps=1))"},
      {"y = x  # why", "(assign ##why# y =x)"},
      {"a, b[i + 1] = f(x)", "(assign a (index b (+ i 1)) =(call f x))"},
      {"y = f(x,  # one\n\n  z\n# two\n)  # three", "(assign #one# #two# ##three# y =(call f x z))"},
      {"scan S: [h, k] = 0, z: [] = 1:\n        S = z", "(scan S z :(list h k) :(list) =0 =1 (assign S =z))"},
      {"for i in n - 1:\n     y = x", "(for i =(- n 1) (assign y =x))"},
      {"for i in n with y = x, z = w:  # c\n        # d\n        y = z",
       "(for ##c# i y z =n =x =w (assign #d# y =z))"},
  };
  for (const auto& row : rows) {
    const auto result = parse(std::string(head) + "    " + row.text + "\n    return y, z\n");
    ASSERT_TRUE(result.errors.empty()) << row.text << ": " << result.errors[0].message;
    const auto& body = std::get<Unit>(result.program.items[0].value).body;
    ASSERT_EQ(body.size(), 2u) << row.text;
    EXPECT_EQ(dump(body[0]), row.tree) << row.text;
    EXPECT_EQ(dump(body[1]), "(return =y =z)");
  }
}

TEST(Parse, Items) {
  const TreeRow rows[] = {
      {"fn f(a, b=1 / 3):\n  return a\n", "(fn f a b=(/ 1 3) (return =a))\n"},
      {"fn f():\n  return 0", "(fn f (return =0))\n"},
      {"interface I(x: [t, D], y: []) -> [t, D], v: [h, k]  # note\n",
       "(#note# interface I (x:[t D ]y:[]) (:[t D ]v:[h k ]))\n"},
      {"unit U(x: [t, D],\n  n: int in {1, 2 .. all} = 2, m: free real = 1, b: bool, s: Unit = A(n=1),\n) -> "
       "[t, D]:\n return x",
       "(unit U (x:[t D ]) (n:0 1..1 2..all =2) (m:free 1 =1) (b:2) (s:3Unit =(call A n=1)) (:[t D ]) "
       "(return =x))\n"},
      {"design M:\n  stack = [2 * A, c]\n  share c = B # c\n  # d\n  width = 256\n",
       "(#c# #d# design M width=256 share c=B stack=(list (* 2 A) c))\n"},
      {"# above\n\n# more\nfn f():  # beside\n  return 0\n  # below\n# last",
       "(#above# #more# #beside# fn f (return =0))\n#below#\n#last#\n"},
      {"", ""},
  };
  for (const auto& row : rows) {
    const auto result = parse(row.text);
    ASSERT_TRUE(result.errors.empty()) << row.text << ": " << result.errors[0].message;
    EXPECT_EQ(dump(result.program), row.tree) << row.text;
  }
}

TEST(Parse, PositionsOfDeclarations) {
  const auto result = parse(
      "\nunit U(x: [t, D], n: int = 2) -> [t, D], v: [t]:\n    scan S: [h] = 0:\n        S = x\n    return "
      "S, S\n");
  ASSERT_TRUE(result.errors.empty());
  const auto& unit = std::get<Unit>(result.program.items[0].value);
  EXPECT_EQ(result.program.items[0].at, (Position{2, 1}));
  EXPECT_EQ(unit.inputs[0].at, (Position{2, 8}));
  EXPECT_EQ(unit.hypers[0].at, (Position{2, 19}));
  EXPECT_EQ(unit.outputs[0].at, (Position{2, 34}));
  EXPECT_EQ(unit.outputs[1].at, (Position{2, 42}));
  EXPECT_EQ(unit.body[0].at, (Position{3, 5}));
  EXPECT_EQ(unit.body[0].body[0].at, (Position{4, 9}));
  EXPECT_EQ(item_name(result.program.items[0]), "U");
}

// ---- Limits ----

std::string repeat(std::string_view piece, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += piece;
  return out;
}

TEST(ParseLimits, DepthOfExpressions) {
  const std::pair<const char*, const char*> nests[] = {{"(", ")"},           {"[", "]"},   {"f(", ")"},
                                                       {"a[", "]"},          {"-", ""},    {"a**", ""},
                                                       {"a if b else ", ""}, {"a + ", ""}, {"a * ", ""}};
  for (const auto& [open, close] : nests) {
    EXPECT_TRUE(parse_expression(repeat(open, 63) + "a" + repeat(close, 63)).has_value()) << open;
    for (const int depth : {200, 50000}) {
      const auto deep = parse_expression(repeat(open, depth) + "a" + repeat(close, depth));
      ASSERT_FALSE(deep.has_value()) << open;
      EXPECT_EQ(deep.error().code, "limit") << open;
      EXPECT_EQ(deep.error().message, "an expression nests deeper than the limit of 64");
      EXPECT_EQ(deep.error().hint, "split it: give parts of it names of their own, one statement each");
    }
  }
  EXPECT_FALSE(parse_expression(repeat("a + ", 64) + "a").has_value()) << "a chain is as deep as it is long";
}

TEST(ParseLimits, DepthOfBlocks) {
  const auto nested = [](int depth) {
    std::string text = "fn f():\n";
    for (int i = 1; i <= depth; ++i) text += std::string(static_cast<std::size_t>(i), ' ') + "for i in 3:\n";
    return text + std::string(static_cast<std::size_t>(depth) + 1, ' ') + "y = 1\n return y\n";
  };
  EXPECT_TRUE(parse(nested(63)).errors.empty());
  const auto errors = parse(nested(300)).errors;
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].code, "limit");
  EXPECT_EQ(errors[0].message, "blocks nest deeper than the limit of 64");
}

TEST(ParseLimits, SizesAndNumbers) {
  EXPECT_TRUE(parse(repeat("#\n", 1 << 19)).errors.empty());
  const auto large = parse(repeat("#\n", 1 << 19) + "#").errors;
  ASSERT_EQ(large.size(), 1u);
  EXPECT_EQ(large[0].message, "the text has 1048577 bytes, more than the limit of 1048576");
  const auto huge = parse_expression("1e999");
  ASSERT_FALSE(huge.has_value());
  EXPECT_EQ(huge.error().code, "limit");
  EXPECT_EQ(huge.error().message, "the number 1e999 is out of range");
  EXPECT_EQ(parse_expression("1e-999").error().message, "the number 1e-999 is out of range");
  EXPECT_EQ(parse_expression(repeat("9", 400)).error().message,
            "a number of 400 characters is longer than 40");
}

TEST(ParseLimits, AtMostTwentyErrors) {
  const auto result = parse("fn f():\n" + repeat("    y = f(x))\n", 50000) + "    return y\n");
  ASSERT_EQ(result.errors.size(), 20u);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(result.errors[static_cast<std::size_t>(i)].at, (Position{2 + i, 13}));
}

// ---- Recovery ----

TEST(ParseRecovery, OneErrorPerMistakeAndTheRestIsRead) {
  const auto result = parse(
      "unit A(x: [t, D] -> [t, D]:\n"  // 1:18
      "    y = x.norm\n"               // 2:10
      "    return y\n"
      "unit B(x: [t, D]) -> [t, D]:\n"
      "    y = f(x\n"          // 5:10
      "    scan S [h] = 0:\n"  // 6:12
      "        S = S ^ 2\n"    // 7:15
      "    z = y\n"
      "    return z\n"
      "design C:\n"
      "    depth = 3\n"  // 11:5
      "    stack = B\n");
  const Position places[] = {{1, 18}, {2, 10}, {5, 10}, {6, 12}, {7, 15}, {11, 5}};
  ASSERT_EQ(result.errors.size(), std::size(places));
  for (std::size_t i = 0; i < std::size(places); ++i) EXPECT_EQ(result.errors[i].at, places[i]) << i;
  ASSERT_EQ(result.program.items.size(), 2u);
  EXPECT_EQ(dump(std::get<Unit>(result.program.items[0].value).body), " (assign z =y) (return =z)");
  EXPECT_EQ(item_name(result.program.items[1]), "C");
}

TEST(ParseRecovery, MutantsAndSoupsNeverBreakTheContract) {
  Random random(20240611);
  int valid_cases = 0;
  for (int i = 0; i < 20000; ++i) {
    const bool from_soup = random.chance(0.2);
    const std::string text = from_soup ? testing::soup(random)
                                       : testing::mutate(random, std::string(random.pick(testing::kSamples)));
    bool valid = false;
    ASSERT_EQ(testing::round_trip_violation(text, valid), "") << "case " << i << "\n" << text;
    valid_cases += valid ? 1 : 0;
  }
  EXPECT_GT(valid_cases, 1000) << "mutants must reach the printer";
  EXPECT_LT(valid_cases, 19000) << "mutants must reach the errors";
}

}  // namespace
}  // namespace gabbro::lang
