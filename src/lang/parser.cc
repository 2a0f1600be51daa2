// Implements the cursor of the parser, its errors, its recovery from errors, statements and entry points.
#include "lang/parser.h"

#include <fmt/core.h>

#include <algorithm>

#include "lang/habits.h"
#include "lang/parser_impl.h"

namespace gabbro::lang {
namespace {

// Returns a token as error messages show it.
std::string describe(const Token& token) {
  constexpr std::size_t kShown = 40;
  switch (token.kind) {
    case Token::Kind::kNewline:
      return "the end of the line";
    case Token::Kind::kIndent:
      return "a deeper indentation";
    case Token::Kind::kDedent:
      return "the end of the block";
    case Token::Kind::kEnd:
      return "the end of the text";
    default:
      break;
  }
  if (token.text.size() <= kShown) return fmt::format("'{}'", token.text);
  return fmt::format("'{}...'", token.text.substr(0, kShown));
}

std::string_view closer_of(std::string_view open) { return open == "(" ? ")" : open == "[" ? "]" : "}"; }

// Returns an error if the text is too long or is not UTF-8.
std::optional<Error> check_text(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.bytes) {
    return Error{"limit",
                 fmt::format("the text has {} bytes, more than the limit of {}", text.size(), limits.bytes),
                 "split it into several programs", Position{1, 1}};
  }
  return check_encoding(text);
}

std::string_view without_byte_order_mark(std::string_view text) {
  return text.substr(text.starts_with("\xef\xbb\xbf") ? 3 : 0);
}

}  // namespace

// ---- Cursor ----

const Token& Parser::peek(std::size_t ahead) const {
  return tokens_.tokens[std::min(pos_ + ahead, tokens_.tokens.size() - 1)];
}

const Token& Parser::previous() const { return tokens_.tokens[pos_ == 0 ? 0 : pos_ - 1]; }

const Token& Parser::next() {
  const Token& token = peek();
  if (pos_ + 1 < tokens_.tokens.size()) ++pos_;
  return token;
}

bool Parser::accept(std::string_view text) {
  if (!is(text)) return false;
  next();
  return true;
}

// ---- Errors ----

// Returns the error for the current token, where the grammar expects `expected`. A token that the lexer
// refused has an error of its own. If a line ends inside brackets, the error is that of the open bracket.
tl::unexpected<Error> Parser::mismatch(std::string_view expected, std::string hint) const {
  const Token& found = peek();
  if (found.kind == Kind::kBad) return tl::unexpected(tokens_.errors[static_cast<std::size_t>(found.error)]);
  if (!open_.empty() && (found.kind == Kind::kNewline || found.kind == Kind::kEnd)) return unclosed();
  return fail("syntax", fmt::format("expected {}, found {}", expected, describe(found)), std::move(hint),
              found.at);
}

// Does the same as mismatch, but a hint for syntax of another language (lang/habits.h) replaces `hint`.
tl::unexpected<Error> Parser::unexpected(std::string_view expected, std::string hint) const {
  // For self.x, habit_hint has a better hint than method_hint.
  std::string habit =
      is(".") && previous().text != "self" ? method_hint(peek(1).text) : habit_hint(previous(), peek());
  if (habit.empty() && hint.empty() && is(Kind::kKeyword))
    habit = fmt::format("'{}' is a reserved word", peek().text);
  return mismatch(expected, habit.empty() ? std::move(hint) : std::move(habit));
}

tl::unexpected<Error> Parser::unclosed() const {
  const Token& open = open_.back();
  return fail("syntax", fmt::format("'{}' is never closed", open.text),
              fmt::format("add '{}' on line {} or before", closer_of(open.text), previous().at.line),
              open.at);
}

// Adds an error, unless the previous one has the same position. After kMaxErrors errors, parsing ends.
void Parser::report(Error error) {
  const bool repeated = !errors_.empty() && errors_.back().at == error.at;
  if (!repeated && errors_.size() < kMaxErrors) errors_.push_back(std::move(error));
  if (errors_.size() == kMaxErrors) pos_ = tokens_.tokens.size() - 1;
}

void Parser::skip_line() {
  open_.clear();
  while (!at_end() && !is(Kind::kNewline)) next();
  next();
}

// Skips an indented block, if one starts at the current token.
void Parser::skip_block() {
  if (!is(Kind::kIndent)) return;
  int depth = 0;
  do {
    if (is(Kind::kIndent)) ++depth;
    if (is(Kind::kDedent)) --depth;
    next();
  } while (depth > 0 && !at_end());
}

// ---- Shared pieces ----

Result<Token> Parser::expect(std::string_view text, std::string hint) {
  if (!is(text)) return unexpected(fmt::format("'{}'", text), std::move(hint));
  return next();
}

Result<std::string> Parser::name(std::string_view what) {
  if (is(Kind::kKeyword)) return reserved(what);
  if (!is(Kind::kName))
    return unexpected(what, "a name is made of letters, digits and _, and starts with a letter");
  return std::string(next().text);
}

// Returns the error for a keyword that is used as a name. Its further uses are read as those of a name.
tl::unexpected<Error> Parser::reserved(std::string_view what) {
  misused_.push_back(peek().text);
  return mismatch(what, fmt::format("'{}' is a reserved word: {}", peek().text, reserved_hint()));
}

Result<Token> Parser::end_of_line(std::string_view expected) {
  if (is(Kind::kNewline)) return next();
  const bool closer = is(")") || is("]") || is("}");
  return unexpected(expected, closer
                                  ? fmt::format("'{}' closes nothing: delete it", peek().text)
                                  : "put an operator between two values, and each statement on its own line");
}

// Reads the comma before a further element; call it only if the current token is not `close`.
Result<Token> Parser::list_separator(std::string_view close) {
  if (accept(",")) return previous();
  // If brackets do not match and a new line begins here, this one was probably never closed. A bad token has
  // an error of its own.
  const bool new_line = peek().at.line > previous().at.line && !is(Kind::kBad);
  if (new_line && !tokens_.brackets_match) return unclosed();
  if (is("=")) return unexpected(fmt::format("',' or '{}'", close), std::string(kEquality));
  const Position open = open_.back().at;
  return unexpected(fmt::format("',' or '{}'", close),
                    fmt::format("the '{}' was opened at {}:{}", open_.back().text, open.line, open.column));
}

void Parser::take_comments(std::size_t last, std::vector<std::string>& out) {
  auto& comments = tokens_.comments;
  while (next_comment_ < comments.size() && comments[next_comment_].before <= last) {
    out.push_back(std::move(comments[next_comment_++].text));
  }
}

// Takes the comments of the first line just read, whose kNewline is the previous token. A comment at the end
// of the line becomes `trailing`; comments inside its brackets move above the statement.
void Parser::header_comments(Stmt& stmt) {
  const std::size_t taken = next_comment_;
  take_comments(pos_ - 1, stmt.comments);
  if (next_comment_ == taken) return;
  const Comment& last = tokens_.comments[next_comment_ - 1];
  if (last.before != pos_ - 1 || last.own_line) return;
  stmt.trailing = std::move(stmt.comments.back());
  stmt.comments.pop_back();
}

// ---- Statements ----

// Reads the statements up to the end of the block. `outermost` is true for the body of a unit or fn, in which
// return is allowed.
std::vector<Stmt> Parser::statements(bool outermost) {
  std::vector<Stmt> out;
  while (!at_end() && !is(Kind::kDedent)) {
    const std::size_t start = pos_;
    auto stmt = statement(outermost);
    if (!stmt) {
      report(std::move(stmt.error()));
      recover_statement(start);
    } else {
      if (!out.empty() && out.back().kind == Stmt::Kind::kReturn) {
        report({"syntax", "a statement after return", "return must come last in its unit or fn", stmt->at});
      }
      out.push_back(std::move(*stmt));
    }
  }
  if (is(Kind::kDedent)) next();
  return out;
}

// Resumes after the statement that started at token `start`. The block of a loop with a bad header is still
// read, for its errors.
void Parser::recover_statement(std::size_t start) {
  open_.clear();
  const std::string_view first = tokens_.tokens[start].text;
  if (is(Kind::kIndent)) return skip_block();  // It is indented without a header above it.
  skip_line();
  if (!is(Kind::kIndent)) return;
  const bool loop = first == "for" || first == "scan";
  // `block` would report one that is nested too deep as a further error.
  if (!loop || block_depth_ >= limits_.depth) return skip_block();
  block(false);
}

// Reads the indented statements after a header; reports their errors itself.
std::vector<Stmt> Parser::block(bool outermost) {
  if (!is(Kind::kIndent)) {
    report({"syntax", fmt::format("expected an indented block, found {}", describe(peek())),
            "put the statements on the following lines, indented by four spaces", peek().at});
    return {};
  }
  if (block_depth_ >= limits_.depth) {
    report(too_deep("blocks nest", peek().at, "move inner blocks to units of their own").value());
    skip_block();
    return {};
  }
  next();
  ++block_depth_;
  const Restore restore{block_depth_};
  return statements(outermost);
}

Result<Stmt> Parser::statement(bool outermost) {
  std::vector<std::string> comments;
  take_comments(pos_, comments);
  GABBRO_TRY(stmt, statement_header(outermost));
  stmt.comments = std::move(comments);
  header_comments(stmt);
  if (stmt.kind == Stmt::Kind::kScan || stmt.kind == Stmt::Kind::kFor) stmt.body = block(false);
  return stmt;
}

// Reads a statement up to the end of its first line, which it consumes.
Result<Stmt> Parser::statement_header(bool outermost) {
  Stmt stmt;
  stmt.at = peek().at;
  if (is(Kind::kKeyword) && peek_is(1, "=")) return reserved("a name to assign to");
  if (accept("axis")) return axis(std::move(stmt));
  if (accept("share")) return share(std::move(stmt));
  if (accept("scan")) return scan(std::move(stmt));
  if (accept("for")) return for_loop(std::move(stmt));
  if (accept("return")) return return_values(std::move(stmt), outermost);
  return assign(std::move(stmt));
}

// Reads name "=" expression and appends to `names` and `values`.
Result<Token> Parser::bind(Stmt& stmt) {
  GABBRO_TRY(bound, name("a name"));
  stmt.names.push_back(std::move(bound));
  GABBRO_REQUIRE(expect("=", "a name is bound by ="));
  GABBRO_TRY(value, expr());
  stmt.values.push_back(std::move(value));
  return previous();
}

// Each of the following functions reads the rest of a statement after its keyword, up to the end of its line.
// `stmt` has its position.
Result<Stmt> Parser::axis(Stmt stmt) {
  stmt.kind = Stmt::Kind::kAxis;
  do {
    GABBRO_REQUIRE(bind(stmt));
  } while (accept(","));
  GABBRO_REQUIRE(end_of_line("',' or the end of the line"));
  return stmt;
}

Result<Stmt> Parser::share(Stmt stmt) {
  stmt.kind = Stmt::Kind::kShare;
  GABBRO_REQUIRE(bind(stmt));
  GABBRO_REQUIRE(end_of_line("the end of the line"));
  return stmt;
}

Result<Expr> Parser::axis_list() {
  Expr out;
  out.kind = Expr::Kind::kList;
  out.at = peek().at;
  GABBRO_REQUIRE(bracketed("[", "]", [&]() -> Result<Token> {
    if (is(Kind::kNumber))
      return unexpected("the name of an axis", "give the axis a name first: axis m = 16");
    Expr axis_name;
    axis_name.kind = Expr::Kind::kName;
    axis_name.at = peek().at;
    GABBRO_TRY(text, name("the name of an axis"));
    axis_name.text = std::move(text);
    out.args.push_back(std::move(axis_name));
    return previous();
  }));
  return out;
}

// Reads the ":" of a header and the end of its line.
Result<Token> Parser::header_end(std::string_view what) {
  GABBRO_REQUIRE(expect(":", fmt::format("the first line of {} ends in ':'", what)));
  if (!is(Kind::kNewline)) {
    return unexpected("the end of the line after ':'",
                      "put the block on the following lines, indented by four spaces");
  }
  return next();
}

Result<Stmt> Parser::scan(Stmt stmt) {
  constexpr std::string_view kForm = "write scan S: [h, k] = 0: with the state, its axes and its first value";
  stmt.kind = Stmt::Kind::kScan;
  do {
    GABBRO_TRY(state, name("the name of a state"));
    stmt.names.push_back(std::move(state));
    GABBRO_REQUIRE(expect(":", std::string(kForm)));
    GABBRO_TRY(type, axis_list());
    stmt.types.push_back(std::move(type));
    GABBRO_REQUIRE(expect("=", std::string(kForm)));
    GABBRO_TRY(value, expr());
    stmt.values.push_back(std::move(value));
  } while (accept(","));
  GABBRO_REQUIRE(header_end("a scan"));
  return stmt;
}

Result<Stmt> Parser::for_loop(Stmt stmt) {
  stmt.kind = Stmt::Kind::kFor;
  GABBRO_TRY(counter, name("the name of a counter"));
  stmt.names.push_back(std::move(counter));
  GABBRO_REQUIRE(expect("in", "write for i in n with y = x:"));
  GABBRO_TRY(count, expr());
  if (count.kind == Expr::Kind::kCall && count.text == "range") {
    return fail("syntax", "expected a number of repetitions, found 'range(...)'",
                "write for i in n: without range", count.at);
  }
  stmt.values.push_back(std::move(count));
  if (accept("with")) {
    do {
      GABBRO_REQUIRE(bind(stmt));
    } while (accept(","));
  }
  GABBRO_REQUIRE(header_end("a for"));
  return stmt;
}

Result<Stmt> Parser::return_values(Stmt stmt, bool outermost) {
  stmt.kind = Stmt::Kind::kReturn;
  if (!outermost) {
    return fail("syntax", "return is not allowed inside a block",
                "return must come last in its unit or fn, outside of scan and for", stmt.at);
  }
  do {
    GABBRO_TRY(value, expr());
    stmt.values.push_back(std::move(value));
  } while (accept(","));
  GABBRO_REQUIRE(end_of_line("an operator or the end of the line"));
  return stmt;
}

// Returns the error for a line that does not start like a statement.
tl::unexpected<Error> Parser::no_statement() const {
  std::string hint = statement_hint(peek().text);
  if (is("@")) return mismatch("a statement", "there are no decorators");  // habit_hint has @ as an operator
  if (is(Kind::kIndent)) hint = "indent it like the line above: blocks follow a ':' only";
  if (hint.empty())
    hint = "a statement binds a name, y = expression, or starts with axis, share, scan, for or return";
  return unexpected("a statement", std::move(hint));
}

// Reads name or name[expression].
Result<Expr> Parser::target() {
  const bool indexed = peek_is(1, "[");
  if (!is(Kind::kName)) return unexpected("a name to assign to", statement_hint(peek().text));
  if (indexed) {
    GABBRO_TRY(node, index());
    return std::move(node.expr);
  }
  Expr out;
  out.kind = Expr::Kind::kName;
  out.at = peek().at;
  out.text = next().text;
  return out;
}

Result<Stmt> Parser::assign(Stmt stmt) {
  const bool binds = peek_is(1, "=") || peek_is(1, ",") || peek_is(1, "[");
  if (!is(Kind::kName)) return no_statement();
  // Words such as `while` and `let` are names in Gab. They get a hint only if no binding follows.
  if (!binds && !statement_hint(peek().text).empty()) return no_statement();
  do {
    GABBRO_TRY(bound, target());
    stmt.targets.push_back(std::move(bound));
  } while (accept(","));
  if (is(":")) return unexpected("'='", "values are not annotated: their axes follow from the expression");
  if (is("==")) return unexpected("'='", "a name is bound by a single =");
  if (is("(")) return unexpected("'='", "a statement binds the result of a call: y = f(x)");
  GABBRO_REQUIRE(expect("=", "a statement binds a name: y = expression"));
  GABBRO_TRY(value, expr());
  stmt.values.push_back(std::move(value));
  if (is(","))
    return unexpected("the end of the line",
                      "one expression stands on the right: write one statement for each");
  if (is("=")) return unexpected("the end of the line", std::string(kEquality));
  GABBRO_REQUIRE(end_of_line("an operator or the end of the line"));
  return stmt;
}

// ---- Entry points ----

ParseResult parse(std::string_view text, const ParseLimits& limits) {
  ParseResult result;
  if (auto error = check_text(text, limits)) {
    result.errors.push_back(std::move(*error));
    return result;
  }
  return Parser(lex(without_byte_order_mark(text)), limits).program();
}

Result<Expr> parse_expression(std::string_view text, const ParseLimits& limits) {
  if (auto error = check_text(text, limits)) return tl::unexpected(std::move(*error));
  return Parser(lex(without_byte_order_mark(text), /*flat=*/true), limits).lone_expression();
}

}  // namespace gabbro::lang
