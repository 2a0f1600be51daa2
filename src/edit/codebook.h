// The units from which designs can be built: what each offers and needs, and which of its settings are known
// to work.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "lang/library.h"

namespace gabbro::edit {

/// A place for a unit. `shape` describes the interface by structure: the number of inputs and the names of
/// the results. A narrow place is called along an axis other than D or inside a scan, so only units that work
/// at every width and position fit.
struct Slot {
  std::string name;
  std::string shape = "1";
  bool narrow = false;
};

/// Properties of a unit at its settings, measured by checking it alone at several widths.
struct CodeBookEntry {
  const lang::Unit* unit = nullptr;
  std::string shape;
  bool mixes = false;   // reads earlier positions
  bool narrow = false;  // works at every width and inside scans
  std::vector<Slot> slots;
  /// Settings of the hyperparameters that check together; the first is {}, the defaults.
  std::vector<std::vector<std::pair<std::string, lang::Expr>>> settings;
};

/// A unit written during a search, with the program from which a crossover takes it.
struct Loan {
  std::shared_ptr<const lang::Program> donor;
  // Name of the unit, and a place in the donor where it occurs.
  std::string unit, path;
  bool mixes = false;
};

/// Units of a library with their properties. Entries are created on first use and kept. The library must
/// outlive the book. Not thread-safe.
class CodeBook {
 public:
  explicit CodeBook(const lang::Library& library);

  [[nodiscard]] const lang::Library& library() const { return library_; }
  /// Returns the entry of a unit of the library, or null if there is none or it does not check.
  const CodeBookEntry* find(std::string_view unit);
  /// Returns all units that check and fit into `slot`, sorted by name.
  const std::vector<const CodeBookEntry*>& fitting(const Slot& slot);
  /// Adds the units that `donor` defines itself to the book. Omits units that do not check alone as a whole
  /// layer, and units that occur at no place of its tree. One check per unit.
  void lend(const std::shared_ptr<const lang::Program>& donor);
  /// Units added by `lend`, in order. Each fits where one value goes in and one comes out, at full width.
  [[nodiscard]] const std::vector<Loan>& lent() const { return loans_; }

 private:
  std::unique_ptr<CodeBookEntry> measure(const lang::Unit& unit) const;

  const lang::Library& library_;
  std::map<std::string, std::unique_ptr<CodeBookEntry>, std::less<>> entries_;
  std::map<std::pair<std::string, bool>, std::vector<const CodeBookEntry*>> fitting_;
  std::vector<Loan> loans_;
};

/// Returns the interface of a unit as a Slot's `shape`.
std::string shape_of(const std::vector<lang::Port>& inputs, const std::vector<lang::Port>& outputs);

/// Returns the properties of `unit`, or nullopt if it does not check with its defaults. `unit` need not be in
/// the library. Some twenty elaborations.
std::optional<CodeBookEntry> measure_unit(const lang::Library& library, const lang::Unit& unit);

/// Returns only the slots of `unit`. One elaboration per slot.
std::vector<Slot> measure_slots(const lang::Library& library, const lang::Unit& unit);

/// Draws a value that `hyper` allows from its ranges; nullopt for a slot. Integers in long ranges are powers
/// of two.
std::optional<lang::Expr> random_value(const lang::Hyper& hyper, Random& random);

}  // namespace gabbro::edit
