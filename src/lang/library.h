// The names that a program can use: its own items, then those of the libraries against which it is checked
// (prelude, zoo, catalogue).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "lang/ast.h"

namespace gabbro::lang {

/// Name tables over programs, which must outlive the library. The program added last is the one being
/// checked. Its own items shadow items of the same name from other programs, while library items keep seeing
/// the library's. Copying is O(names of the program added last).
class Library {
 public:
  /// Adds all items of `program`, or none if there are errors: "duplicate" (two items, or two results of a
  /// unit, have the same name), "reserved" (a built-in name), "type" (an input or result with other axes than
  /// [t, D]), "recursion" (units or functions that contain themselves, with the cycle).
  std::vector<Error> add(const Program& program);

  /// Return the item called `name`, or null if there is none, as the checked program sees it if `own`, and as
  /// a library item does otherwise.
  [[nodiscard]] const Function* function(std::string_view name, bool own = true) const;
  [[nodiscard]] const Interface* interface(std::string_view name, bool own = true) const;
  [[nodiscard]] const Unit* unit(std::string_view name, bool own = true) const;
  /// Returns true if `item` (a Unit or a Function) belongs to the program being checked, which is the one
  /// added last.
  [[nodiscard]] bool is_own(const void* item) const { return own_items_.contains(item); }
  /// Returns the names of all units, sorted.
  [[nodiscard]] std::vector<std::string> unit_names() const;
  /// Returns the known name closest to `name` (at most two edits), or "".
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
  // These belong to the program added last.
  Names own_names_;
  std::unordered_set<const void*> own_items_;
};

/// Returns the word among `known` closest to `name`, or "" if none is close.
std::string closest(std::string_view name, const std::vector<std::string>& known);

}  // namespace gabbro::lang
