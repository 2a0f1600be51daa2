// A conversation of fixed length: one refused proposal, four units with two repairs each, and one
// observation. A test (parts_test.cc) and bench_prompts count its tokens and compare them with those of a
// reference system.
#pragma once

#include <string>

#include "agents/pieces.h"

namespace gabbro::agents::testing {

/// The number of characters that the reference system sends for a conversation of this shape. Its prompts are
/// a public file (allenai/genesys, model_discovery/agents/prompts/prompts.py: 272,375 characters in one
/// stored version, 220,906 in another). The numbers are sums over sections of that file, rounded down. They
/// are too low, since inserted base classes, literature, its search rounds and the requested reasoning are
/// not counted.
struct ReferenceSizes {
  // Fixed text of the observer; the template that is inserted into the coder's, planner's and observer's
  // prompts.
  double observer = 8000, unit_template = 4000;
  double coder = 8000;  // assumed equal to the observer's; the actual text has more parts
  double planner = 7000;
  // First and last prompt of a review, without the background. The proposer's is assumed equal.
  double reviewer = 6000, proposer = 6000;
  double per_unit = 2500;  // text about each unit for a coder or observer
  // A parent design in PyTorch: three of the five units of the reference's GPT design, 1,400 to 4,700
  // characters each.
  double design = 9400;
  double unit = 2700;  // one of these units
};

/// Returns the reference's tokens, at four characters per token. `proposals`: number of proposals; `units`:
/// number of units, each written in `attempts` attempts; `proposal`, `complaint`: characters of a proposal
/// and of the observer's complaint about an attempt. Its observer is asked after every attempt of its coder,
/// whose conversation grows from attempt to attempt; its planner is asked once per unit.
inline double reference_tokens(int proposals, int units, int attempts, double proposal, double complaint) {
  const ReferenceSizes r;
  double characters = proposals * (r.proposer + r.design) + proposals * (r.reviewer + r.design + proposal);
  characters += units * (r.planner + r.unit_template + r.design + proposal);
  for (int attempt = 0; attempt < attempts; ++attempt) {
    characters += units * (r.coder + r.unit_template + r.design + proposal + r.per_unit +
                           attempt * (r.unit + complaint));
    characters += units * (r.observer + r.unit_template + r.design + proposal + r.per_unit + r.unit);
  }
  return characters / 4;
}

/// Returns a valid unit of the usual length with a slot whose default is `inner`.
inline std::string long_unit(const std::string& name, const std::string& inner) {
  return "unit " + name + "(x: [t, D], inner: Unit = " + inner +
         ") -> [t, D]:\n    axis k = D\n    a = sigmoid(linear(x, k, bias=true))\n    v = linear(inner(x), "
         "k)\n"
         "    scan S: [k] = 0:\n        S = a * S + (1 - a) * v\n    return linear(S * sigmoid(linear(x, "
         "k)), D)\n";
}

/// The outcome of the conversation, and its requests.
struct LongConversation {
  record::TaskReport report;
  std::vector<chat::ChatRequest> requests;
  // Input tokens in prefixes with which an earlier call of the conversation began, so that a server can cache
  // them.
  std::int64_t cached_tokens = 0;
};

inline LongConversation long_conversation() {
  Script s;
  script_success(s);
  s.lines["reviewer"] = {review_reply(3), review_reply(4)};
  std::string units;
  std::string inner = "Identity";
  s.lines["coder"].clear();
  for (const char* name : {"First", "Second", "Third", "Fourth"}) {
    units +=
        std::string(units.empty() ? "" : ", ") + R"({"name": ")" + name +
        R"json(", "inputs": ["x"], "results": [], "uses": [)json" +
        (inner == "Identity" ? "" : "\"" + inner + "\"") +
        R"json(], "does": "S = a S + (1 - a) v with a = sigmoid(W x), v = V inner(x); y = U (S * sigmoid(G x))"})json";
    std::string wrong = long_unit(name, inner);
    wrong.replace(wrong.find("bias=true"), std::string("bias=true").size(), "bias=True");
    s.lines["coder"].push_back(wrong);
    wrong = long_unit(name, inner);
    wrong.replace(wrong.find("(1 - a) * v"), std::string("(1 - a) * v").size(), "(1 - a) * w");
    s.lines["coder"].push_back(wrong);
    s.lines["coder"].push_back(long_unit(name, inner));
    inner = name;
  }
  s.lines["planner"] = {"{\"units\": [" + units + "], \"instance\": \"Fourth\"}"};
  Brief brief = mutation();
  brief.parents[0].evidence = {"rung 1: 2.612 bits per byte (3 seeds), best baseline 2.581",
                               "curve: 3.41, 2.98, 2.77, 2.66, 2.61", "without Attention: +0.214 (2 seeds)"};
  brief.credit = {"GLA: -0.021 against its absence (3 seeds)", "RMSNorm: -0.110", "SwiGLU: -0.034"};
  brief.neighbours = {"12 GatedLinearAttention: recurrence, gate per channel",
                      "17 Mamba2: recurrence, scalar gate"};
  brief.failures = {"size: 4 times; cannot be made as large as the rung",
                    "unit: 3 times; axes that do not divide D"};
  LongConversation out;
  out.report = run(s, brief);
  // The texts of the last call of each role; a server caches their beginnings.
  std::map<std::string, std::string> last;
  for (const chat::ChatRequest& q : s.asked) {
    std::string all;
    for (const chat::Message& m : q.messages) all += m.text;
    std::size_t shared = 0;  // characters with which one of these calls and this one begin
    for (const auto& [role, text] : last) {
      std::size_t n = 0;
      while (n < text.size() && n < all.size() && text[n] == all[n]) ++n;
      shared = std::max(shared, n);
    }
    out.cached_tokens += static_cast<std::int64_t>(shared / 4);
    last[q.role] = std::move(all);
  }
  out.requests = std::move(s.asked);
  return out;
}

/// Returns the reference's tokens for a conversation of the shape of long_conversation().
inline double reference_tokens_of_long_conversation() {
  constexpr double kProposalCharacters = 900, kComplaintCharacters = 300;
  return reference_tokens(/*proposals=*/2, /*units=*/4, /*attempts=*/3, kProposalCharacters,
                          kComplaintCharacters);
}

}  // namespace gabbro::agents::testing
