// Collects what the checker knows about every place of a unit, for edits: the names in scope at its
// statements and the types of its expressions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lang/ast.h"

namespace gabbro::lang {

/// The type of a value, with its axes named as in the program and sorted; t and s are separate. Inside a
/// scan, values are those of one position and `time` is false.
struct NamedType {
  bool time = false;
  bool past = false;
  std::int64_t window = 0;  // of `past`; ir::kAll if unbounded
  std::vector<std::string> axes;
  friend bool operator==(const NamedType&, const NamedType&) = default;
};

/// Filled by elaborating one unit with `ElaborateOptions::survey` set. Pointers refer to the unit's syntax
/// tree. A loop body is surveyed in its first iteration. An expression whose type has an axis without a name
/// in scope is omitted.
struct Survey {
  struct Name {
    enum class Kind { kValue, kAxis, kNumber, kInstance };
    std::string name;
    Kind kind = Kind::kValue;
    NamedType type;    // kValue
    double value = 0;  // kNumber; kAxis: its size
    // A state of a scan or a carried value of a loop, where an assignment to it is allowed.
    bool carried = false;
  };
  struct StmtSite {
    const Stmt* stmt = nullptr;
    bool in_scan = false;
    std::vector<Name> scope;  // names in scope before the statement
  };
  struct ExprSite {
    const Expr* expr = nullptr;
    const Stmt* stmt = nullptr;  // the innermost statement around it
    NamedType type;
  };
  std::vector<StmtSite> stmts;
  std::vector<ExprSite> exprs;
};

}  // namespace gabbro::lang
