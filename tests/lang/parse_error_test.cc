// Tests the errors of bad programs: code, position, message and hint.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "lang/parser.h"

namespace gabbro::lang {
namespace {

struct ErrorRow {
  const char* text;
  Position at;
  const char* message;
  const char* hint;
};

void expect_error(const std::vector<Error>& errors, const ErrorRow& row, const char* code) {
  ASSERT_EQ(errors.size(), 1u) << row.text << (errors.size() > 1 ? "\n" + errors[1].message : "");
  EXPECT_EQ(errors[0].code, code) << row.text;
  EXPECT_EQ(errors[0].at, row.at) << row.text << " at " << errors[0].at.line << ":" << errors[0].at.column;
  EXPECT_EQ(errors[0].message, row.message) << row.text;
  EXPECT_EQ(errors[0].hint, row.hint) << row.text;
}

// Hints for rows of statements, which start at 2:5.
constexpr const char* kInIsReserved =
    "'in' is a reserved word: choose another name; reserved are t, s, D, V, all, Unit, and fn, interface, "
    "unit, "
    "design, axis, share, scan, for, in, with, return, if, else, true, false, int, real, bool, free";
constexpr const char* kNoObjects =
    "there are no objects: write f(x), not x.f(); hyperparameters and slots are plain names, without self";
constexpr const char* kNoSlices =
    "axes have names and are not sliced: reduce over one (sum(x, over=k)), or read earlier tokens by "
    "shift(x, 1), past(x)";
constexpr const char* kNoIf = "there are no if statements: use a if c else b, as in y = a if c else b";
constexpr const char* kEnd = "expected an operator or the end of the line, found ";
constexpr const char* kEqual = "comparison is written ==; one = binds a name or a keyword argument";

TEST(ParseErrors, Statements) {
  const std::string end = kEnd;
  const std::string dot = end + "'.'", at = end + "'@'", differs = end + "'!='", both = end + "'and'",
                    either = end + "'or'", semicolon = end + "';'", caret = end + "'^'",
                    question = end + "'?'", close = end + "')'", b = end + "'b'", x = end + "'x'",
                    arrow = end + "'=>'", slash = end + "'\\'", ands = end + "'&&'";
  const ErrorRow rows[] = {
      {"y = x.norm", {2, 10}, dot.c_str(), kNoObjects},
      {"x.y = 2", {2, 6}, "expected '=', found '.'", kNoObjects},
      {"y = self.heads",
       {2, 13},
       dot.c_str(),
       "a unit has no self: hyperparameters and slots are plain names"},
      {"y = a @ b", {2, 11}, at.c_str(), "there is no @: use dot(a, b, over=axis)"},
      {"y += 1", {2, 7}, "expected '=', found '+='", "there are no updates in place: write x = x + 1"},
      {"y := 1", {2, 7}, "expected '=', found ':='", "a name is bound by =, as in y = expression"},
      {"y = a != b",
       {2, 11},
       differs.c_str(),
       "there is no !=: use == and swap the branches of `a if c else b`"},
      {"y = a and b", {2, 11}, both.c_str(), "there is no `and`: nest, (x if b else y) if a else y"},
      {"y = a && b", {2, 11}, ands.c_str(), "there is no `and`: nest, (x if b else y) if a else y"},
      {"y = a or b", {2, 11}, either.c_str(), "there is no `or`: nest, x if a else (x if b else y)"},
      {"y = not x", {2, 13}, x.c_str(), "there is no `not`: swap the branches of `a if c else b`"},
      {"y = a => b", {2, 11}, arrow.c_str(), "greater or equal is written >="},
      {"y = x[:, 1]", {2, 11}, "expected one index, found ':'", kNoSlices},
      {"y = x[1:]", {2, 12}, "expected ']', found ':'", kNoSlices},
      {"y = x[1, 2]", {2, 12}, "expected ']', found ','", kNoSlices},
      {"y = x[...]", {2, 11}, "expected one index, found '...'", kNoSlices},
      {"y = f('abc')", {2, 11}, "there are no strings", "names are written bare: over=k, not over=\"k\""},
      {"\"\"\"doc\"\"\"", {2, 5}, "there are no docstrings", "write comments as # lines"},
      {"y = 1; z = 2", {2, 10}, semicolon.c_str(), "write one statement per line, without ;"},
      {"y = a ^ 2", {2, 11}, caret.c_str(), "powers are written **"},
      {"y = a ? b : c", {2, 11}, question.c_str(), "conditions are written a if c else b"},
      {"y = x \\",
       {2, 11},
       slash.c_str(),
       "no continuation mark is needed inside ( ) or [ ]; elsewhere keep the statement on one line"},
      {"y = \u03b1",
       {2, 9},
       "'\u03b1' (U+03B1) is not a character of the language",
       "names are ASCII: write alpha"},
      {"y = a \u2212 b", {2, 11}, "'\u2212' (U+2212) is not a character of the language", "write -"},
      {"y = \u00e9t\u00e9",
       {2, 9},
       "'\u00e9' (U+00E9) is not a character of the language",
       "names are made of ASCII letters, digits and _; other characters may stand in comments only"},
      {"if x > 1:\n        y = 2", {2, 5}, "expected a statement, found 'if'", kNoIf},
      {"elif x > 1:\n        y = 2", {2, 5}, "expected a statement, found 'elif'", kNoIf},
      {"while x:\n        y = 2",
       {2, 5},
       "expected a statement, found 'while'",
       "the loops are `for i in n with y = x:` over layers and `scan S: [h, k] = 0:` over time"},
      {"import torch",
       {2, 5},
       "expected a statement, found 'import'",
       "there are no imports: every unit in scope is known by its name"},
      {"def f(x):\n        return x",
       {2, 5},
       "expected a statement, found 'def'",
       "write fn name(a, b): for a function, unit Name(x: [t, D]) -> [t, D]: for a unit"},
      {"let y = 2",
       {2, 5},
       "expected a statement, found 'let'",
       "a name is bound by =, as in y = expression"},
      {"@jit", {2, 5}, "expected a statement, found '@'", "there are no decorators"},
      {"y = f(x", {2, 10}, "'(' is never closed", "add ')' on line 2 or before"},
      {"y = f(x\n    z = g(y)\n    w = h(z)", {2, 10}, "'(' is never closed", "add ')' on line 2 or before"},
      {"y = f(x, [a, b)", {2, 19}, "expected ',' or ']', found ')'", "the '[' was opened at 2:14"},
      {"y = f(x))", {2, 13}, close.c_str(), "')' closes nothing: delete it"},
      {"y = [a for a in b]",
       {2, 12},
       "expected ',' or ']', found 'for'",
       "there are no comprehensions: use operations over named axes, or a for statement"},
      {"y = lambda x: x", {2, 16}, x.c_str(), "there is no lambda: write a fn, or the expression itself"},
      {"y = a if b",
       {2, 15},
       "expected 'else', found the end of the line",
       "both branches are written: a if c else b"},
      {"y = a if b = c else d", {2, 16}, "expected 'else', found '='", kEqual},
      {"y == 2", {2, 7}, "expected '=', found '=='", "a name is bound by a single ="},
      {"y = z = 2", {2, 11}, "expected the end of the line, found '='", kEqual},
      {"y = f(1 = z)", {2, 13}, "expected ',' or ')', found '='", kEqual},
      {"y, z = a, b",
       {2, 13},
       "expected the end of the line, found ','",
       "one expression stands on the right: write one statement for each"},
      {"y = a < b < c",
       {2, 15},
       "comparisons cannot be chained: found a second one, '<'",
       "nest two conditions: (x if b < c else y) if a < b else y"},
      {"y = f(a=1, b)",
       {2, 16},
       "a positional argument after the keyword argument 'a'",
       "put positional arguments first"},
      {"y = f(in=3)", {2, 11}, "expected a keyword, found 'in'", "'in' is a reserved word"},
      {"y = f(a: 3)", {2, 12}, "expected ',' or ')', found ':'", "a keyword argument is written name=value"},
      {"y: [t] = 2",
       {2, 6},
       "expected '=', found ':'",
       "values are not annotated: their axes follow from the expression"},
      {"f(x)", {2, 6}, "expected '=', found '('", "a statement binds the result of a call: y = f(x)"},
      {"y", {2, 6}, "expected '=', found the end of the line", "a statement binds a name: y = expression"},
      {"y = (a, b)",
       {2, 11},
       "expected ')', found ','",
       "there are no tuples: write several values without parentheses, as in return a, b"},
      {"y = ()", {2, 10}, "expected an expression, found ')'", "parentheses enclose one expression"},
      {"y =",
       {2, 8},
       "expected an expression, found the end of the line",
       "a value is missing here: a name, a number, f(x), (a + b) or [a, b]"},
      {"y = +x", {2, 9}, "expected an expression, found '+'", "there is no unary +: leave it out"},
      {"y = 1_000",
       {2, 9},
       "'1_000' is not a number",
       "numbers are written 64, 0.5 or 1e-5, names start with a letter"},
      {"y = f(x)(z)",
       {2, 13},
       "only a name can be called, found '(' after an expression",
       "write the operator (* for a product), or give the callee a name"},
      {"y = (a)[1]",
       {2, 12},
       "only a name can be indexed, found '[' after an expression",
       "assign the expression to an indexed name first: y[i] = expression"},
      {"y = True", {2, 9}, "expected an expression, found 'True'", "write true"},
      {"y = {a: 1}",
       {2, 9},
       "expected an expression, found '{'",
       "{ } only enclose the values of a hyperparameter: heads: int in {1, 2, 4} = 2"},
      {"y = a b",
       {2, 11},
       b.c_str(),
       "put an operator between two values, and each statement on its own line"},
      {"scan S = 0:\n        S = S",
       {2, 12},
       "expected ':', found '='",
       "write scan S: [h, k] = 0: with the state, its axes and its first value"},
      {"scan S: [h, 16] = 0:\n        S = S",
       {2, 17},
       "expected the name of an axis, found '16'",
       "give the axis a name first: axis m = 16"},
      {"scan S: [h] = 0\n        S = S",
       {2, 20},
       "expected ':', found the end of the line",
       "the first line of a scan ends in ':'"},
      {"for i in range(3):\n        y = 2",
       {2, 14},
       "expected a number of repetitions, found 'range(...)'",
       "write for i in n: without range"},
      {"for i in 3:\n    y = 2",
       {3, 5},
       "expected an indented block, found 'y'",
       "put the statements on the following lines, indented by four spaces"},
      {"for i in 3: y = 2",
       {2, 17},
       "expected the end of the line after ':', found 'y'",
       "put the block on the following lines, indented by four spaces"},
      {"for i in 3:\n        return y",
       {3, 9},
       "return is not allowed inside a block",
       "return must come last in its unit or fn, outside of scan and for"},
      {"return y", {3, 5}, "a statement after return", "return must come last in its unit or fn"},
      {"axis in = 2", {2, 10}, "expected a name, found 'in'", kInIsReserved},
      {"axis 3 = 2",
       {2, 10},
       "expected a name, found '3'",
       "a name is made of letters, digits and _, and starts with a letter"},
      {"unit = 2",
       {2, 5},
       "expected a name to assign to, found 'unit'",
       "'unit' is a reserved word: choose another name; reserved are t, s, D, V, all, Unit, and fn, "
       "interface, unit, "
       "design, axis, share, scan, for, in, with, return, if, else, true, false, int, real, bool, free"},
      {"y = 2\n      z = 3",
       {3, 7},
       "expected a statement, found a deeper indentation",
       "indent it like the line above: blocks follow a ':' only"},
      {"y = 2\n  z = 3",
       {3, 3},
       "the indentation of 2 spaces matches no open block",
       "indent by 4 to stay in the block, by 0 to leave it"},
      {"y = 2\n\tz = 3", {3, 1}, "a tab in the indentation", "indent with spaces, four for each level"},
  };
  for (const auto& row : rows) {
    const std::string indent = row.text == std::string("y = 2\n  z = 3") ? "  " : "    ";
    const auto text =
        std::string("unit U(x: [t, D]) -> [t, D]:\n    ") + row.text + "\n" + indent + "return x\n";
    expect_error(parse(text).errors, row, "syntax");
  }
}

TEST(ParseErrors, Items) {
  const ErrorRow rows[] = {
      {"def f(x):\n    return x\n",
       {1, 1},
       "expected fn, interface, unit or design, found 'def'",
       "write fn name(a, b): for a function, unit Name(x: [t, D]) -> [t, D]: for a unit"},
      {"class A:\n    def f(self):\n        return 1\n",
       {1, 1},
       "expected fn, interface, unit or design, found 'class'",
       "there are no classes: write unit Name(x: [t, D]) -> [t, D]: with parameters declared where they are "
       "used"},
      {"x = 1\n",
       {1, 1},
       "expected fn, interface, unit or design, found 'x'",
       "a program is made of items; statements stand in the block of a unit or fn"},
      {"  fn f():\n    return 1\n",
       {1, 3},
       "expected fn, interface, unit or design, found a deeper indentation",
       "items start at the left margin"},
      {"unit U(x: [t, D], n: int = 2, y: [t, D]) -> [t, D]:\n    return x\n",
       {1, 31},
       "input 'y' after hyperparameter 'n'",
       "inputs come first in a signature"},
      {"unit U(x: [t, D]):\n    return x\n",
       {1, 18},
       "expected '->', found ':'",
       "results are written -> [t, D], v: [t, D]; all but the first have names"},
      {"unit U(x: [t, D]) -> y: [t, D]:\n    return x\n",
       {1, 22},
       "expected '[', found 'y'",
       "results are written -> [t, D], v: [t, D]; all but the first have names"},
      {"unit U(x: [t, D]) -> [t, D]\n    return x\n",
       {1, 28},
       "expected ':', found the end of the line",
       "the first line of a unit ends in ':'"},
      {"unit U(x: [t, D] -> [t, D]:\n    return x\n",
       {1, 18},
       "expected ',' or ')', found '->'",
       "the '(' was opened at 1:7"},
      {"unit U(x: [t, D]\n    y = 2\n    return x\nfn f():\n    return 1\n",
       {1, 7},
       "'(' is never closed",
       "add ')' on line 1 or before"},
      {"unit U:\n    return x\n",
       {1, 7},
       "expected '(', found ':'",
       "the name is followed by a signature: (x: [t, D])"},
      {"unit U(self, x) -> [t, D]:\n    return x\n",
       {1, 12},
       "expected ':', found ','",
       "a unit has no self: hyperparameters and slots are plain names"},
      {"unit U(x: Tensor) -> [t, D]:\n    return x\n",
       {1, 11},
       "expected int, real, bool or the name of an interface, found 'Tensor'",
       "a tensor is declared by its axes: x: [t, D]"},
      {"unit U(a: float = 1) -> [t, D]:\n    return x\n",
       {1, 11},
       "expected int, real, bool or the name of an interface, found 'float'",
       "the type is called real"},
      {"unit U(a: int in [1, 2]) -> [t, D]:\n    return x\n",
       {1, 18},
       "expected '{', found '['",
       "allowed values are written in {1, 2, 4} or in {1 .. 64, all}"},
      {"unit U(a: int in {}) -> [t, D]:\n    return x\n",
       {1, 19},
       "expected a value, found '}'",
       "allowed values are written in {1, 2, 4} or in {1 .. 64, all}"},
      {"unit U(a: free Mixer = A) -> [t, D]:\n    return x\n",
       {1, 16},
       "expected int or real, found 'Mixer'",
       "only numbers can be free"},
      {"unit U(a: free bool = true) -> [t, D]:\n    return x\n",
       {1, 16},
       "expected int or real, found 'bool'",
       "only numbers can be free"},
      {"unit U(a: Mixer in {A, B}) -> [t, D]:\n    return x\n",
       {1, 17},
       "expected ',', '=' or ')', found 'in'",
       "a slot has no range: any unit of its interface fits"},
      {"unit U(x: [t, D] = 0) -> [t, D]:\n    return x\n",
       {1, 18},
       "expected ',' or ')', found '='",
       "an input has no default: the caller always passes it"},
      {"unit U(x: [t, D]) -> [t, D]:\n    y = x\n",
       {2, 5},
       "unit 'U' does not end in return",
       "end the block with return y"},
      {"unit U(x: [t, D]) -> [t, D]:\nfn f():\n    return 1\n",
       {2, 1},
       "expected an indented block, found 'fn'",
       "put the statements on the following lines, indented by four spaces"},
      {"interface I(x: [t, D]) -> [t, D]:\n",
       {1, 33},
       "expected the end of the line, found ':'",
       "an interface has no block: leave out the ':'"},
      {"interface I(x: int) -> [t, D]\n",
       {1, 16},
       "expected '[', found 'int'",
       "an interface has inputs only: x: [t, D]"},
      {"fn f(x: int):\n    return x\n",
       {1, 7},
       "expected ',' or ')', found ':'",
       "parameters of a fn have no types"},
      {"fn f(x) -> y:\n    return x\n",
       {1, 9},
       "expected ':', found '->'",
       "a fn declares no result type: its axes follow from the body"},
      {"fn for(x):\n    return x\n",
       {1, 4},
       "expected the name of the function, found 'for'",
       "'for' is a reserved word: choose another name; reserved are t, s, D, V, all, Unit, and fn, "
       "interface, unit, "
       "design, axis, share, scan, for, in, with, return, if, else, true, false, int, real, bool, free"},
      {"design M:\n    width = 2\n",
       {1, 1},
       "design 'M' has no stack",
       "add stack = Instance, e.g. stack = 12 * Block"},
      {"design M:\n    depth = 2\n    stack = A\n",
       {2, 5},
       "expected width, vocab, tied, share or stack, found 'depth'",
       "a design holds width, vocab, tied, share NAME and stack, each as NAME = expression"},
      {"design M:\n    stack = A\n    stack = B\n", {3, 5}, "'stack' is given twice", "keep one of them"},
  };
  for (const auto& row : rows) expect_error(parse(row.text).errors, row, "syntax");
}

TEST(ParseErrors, Encoding) {
  const auto parse_bytes = [](std::string_view text) { return parse(text).errors; };
  expect_error(parse_bytes({"# a\nb\0", 6}),
               {"NUL", {2, 2}, "a NUL byte: this is not a text file", "save the program as UTF-8 text"},
               "encoding");
  for (const char* text : {"# a\xff", "# a\xc3", "# a\xc0\xaf", "# a\xed\xa0\x80", "# a\xf4\x90\x80\x80"}) {
    const auto errors = parse_bytes(text);
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors[0].code, "encoding");
    EXPECT_EQ(errors[0].at, (Position{1, 4}));
  }
}

}  // namespace
}  // namespace gabbro::lang
