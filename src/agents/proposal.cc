#include "agents/proposal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <set>

#include "agents/prompts.h"
#include "agents/replies.h"
#include "record/fields.h"

namespace gabbro::agents {

namespace {

// The texts of a proposal are cut to these lengths in bytes.
constexpr std::size_t kLongestTitle = 120, kLongestIdea = 6000, kLongestRisk = 1000;

// Returns a complexity in any of its usual spellings; empty for other texts.
std::optional<Complexity> parse_complexity(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '*'; });
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  static const std::map<std::string, Complexity> kSpellings{
      {"o(t)", Complexity::kLinear},          {"o(n)", Complexity::kLinear},
      {"linear", Complexity::kLinear},        {"o(tlogt)", Complexity::kLogLinear},
      {"o(tlog(t))", Complexity::kLogLinear}, {"o(nlogn)", Complexity::kLogLinear},
      {"o(t^2)", Complexity::kQuadratic},     {"o(t²)", Complexity::kQuadratic},
      {"o(t2)", Complexity::kQuadratic},      {"o(n^2)", Complexity::kQuadratic},
      {"quadratic", Complexity::kQuadratic},
  };
  const auto found = kSpellings.find(text);
  return found == kSpellings.end() ? std::nullopt : std::optional(found->second);
}

// Reads whether embedding and output share a table. Empty for "" and "as parent".
Result<std::optional<bool>> parse_tied(std::string text) {
  std::erase_if(text, [](char c) { return std::isalpha(static_cast<unsigned char>(c)) == 0; });
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  if (text == "yes" || text == "true" || text == "tied") return std::optional(true);
  if (text == "no" || text == "false" || text == "untied") return std::optional(false);
  if (text.empty() || text == "asparent" || text == "none") return std::optional<bool>();
  return fail("proposal", fmt::format("tied is '{}'", shortened(text, 40)), "write \"yes\", \"no\" or \"\"");
}

bool reaches_all(const ir::Facts& facts) { return facts.reach.first == -ir::Reach::kFar; }

// Returns the number of tokens that a position reads, itself included. The design must not reach all.
auto window_of(const ir::Facts& facts) { return 1 - facts.reach.first; }

}  // namespace

Result<Proposal> parse_proposal(const std::string& json, int max_units) {
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
  std::string tied;
  io("tied", tied);
  std::string complexity;
  io("complexity", complexity);
  io("gain", p.gain);
  io("why", p.risk);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  if (p.title.empty() || p.idea.empty())
    return fail("proposal", "the title or the idea is empty", "say in both what is new");
  p.title = shortened(p.title, kLongestTitle);
  p.idea = shortened(p.idea, kLongestIdea);
  p.risk = shortened(p.risk, kLongestRisk);
  if (!std::isfinite(p.gain)) p.gain = 0;
  if (p.units.size() > static_cast<std::size_t>(max_units))
    return fail("proposal",
                fmt::format("{} new units, but at most {} are allowed", p.units.size(), max_units),
                "express the idea in fewer units, or use those of the library");
  std::set<std::string> names;
  for (const std::string& name : p.units) {
    if (!is_legal_name(name))
      return fail("proposal", fmt::format("'{}' is not a valid unit name", shortened(name, 80)),
                  "write it like GatedMemory");
    if (!names.insert(name).second)
      return fail("proposal", "two units are named " + name, "use each name once");
  }
  GABBRO_TRY(tables, parse_tied(tied));
  p.tied = tables;
  p.complexity = parse_complexity(complexity);
  if (!p.complexity && !complexity.empty())
    return fail("proposal", record::unknown_word<Complexity>(complexity));
  return p;
}

std::string describe(const Proposal& p) {
  std::string out = fmt::format("{}\n\n{}\n\n", p.title, p.idea);
  if (!p.place.empty())
    out +=
        fmt::format("Place: {}{}\n", p.place, p.from.empty() ? "" : ", from the second parent's " + p.from);
  if (!p.units.empty()) out += fmt::format("New units: {}\n", fmt::join(p.units, ", "));
  if (p.tied) out += fmt::format("Embedding and output: {}\n", *p.tied ? "one table (tied)" : "two tables");
  const auto said = [](const auto& promised) { return promised ? record::word_of(*promised) : "not said"; };
  out += fmt::format("Promised: reach {}, state {}, complexity {}, gain {:g} bits per byte\n", said(p.reach),
                     said(p.state), said(p.complexity), p.gain);
  if (!p.risk.empty()) out += "Risk: " + p.risk + "\n";
  return out;
}

std::vector<record::Promise> verify_promises(const Proposal& p, const ir::Facts& facts) {
  using record::Property;
  std::vector<record::Promise> out;
  const auto add = [&](Property property, auto promised, std::string found, bool kept) {
    out.push_back({.property = property,
                   .said = std::string(record::word_of(promised)),
                   .found = std::move(found),
                   .kept = kept});
  };
  if (p.reach) {
    const bool all = reaches_all(facts);
    add(Property::kReach, *p.reach, all ? "all" : fmt::format("window of {}", window_of(facts)),
        all == (*p.reach == PromisedReach::kAll));
  }
  if (p.state)
    add(Property::kState, *p.state, facts.state_grows ? "grows" : "bounded",
        !facts.state_grows || *p.state == PromisedState::kGrows);
  if (p.complexity)
    add(Property::kComplexity, *p.complexity, facts.complexity,
        parse_complexity(facts.complexity) <= p.complexity);
  return out;
}

std::string broken_promises(const std::vector<record::Promise>& promises) {
  std::string out;
  for (const record::Promise& p : promises)
    if (!p.kept)
      out += fmt::format("{}{}: promised {}, found {}", out.empty() ? "" : "; ", record::word_of(p.property),
                         p.said, p.found);
  return out;
}

std::string facts_text(const ir::Facts& f) {
  return fmt::format(
      "- reads {}\n- decoding state per token position: {} bytes, {}\n- decoding work per token: {} FLOPs\n"
      "{}- whole text of T tokens: {}\n- parameters: {}\n",
      reaches_all(f) ? "all earlier tokens" : fmt::format("the last {} tokens", window_of(f)),
      f.state_bytes.to_string(), f.state_grows ? "grows" : "bounded", f.decode_flops.to_string(),
      f.step_train_flops == ir::Sym()
          ? ""
          : fmt::format("- training work on parameters and constants alone: {} FLOPs per step\n",
                        f.step_train_flops.to_string()),
      f.complexity, f.params.to_string());
}

}  // namespace gabbro::agents
