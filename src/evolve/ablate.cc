#include "evolve/ablate.h"

#include <fmt/format.h>

#include <set>

#include "edit/edit.h"
#include "lang/check.h"
#include "lang/printer.h"

namespace gabbro::evolve {

namespace {

// The path without its last step, and that step.
std::pair<std::string, std::string> parent_of(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? std::pair{std::string(), path}
                                  : std::pair{path.substr(0, dot), path.substr(dot + 1)};
}

}  // namespace

std::vector<Ablation> ablations(const lang::Program& program, const lang::Program* ancestor,
                                const lang::Library& library) {
  std::vector<Ablation> out;
  std::set<Hash128> seen;
  const auto hash = [&](const lang::Program& p) { return lang::check(p, library).subjects.back().hash; };
  seen.insert(hash(program));
  const auto add = [&](std::string what, const Result<lang::Program>& changed) {
    if (!changed) return false;
    const lang::CheckReport report = lang::check(*changed, library);
    if (!report.valid() || !report.subjects.back().facts.mixes_tokens ||
        !seen.insert(report.subjects.back().hash).second)
      return false;
    out.push_back({std::move(what), *changed});
    return true;
  };
  for (const edit::Place& place : edit::places(program, library)) {
    if (!place.written || place.path == "stack" || parent_of(place.path).second == "*") continue;
    const std::string text = lang::print(place.instance);
    if (ancestor)
      if (const auto before = edit::subtree(*ancestor, library, place.path);
          before && lang::print(*before) != text)
        if (add(fmt::format("{}: {} back to {}", place.path, text, lang::print(*before)),
                edit::crossover(program, library, place.path, *ancestor, place.path)))
          continue;
    add(fmt::format("{}: {} removed", place.path, text), edit::remove(program, library, place.path));
  }
  return out;
}

}  // namespace gabbro::evolve
