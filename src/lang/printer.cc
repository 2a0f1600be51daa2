#include "lang/printer.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <string_view>
#include <vector>

#include "lang/line.h"

namespace gabbro::lang {
namespace {

constexpr int kIndent = 4;

// Binding strength. An operand that binds less tightly than its place requires is put in parentheses.
enum Level : int { kConditional, kComparison, kSum, kProduct, kNegation, kPower, kAtom };

Level level_of_operator(std::string_view op) {
  if (op == "**") return kPower;
  if (op == "+" || op == "-") return kSum;
  if (op == "*" || op == "/" || op == "//" || op == "%") return kProduct;
  return kComparison;
}

Level level_of(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kIf:
      return kConditional;
    case Expr::Kind::kBinary:
      return level_of_operator(expr.text);
    case Expr::Kind::kUnary:
      return kNegation;
    case Expr::Kind::kNumber:
      return std::signbit(expr.number) ? kNegation : kAtom;
    default:
      return kAtom;
  }
}

// Returns the shortest digits that read back as `value`: integers in full up to 15 digits, an exponent only
// for very large and very small values.
std::string number_text(double value) {
  char buffer[64];
  const double size = std::fabs(value);
  const bool is_fixed = value == 0 || (size >= 1e-4 && size < 1e15);
  const auto format = is_fixed ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, format).ptr;
  std::string text(buffer, end);
  const std::size_t exponent = text.find('e');
  if (exponent == std::string::npos || !std::isfinite(value)) return text;
  std::string digits = text.substr(exponent + 1);  // "+30", "-05"
  const bool negative = digits.front() == '-';
  digits.erase(0, std::min(digits.find_first_not_of("+-0"), digits.size() - 1));
  return text.substr(0, exponent) + (negative ? "e-" : "e") + digits;
}

// Calls `write` on each element, with commas between them.
template <class Range, class Write>
void write_separated(Line& line, const Range& range, Write write) {
  bool first = true;
  for (const auto& element : range) {
    if (!first) line.comma();
    first = false;
    write(element);
  }
}

// Writes `expr`, in parentheses if it binds less tightly than `least`.
void write(Line& line, const Expr& expr, int least = kConditional);

void write_all(Line& line, std::span<const Expr> exprs) {
  write_separated(line, exprs, [&](const Expr& expr) { write(line, expr); });
}

void write_list(Line& line, const Expr& expr) {
  line.open('[');
  write_all(line, expr.args);
  line.close(']');
}

void write_call(Line& line, const Expr& expr) {
  line.text(expr.text);
  line.open('(');
  for (std::size_t i = 0; i < expr.args.size(); ++i) {
    if (i > 0) line.comma();
    const bool keyword = i < expr.keywords.size() && !expr.keywords[i].empty();
    if (keyword) line.text(expr.keywords[i] + "=");
    write(line, expr.args[i]);
  }
  line.close(')');
}

void write_binary(Line& line, const Expr& expr) {
  const Level level = level_of_operator(expr.text);
  const bool is_power = level == kPower;     // ** is right-associative, and its base is an atom
  const bool chains = level != kComparison;  // a < b < c is not in the language
  write(line, expr.args[0], is_power ? kAtom : chains ? level : level + 1);
  line.text(" " + expr.text + " ");
  line.may_break(level);
  write(line, expr.args[1], is_power ? static_cast<int>(kNegation) : level + 1);
}

void write_if(Line& line, const Expr& expr) {
  write(line, expr.args[0], kComparison);
  line.text(" if ");
  line.may_break(kComparison);
  write(line, expr.args[1], kComparison);
  line.text(" else ");
  line.may_break(kComparison);
  write(line, expr.args[2], kConditional);
}

// Writes `expr` without parentheses around it.
void write_bare(Line& line, const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kNumber:
      return line.text(number_text(expr.number));
    case Expr::Kind::kBool:
      return line.text(expr.number != 0 ? "true" : "false");
    case Expr::Kind::kName:
      return line.text(expr.text);
    case Expr::Kind::kCall:
      return write_call(line, expr);
    case Expr::Kind::kUnary:
      line.text(expr.text);
      return write(line, expr.args[0], kNegation);
    case Expr::Kind::kBinary:
      return write_binary(line, expr);
    case Expr::Kind::kList:
      return write_list(line, expr);
    case Expr::Kind::kIf:
      return write_if(line, expr);
    case Expr::Kind::kIndex:
      line.text(expr.text);
      line.open('[');
      write(line, expr.args[0]);
      return line.close(']');
  }
}

void write_parenthesised(Line& line, const Expr& expr) {
  line.open('(');
  write_bare(line, expr);
  line.close(')');
}

void write(Line& line, const Expr& expr, int least) {
  if (level_of(expr) < least) return write_parenthesised(line, expr);
  write_bare(line, expr);
}

// ---- Statements ----

// Writes the names from index `from` on, each with its type, if it has one, and its value.
void write_bindings(Line& line, const Stmt& stmt, std::size_t from) {
  for (std::size_t i = from; i < stmt.names.size(); ++i) {
    if (i > from) line.comma();
    line.text(stmt.names[i]);
    if (i < stmt.types.size()) line.text(": "), write_list(line, stmt.types[i]);
    line.text(" = ");
    write(line, stmt.values[i]);
  }
}

void write_for(Line& line, const Stmt& stmt) {
  line.text("for " + stmt.names[0] + " in ");
  write(line, stmt.values[0]);
  if (stmt.names.size() > 1) {
    line.text(" with ");
    write_bindings(line, stmt, 1);
  }
  line.text(":");
}

// Writes the values of an assignment or return. `wrapped` puts a single value in parentheses, so that the
// line may be broken inside them.
void write_values(Line& line, const Stmt& stmt, bool wrapped) {
  if (wrapped) return write_parenthesised(line, stmt.values[0]);
  write_all(line, stmt.values);
}

// Returns the statement without its block.
Line header(const Stmt& stmt, bool wrapped) {
  Line line;
  switch (stmt.kind) {
    case Stmt::Kind::kAxis:
      line.text("axis "), write_bindings(line, stmt, 0);
      break;
    case Stmt::Kind::kShare:
      line.text("share "), write_bindings(line, stmt, 0);
      break;
    case Stmt::Kind::kScan:
      line.text("scan "), write_bindings(line, stmt, 0), line.text(":");
      break;
    case Stmt::Kind::kFor:
      write_for(line, stmt);
      break;
    case Stmt::Kind::kReturn:
      line.text("return "), write_values(line, stmt, wrapped);
      break;
    case Stmt::Kind::kAssign:
      write_all(line, stmt.targets);
      line.text(" = ");
      write_values(line, stmt, wrapped);
  }
  return line;
}

bool has_block(const Stmt& stmt) { return stmt.kind == Stmt::Kind::kScan || stmt.kind == Stmt::Kind::kFor; }

// Returns true if an operation is too long for one line and needs brackets to be broken.
bool needs_wrapping(const Stmt& stmt, const Line& line, std::size_t indent) {
  const bool holds_values = stmt.kind == Stmt::Kind::kAssign || stmt.kind == Stmt::Kind::kReturn;
  if (!holds_values || stmt.values.size() != 1 || indent + line.size() <= Line::kColumns) return false;
  return level_of(stmt.values[0]) < kAtom;
}

std::string comment_text(std::string_view comment) {
  std::string out = comment.empty() ? "#" : "# ";
  for (const char c : comment) out += c == '\n' || c == '\r' ? ' ' : c;
  return out;
}

void print_comments(std::string& out, const std::vector<std::string>& comments, std::size_t indent) {
  for (const auto& comment : comments) out.append(indent, ' ').append(comment_text(comment)) += '\n';
}

void print_stmt(std::string& out, const Stmt& stmt, std::size_t indent) {
  print_comments(out, stmt.comments, indent);
  Line line = header(stmt, /*wrapped=*/false);
  if (needs_wrapping(stmt, line, indent)) line = header(stmt, /*wrapped=*/true);
  out += line.layout(indent, indent + (has_block(stmt) ? 2 * kIndent : kIndent));
  if (!stmt.trailing.empty()) out += "  " + comment_text(stmt.trailing);
  out += '\n';
  for (const auto& inner : stmt.body) print_stmt(out, inner, indent + kIndent);
}

void print_body(std::string& out, const std::vector<Stmt>& body) {
  for (const auto& stmt : body) print_stmt(out, stmt, kIndent);
}

// ---- Items ----

void write_port(Line& line, const Port& port) {
  if (!port.name.empty()) line.text(port.name + ": ");
  line.protect();
  line.open('[');
  write_separated(line, port.axes, [&](const std::string& axis) { line.text(axis); });
  line.close(']');
  line.unprotect();
}

void write_outputs(Line& line, const std::vector<Port>& outputs) {
  line.text(" -> ");
  write_separated(line, outputs, [&](const Port& port) { write_port(line, port); });
}

std::string_view type_name(const Hyper& hyper) {
  switch (hyper.kind) {
    case Hyper::Kind::kInt:
      return "int";
    case Hyper::Kind::kReal:
      return "real";
    case Hyper::Kind::kBool:
      return "bool";
    case Hyper::Kind::kSlot:
      break;
  }
  return hyper.interface;
}

void write_entry(Line& line, const RangeEntry& entry) {
  write(line, entry.low);
  if (print(entry.low) == print(entry.high)) return;
  line.text(" .. ");
  write(line, entry.high);
}

void write_hyper(Line& line, const Hyper& hyper) {
  line.text(hyper.name + (hyper.free ? ": free " : ": "));
  line.text(type_name(hyper));
  if (!hyper.range.empty()) {
    line.text(" in ");
    line.open('{');
    write_separated(line, hyper.range, [&](const RangeEntry& entry) { write_entry(line, entry); });
    line.close('}');
  }
  if (!hyper.value) return;
  line.text(" = ");
  write(line, *hyper.value);
}

void print_header(std::string& out, const Line& line) { out += line.layout(0, 2 * kIndent) + "\n"; }

void print_value(std::string& out, const Function& function) {
  Line line;
  line.text("fn " + function.name);
  line.open('(');
  write_separated(line, function.params, [&](const Function::Param& param) {
    line.text(param.name);
    if (param.value) line.text("="), write(line, *param.value);
  });
  line.close(')');
  line.text(":");
  print_header(out, line);
  print_body(out, function.body);
}

void print_value(std::string& out, const Interface& interface) {
  Line line;
  line.text("interface " + interface.name);
  line.open('(');
  write_separated(line, interface.inputs, [&](const Port& port) { write_port(line, port); });
  line.close(')');
  write_outputs(line, interface.outputs);
  print_header(out, line);
}

void print_value(std::string& out, const Unit& unit) {
  Line line;
  line.text("unit " + unit.name);
  line.open('(');
  write_separated(line, unit.inputs, [&](const Port& port) { write_port(line, port); });
  if (!unit.inputs.empty() && !unit.hypers.empty()) line.comma();
  write_separated(line, unit.hypers, [&](const Hyper& hyper) { write_hyper(line, hyper); });
  line.close(')');
  write_outputs(line, unit.outputs);
  line.text(":");
  print_header(out, line);
  print_body(out, unit.body);
}

void print_entry(std::string& out, const std::string& name, const Expr& value) {
  Line line;
  line.text(name + " = ");
  const Line start = line;
  write(line, value);
  if (kIndent + line.size() > Line::kColumns && level_of(value) < kAtom) {
    line = start;
    write_parenthesised(line, value);
  }
  out += line.layout(kIndent, 2 * kIndent) + "\n";
}

void print_value(std::string& out, const Design& design) {
  out += "design " + design.name + ":\n";
  if (design.width) print_entry(out, "width", *design.width);
  if (design.vocab) print_entry(out, "vocab", *design.vocab);
  if (design.tied) print_entry(out, "tied", *design.tied);
  for (const auto& shared : design.shares) print_entry(out, "share " + shared.name, shared.instance);
  print_entry(out, "stack", design.stack);
}

}  // namespace

std::string print(const Program& program) {
  std::string out;
  for (const auto& item : program.items) {
    if (!out.empty()) out += '\n';
    out += print(item);
  }
  if (!out.empty() && !program.trailing_comments.empty()) out += '\n';
  print_comments(out, program.trailing_comments, 0);
  return out;
}

std::string print(const Item& item) {
  std::string out;
  print_comments(out, item.comments, 0);
  std::visit([&](const auto& value) { print_value(out, value); }, item.value);
  return out;
}

std::string print(const Expr& expr) {
  Line line;
  write(line, expr);
  return line.flat();
}

std::string print(const Stmt& stmt, int indent) {
  std::string out;
  print_stmt(out, stmt, static_cast<std::size_t>(indent));
  return out;
}

}  // namespace gabbro::lang
