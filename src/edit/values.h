// Generates random expressions of a given type: the core of the generator, and of every edit that needs new
// code.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "lang/ast.h"
#include "lang/survey.h"

namespace gabbro::edit {

/// Writes random expressions that are well typed given the names in `scope`. Helper statements are appended
/// to `before`, which must be inserted before the statement that uses them. Names assigned there join the
/// scope, so later expressions may share them. Every generated value carries a gradient to its parameters.
/// Shapes consist of named axes of the scope, so an expression is well typed at every width at which the
/// scope is. O(size).
class Values {
 public:
  struct Options {
    bool reads_past = true;             // expressions may read earlier positions
    bool in_scan = false;               // values of one position; no other positions, no nested scan
    std::vector<std::string> slots{};   // names of slots of interface Unit, called on [t, D]
    std::vector<std::string> narrow{};  // those of them that work along any axis and in a scan
  };

  Values(Random& random, std::vector<lang::Survey::Name> scope, Options options,
         std::vector<lang::Stmt>& before);

  /// Returns an expression of type `want` with about `size` operations.
  lang::Expr make(const lang::NamedType& want, int size);
  /// Does the same, but reads earlier positions at its root. Requires that `want` has t and that
  /// Options::reads_past is true.
  lang::Expr mix(const lang::NamedType& want, int size);
  /// Returns an unused name that starts with `stem` and marks it as used.
  std::string fresh(std::string_view stem);
  /// Assigns `value`, of type `type`, to a new name in a helper statement, and returns the name.
  lang::Expr hoist(std::string_view stem, lang::Expr value, const lang::NamedType& type);

  [[nodiscard]] const std::vector<lang::Survey::Name>& scope() const { return scope_; }
  /// Prevents `name` from being generated.
  void reserve(std::string name) { taken_.push_back(std::move(name)); }

 private:
  using Type = lang::NamedType;
  // These return expressions of type `want` with about `size` operations, of one kind each.
  lang::Expr leaf(const Type& want);
  lang::Expr constant_in_time(const Type& want);
  lang::Expr over_past(const Type& want, int size);
  lang::Expr unary(const Type& want, int size);
  lang::Expr combine(const Type& want, int size);
  lang::Expr project(const Type& want, int size);
  lang::Expr contract(const Type& want, int size);
  lang::Expr through_unit(const Type& want, int size);
  lang::Expr attention(const Type& want, int size);
  lang::Expr decayed_sum(const Type& want, int size);
  lang::Expr matrix_scan(const Type& want, int size);
  lang::Expr vector_scan(const Type& want, int size);
  lang::Expr gate(const Type& type);          // in (0, 1)
  lang::Expr decay_factor(const Type& type);  // in (0, 1), mostly near 1
  lang::Expr fresh_linear(const Type& want);
  lang::Expr param(const std::vector<std::string>& axes, double init);

  [[nodiscard]] std::vector<std::string> axes_of_scope() const;
  [[nodiscard]] std::vector<std::string> names_of(const Type& type) const;
  std::string key_axis(const Type& without);
  Type random_part(const Type& type);
  lang::Expr window(std::int64_t& size);
  [[nodiscard]] lang::Expr window_named(std::int64_t size) const;

  Random& random_;
  std::vector<lang::Survey::Name> scope_;
  Options options_;
  std::vector<lang::Stmt>& before_;
  std::vector<std::string> taken_;
};

/// Return how often `name` is read: as a value, a call, or indexed (`name[i]`).
int count_mentions(const lang::Expr& expr, std::string_view name);
int count_mentions(const lang::Stmt& stmt, std::string_view name);
/// Adds the names that an expression reads or calls to `out`.
void names_in(const lang::Expr& expr, std::set<std::string>& out);
/// Return true if `name` is read at all.
bool mentions(const lang::Expr& expr, std::string_view name);
bool mentions(const std::vector<lang::Stmt>& block, std::string_view name);

}  // namespace gabbro::edit
