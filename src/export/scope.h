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

/// One statement, or a compound one: a loop (`text` is its header, `body` its statements), or a scan, whose
/// text depends on the names that are read after it.
struct Line {
  std::vector<std::string> targets;  // names that it assigns
  std::string text;                  // the right-hand side, or the header of a loop
  std::vector<Line> body;            // of a loop
  // Returns the lines of a scan, given the names that are read after it; null for other statements.
  std::function<std::vector<std::string>(const std::set<std::string>& read)> scan;
  std::vector<Line>* step = nullptr;  // the statements of the scan's step; the closure `scan` owns them
  bool is_return = false;
};

/// A function: `forward` of a class, a module-level function, or the step of a scan.
struct Scope {
  enum class Kind { kForward, kFunction, kStep } kind = Kind::kForward;
  Scope* outer = nullptr;  // of a step: the scope that contains the scan
  std::vector<Line> lines;
  std::set<std::string> names;  // in use: assigned or passed so far, or reserved by a step inside
  // Name of a tensor with the axes [batch, t], or [batch] if the function is called in a step. New tensors
  // take its sizes, device and type. Empty: none is known yet.
  std::string like;
  // Further parameters of a module-level function, beside those of the program: the name of each, and the
  // expression that the caller passes.
  std::vector<std::pair<std::string, std::string>> extra_parameters;
  std::map<std::string, std::string> masks;  // window -> name of the mask
  std::map<std::string, std::string> pasts;  // value and window -> name of the value at past positions
  // Tensors over all positions, of which a step reads one position at a time: the name in the step, and the
  // expression outside.
  std::vector<std::pair<std::string, std::string>> sequences;

  /// Returns and reserves a name that is `base`, or made from it, and is free here and in all outer scopes.
  std::string fresh(const std::string& base);
  void assign(std::vector<std::string> targets, std::string text);
};

/// Returns a placeholder for the name of a module-level function. Writer::resolved replaces it by the final
/// name, which is chosen when all other names are known (Writer::name_items).
std::string function_mark(std::string_view name);

/// Returns the identifiers of a Python text, except those after a dot, in double quotes, or in a placeholder
/// of function_mark.
std::set<std::string> identifiers(std::string_view text);

/// Returns statements as lines of text, indented by `indent` spaces, without those whose values are never
/// read. `read` holds the names that are read after them, and receives those that they read.
std::vector<std::string> render(const std::vector<Line>& lines, std::set<std::string>& read, int indent);

/// Returns "(a, b)"; of one item "(a,)" if `always`, else "a".
template <class T>
std::string tuple_text(const std::vector<T>& items, bool always) {
  if (items.size() == 1) return always ? fmt::format("({},)", items[0]) : fmt::format("{}", items[0]);
  return fmt::format("({})", fmt::join(items, ", "));
}

/// Returns a line of Python, broken at brackets into several lines if it is longer than 110 columns.
std::string wrapped(const std::string& line);

/// Returns a name that is free in Python and in modules: `name`, with "u" in front if it begins with an
/// underscore, or with an underscore appended if it is taken.
std::string python_name(const std::string& name);

}  // namespace gabbro::pytorch
