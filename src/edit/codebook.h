// The units that designs can be made of: what each offers, needs, and which of its settings are known to
// work.
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

/// A place for a unit. `shape` is the interface by structure: number of inputs and names of the results. A
/// narrow place is called along another axis than D or inside a scan: only units that work at every width and
/// position fit.
struct Slot {
  std::string name;
  std::string shape = "1";
  bool narrow = false;
};

/// What is known of a unit at its settings; measured by checking it, alone, at several widths.
struct Entry {
  const lang::Unit* unit = nullptr;
  std::string shape;
  bool mixes = false;   // reads earlier positions
  bool narrow = false;  // works at every width and inside scans
  std::vector<Slot> slots;
  /// Hyperparameters that check together; the first is the defaults, {}.
  std::vector<std::vector<std::pair<std::string, lang::Expr>>> settings;
};

/// A unit that was written during a search: what a crossover with its program needs.
struct Loan {
  std::shared_ptr<const lang::Program> donor;
  std::string unit, path;  // its name, and a place of the donor where it stands
  bool mixes = false;
};

/// Entries are made on first use and kept. The library must outlive the book. Not for use from several
/// threads at once.
class CodeBook {
 public:
  explicit CodeBook(const lang::Library& library);

  [[nodiscard]] const lang::Library& library() const { return library_; }
  /// The entry of a unit of the library; null when there is none or it does not check.
  const Entry* find(std::string_view unit);
  /// All units that check and fit into `slot`, sorted by name.
  const std::vector<const Entry*>& fitting(const Slot& slot);
  /// The units that `donor` has of its own enter the book. Left out are those that do not check by themselves
  /// as a whole layer, and those that stand at no place of its tree. One check for each.
  void lend(const std::shared_ptr<const lang::Program>& donor);
  /// In the order in which they came; all fit where one value goes in and one comes out, at full width.
  [[nodiscard]] const std::vector<Loan>& lent() const { return loans_; }

 private:
  std::unique_ptr<Entry> measure(const lang::Unit& unit) const;

  const lang::Library& library_;
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_;
  std::map<std::pair<std::string, bool>, std::vector<const Entry*>> fitting_;
  std::vector<Loan> loans_;
};

/// The interface of a unit as a Slot's `shape`.
std::string shape_of(const std::vector<lang::Port>& inputs, const std::vector<lang::Port>& outputs);

/// What `unit` is and needs, or nothing when its defaults do not check. `unit` need not be in the library.
/// Some twenty elaborations.
std::optional<Entry> measure_unit(const lang::Library& library, const lang::Unit& unit);

/// The slots of `unit` alone. One elaboration per slot.
std::vector<Slot> measure_slots(const lang::Library& library, const lang::Unit& unit);

/// A value that `hyper` allows, or nothing for a slot. Draws from its ranges: whole, and by powers of two in
/// long ranges.
std::optional<lang::Expr> random_value(const lang::Hyper& hyper, Random& random);

}  // namespace gabbro::edit
