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

/// The signature of the interface Unit: one input, and one result without a name.
inline constexpr const char* kUnitSignature = "1";

/// A place for a unit. `signature` is the number of inputs, then the names of the results except the first,
/// separated by spaces. A narrow place is called along an axis other than D or inside a scan, so only units
/// that work at every width and position fit.
struct Slot {
  std::string name;
  std::string signature = kUnitSignature;
  bool narrow = false;
};

/// Properties of a unit at its settings, measured by checking it alone at several widths.
struct CatalogueEntry {
  const lang::Unit* unit = nullptr;  // in the library, or as it was given to measure_unit
  std::string signature;
  bool mixes = false;   // reads earlier positions
  bool narrow = false;  // works at every width and inside scans
  std::vector<Slot> slots;
  /// Assignments of hyperparameters with which the unit passes the checker; the first is {}, the defaults.
  std::vector<std::vector<std::pair<std::string, lang::Expr>>> settings;
};

/// A unit that a program of the search defines, with that program, from which a crossover takes it.
struct FoundUnit {
  std::shared_ptr<const lang::Program> donor;
  // Name of the unit, and a place in the donor where it occurs.
  std::string unit, path;
  bool mixes = false;  // reads earlier positions
};

/// Units of a library with their properties. Entries are created on first use and kept. The library must
/// outlive the catalogue. Not thread-safe.
class UnitCatalogue {
 public:
  explicit UnitCatalogue(const lang::Library& library);

  [[nodiscard]] const lang::Library& library() const { return library_; }
  /// Returns the entry of a unit of the library, or null if there is none or it does not pass the checker.
  const CatalogueEntry* find(std::string_view unit);
  /// Returns all units that pass the checker and fit into `slot`, sorted by name.
  const std::vector<const CatalogueEntry*>& fitting(const Slot& slot);
  /// Adds the units that `donor` defines itself. Omits units that alone, as a whole layer, do not pass the
  /// checker, and units that occur at no place of its tree. One elaboration per unit.
  void add_units_of(const std::shared_ptr<const lang::Program>& donor);
  /// Units added by `add_units_of`, in order. Each fits where one value goes in and one comes out, at full
  /// width.
  [[nodiscard]] const std::vector<FoundUnit>& found_units() const { return found_units_; }

 private:
  std::unique_ptr<CatalogueEntry> measure(const lang::Unit& unit) const;

  const lang::Library& library_;
  std::map<std::string, std::unique_ptr<CatalogueEntry>, std::less<>> entries_;
  std::map<std::pair<std::string, bool>, std::vector<const CatalogueEntry*>> fitting_;
  std::vector<FoundUnit> found_units_;
};

/// Returns the inputs and outputs of a unit as Slot::signature.
std::string signature_of(const std::vector<lang::Port>& inputs, const std::vector<lang::Port>& outputs);

/// Returns the properties of `unit`, or nullopt if it does not pass the checker with its defaults. `unit`
/// need not be in the library. Several dozen elaborations.
std::optional<CatalogueEntry> measure_unit(const lang::Library& library, const lang::Unit& unit);

/// Returns only the slots of `unit`. One elaboration per slot.
std::vector<Slot> measure_slots(const lang::Library& library, const lang::Unit& unit);

/// Draws a value that `hyper` allows from its ranges; nullopt for a slot and where no finite range is given.
/// Integers in long ranges are powers of two, or an end of the range.
std::optional<lang::Expr> random_value(const lang::Hyper& hyper, Random& random);

}  // namespace gabbro::edit
