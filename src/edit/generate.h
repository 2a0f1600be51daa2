// Random well-typed programs: mixers, channel units, wirings, and whole designs.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "edit/codebook.h"
#include "lang/ast.h"

namespace gabbro::edit {

struct GenerateOptions {
  int unit_size = 12;      // operations of a unit, about
  int most_layers = 12;    // blocks of a design
  int most_new_units = 3;  // units written anew; the others come from the code book
  double new_unit = 0.5;   // how often a place takes a new unit
};

enum class UnitKind { kMixer, kChannel, kBlock };

/// A unit written anew, named `name`, of interface Unit: a mixer reads earlier positions, a channel unit does
/// not, a block wires a mixer and a channel unit in its slots. Its slots have defaults of the prelude.
/// O(size).
lang::Unit random_unit(Random& random, UnitKind kind, std::string name, int size);

/// An instance for `slot`: a unit of the book at settings that work, some of its own slots filled in turn.
lang::Expr random_instance(Random& random, CodeBook& book, const Slot& slot, int depth = 2);

/// A program with one design named `Random` and the new units that it uses. The first call measures the book.
lang::Program random_program(Random& random, CodeBook& book, const GenerateOptions& options = {});

}  // namespace gabbro::edit
