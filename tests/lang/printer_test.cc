// Tests the canonical text: layout, parentheses, numbers, comments, and that it parses to the same tree.
#include "lang/printer.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>

#include "lang/dump.h"
#include "lang/mutate.h"
#include "lang/parser.h"
#include "lang/round_trip.h"
#include "lang/samples.h"

namespace gabbro::lang {
namespace {

using testing::dump;

struct Row {
  const char* text;
  const char* printed;
};

TEST(PrintExpression, FewestParentheses) {
  const Row rows[] = {
      {"((a)+(b))+c", "a + b + c"},
      {"a+(b+c)", "a + (b + c)"},
      {"a-(b*c)/(d*e)", "a - b * c / (d * e)"},
      {"(a*b)*c//(d//e)", "a * b * c // (d // e)"},
      {"-(a*b)*-c", "-(a * b) * -c"},
      {"(-a)*b", "-a * b"},
      {"-(-a)", "--a"},
      {"-(a**b)", "-a ** b"},
      {"(-a)**(-b)", "(-a) ** -b"},
      {"(a**b)**(c**d)", "(a ** b) ** c ** d"},
      {"a**(-(b**c))", "a ** -b ** c"},
      {"a**(b+c)", "a ** (b + c)"},
      {"(a<b)==c", "(a < b) == c"},
      {"(a+b)<(c if d else e)", "a + b < (c if d else e)"},
      {"(a if b else c) if (d if e else f) else (g if h else i)",
       "(a if b else c) if (d if e else f) else g if h else i"},
      {"f((a if b else c),over=(k),)", "f(a if b else c, over=k)"},
      {"[ (a) , skip[(i-1)] ]", "[a, skip[i - 1]]"},
  };
  for (const auto& row : rows) {
    const auto expr = parse_expression(row.text);
    ASSERT_TRUE(expr.has_value()) << row.text << ": " << expr.error().message;
    EXPECT_EQ(print(*expr), row.printed);
    EXPECT_EQ(dump(parse_expression(row.printed).value()), dump(*expr)) << row.text;
  }
}

TEST(PrintExpression, ShortestNumbers) {
  const Row rows[] = {{"1.0", "1"},
                      {"0.50", "0.5"},
                      {"1e3", "1000"},
                      {"1048576", "1048576"},
                      {"1e-5", "1e-5"},
                      {"0.0001", "0.0001"},
                      {"1.5e-07", "1.5e-7"},
                      {"1e14", "100000000000000"},
                      {"1e15", "1e15"},
                      {"1.25e+30", "1.25e30"},
                      {"0", "0"},
                      {"0.1", "0.1"},
                      {"1e-100", "1e-100"},
                      {"1e308", "1e308"}};
  for (const auto& row : rows) EXPECT_EQ(print(parse_expression(row.text).value()), row.printed);
}

TEST(PrintExpression, NumbersReadBackExactly) {
  Random random(7);
  for (int i = 0; i < 2000; ++i) {
    Expr number;
    number.number = std::ldexp(random.uniform(0.5, 1), static_cast<int>(random.below(600)) - 300);
    EXPECT_EQ(parse_expression(print(number)).value().number, number.number);
  }
}

TEST(PrintExpression, NegativeNumbersOfEditedTreesAreOperands) {
  Expr power = parse_expression("2 ** k").value();
  power.args[0].number = -2;
  EXPECT_EQ(print(power), "(-2) ** k");
  Expr difference = parse_expression("a - 2").value();
  difference.args[1].number = -2;
  EXPECT_EQ(print(difference), "a - -2");
}

TEST(PrintProgram, CanonicalLayout) {
  const auto result = parse(
      "#a\n\n#  b\nunit U( x:[t,D],n:int in{1,2 .. 4,8..8}=2,m:free real=8/3 )->[t,D],v:[t,k]: # c\n"
      "  axis h=n,k=D/n\n\n"
      "  scan S:[h,k]=0: #d \n"
      "     # e\n"
      "     S=S+x\n"
      "  for i in n with y=x,z=y:\n"
      "     y,z=f(y,  # g\n       z)   # h\n"
      "  # i\n"
      "  return y,z\n"
      "design M:\n"
      "  stack=2*U # j\n"
      "  tied=true\n"
      "interface I(x:[t,D])->[t,D]\n"
      "fn f(a,b=1):\n"
      "  return a\n"
      "#k\n");
  ASSERT_TRUE(result.errors.empty()) << result.errors[0].message;
  EXPECT_EQ(print(result.program),
            "# a\n"
            "#  b\n"
            "# c\n"
            "unit U(x: [t, D], n: int in {1, 2 .. 4, 8} = 2, m: free real = 8 / 3) -> [t, D], v: [t, k]:\n"
            "    axis h = n, k = D / n\n"
            "    scan S: [h, k] = 0:  # d\n"
            "        # e\n"
            "        S = S + x\n"
            "    for i in n with y = x, z = y:\n"
            "        # g\n"
            "        y, z = f(y, z)  # h\n"
            "    # i\n"
            "    return y, z\n"
            "\n"
            "# j\n"
            "design M:\n"
            "    tied = true\n"
            "    stack = 2 * U\n"
            "\n"
            "interface I(x: [t, D]) -> [t, D]\n"
            "\n"
            "fn f(a, b=1):\n"
            "    return a\n"
            "\n"
            "# k\n");
}

TEST(PrintProgram, LongLinesBreakInsideBrackets) {
  const auto result = parse(testing::kSamples[4]);
  ASSERT_TRUE(result.errors.empty()) << result.errors[0].message;
  EXPECT_EQ(
      print(result.program),
      "unit Long(x: [t, D], first_hyperparameter: int in {1, 2, 4, 8, 16, 32} = 4,\n"
      "        second_hyperparameter: real in {0 .. 1} = 0.5,\n"
      "        third: Unit = RMSNorm(eps=1e-6)) -> [t, D], second_result: [t, D]:\n"
      "    y = (first_function(x, [heads, keys, values], over=keys) * second_function(x, [heads, keys]) +\n"
      "        third_function(x))\n"
      "    z = first_function(x,\n"
      "        second_function(x,\n"
      "        third_function(x, fourth_function(x, fifth_function(x, sixth(x), [h, k])))))\n"
      "    w = (aaaaaaaaaaaaaaaaaaaaaaaaa +\n"
      "        bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb * ccccccccccccccccccccccccc - ddddddddddddddddd)  # "
      "long\n"
      "    scan state: [first_axis, second_axis] = initial_value(first_axis,\n"
      "            second_axis), other: [first_axis] = initial_value(x):\n"
      "        state = other\n"
      "    # the first\n"
      "    # the second\n"
      "    return first_function(x, y, z), w  # the last\n");
}

TEST(PrintProgram, SamplesRoundTripWithinTheLineWidth) {
  for (const auto sample : testing::kSamples) {
    bool valid = false;
    EXPECT_EQ(testing::round_trip_violation(sample, valid), "") << sample;
    EXPECT_TRUE(valid) << sample;
    for (const auto& line : testing::lines_of(print(parse(sample).program))) {
      const bool comment = line.find('#') != std::string::npos;
      EXPECT_TRUE(comment || line.size() <= 100 + 1) << line;  // with the newline
    }
  }
}

TEST(PrintProgram, CommentsAreNeverLost) {
  // Puts a comment wherever one is allowed: at the end of each line, and on a line of its own before each.
  std::string text;
  int count = 0;
  for (const auto& line : testing::lines_of(
           "unit U(\n    x: [t, D],\n    n: int = 2\n) -> [t, D]:\n    axis h = 1\n    scan S: [h] = 0:\n"
           "        S = f(\n            S,\n            x\n        )\n    return S\n"
           "interface I(x: [t, D]) -> [t, D]\n"
           "design M:\n    width = 1\n    share c = A(\n        b=1)\n    stack = c\n")) {
    text += "   # own" + std::to_string(count) + ".\n" + line.substr(0, line.size() - 1) + "  # end" +
            std::to_string(count) + ".\n";
    ++count;
  }
  const auto result = parse(text);
  ASSERT_TRUE(result.errors.empty()) << result.errors[0].message;
  const std::string printed = print(result.program);
  for (int i = 0; i < count; ++i) {
    EXPECT_NE(printed.find("# own" + std::to_string(i) + "."), std::string::npos) << i << "\n" << printed;
    EXPECT_NE(printed.find("# end" + std::to_string(i) + "."), std::string::npos) << i << "\n" << printed;
  }
  bool valid = false;
  EXPECT_EQ(testing::round_trip_violation(text, valid), "");
}

TEST(PrintStatement, IndentCountsSpaces) {
  const auto result = parse("fn f(x):\n    for i in 2:\n        y = x  # c\n    return y\n");
  const auto& body = std::get<Function>(result.program.items[0].value).body;
  EXPECT_EQ(print(body[0], 2), "  for i in 2:\n      y = x  # c\n");
}

// ---- Random trees, as edits produce them ----

Expr random_expr(Random& random, int depth) {
  constexpr std::array kOperators{"+", "-", "*", "/", "//", "%", "**", "<", ">", "<=", ">=", "=="};
  Expr expr;
  const std::int64_t kind = depth == 0 ? random.below(3) : random.below(9);
  expr.kind = kind == 1 ? Expr::Kind::kBool : kind == 2 ? Expr::Kind::kName : static_cast<Expr::Kind>(kind);
  std::int64_t args = 0;
  switch (expr.kind) {
    case Expr::Kind::kNumber:
      expr.number = static_cast<double>(random.below(1000)) / 16;
      break;
    case Expr::Kind::kBool:
      expr.number = random.chance(0.5) ? 1 : 0;
      break;
    case Expr::Kind::kName:
      expr.text = "some_long_name";
      break;
    case Expr::Kind::kCall:
      expr.text = "f", args = random.below(4);
      break;
    case Expr::Kind::kUnary:
      expr.text = "-", args = 1;
      break;
    case Expr::Kind::kBinary:
      expr.text = random.pick(kOperators), args = 2;
      break;
    case Expr::Kind::kList:
      args = random.below(4);
      break;
    case Expr::Kind::kIf:
      args = 3;
      break;
    case Expr::Kind::kIndex:
      expr.text = "skip", args = 1;
      break;
  }
  for (std::int64_t i = 0; i < args; ++i) {
    expr.args.push_back(random_expr(random, depth - 1));
    if (expr.kind == Expr::Kind::kCall) expr.keywords.push_back(i < 2 ? "" : "over");
  }
  return expr;
}

TEST(PrintExpression, RandomTreesReadBackEqual) {
  Random random(11);
  for (int i = 0; i < 5000; ++i) {
    const Expr expr = random_expr(random, static_cast<int>(random.below(6)));
    const std::string text = print(expr);
    const auto back = parse_expression(text);
    ASSERT_TRUE(back.has_value()) << text << ": " << back.error().message;
    ASSERT_EQ(dump(*back), dump(expr)) << text;
  }
}

TEST(PrintStatement, RandomLongStatementsReadBackEqual) {
  Random random(12);
  for (int i = 0; i < 2000; ++i) {
    Program program = parse("fn f(x):\n    y = x  # why\n    return y\n").program;
    auto& body = std::get<Function>(program.items[0].value).body;
    body[0].values[0] = random_expr(random, 5);
    const std::string text = print(program);
    const auto back = parse(text);
    ASSERT_TRUE(back.errors.empty()) << text << ": " << back.errors[0].message;
    ASSERT_EQ(dump(back.program), dump(program)) << text;
    ASSERT_EQ(print(back.program), text);
  }
}

}  // namespace
}  // namespace gabbro::lang
