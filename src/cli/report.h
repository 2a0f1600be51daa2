// Describes designs for `gabbro check` and `gabbro show`, as text and as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lang/check.h"

namespace gabbro::cli {

/// Parses "14M", "350k", "1.5M" or "4096"; returns nullopt for other texts and for values below 1.
std::optional<std::int64_t> parse_amount(const std::string& text);

/// Formats a number with 4 significant digits and a unit: 8.44M, 131.1k.
std::string human(double value);

/// Lists the facts of one design or unit, one per line; costs are given at `context` tokens.
std::string facts_text(const lang::Subject& subject, double context);

/// A fact that differs between two designs. `ratio` is that of the new value to the old one, or "" if it is
/// not meaningful.
struct FactChange {
  std::string name, before, after, ratio;
};
std::vector<FactChange> changed_facts(const lang::Subject& before, const lang::Subject& after,
                                      double context);

/// Formats the tree of instances with hyperparameters and parameter counts; equal neighbours are merged and
/// counted.
std::string tree_text(const lang::Subject& subject);

/// Returns one JSON object on one line, as described in docs/commands.md.
std::string check_json(const std::string& file, const lang::CheckReport& report, double context);

}  // namespace gabbro::cli
