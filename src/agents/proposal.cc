#include "agents/proposal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "agents/prompts.h"
#include "agents/replies.h"
#include "record/fields.h"

namespace gabbro::agents {

namespace {

constexpr std::array<std::string_view, 3> kComplexities{"O(T)", "O(T log T)", "O(T^2)"};

// Returns the index in kComplexities of a complexity in any of its usual spellings, or -1 if it is none of
// them.
int complexity_rank(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '*'; });
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  if (text == "o(t^2)" || text == "o(t²)" || text == "o(t2)" || text == "o(n^2)" || text == "quadratic")
    return 2;
  if (text == "o(tlogt)" || text == "o(nlogn)" || text == "o(tlog(t))") return 1;
  return text == "o(t)" || text == "o(n)" || text == "linear" ? 0 : -1;
}

Result<bool> one_of(const char* field, const std::string& value, std::string_view a, std::string_view b) {
  if (value.empty() || value == a || value == b) return true;
  return fail("proposal", fmt::format("{} is '{}'", field, shortened(value, 80)),
              fmt::format("write \"{}\" or \"{}\"", a, b));
}

}  // namespace

Result<Proposal> parse_proposal(const std::string& json, int most_units) {
  GABBRO_TRY(io, record::Reader::parse(json, "proposal"));
  Proposal p;
  io.allow_missing();
  io("title", p.title);
  io("idea", p.idea);
  io("place", p.place);
  io("from", p.from);
  io("units", p.units);
  io("reach", p.reach);
  io("state", p.state);
  io("complexity", p.complexity);
  io("gain", p.gain);
  io("why", p.why);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  if (p.title.empty() || p.idea.empty())
    return fail("proposal", "the title or the idea is empty", "say in both what is new");
  p.title = shortened(p.title, 120);
  p.idea = shortened(p.idea, 6000);
  p.why = shortened(p.why, 1000);
  if (!std::isfinite(p.gain)) p.gain = 0;
  if (p.units.size() > static_cast<std::size_t>(most_units))
    return fail("proposal",
                fmt::format("{} new units, but at most {} are allowed", p.units.size(), most_units),
                "express the idea in fewer units, or use those of the library");
  std::set<std::string> names;
  for (const std::string& name : p.units) {
    if (!is_legal_name(name))
      return fail("proposal", fmt::format("'{}' is not a valid unit name", shortened(name, 80)),
                  "write it like GatedMemory");
    if (!names.insert(name).second)
      return fail("proposal", "two units have the name " + name, "use each name once");
  }
  if (auto ok = one_of("reach", p.reach, "all", "window"); !ok) return tl::unexpected(ok.error());
  if (auto ok = one_of("state", p.state, "bounded", "grows"); !ok) return tl::unexpected(ok.error());
  if (!p.complexity.empty()) {
    const int rank = complexity_rank(p.complexity);
    if (rank < 0)
      return fail("proposal", fmt::format("complexity is '{}'", shortened(p.complexity, 80)),
                  "write \"O(T)\", \"O(T log T)\" or \"O(T^2)\"");
    p.complexity = kComplexities[static_cast<std::size_t>(rank)];
  }
  return p;
}

std::string describe(const Proposal& p) {
  std::string out = fmt::format("{}\n\n{}\n\n", p.title, p.idea);
  if (!p.place.empty())
    out +=
        fmt::format("Place: {}{}\n", p.place, p.from.empty() ? "" : ", from the second parent's " + p.from);
  if (!p.units.empty()) out += fmt::format("New units: {}\n", fmt::join(p.units, ", "));
  const auto said = [](const std::string& text) { return text.empty() ? "not said" : text; };
  out += fmt::format("Promised: reach {}, state {}, complexity {}, gain {:g} bits per byte\n", said(p.reach),
                     said(p.state), said(p.complexity), p.gain);
  if (!p.why.empty()) out += "Risk: " + p.why + "\n";
  return out;
}

std::vector<record::Promise> verify_promises(const Proposal& p, const ir::Facts& facts) {
  std::vector<record::Promise> out;
  if (!p.reach.empty()) {
    const bool all = facts.reach.first == -ir::Reach::kFar;
    out.push_back({"reach", p.reach, all ? "all" : fmt::format("window of {}", 1 - facts.reach.first),
                   all == (p.reach == "all")});
  }
  if (!p.state.empty())
    out.push_back({"state", p.state, facts.state_grows ? "grows" : "bounded",
                   !facts.state_grows || p.state == "grows"});
  if (!p.complexity.empty())
    out.push_back({"complexity", p.complexity, facts.complexity,
                   complexity_rank(facts.complexity) <= complexity_rank(p.complexity)});
  return out;
}

std::string broken(const std::vector<record::Promise>& promises) {
  std::string out;
  for (const record::Promise& p : promises)
    if (!p.kept)
      out += fmt::format("{}{}: promised {}, found {}", out.empty() ? "" : "; ", p.property, p.said, p.found);
  return out;
}

std::string facts_text(const ir::Facts& f) {
  const bool all = f.reach.first == -ir::Reach::kFar;
  return fmt::format(
      "- reads {}\n- decoding state per token position: {} bytes, {}\n- decoding work per token: {} FLOPs\n"
      "{}- whole text of T tokens: {}\n- parameters: {}\n",
      all ? "all earlier tokens" : fmt::format("the last {} tokens", 1 - f.reach.first),
      f.state_bytes.to_string(), f.state_grows ? "grows" : "bounded", f.decode_flops.to_string(),
      f.step_train_flops == ir::Sym()
          ? ""
          : fmt::format("- training work on parameters and constants alone: {} FLOPs per step\n",
                        f.step_train_flops.to_string()),
      f.complexity, f.params.to_string());
}

}  // namespace gabbro::agents
