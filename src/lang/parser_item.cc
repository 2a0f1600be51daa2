// Parses items: fn, interface, unit, design.
#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "lang/habits.h"
#include "lang/library.h"
#include "lang/parser_impl.h"

namespace gabbro::lang {
namespace {

constexpr std::string_view kInputForm =
    "an input is written x: [t, D], a hyperparameter heads: int in {1, 2, 4} = 2";
constexpr std::string_view kOutputForm =
    "results are written -> [t, D], v: [t, D]; all but the first have names";
constexpr std::string_view kDesignForm =
    "a design holds width, vocab, tied, share NAME and stack, each as NAME = expression";

// Returns the hint for an entry that a design does not have.
std::string entry_hint(std::string_view name) {
  constexpr std::array<std::string_view, 16> kAround{
      "predict", "predicted_tokens", "multi_token",  "head",
      "lm_head", "output",           "output_layer", "logits",
      "heads",   "embedding",        "embed",        "mtp",
      "horizon", "unembed",          "n_predict",    "num_predicted_tokens"};
  constexpr std::array<std::string_view, 7> kTied{
      "tie",          "tie_weights",     "tie_embeddings",     "tied_weights",
      "weight_tying", "tied_embeddings", "tie_word_embeddings"};
  if (std::find(kTied.begin(), kTied.end(), name) != kTied.end())
    return fmt::format("did you mean tied? {}", kDesignForm);
  if (std::find(kAround.begin(), kAround.end(), name) != kAround.end())
    return "embedding and output layer are made around the stack, which predicts the next token; tied = true "
           "gives "
           "them one table, and the last unit of the stack shapes what the logits are made of";
  const std::string meant = closest(name, {"width", "vocab", "tied", "share", "stack"});
  return meant.empty() ? std::string(kDesignForm) : fmt::format("did you mean {}? {}", meant, kDesignForm);
}

}  // namespace

ParseResult Parser::program() {
  ParseResult result;
  while (!at_end()) item(result.program);
  take_comments(pos_, result.program.trailing_comments);
  const auto earlier = [](const Error& a, const Error& b) {
    return a.at.line != b.at.line ? a.at.line < b.at.line : a.at.column < b.at.column;
  };
  std::stable_sort(errors_.begin(), errors_.end(), earlier);
  result.lost = lost_ || errors_.size() == kMaxErrors;
  result.errors = std::move(errors_);
  result.damaged = std::move(damaged_);
  return result;
}

Result<Expr> Parser::lone_expression() {
  GABBRO_TRY(value, expr());
  if (is("=")) return unexpected("the end of the expression", std::string(kEquality));
  if (!at_end()) return unexpected("an operator or the end of the expression");
  return value;
}

// Reads one item with its block, or reports its error and resumes at the next item.
void Parser::item(Program& program) {
  const std::size_t start = pos_;
  const std::size_t errors_before = errors_.size();
  misused_.clear();
  Item out;
  out.at = peek().at;
  take_comments(pos_, out.comments);
  if (auto header = item_value(out); !header) {
    report(std::move(header.error()));
    return recover_item(start);
  }
  take_comments(pos_ - 1, out.comments);
  if (std::holds_alternative<Design>(out.value)) {
    design_body(out);
  } else if (!std::holds_alternative<Interface>(out.value)) {
    unit_body(out);
  }
  if (errors_.size() > errors_before) damaged_.push_back(item_name(out));
  program.items.push_back(std::move(out));
}

// Resumes after the item whose header at token `start` is bad. The statements of its block are still read,
// for their errors.
void Parser::recover_item(std::size_t start) {
  const std::string_view first = tokens_.tokens[start].text;
  note_damaged(start);
  open_.clear();
  if (is(Kind::kIndent)) return skip_block();
  skip_line();
  const bool has_statements = first == "fn" || first == "unit" || first == "def";
  if (!has_statements || !is(Kind::kIndent)) return skip_block();
  block(/*outermost=*/true);
}

// Remembers the name of the item that starts at token `start`, whose header is bad.
void Parser::note_damaged(std::size_t start) {
  const Token& name = tokens_.tokens[std::min(start + 1, tokens_.tokens.size() - 1)];
  if (name.kind == Kind::kName)
    damaged_.emplace_back(name.text);
  else if (tokens_.tokens[start].kind == Kind::kKeyword)
    lost_ = true;
}

// Reads an item up to the end of its first line, which it consumes.
Result<Token> Parser::item_value(Item& item) {
  const auto set = [&](auto&& value) -> Result<Token> {
    GABBRO_REQUIRE(value);
    item.value = std::move(*value);
    return previous();
  };
  if (accept("fn")) return set(function());
  if (accept("interface")) return set(interface());
  if (accept("unit")) return set(unit());
  if (accept("design")) return set(design());
  std::string hint = statement_hint(peek().text);
  if (is("@")) return mismatch("fn, interface, unit or design", "there are no decorators");
  if (is(Kind::kIndent)) hint = "items start at the left margin";
  if (hint.empty()) hint = "a program is made of items; statements stand in the block of a unit or fn";
  return unexpected("fn, interface, unit or design", std::move(hint));
}

// Grammar: "fn" name "(" param, ... ")" ":"
Result<Function> Parser::function() {
  Function out;
  GABBRO_TRY(called, name("the name of the function"));
  out.name = std::move(called);
  GABBRO_REQUIRE(bracketed("(", ")", [&] { return param(out.params); }));
  if (is("->")) return unexpected("':'", "a fn declares no result type: its axes follow from the body");
  GABBRO_REQUIRE(header_end("a fn"));
  return out;
}

Result<Token> Parser::param(std::vector<Function::Param>& params) {
  Function::Param out;
  GABBRO_TRY(called, name("the name of a parameter"));
  out.name = std::move(called);
  if (is(":")) return unexpected("',' or ')'", "parameters of a fn have no types");
  if (accept("=")) {
    GABBRO_TRY(value, expr());
    out.value = std::move(value);
  }
  params.push_back(std::move(out));
  return previous();
}

// Grammar: "interface" name "(" name ":" axes, ... ")" "->" outputs
Result<Interface> Parser::interface() {
  Interface out;
  GABBRO_TRY(called, name("the name of the interface"));
  out.name = std::move(called);
  GABBRO_REQUIRE(bracketed("(", ")", [&] { return inputs_only(out.inputs); }));
  GABBRO_TRY(results, outputs());
  out.outputs = std::move(results);
  if (is(":")) return unexpected("the end of the line", "an interface has no block: leave out the ':'");
  GABBRO_REQUIRE(end_of_line("',' or the end of the line"));
  return out;
}

Result<Token> Parser::inputs_only(std::vector<Port>& inputs) {
  Port port;
  port.at = peek().at;
  GABBRO_TRY(called, name("the name of an input"));
  port.name = std::move(called);
  GABBRO_REQUIRE(expect(":", std::string(kInputForm)));
  if (!is("[")) return unexpected("'['", "an interface has inputs only: x: [t, D]");
  GABBRO_TRY(list, axes());
  port.axes = std::move(list);
  inputs.push_back(std::move(port));
  return previous();
}

// Grammar: "[" axis, ... "]"
Result<std::vector<std::string>> Parser::axes() {
  GABBRO_TRY(list, axis_list());
  std::vector<std::string> out;
  for (auto& axis : list.args) out.push_back(std::move(axis.text));
  return out;
}

// Grammar: "->" axes, name ":" axes, ...
Result<std::vector<Port>> Parser::outputs() {
  GABBRO_REQUIRE(expect("->", std::string(kOutputForm)));
  std::vector<Port> out;
  do {
    Port port;
    port.at = peek().at;
    if (out.empty() && !is("[")) return unexpected("'['", std::string(kOutputForm));
    if (!out.empty()) {
      if (is("[")) return unexpected("the name of a result", std::string(kOutputForm));
      GABBRO_TRY(called, name("the name of a result"));
      port.name = std::move(called);
      GABBRO_REQUIRE(expect(":", std::string(kOutputForm)));
    }
    GABBRO_TRY(list, axes());
    port.axes = std::move(list);
    out.push_back(std::move(port));
  } while (accept(","));
  return out;
}

// Grammar: "unit" name "(" input or hyper, ... ")" "->" outputs ":"
Result<Unit> Parser::unit() {
  Unit out;
  GABBRO_TRY(called, name("the name of the unit"));
  out.name = std::move(called);
  GABBRO_REQUIRE(bracketed("(", ")", [&] { return input_or_hyper(out); }));
  GABBRO_TRY(results, outputs());
  out.outputs = std::move(results);
  GABBRO_REQUIRE(header_end("a unit"));
  return out;
}

Result<Token> Parser::input_or_hyper(Unit& unit) {
  const Position at = peek().at;
  GABBRO_TRY(called, name("the name of an input or hyperparameter"));
  GABBRO_REQUIRE(expect(":", std::string(called == "self" ? value_hint(called) : kInputForm)));
  if (!is("[")) {
    GABBRO_TRY(parsed, hyper(std::move(called), at));
    unit.hypers.push_back(std::move(parsed));
    return previous();
  }
  if (!unit.hypers.empty()) {
    return fail("syntax",
                fmt::format("input '{}' after hyperparameter '{}'", called, unit.hypers.back().name),
                "inputs come first in a signature", at);
  }
  GABBRO_TRY(list, axes());
  unit.inputs.push_back({std::move(called), std::move(list), at});
  if (is("=")) return unexpected("',' or ')'", "an input has no default: the caller always passes it");
  return previous();
}

// Grammar, after the name and ":": ["free"] type ["in" range] ["=" expression]
Result<Hyper> Parser::hyper(std::string called, Position at) {
  Hyper out;
  out.name = std::move(called);
  out.at = at;
  out.free = accept("free");
  GABBRO_REQUIRE(hyper_type(out));
  if (is("in")) GABBRO_REQUIRE(range(out));
  if (is("==")) return unexpected("'='", "a default is given by a single =");
  if (accept("=")) {
    GABBRO_TRY(value, expr());
    out.value = std::move(value);
  }
  return out;
}

Result<Token> Parser::hyper_type(Hyper& hyper) {
  constexpr std::string_view kTypes = "int, real, bool or the name of an interface";
  const bool is_number_type = is("int") || is("real") || (is("bool") && !hyper.free);
  if (is_number_type) {
    hyper.kind = is("int") ? Hyper::Kind::kInt : is("real") ? Hyper::Kind::kReal : Hyper::Kind::kBool;
    return next();
  }
  if (std::string hint = type_hint(peek().text); !hint.empty()) return unexpected(kTypes, std::move(hint));
  if (is("free")) return unexpected(kTypes, "free is written once");
  if (hyper.free) return unexpected("int or real", "only numbers can be free");
  hyper.kind = Hyper::Kind::kSlot;
  GABBRO_TRY(interface, name(kTypes));
  hyper.interface = std::move(interface);
  return previous();
}

// Grammar: "in" "{" entry, ... "}"
Result<Token> Parser::range(Hyper& hyper) {
  if (hyper.kind == Hyper::Kind::kSlot) {
    return unexpected("',', '=' or ')'", "a slot has no range: any unit of its interface fits");
  }
  next();
  constexpr std::string_view kForm = "allowed values are written in {1, 2, 4} or in {1 .. 64, all}";
  if (!is("{")) return unexpected("'{'", std::string(kForm));
  if (peek_is(1, "}")) {
    next();
    return mismatch("a value", std::string(kForm));
  }
  return bracketed("{", "}", [&] { return range_entry(hyper); });
}

// Grammar: expression [".." expression]
Result<Token> Parser::range_entry(Hyper& hyper) {
  GABBRO_TRY(low, expr());
  if (!accept("..")) {
    hyper.range.push_back({low, low});
    return previous();
  }
  GABBRO_TRY(high, expr());
  hyper.range.push_back({std::move(low), std::move(high)});
  return previous();
}

// Reads the block of a unit or fn, which must end in return. A block with errors may have lost its return, so
// a missing return is not reported then.
void Parser::unit_body(Item& item) {
  const std::size_t errors_before = errors_.size();
  auto* unit = std::get_if<Unit>(&item.value);
  std::vector<Stmt>& body = unit != nullptr ? unit->body : std::get<Function>(item.value).body;
  body = block(/*outermost=*/true);
  if (errors_.size() > errors_before || body.empty() || body.back().kind == Stmt::Kind::kReturn) return;
  report({"syntax",
          fmt::format("{} '{}' does not end in return", unit != nullptr ? "unit" : "fn", item_name(item)),
          "end the block with return y", body.back().at});
}

Result<Design> Parser::design() {
  Design out;
  GABBRO_TRY(called, name("the name of the design"));
  out.name = std::move(called);
  GABBRO_REQUIRE(header_end("a design"));
  return out;
}

// Reads the entries of a design. Their comments move to the item, because the printer writes the entries in a
// fixed order.
void Parser::design_body(Item& item) {
  const std::size_t errors_before = errors_.size();
  auto& design = std::get<Design>(item.value);
  if (!is(Kind::kIndent)) {
    block(/*outermost=*/false);  // reports that the block is missing
    return;
  }
  next();
  while (!at_end() && !is(Kind::kDedent)) {
    const std::size_t start = pos_;
    take_comments(pos_, item.comments);
    if (auto entry = design_entry(design); !entry) {
      report(std::move(entry.error()));
      recover_statement(start);
    } else {
      take_comments(pos_ - 1, item.comments);
    }
  }
  if (is(Kind::kDedent)) next();
  // Only a stack that was written has a line.
  if (design.stack.at.line > 0 || errors_.size() > errors_before) return;
  report({"syntax", fmt::format("design '{}' has no stack", design.name),
          "add stack = Instance, e.g. stack = 12 * Block", item.at});
}

Result<Token> Parser::design_entry(Design& design) {
  if (!accept("share")) return design_value(design);
  Design::Shared shared;
  shared.at = peek().at;
  GABBRO_TRY(called, name("a name"));
  shared.name = std::move(called);
  GABBRO_REQUIRE(expect("=", std::string(kDesignForm)));
  GABBRO_TRY(value, expr());
  shared.instance = std::move(value);
  design.shares.push_back(std::move(shared));
  return end_of_line("an operator or the end of the line");
}

// Grammar: ("width" | "vocab" | "tied" | "stack") "=" expression
Result<Token> Parser::design_value(Design& design) {
  const Token entry = peek();
  const bool stack = entry.text == "stack";
  std::optional<Expr>* slot = entry.text == "width"   ? &design.width
                              : entry.text == "vocab" ? &design.vocab
                              : entry.text == "tied"  ? &design.tied
                                                      : nullptr;
  if (!is(Kind::kName) || (slot == nullptr && !stack))
    return unexpected("width, vocab, tied, share or stack", entry_hint(entry.text));
  const bool given = stack ? design.stack.at.line > 0 : slot->has_value();
  if (given)
    return fail("syntax", fmt::format("'{}' is given twice", entry.text), "keep one of them", entry.at);
  next();
  GABBRO_REQUIRE(expect("=", std::string(kDesignForm)));
  GABBRO_TRY(value, expr());
  GABBRO_REQUIRE(end_of_line("an operator or the end of the line"));
  if (stack) {
    design.stack = std::move(value);
  } else {
    *slot = std::move(value);
  }
  return previous();
}

}  // namespace gabbro::lang
