// The syntax tree of Gab: plain values that are copied and edited freely. It is the genome of the search:
// tree edits produce new trees, and the printer writes the one canonical text of a tree.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"

namespace gabbro::lang {

/// An expression. `text` is the name (kName), the callee (kCall), the name before the index (kIndex), or the
/// operator (kUnary "-"; kBinary "+ - * / // % ** < > <= >= =="). `args` holds the operands, list elements or
/// call arguments in written order, with `keywords` parallel to the arguments ("" for a positional one). kIf:
/// value, condition, other value ("a if c else b"). kIndex: the index ("skip[i]").
struct Expr {
  enum class Kind { kNumber, kBool, kName, kCall, kUnary, kBinary, kList, kIf, kIndex };
  Kind kind = Kind::kNumber;
  Position at;
  std::string text;
  double number = 0;  // kNumber; kBool: 0 or 1. The literal `all` is kName.
  std::vector<Expr> args;
  std::vector<std::string> keywords;
};

/// A statement. By kind:
///   kAxis    axis h = heads, k = D / heads     names[i] = values[i]
///   kAssign  y, v = expression                 targets (kName or kIndex) = values[0]
///   kShare   share n = Instance                names[0] = values[0]
///   kScan    scan S: [h, k] = 0, z: [h] = 0:   names[i]: types[i] = values[i], body
///   kFor     for i in n with y = x:            names[0] in values[0], carried
///                                              names[i] = values[i] (i >= 1), body
///   kReturn  return a, b                       values
/// Comments are kept for the printer: whole lines before the statement, and one at the end of its (first)
/// line.
struct Stmt {
  enum class Kind { kAxis, kAssign, kShare, kScan, kFor, kReturn };
  Kind kind = Kind::kAssign;
  Position at;
  std::vector<std::string> names;
  std::vector<Expr> targets;
  std::vector<Expr> types;  // kScan: one kList of axis names each
  std::vector<Expr> values;
  std::vector<Stmt> body;
  std::vector<std::string> comments;
  std::string trailing;
};

/// A tensor in a signature: its name and axes. The checker accepts only the axes [t, D].
struct Port {
  std::string name;  // empty for the first result
  std::vector<std::string> axes;
  Position at;
};

/// An entry of the range of a hyperparameter: `1 .. 64`, or a single value such as `4` or `all`, which is
/// then both low and high.
struct RangeEntry {
  Expr low;
  Expr high;
};

/// A hyperparameter (int, real, bool) or a child slot, whose interface is named in `interface`.
struct Hyper {
  enum class Kind { kInt, kReal, kBool, kSlot };
  Kind kind = Kind::kInt;
  std::string name;
  std::string interface;
  bool free = false;  // marked "free": resizing may change it to meet a parameter budget
  std::vector<RangeEntry> range;
  std::optional<Expr> value;  // the default
  Position at;
};

struct Interface {
  std::string name;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
};

struct Unit {
  std::string name;
  std::vector<Port> inputs;
  std::vector<Hyper> hypers;
  std::vector<Port> outputs;
  std::vector<Stmt> body;
};

/// A composite function written in the language, expanded where it is called. Arguments may be values,
/// numbers, axes or lists of axes.
struct Function {
  struct Param {
    std::string name;
    std::optional<Expr> value;  // the default
  };
  std::string name;
  std::vector<Param> params;
  std::vector<Stmt> body;
};

/// A whole model: width D and vocabulary size V (defaults; a rung's parameters and the tokenizer set them),
/// tied embeddings or not,
/// shared instances, and the stack. The stack is an instance expression: Unit, Unit(a=..), 12 * Instance,
/// [Instance, Instance], or the name of a shared instance.
struct Design {
  struct Shared {
    std::string name;
    Expr instance;
    Position at;
  };
  std::string name;
  std::optional<Expr> width;
  std::optional<Expr> vocab;
  std::optional<Expr> tied;
  std::vector<Shared> shares;
  Expr stack;
};

struct Item {
  std::variant<Function, Interface, Unit, Design> value;
  Position at;
  std::vector<std::string> comments;  // the lines above it
};

struct Program {
  std::vector<Item> items;
  std::vector<std::string> trailing_comments;  // those after the last item
};

/// Returns the design that a program defines: its last one, or null if it has none.
const Design* last_design(const Program& program);

/// Returns the name of an item of any kind.
const std::string& item_name(const Item& item);

}  // namespace gabbro::lang
