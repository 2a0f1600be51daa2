// Reads and writes settings of a campaign as TOML: presets, a user's file, and the settings in a record.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "evolve/settings.h"
#include "lang/ast.h"

namespace gabbro::campaign {

/// A file of presets/, compiled in: its name, such as "laptop", and its text.
struct Preset {
  std::string_view name;
  std::string_view text;
};
std::span<const Preset> presets();

/// Parses settings. `name` becomes SearchSettings::preset unless the text has a key `preset`. Counts are
/// integers or strings such as "150k" and "1.5M". An omitted key keeps its default. Errors: "preset", with
/// the line of the key, for invalid TOML, an unknown key, a value of another type or out of range, no
/// [[rung]] at all, two rungs of one name, or an unknown strategy, baseline, control or capability task.
Result<evolve::SearchSettings> parse_settings(std::string_view text, const std::string& name);

/// Returns the settings of a preset, given by name, or of a file. Errors: "preset" if there is neither, with
/// the names of the presets, and those of parse_settings.
Result<evolve::SearchSettings> load_settings(const std::string& name_or_file);

/// Returns the program of `file`, a baseline or control of `settings`, as the rungs train it: with the
/// settings' blocks, and positions for the longest text of any rung.
lang::Program baseline_program(const evolve::SearchSettings& settings, const std::string& file);

/// Returns all settings as TOML: parse_settings(to_toml(s)) equals s.
std::string to_toml(const evolve::SearchSettings& settings);

}  // namespace gabbro::campaign
