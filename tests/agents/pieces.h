// Replies for scripted conversations.
#pragma once

#include <string>

#include "agents/pipeline.h"
#include "agents/script.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::agents::testing {

/// Returns the text of a file of the zoo ("llama.gab"); "" if there is none.
inline std::string zoo_text(std::string_view file) {
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    if (entry.file == file) return std::string(entry.text);
  return "";
}

inline const std::string kProposal = R"json({"title": "Leaky memory in place of attention",
 "idea": "A state that decays by a learned gate and takes the current value, read through a second gate, so that decoding needs no cache.",
 "place": "stack.0.*.mixer", "from": "", "units": ["LeakyMemory", "OutputGate"],
 "reach": "all", "state": "bounded", "complexity": "O(T)", "gain": 0.02, "why": "the state may be too small"})json";

/// Returns the proposal with a single new unit.
inline std::string without_gate() {
  std::string proposal = kProposal;
  constexpr std::string_view kGate = ", \"OutputGate\"";
  proposal.erase(proposal.find(kGate), kGate.size());
  return proposal;
}

inline const std::string kPlan =
    R"json({"units": [{"name": "LeakyMemory", "inputs": ["x"], "results": [], "uses": [],
 "does": "S = a S + (1 - a) v with a = sigmoid(linear(x)); y = S * sigmoid(linear(x)), projected to D"}],
 "instance": "LeakyMemory(mult=2)"})json";

inline const std::string kUnit = R"gab(unit LeakyMemory(x: [t, D], mult: int in {1, 2, 4} = 1) -> [t, D]:
    axis k = D * mult
    a = sigmoid(linear(x, k, bias=true))
    v = linear(x, k)
    scan S: [k] = 0:
        S = a * S + (1 - a) * v
    return linear(S * sigmoid(linear(x, k)), D)
)gab";

/// Returns a reviewer's reply.
inline std::string review_reply(int rating, double probability = 0.3) {
  return R"({"objections": ["the gate may saturate; bound it"], "rating": )" + std::to_string(rating) +
         R"(, "probability": )" + std::to_string(probability) + "}";
}

/// Returns an observer's reply.
inline std::string observation_reply(int rating) {
  return R"({"rating": )" + std::to_string(rating) +
         R"(, "differences": ["the output gate is missing"], "unit": "LeakyMemory", "change": "gate the output"})";
}

/// Scripts a mutation that succeeds at once.
inline void script_success(Script& s) {
  s.lines["proposer"] = {kProposal};
  s.lines["reviewer"] = {review_reply(4)};
  s.lines["planner"] = {kPlan};
  s.lines["coder"] = {kUnit};
  s.lines["observer"] = {observation_reply(5)};
}

/// Returns a brief for a mutation of Llama.
inline Brief mutation() {
  Brief brief;
  brief.task = 7;
  brief.parents = {{.id = 1,
                    .name = "Llama",
                    .program = zoo_text("llama.gab"),
                    .evidence = {"rung 1: 2.61 bits per byte, best baseline 2.58"}}};
  return brief;
}

/// Returns a brief for a crossover of Llama and gated linear attention.
inline Brief crossover() {
  Brief brief = mutation();
  brief.mode = record::Mode::kCrossover;
  brief.parents.push_back({.id = 2, .name = "GatedLinearAttention", .program = zoo_text("gla.gab")});
  return brief;
}

inline Brief scratch() {
  Brief brief;
  brief.mode = record::Mode::kScratch;
  return brief;
}

inline record::TaskReport run(Script& script, const Brief& brief, const AgentSettings& settings = {}) {
  return run_task(brief, {script, zoo::library(), settings});
}

}  // namespace gabbro::agents::testing
