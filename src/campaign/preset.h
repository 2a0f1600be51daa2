// Settings of a campaign as TOML: the presets, a user's own file, and what a campaign writes down of itself.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "evolve/settings.h"

namespace gabbro::campaign {

/// A file of presets/, compiled in: "laptop" and its text.
struct Preset {
  std::string_view name;
  std::string_view text;
};
std::span<const Preset> presets();

/// Amounts are numbers or texts such as "150k" and "1.5M"; a key that is left out keeps its default. Errors,
/// "preset": not TOML (with its line), an unknown key, a value of another type or out of its range, no rung,
/// a strategy or a baseline that does not exist; each with the key's line.
Result<evolve::Settings> parse_settings(std::string_view text, const std::string& name);

/// The settings of a preset by its name, or of a file. Errors: "preset" (neither; the names that there are),
/// and those of parse_settings.
Result<evolve::Settings> load_settings(const std::string& name_or_file);

/// Complete: parse_settings(to_toml(s)) is s.
std::string to_toml(const evolve::Settings& settings);

}  // namespace gabbro::campaign
