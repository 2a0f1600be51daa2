// What `gabbro check` and `gabbro show` say of a design, as text and as JSON.
#pragma once

#include <string>

#include "lang/check.h"

namespace gabbro::cli {

/// Facts of one design or unit, a line each; costs at `context` tokens.
std::string facts_text(const lang::Subject& subject, double context);

/// The tree of instances with hyperparameters and parameter counts; equal neighbours are counted.
std::string tree_text(const lang::Subject& subject);

/// One JSON object on one line, as docs/commands.md lists it.
std::string check_json(const std::string& file, const lang::CheckReport& report, double context);

}  // namespace gabbro::cli
