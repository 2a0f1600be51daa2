#include "lang/habits.h"

#include <array>
#include <span>

namespace gabbro::lang {
namespace {

struct Habit {
  std::string_view text;
  std::string_view hint;
};

constexpr std::string_view kNoMethods =
    "there are no objects: write f(x), not x.f(); hyperparameters and slots are plain names, without self";
constexpr std::string_view kAnd = "there is no `and`: nest, (x if b else y) if a else y";
constexpr std::string_view kOr = "there is no `or`: nest, x if a else (x if b else y)";
constexpr std::string_view kNot = "there is no `not`: swap the branches of `a if c else b`";
constexpr std::string_view kConditional =
    "there are no if statements: use a if c else b, as in y = a if c else b";
constexpr std::string_view kLoop =
    "the loops are `for i in n with y = x:` over layers and `scan S: [h, k] = 0:` over time";
constexpr std::string_view kImport = "there are no imports: every unit in scope is known by its name";
constexpr std::string_view kDef =
    "write fn name(a, b): for a function, unit Name(x: [t, D]) -> [t, D]: for a unit";
constexpr std::string_view kClass =
    "there are no classes: write unit Name(x: [t, D]) -> [t, D]: with parameters declared where they are "
    "used";
constexpr std::string_view kUpdate = "there are no updates in place: write x = x + 1";
constexpr std::string_view kBraces =
    "{ } only enclose the values of a hyperparameter: heads: int in {1, 2, 4} = 2";
constexpr std::string_view kBare = "a name is bound by =, as in y = expression";
constexpr std::string_view kNoEffect = "statements have no effects besides binding names; delete this one";

// Tokens found where an operator, a comma or the end of the line could be.
constexpr std::array kFound{
    Habit{".", kNoMethods},
    Habit{"@", "there is no @: use dot(a, b, over=axis)"},
    Habit{"^", "powers are written **"},
    Habit{";", "write one statement per line, without ;"},
    Habit{"!=", "there is no !=: use == and swap the branches of `a if c else b`"},
    Habit{"!==", "there is no !=: use == and swap the branches of `a if c else b`"},
    Habit{"===", "equality is written =="},
    Habit{"!", kNot},
    Habit{"~", kNot},
    Habit{"not", kNot},
    Habit{"and", kAnd},
    Habit{"&", kAnd},
    Habit{"&&", kAnd},
    Habit{"or", kOr},
    Habit{"|", kOr},
    Habit{"||", kOr},
    Habit{"<<", "there are no shifts: multiply by a power of two; shift(x, n) shifts along t"},
    Habit{">>", "there are no shifts: multiply by a power of two; shift(x, n) shifts along t"},
    Habit{"?", "conditions are written a if c else b"},
    Habit{"is", "equality is written =="},
    Habit{":=", kBare},
    Habit{"=>", "greater or equal is written >="},
    Habit{"{", kBraces},
    Habit{"...", "a range is written low .. high; nothing may be left out"},
    Habit{"\\", "no continuation mark is needed inside ( ) or [ ]; elsewhere keep the statement on one line"},
    Habit{"for", "there are no comprehensions: use operations over named axes, or a for statement"},
    Habit{"@=", kUpdate},
    Habit{"+=", kUpdate},
    Habit{"-=", kUpdate},
    Habit{"*=", kUpdate},
    Habit{"/=", kUpdate},
    Habit{"%=", kUpdate},
    Habit{"|=", kUpdate},
    Habit{"&=", kUpdate},
    Habit{"**=", kUpdate},
    Habit{"//=", kUpdate},
};

// Members after a dot: the Gab counterpart of a method or of a member of a module.
constexpr std::string_view kLength =
    "the length of the text is not a value: position() counts from its start; an axis name is its size";
constexpr std::string_view kMean =
    "there are no methods: write mean(x, over=D); over earlier positions: mean(past(x), over=s)";
constexpr std::string_view kSum =
    "there are no methods: write sum(x, over=D); over earlier positions: sum(past(x), over=s), cumsum(x)";
constexpr std::string_view kAxes =
    "there are no methods: split(x, a, [b, c]), merge(x, [b, c], a); axes have no order";
constexpr std::string_view kFft =
    "there is no FFT, it reads the future: a causal long convolution is sum(past(x) * filter, over=s) with a "
    "filter "
    "made of lag()";
constexpr std::string_view kRoll = "there are no modules: shift(x, n) looks back n positions";
constexpr std::array kMethods{
    Habit{"shape", kLength}, Habit{"size", kLength},    Habit{"mean", kMean},    Habit{"sum", kSum},
    Habit{"fft", kFft},      Habit{"roll", kRoll},      Habit{"flip", kRoll},    Habit{"view", kAxes},
    Habit{"T", kAxes},       Habit{"transpose", kAxes}, Habit{"reshape", kAxes}, Habit{"permute", kAxes},
};

constexpr std::array kStatements{
    Habit{"if", kConditional},
    Habit{"elif", kConditional},
    Habit{"else", kConditional},
    Habit{"match", kConditional},
    Habit{"switch", kConditional},
    Habit{"while", kLoop},
    Habit{"def", kDef},
    Habit{"func", kDef},
    Habit{"function", kDef},
    Habit{"class", kClass},
    Habit{"struct", kClass},
    Habit{"import", kImport},
    Habit{"from", kImport},
    Habit{"include", kImport},
    Habit{"using", kImport},
    Habit{"let", kBare},
    Habit{"var", kBare},
    Habit{"const", kBare},
    Habit{"auto", kBare},
    Habit{"global", kBare},
    Habit{"nonlocal", kBare},
    Habit{"int", kBare},
    Habit{"real", kBare},
    Habit{"bool", kBare},
    Habit{"float", kBare},
    Habit{"pass", kNoEffect},
    Habit{"assert", kNoEffect},
    Habit{"del", kNoEffect},
    Habit{"raise", kNoEffect},
    Habit{"try", kNoEffect},
    Habit{"except", kNoEffect},
    Habit{"break", kNoEffect},
    Habit{"continue", kNoEffect},
    Habit{"yield", "a unit returns values with return a, b"},
    Habit{"with", "`with` belongs to a for: for i in n with y = x:"},
    Habit{"fn", "an item starts at the left margin, outside of any block"},
    Habit{"unit", "an item starts at the left margin, outside of any block"},
    Habit{"interface", "an item starts at the left margin, outside of any block"},
    Habit{"design", "an item starts at the left margin, outside of any block"},
};

constexpr std::array kTypes{
    Habit{"float", "the type is called real"},
    Habit{"double", "the type is called real"},
    Habit{"number", "write int or real"},
    Habit{"integer", "the type is called int"},
    Habit{"boolean", "the type is called bool"},
    Habit{"str", "there are no strings; an alternative is a slot: norm: Unit = RMSNorm"},
    Habit{"Tensor", "a tensor is declared by its axes: x: [t, D]"},
    Habit{"tensor", "a tensor is declared by its axes: x: [t, D]"},
};

constexpr std::array kValues{
    Habit{"True", "write true"},
    Habit{"False", "write false"},
    Habit{"None", "there is no None: every value exists; leave the argument out or give it a default"},
    Habit{"null", "there is no null: every value exists; leave the argument out or give it a default"},
    Habit{"self", "a unit has no self: hyperparameters and slots are plain names"},
    Habit{"lambda", "there is no lambda: write a fn, or the expression itself"},
    Habit{"not", kNot},
};

std::string look_up(std::span<const Habit> table, std::string_view text) {
  for (const auto& row : table) {
    if (row.text == text) return std::string(row.hint);
  }
  return {};
}

}  // namespace

std::string habit_hint(const Token& before, const Token& found) {
  // These words are names in Gab, so it is the token after them that is unexpected.
  const bool after_name = before.kind == Token::Kind::kName;
  if (after_name && (before.text == "lambda" || before.text == "not" || before.text == "self")) {
    return look_up(kValues, before.text);
  }
  if (found.text.empty()) return {};
  return look_up(kFound, found.text);
}

std::string method_hint(std::string_view name) {
  if (const std::string known = look_up(kMethods, name); !known.empty()) return known;
  return std::string(kNoMethods);
}

std::string statement_hint(std::string_view word) { return look_up(kStatements, word); }

std::string type_hint(std::string_view name) { return look_up(kTypes, name); }

std::string value_hint(std::string_view name) { return look_up(kValues, name); }

}  // namespace gabbro::lang
