// Checks a source text: returns its errors, or its designs with their proofs, facts and hashes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "ir/facts.h"
#include "lang/elaborate.h"
#include "lang/library.h"

namespace gabbro::lang {

/// A design of the file, or a unit if the file has no design.
struct Subject {
  std::string name;
  bool is_design = false;
  Elaboration elaboration;
  ir::Facts facts;
  Hash128 hash;
};

struct CheckReport {
  Program program;
  std::vector<Subject> subjects;  // designs in source order; units if there is no design
  std::vector<Error> errors;      // sorted by position
  [[nodiscard]] bool valid() const { return errors.empty(); }
};

/// Parses the text, checks every unit and every design, verifies the graphs, derives the facts, and proves
/// causality a second time on the IR. All independent errors are reported, the first 20 of them: an item with
/// an error hides only what it and the items that use it would add. Errors beyond those of the parser, of
/// Library::add and of elaboration: "dead" (a parameter that no gradient reaches), "verify" and "proof" (the
/// two proofs disagree, which is a bug of Gabbro), "empty" (no unit and no design), "limit" (too many
/// operations in all items). Linear in the size of the designs.
CheckReport check(std::string_view text, const Library& library, const ElaborateOptions& options = {});
CheckReport check(Program program, const Library& library, const ElaborateOptions& options = {});

/// Adds verification, proofs, dead parameters, facts and hash to an elaboration without errors; appends to
/// its errors.
void complete(Subject& subject);

}  // namespace gabbro::lang
