#include "agents/limits.h"

#include <nlohmann/json.hpp>

namespace gabbro::agents {

namespace {

// Returns the pattern "^(a|b)$" that matches exactly the given texts; special characters are escaped.
std::string pattern_of(const std::vector<std::string>& choices) {
  std::string out;
  for (const std::string& choice : choices) {
    out += out.empty() ? "^(" : "|";
    for (const char c : choice) {
      if (std::string("^$.[]()|{}*+?\\/").find(c) != std::string::npos) out += '\\';
      out += c;
    }
  }
  return out + ")$";
}

}  // namespace

std::string limited(const std::string& schema, const FieldLimits& limits) {
  if (limits.choices.empty() && limits.counts.empty()) return schema;
  auto json = nlohmann::ordered_json::parse(schema);
  auto& fields = json.at("properties");
  for (const auto& [name, choices] : limits.choices)
    if (fields.contains(name) && !choices.empty()) fields[name]["pattern"] = pattern_of(choices);
  for (const auto& [name, count] : limits.counts) {
    if (!fields.contains(name)) continue;
    fields[name]["minItems"] = count.first;
    fields[name]["maxItems"] = count.second;
  }
  return json.dump();
}

}  // namespace gabbro::agents
