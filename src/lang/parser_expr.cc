// Parses expressions, in order of increasing binding strength.
#include <fmt/core.h>

#include <algorithm>

#include "lang/habits.h"
#include "lang/parser_impl.h"

namespace gabbro::lang {
namespace {

// Returns the maximum recursion depth. A canonical text needs at most one pair of parentheses per level of
// the tree, so it parses if its tree is within the limits.
int max_recursion(const ParseLimits& limits) { return 2 * limits.depth + 8; }

constexpr std::string_view kSplit = "split it: give parts of it names of their own, one statement each";

}  // namespace

tl::unexpected<Error> Parser::too_deep(std::string_view what, Position at, std::string hint) const {
  return fail("limit", fmt::format("{} deeper than the limit of {}", what, limits_.depth), std::move(hint),
              at);
}

// Builds an Expr over `parts`; `token` gives its text and position.
Result<Parser::Node> Parser::build(Expr::Kind kind, const Token& token, std::vector<Node> parts) {
  Node node;
  node.expr.kind = kind;
  node.expr.at = token.at;
  node.expr.args.reserve(parts.size());
  for (auto& part : parts) {
    node.height = std::max(node.height, part.height + 1);
    node.expr.args.push_back(std::move(part.expr));
  }
  if (node.height > limits_.depth) return too_deep("an expression nests", token.at, std::string(kSplit));
  return node;
}

Result<Expr> Parser::expr() {
  GABBRO_TRY(node, expression());
  return std::move(node.expr);
}

// Grammar: comparison ["if" comparison "else" expression]
Result<Parser::Node> Parser::expression() {
  if (expression_depth_ > max_recursion(limits_))
    return too_deep("an expression nests", peek().at, std::string(kSplit));
  ++expression_depth_;
  const Restore restore{expression_depth_};
  GABBRO_TRY(value, comparison());
  if (!is("if")) return value;
  const Token token = next();
  std::vector<Node> parts{std::move(value)};
  GABBRO_TRY(condition, comparison());
  parts.push_back(std::move(condition));
  GABBRO_REQUIRE(
      expect("else", std::string(is("=") ? kEquality : "both branches are written: a if c else b")));
  GABBRO_TRY(other, expression());
  parts.push_back(std::move(other));
  return build(Expr::Kind::kIf, token, std::move(parts));
}

bool Parser::at_comparison() const { return is("<") || is(">") || is("<=") || is(">=") || is("=="); }

Result<Parser::Node> Parser::comparison() {
  GABBRO_TRY(left, sum());
  if (!at_comparison()) return left;
  const Token token = next();
  std::vector<Node> parts{std::move(left)};
  GABBRO_TRY(right, sum());
  parts.push_back(std::move(right));
  if (at_comparison()) {
    return fail("syntax", fmt::format("comparisons cannot be chained: found a second one, '{}'", peek().text),
                "nest two conditions: (x if b < c else y) if a < b else y", peek().at);
  }
  GABBRO_TRY(node, build(Expr::Kind::kBinary, token, std::move(parts)));
  node.expr.text = token.text;
  return node;
}

Result<Parser::Node> Parser::sum() {
  GABBRO_TRY(left, product());
  while (is("+") || is("-")) {
    const Token token = next();
    std::vector<Node> parts{std::move(left)};
    GABBRO_TRY(right, product());
    parts.push_back(std::move(right));
    GABBRO_TRY(node, build(Expr::Kind::kBinary, token, std::move(parts)));
    left = std::move(node);
    left.expr.text = token.text;
  }
  return left;
}

Result<Parser::Node> Parser::product() {
  GABBRO_TRY(left, unary());
  while (is("*") || is("/") || is("//") || is("%")) {
    const Token token = next();
    std::vector<Node> parts{std::move(left)};
    GABBRO_TRY(right, unary());
    parts.push_back(std::move(right));
    GABBRO_TRY(node, build(Expr::Kind::kBinary, token, std::move(parts)));
    left = std::move(node);
    left.expr.text = token.text;
  }
  return left;
}

Result<Parser::Node> Parser::unary() {
  if (!is("-")) return power();
  const Token token = next();
  if (expression_depth_ > max_recursion(limits_))
    return too_deep("an expression nests", token.at, std::string(kSplit));
  ++expression_depth_;
  const Restore restore{expression_depth_};
  GABBRO_TRY(operand, unary());
  std::vector<Node> parts{std::move(operand)};
  GABBRO_TRY(node, build(Expr::Kind::kUnary, token, std::move(parts)));
  node.expr.text = "-";
  return node;
}

// Grammar: postfix ["**" unary]. Hence ** is right-associative: a ** b ** c is a ** (b ** c).
Result<Parser::Node> Parser::power() {
  GABBRO_TRY(base, postfix());
  if (!is("**")) return base;
  const Token token = next();
  if (expression_depth_ > max_recursion(limits_))
    return too_deep("an expression nests", token.at, std::string(kSplit));
  ++expression_depth_;
  const Restore restore{expression_depth_};
  std::vector<Node> parts{std::move(base)};
  GABBRO_TRY(exponent, unary());
  parts.push_back(std::move(exponent));
  GABBRO_TRY(node, build(Expr::Kind::kBinary, token, std::move(parts)));
  node.expr.text = "**";
  return node;
}

// Calls and indices belong to names, so neither may follow an atom.
Result<Parser::Node> Parser::postfix() {
  GABBRO_TRY(node, atom());
  if (is("(")) {
    return fail("syntax", "only a name can be called, found '(' after an expression",
                "write the operator (* for a product), or give the callee a name", peek().at);
  }
  if (is("[")) {
    return fail("syntax", "only a name can be indexed, found '[' after an expression",
                "assign the expression to an indexed name first: y[i] = expression", peek().at);
  }
  return node;
}

Result<Parser::Node> Parser::atom() {
  if (is(Kind::kNumber)) return literal(Expr::Kind::kNumber, peek().number);
  if (is("true")) return literal(Expr::Kind::kBool, 1);
  if (is("false")) return literal(Expr::Kind::kBool, 0);
  if (is("(")) return parentheses();
  if (is("[")) return list();
  const bool misused = std::find(misused_.begin(), misused_.end(), peek().text) != misused_.end();
  if (is(Kind::kName) || (is(Kind::kKeyword) && misused)) return named();
  if (is("+")) return unexpected("an expression", "there is no unary +: leave it out");
  if (is(Kind::kKeyword)) return unexpected("an expression");
  return unexpected("an expression", "a value is missing here: a name, a number, f(x), (a + b) or [a, b]");
}

Result<Parser::Node> Parser::literal(Expr::Kind kind, double number) {
  GABBRO_TRY(node, build(kind, next(), {}));
  node.expr.number = number;
  return node;
}

Result<Parser::Node> Parser::parentheses() {
  open_.push_back(next());
  if (is(")")) return unexpected("an expression", "parentheses enclose one expression");
  GABBRO_TRY(inner, expression());
  if (is(",")) {
    return unexpected("')'",
                      "there are no tuples: write several values without parentheses, as in return a, b");
  }
  if (!is(")")) GABBRO_REQUIRE(list_separator(")"));
  next();
  open_.pop_back();
  return inner;
}

Result<Parser::Node> Parser::list() {
  const Token token = peek();
  std::vector<Node> parts;
  GABBRO_REQUIRE(bracketed("[", "]", [&]() -> Result<Token> {
    GABBRO_TRY(part, expression());
    parts.push_back(std::move(part));
    return previous();
  }));
  return build(Expr::Kind::kList, token, std::move(parts));
}

Result<Parser::Node> Parser::named() {
  if (peek_is(1, "(")) return call();
  if (peek_is(1, "[")) return index();
  const Token& token = peek();
  // The hint for these words is given with the token after them (habit_hint).
  const bool hint_follows = token.text == "lambda" || token.text == "not" || token.text == "self";
  if (!hint_follows) {
    if (std::string hint = value_hint(token.text); !hint.empty())
      return mismatch("an expression", std::move(hint));
  }
  GABBRO_TRY(node, build(Expr::Kind::kName, next(), {}));
  node.expr.text = previous().text;
  return node;
}

Result<Parser::Node> Parser::call() {
  const Token token = next();
  std::vector<Node> parts;
  std::vector<std::string> keywords;
  GABBRO_REQUIRE(bracketed("(", ")", [&]() -> Result<Token> {
    GABBRO_TRY(part, argument(keywords));
    parts.push_back(std::move(part));
    return previous();
  }));
  GABBRO_TRY(node, build(Expr::Kind::kCall, token, std::move(parts)));
  node.expr.text = token.text;
  node.expr.keywords = std::move(keywords);
  return node;
}

// Grammar: [name "="] expression
Result<Parser::Node> Parser::argument(std::vector<std::string>& keywords) {
  if (peek_is(1, "=") && is(Kind::kKeyword)) {
    return unexpected("a keyword", is("axis") ? "axes are named by over=: mean(x, over=D)"
                                              : fmt::format("'{}' is a reserved word", peek().text));
  }
  if (is(Kind::kName) && peek_is(1, ":")) {
    next();
    return mismatch("',' or ')'", "a keyword argument is written name=value");
  }
  if (is(Kind::kName) && peek_is(1, "=")) {
    keywords.emplace_back(next().text);
    next();
    return expression();
  }
  if (!keywords.empty() && !keywords.back().empty()) {
    return fail("syntax",
                fmt::format("a positional argument after the keyword argument '{}'", keywords.back()),
                "put positional arguments first", peek().at);
  }
  keywords.emplace_back();
  return expression();
}

Result<Parser::Node> Parser::index() {
  constexpr std::string_view kNoSlices =
      "axes have names and are not sliced: reduce over one (sum(x, over=k)), or read earlier tokens by "
      "shift(x, 1), past(x)";
  const Token token = next();
  open_.push_back(next());
  if (is(":") || is("]") || is("...")) return mismatch("one index", std::string(kNoSlices));
  GABBRO_TRY(subscript, expression());
  if (is(":") || is(",")) return unexpected("']'", std::string(kNoSlices));
  if (!is("]")) GABBRO_REQUIRE(list_separator("]"));
  next();
  open_.pop_back();
  std::vector<Node> parts{std::move(subscript)};
  GABBRO_TRY(node, build(Expr::Kind::kIndex, token, std::move(parts)));
  node.expr.text = token.text;
  return node;
}

}  // namespace gabbro::lang
