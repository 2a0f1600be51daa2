// Tasks of the usual shape, whose tokens a test (parts_test.cc) and bench_prompts count.
#pragma once

#include <string>

#include "agents/pieces.h"

namespace gabbro::agents::testing {

/// Tokens that a valid design takes in the mean, estimated from the bytes of all messages.
struct UsualTokens {
  double input = 0, output = 0;
  [[nodiscard]] double all() const { return input + output; }
};

/// Returns the tokens of 36 tasks of the shape that a strong model's had (2026-11-29; 36 valid designs): 20
/// mutations of one unit, and 16 other tasks, here crossovers, of 29 units together; of the 49 units 6 are
/// repaired once. Without literature, with one review of each proposal. `writing` is kUnits, or kProgram: a
/// reply with the whole program, and a review; 6 of 36 programs are repaired.
inline UsualTokens usual_tokens(record::Writing writing) {
  constexpr double kTasks = 36, kMutations = 20, kUnitsOfOthers = 29, kRepairs = 6;
  AgentSettings settings;
  settings.writing = writing;
  settings.queries = 0;
  const auto sum_of = [](const record::TaskReport& r) {
    GABBRO_CHECK(r.outcome == record::TaskOutcome::kDesign);
    return UsualTokens{static_cast<double>(r.input_tokens), static_cast<double>(r.output_tokens)};
  };
  const auto with_evidence = [](Brief brief) {
    brief.parents[0].evidence = {"rung 1: 2.612 bits per byte (3 seeds), best baseline 2.581",
                                 "curve: 3.41, 2.98, 2.77, 2.66, 2.61",
                                 "without Attention: +0.214 (2 seeds)"};
    brief.neighbours = {"12 GatedLinearAttention: recurrence, gate per channel",
                        "17 Mamba2: recurrence, scalar gate"};
    return brief;
  };
  const auto broken = [](std::string code) {
    code.replace(code.find("a * S"), 5, "b * S");
    return code;
  };
  const std::string program = "# A leaky state, read through a gate.\n" + kUnit +
                              "\ndesign Mine:\n    stack = [4 * Block(mixer=LeakyMemory), RMSNorm]\n";

  // Tokens of a mutation with one unit or program, of which the first reply is refused if `repaired`.
  const auto mutate = [&](bool repaired) {
    Script s;
    script_success(s);
    s.lines["proposer"] = {without_gate()};
    const std::string code = writing == record::Writing::kUnits ? kUnit : program;
    s.lines["coder"] = {code};
    if (repaired) s.lines["coder"].emplace_front(broken(code));
    return sum_of(run(s, with_evidence(mutation()), settings));
  };
  // Tokens of a crossover with `units` new units.
  const auto cross = [&](int units) {
    Script s;
    script_success(s);
    std::string plans, names, code, inner = "Identity";
    for (int i = 0; i < units; ++i) {
      const std::string name = "Part" + std::to_string(i);
      names += (i ? ", \"" : "\"") + name + "\"";
      plans += std::string(i ? ", " : "") + R"({"name": ")" + name +
               R"(", "inputs": ["x"], "results": [], "uses": [)" + (i ? "\"" + inner + "\"" : "") +
               R"json(], "does": "g a(x) + (1 - g) b(inner(x)) with g = sigmoid(W x)"})json";
      code += "unit " + name + "(x: [t, D], a: Unit = Attention, b: Unit = GLA, inner: Unit = " + inner +
              ") -> [t, D]:\n    g = sigmoid(linear(x, D))\n    return g * a(x) + (1 - g) * b(inner(x))\n";
      inner = name;
    }
    s.lines["proposer"] = {
        R"({"title": "Half attention half recurrence", "idea": "A gate mixes the attention of one parent with the
        recurrence of the other, element by element, and the mixture is gated once more.",
        "place": "stack.0.*.mixer", "from": "stack.0.*.mixer", "units": [)" +
        names + R"json(], "reach": "all", "state": "grows", "complexity": "O(T^2)", "gain": 0.01,
        "why": "both may learn the same"})json"};
    s.lines["coder"] = {code};
    s.lines["planner"] = {"{\"units\": [" + plans + "], \"instance\": \"" + inner + "\"}"};
    if (writing == record::Writing::kProgram) s.lines["coder"] = {program};
    return sum_of(run(s, with_evidence(crossover()), settings));
  };

  const UsualTokens once = mutate(false), repaired = mutate(true), one = cross(1), two = cross(2);
  const double of_two = kUnitsOfOthers - (kTasks - kMutations);  // crossovers of two units
  const auto mean = [&](double UsualTokens::*part) {
    return (kMutations * once.*part + kRepairs * (repaired.*part - once.*part) + of_two * two.*part +
            (kTasks - kMutations - of_two) * one.*part) /
           kTasks;
  };
  return {mean(&UsualTokens::input), mean(&UsualTokens::output)};
}

}  // namespace gabbro::agents::testing
