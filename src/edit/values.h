// Random expressions of a wanted type: the core of the generator, and of every edit that needs new code.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "lang/ast.h"
#include "lang/survey.h"

namespace gabbro::edit {

/// Writes expressions that are well typed where `scope` is what is in scope. Helper statements that they need
/// are appended to `before`, which is to stand before the statement that uses them; names made there join the
/// scope, so later expressions may share them. Everything made carries a gradient to its parameters. All
/// shapes keep to named axes of the scope, so an expression is right at every width at which the scope is.
/// O(size).
class Values {
 public:
  struct Options {
    bool time = true;                   // may read earlier positions
    bool in_scan = false;               // per-position values; no other positions, no scan
    std::vector<std::string> slots{};   // of interface Unit: called on [t, D]
    std::vector<std::string> narrow{};  // of them, those that work along any axis and in a scan
  };

  Values(Random& random, std::vector<lang::Survey::Name> scope, Options options,
         std::vector<lang::Stmt>& before);

  /// An expression of type `want` from about `size` operations.
  lang::Expr make(const lang::NamedType& want, int size);
  /// The same, reading earlier positions at its root. `want` has t; options.time must hold.
  lang::Expr mix(const lang::NamedType& want, int size);
  /// A new name starting with `stem`, taken from now on.
  std::string fresh(std::string_view stem);
  /// Gives `value` a name in a statement before, and returns the name.
  lang::Expr hoist(std::string_view stem, lang::Expr value, const lang::NamedType& type);

  [[nodiscard]] const std::vector<lang::Survey::Name>& scope() const { return scope_; }
  /// Keeps `name` from being made.
  void reserve(std::string name) { taken_.push_back(std::move(name)); }

 private:
  using Type = lang::NamedType;
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
  lang::Expr gate(const Type& type, bool near_one);
  lang::Expr fresh_linear(const Type& want);
  lang::Expr param(const std::vector<std::string>& axes, double init);

  [[nodiscard]] std::vector<std::string> axes_of_scope() const;
  [[nodiscard]] std::vector<std::string> names_of(const Type& type) const;
  std::string key_axis(const Type& without);
  Type part(const Type& type);
  lang::Expr window(std::int64_t& size);
  [[nodiscard]] lang::Expr window_named(std::int64_t size) const;

  Random& random_;
  std::vector<lang::Survey::Name> scope_;
  Options options_;
  std::vector<lang::Stmt>& before_;
  std::vector<std::string> taken_;
};

/// How often `name` is read (as a value, a call or a family), and whether it is at all.
int count_mentions(const lang::Expr& expr, std::string_view name);
int count_mentions(const lang::Stmt& stmt, std::string_view name);
/// Adds the names that an expression reads or calls.
void names_in(const lang::Expr& expr, std::set<std::string>& out);
bool mentions(const lang::Expr& expr, std::string_view name);
bool mentions(const std::vector<lang::Stmt>& block, std::string_view name);

}  // namespace gabbro::edit
