// What `gabbro check` and `gabbro show` say of a design, as text and as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lang/check.h"

namespace gabbro::cli {

/// The number in "14M", "350k", "1.5M", "4096"; nothing for other texts, and below 1.
std::optional<std::int64_t> parse_amount(const std::string& text);

/// 4 significant digits and a unit: 8.44M, 131.1k.
std::string human(double value);

/// Facts of one design or unit, a line each; costs at `context` tokens.
std::string facts_text(const lang::Subject& subject, double context);

/// A fact that differs between two designs; `ratio` of the new to the old value, "" where there is none.
struct FactChange {
  std::string name, before, after, ratio;
};
std::vector<FactChange> changed_facts(const lang::Subject& before, const lang::Subject& after,
                                      double context);

/// The tree of instances with hyperparameters and parameter counts; equal neighbours are counted.
std::string tree_text(const lang::Subject& subject);

/// One JSON object on one line, as docs/commands.md lists it.
std::string check_json(const std::string& file, const lang::CheckReport& report, double context);

}  // namespace gabbro::cli
