// The statements of one Python function under construction.
#pragma once

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace gabbro::pytorch {

struct Scope;

/// One statement, or a compound one: a loop (`body` and `header`), or a scan, whose text depends on the names
/// that are read after it.
struct Line {
  std::vector<std::string> targets;
  std::string text;        // the right-hand side, or the header of a loop
  std::vector<Line> body;  // of a loop
  std::function<std::vector<std::string>(const std::set<std::string>& read)> scan;
  std::vector<Line>* step = nullptr;  // the statements of the scan's step, which `scan` keeps
  bool is_return = false;
};

/// A function: `forward` of a class, a module-level function, or the step of a scan.
struct Scope {
  enum class Kind { kForward, kFunction, kStep } kind = Kind::kForward;
  Scope* outer = nullptr;  // of a step
  std::vector<Line> lines;
  std::set<std::string> names;  // assigned or passed so far
  std::string like;             // a value with batch and time
  // A module-level function is passed these beside the arguments of the program: names with the expressions
  // of the caller.
  std::vector<std::pair<std::string, std::string>> hidden;
  std::map<std::string, std::string> masks;  // window -> name of the mask
  std::map<std::string, std::string> pasts;  // value and window -> name of the value at past positions
  // A step reads these sequences: their names, and their texts outside.
  std::vector<std::pair<std::string, std::string>> sequences;

  /// Returns a name like `base` that is not in use here or around a step, and takes it.
  std::string fresh(const std::string& base);
  void assign(std::vector<std::string> targets, std::string text);
};

/// Marks the name of a function of the module, which is only known when all other names are
/// (Writer::name_items).
std::string function_mark(std::string_view name);

/// Returns the identifiers of a Python text, without those after a dot, in quotes, and in marks.
std::set<std::string> identifiers(std::string_view text);

/// Returns the lines of `scope` as text, indented by `indent` spaces, without statements whose values are
/// never read. `read` holds the names read after them and receives all names that are read.
std::vector<std::string> render(const std::vector<Line>& lines, std::set<std::string>& read, int indent);

/// Returns "(a, b)"; for one item "a", or "(a,)" if it is `always` a tuple.
template <class T>
std::string tuple_text(const std::vector<T>& items, bool always) {
  if (items.size() == 1) return always ? fmt::format("({},)", items[0]) : fmt::format("{}", items[0]);
  return fmt::format("({})", fmt::join(items, ", "));
}

/// Returns a line of Python in several lines if it is long, broken at brackets.
std::string wrapped(const std::string& line);

/// Returns a name that is free in Python and in modules: `name`, or with underscores appended.
std::string python_name(const std::string& name);

}  // namespace gabbro::pytorch
