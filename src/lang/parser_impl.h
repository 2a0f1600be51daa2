// The recursive-descent parser behind lang/parser.h; private to the front end.
//
// A function that reads a construct returns it or its first error. The loops over statements and items report
// errors and resume at the next line. There is one function per rule, named as in docs/grammar.md:
// expressions in parser_expr.cc, statements in parser.cc, items in parser_item.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lang/lexer.h"
#include "lang/parser.h"

/// Evaluates a Result for its error alone: returns the error from the enclosing function and discards the
/// value.
#define GABBRO_REQUIRE(expression) \
  if (auto required = (expression); !required) return tl::unexpected(std::move(required.error()))

namespace gabbro::lang {

class Parser {
 public:
  static constexpr std::size_t kMaxErrors = ParseResult::kMaxErrors;
  static constexpr std::string_view kEquality =
      "comparison is written ==; one = binds a name or a keyword argument";

  Parser(Tokens tokens, const ParseLimits& limits) : tokens_(std::move(tokens)), limits_(limits) {}

  ParseResult program();
  Result<Expr> lone_expression();

 private:
  using Kind = Token::Kind;

  // An expression with the height of its tree, which is bounded because users of the tree recurse.
  struct Node {
    Expr expr;
    int height = 1;
  };
  // Decrements a depth at the end of the scope in which it was incremented.
  struct Restore {
    int& value;
    ~Restore() { --value; }
  };

  // Cursor.
  const Token& peek(std::size_t ahead = 0) const;
  const Token& previous() const;
  const Token& next();
  bool is(std::string_view text) const { return peek().text == text && is_code(peek()); }
  bool is(Kind kind) const { return peek().kind == kind; }
  bool peek_is(std::size_t ahead, std::string_view text) const {
    return peek(ahead).text == text && is_code(peek(ahead));
  }
  bool at_end() const { return is(Kind::kEnd); }
  bool accept(std::string_view text);  // consumes the token if it is `text`
  static bool is_code(const Token& token) {
    return token.kind == Kind::kPunct || token.kind == Kind::kKeyword;
  }

  // Errors. The first two say that `expected` was expected in place of the current token; in the first, the
  // hint for a known habit overrides `hint`.
  tl::unexpected<Error> unexpected(std::string_view expected, std::string hint = {}) const;
  tl::unexpected<Error> mismatch(std::string_view expected, std::string hint) const;
  tl::unexpected<Error> unclosed() const;
  tl::unexpected<Error> too_deep(std::string_view what, Position at, std::string hint) const;
  void report(Error error);
  void skip_line();
  void skip_block();

  // Helpers shared by many rules.
  Result<Token> expect(std::string_view text, std::string hint = {});
  Result<std::string> name(std::string_view what);
  tl::unexpected<Error> reserved(std::string_view what);
  Result<Token> end_of_line(std::string_view expected);
  template <class Element>
  Result<Token> list_until(std::string_view close, Element element);
  template <class Element>
  Result<Token> bracketed(std::string_view open, std::string_view close, Element element);
  Result<Token> list_separator(std::string_view close);

  // Moves comments before the token at `last` to `out`, oldest first.
  void take_comments(std::size_t last, std::vector<std::string>& out);
  void header_comments(Stmt& stmt);

  // Expressions.
  Result<Node> expression();
  Result<Node> comparison();
  Result<Node> sum();
  Result<Node> product();
  Result<Node> unary();
  Result<Node> power();
  Result<Node> postfix();
  Result<Node> atom();
  Result<Node> literal(Expr::Kind kind, double number);
  Result<Node> parentheses();
  Result<Node> list();
  Result<Node> named();
  Result<Node> call();
  Result<Node> index();
  Result<Node> argument(std::vector<std::string>& keywords);
  Result<Node> build(Expr::Kind kind, const Token& token, std::vector<Node> parts);
  Result<Expr> expr();
  bool at_comparison() const;

  // Statements. `outermost` is true in the body of a unit or fn itself, where return may stand.
  Result<Stmt> statement(bool outermost);
  Result<Stmt> statement_header(bool outermost);
  Result<Stmt> axis(Stmt stmt);
  Result<Stmt> share(Stmt stmt);
  Result<Stmt> scan(Stmt stmt);
  Result<Stmt> for_loop(Stmt stmt);
  Result<Stmt> return_values(Stmt stmt, bool outermost);
  Result<Stmt> assign(Stmt stmt);
  Result<Expr> target();
  Result<Expr> axis_list();
  Result<Token> bind(Stmt& stmt);
  tl::unexpected<Error> no_statement() const;
  Result<Token> header_end(std::string_view what);
  std::vector<Stmt> block(bool outermost);
  std::vector<Stmt> statements(bool outermost);
  void recover_statement(std::size_t start);

  // Items.
  void item(Program& program);
  Result<Token> item_value(Item& item);
  Result<Function> function();
  Result<Interface> interface();
  Result<Unit> unit();
  Result<Design> design();
  Result<Token> param(std::vector<Function::Param>& params);
  Result<Token> inputs_only(std::vector<Port>& inputs);
  Result<Token> input_or_hyper(Unit& unit);
  Result<std::vector<std::string>> axes();
  Result<std::vector<Port>> outputs();
  Result<Hyper> hyper(std::string name, Position at);
  Result<Token> hyper_type(Hyper& hyper);
  Result<Token> range(Hyper& hyper);
  Result<Token> range_entry(Hyper& hyper);
  void unit_body(Item& item);
  void design_body(Item& item);
  Result<Token> design_entry(Design& design);
  Result<Token> design_value(Design& design);
  void recover_item(std::size_t start);
  void note_damaged(std::size_t start);

  Tokens tokens_;
  ParseLimits limits_;
  std::size_t pos_ = 0;           // index of the current token
  std::size_t next_comment_ = 0;  // index of the first comment that was not taken
  int expression_depth_ = 0;
  int block_depth_ = 0;
  std::vector<Token> open_;  // open brackets of the current statement
  std::vector<Error> errors_;
  std::vector<std::string> damaged_;  // as in ParseResult
  bool lost_ = false;
  std::vector<std::string_view> misused_;  // keywords that a statement binds, which is reported there
};

template <class Element>
Result<Token> Parser::list_until(std::string_view close, Element element) {
  while (!is(close)) {
    GABBRO_REQUIRE(element());
    if (is(close)) break;
    GABBRO_REQUIRE(list_separator(close));
  }
  open_.pop_back();
  return next();
}

// Grammar: open element (, element)* [,] close; or open close.
template <class Element>
Result<Token> Parser::bracketed(std::string_view open, std::string_view close, Element element) {
  GABBRO_REQUIRE(expect(
      open, open == "(" ? "the name is followed by a signature: (x: [t, D])" : "axes are written [t, D]"));
  open_.push_back(previous());
  return list_until(close, element);
}

}  // namespace gabbro::lang
