// The names a program can use: its own items, then those of the libraries it is checked against (prelude,
// zoo, code book).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "lang/ast.h"

namespace gabbro::lang {

/// Name tables over programs that outlive the library. The program added last is the one being checked: its
/// items shadow the others for itself, while library items keep seeing the library's. Copying is O(names of
/// the program added last).
class Library {
 public:
  /// Adds all items of `program`; errors: "duplicate" (two items of one name in this program), "reserved" (a
  /// name the language keeps), "recursion" (units or functions that contain themselves, with the cycle).
  std::vector<Error> add(const Program& program);

  /// What `name` means in the checked program (`own`) or in a library item; null when unknown.
  [[nodiscard]] const Function* function(std::string_view name, bool own = true) const;
  [[nodiscard]] const Interface* interface(std::string_view name, bool own = true) const;
  [[nodiscard]] const Unit* unit(std::string_view name, bool own = true) const;
  /// Whether `item` (a Unit or a Function) comes from the program added last, the one being checked.
  [[nodiscard]] bool is_own(const void* item) const { return own_.contains(item); }
  /// Names of all units, sorted.
  [[nodiscard]] std::vector<std::string> unit_names() const;
  /// The known name closest to `name` (at most two edits), or "".
  [[nodiscard]] std::string suggest(std::string_view name) const;

 private:
  template <class T>
  using Table = std::unordered_map<std::string_view, const T*>;  // keys are the items' own names
  struct Names {
    Table<Function> functions;
    Table<Interface> interfaces;
    Table<Unit> units;
  };
  std::shared_ptr<const Names> base_ = std::make_shared<const Names>();  // shared by copies, never changed
  Names mine_;
  std::unordered_set<const void*> own_;
};

/// The word among `known` closest to `name`, or "" when none is close.
std::string closest(std::string_view name, const std::vector<std::string>& known);

}  // namespace gabbro::lang
