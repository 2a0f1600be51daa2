#include "cli/diff.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "cli/report.h"
#include "cli/terminal.h"

namespace gabbro::cli {

namespace {

std::string prefixed(const std::string& text, char sign, Ink ink) {
  std::string out;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    out += paint(ink, fmt::format("{} {}", sign, text.substr(from, end - from))) + "\n";
    from = end + 1;
  }
  return out;
}

}  // namespace

DesignDiff compare(const lang::CheckReport& before, const lang::CheckReport& after) {
  DesignDiff c{edit::diff(before.program, after.program)};
  if (before.valid() && !before.subjects.empty()) c.before = &before.subjects.back();
  if (after.valid() && !after.subjects.empty()) c.after = &after.subjects.back();
  return c;
}

std::string comparison_text(const DesignDiff& c, const std::string& before, const std::string& after,
                            double context) {
  if (c.changes.empty()) return "same tree\n";
  std::string out = paint(Ink::kRed, "--- " + before) + "\n" + paint(Ink::kGreen, "+++ " + after) + "\n";
  std::string item;
  for (const edit::Change& change : c.changes) {
    if (change.item != item) {
      item = change.item;
      out += paint(Ink::kBold, item) + "\n";
    }
    const bool in_after = change.at_after.line > 0;
    const int line = in_after ? change.at_after.line : change.at_before.line;
    std::string place = change.place;
    if (line > 0)
      place += fmt::format("{}({}:{})", place.empty() ? "" : " ", in_after ? after : before, line);
    if (!place.empty()) out += paint(Ink::kCyan, "  " + place) + "\n";
    out += prefixed(change.before, '-', Ink::kRed) + prefixed(change.after, '+', Ink::kGreen);
  }
  if (!c.before || !c.after) {
    const std::string which = c.before  ? after + " is"
                              : c.after ? before + " is"
                                        : before + " and " + after + " are";
    return out + which + " not valid: there are no facts to compare\n";
  }
  if (c.same_function()) return out + "same function: the canonical hashes are equal\n";
  for (const FactChange& fact : changed_facts(*c.before, *c.after, context))
    out += fmt::format("  {:<20}{} -> {}{}\n", fact.name, fact.before, fact.after,
                       fact.ratio.empty() ? "" : paint(Ink::kDim, "  x " + fact.ratio));
  return out;
}

std::string comparison_json(const DesignDiff& c) {
  nlohmann::json out{{"same_tree", c.changes.empty()}, {"changes", nlohmann::json::array()}};
  out["same_function"] = c.before && c.after ? nlohmann::json(c.same_function()) : nlohmann::json(nullptr);
  for (const edit::Change& change : c.changes)
    out["changes"].push_back({{"item", change.item},
                              {"place", change.place},
                              {"before", change.before},
                              {"after", change.after},
                              {"line_before", change.at_before.line},
                              {"line_after", change.at_after.line}});
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace gabbro::cli
