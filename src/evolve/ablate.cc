#include "evolve/ablate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "edit/edit.h"
#include "lang/check.h"
#include "lang/printer.h"

namespace gabbro::evolve {

namespace {

// Splits a path into its parent path and its last step.
std::pair<std::string, std::string> parent_of(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string::npos ? std::pair{std::string(), path}
                                  : std::pair{path.substr(0, dot), path.substr(dot + 1)};
}

std::int64_t operations(const ir::Graph& graph) {
  std::size_t out = 0;
  for (const ir::Body& body : graph.bodies) out += body.nodes.size();
  return static_cast<std::int64_t>(out);
}

}  // namespace

std::vector<Ablation> ablations(const lang::Program& program, const lang::Program* ancestor,
                                const lang::Library& library) {
  // Each ablation with the number of operations by which it changes the design.
  std::vector<std::pair<std::int64_t, Ablation>> found;
  std::set<Hash128> seen;
  const lang::Subject whole = std::move(lang::check(program, library).subjects.back());
  seen.insert(whole.hash);
  const auto add = [&](std::string what, const Result<lang::Program>& changed) {
    if (!changed) return false;
    const lang::CheckReport report = lang::check(*changed, library);
    if (!report.valid() || !report.subjects.back().facts.mixes_tokens ||
        !seen.insert(report.subjects.back().hash).second)
      return false;
    const std::int64_t size =
        operations(whole.elaboration.graph) - operations(report.subjects.back().elaboration.graph);
    found.emplace_back(std::abs(size), Ablation{std::move(what), *changed});
    return true;
  };
  for (const edit::TreePlace& place : edit::places(program, library)) {
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
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<Ablation> out;
  for (auto& [size, ablation] : found) out.push_back(std::move(ablation));
  return out;
}

}  // namespace gabbro::evolve
