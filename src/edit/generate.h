// Generates random well-typed programs: mixers, channel units, wirings, and whole designs.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "edit/unit_catalogue.h"
#include "lang/ast.h"

namespace gabbro::edit {

struct GenerateOptions {
  int unit_size = 12;      // approximate number of operations of a unit
  int most_layers = 12;    // maximum number of blocks of a design
  int most_new_units = 3;  // maximum number of newly generated units; the others come from the catalogue
  double new_unit = 0.5;   // probability that a place takes a new unit
};

enum class UnitKind { kMixer, kChannel, kBlock };

/// Returns a new random unit named `name`, of interface Unit. A mixer reads earlier positions, a channel unit
/// does not, and a block connects a mixer and a channel unit in its slots. The slots have defaults from the
/// prelude. `size` is the approximate number of operations; a block ignores it. O(size).
lang::Unit random_unit(Random& random, UnitKind kind, std::string name, int size);

/// Returns an instance for `slot`: a unit of the catalogue at settings that work, with some of its own slots
/// filled recursively, at most `depth` levels of them.
lang::Expr random_instance(Random& random, UnitCatalogue& catalogue, const Slot& slot, int depth = 2);

/// Returns a program with one design named `Random` and the new units that it uses. The first call measures
/// the catalogue.
lang::Program random_program(Random& random, UnitCatalogue& catalogue, const GenerateOptions& options = {});

}  // namespace gabbro::edit
