#include "agents/expected.h"

#include <algorithm>

namespace gabbro::agents {

namespace {

// Input tokens of constant texts when the estimate was made: the system prompts without and with the
// language, and coder.md.
constexpr double kIdeasPrefix = 781, kCodePrefix = 2658, kCoderPrompt = 127;
constexpr double kEvidence = 4.0 / 3;  // factor for the measurements of a campaign

}  // namespace

std::vector<chat::ExpectedCalls> expected_calls(const AgentSettings& s) {
  const double reply = s.reply_tokens / 5.0;
  std::vector<chat::ExpectedCalls> out;
  const auto add = [&](const char* role, double calls, double prefix, double rest) {
    if (calls > 0)
      out.push_back({.role = role,
                     .calls = calls,
                     .input = (prefix + rest) * kEvidence,
                     .cached = prefix,
                     .output = reply});
  };
  if (s.writing && *s.writing != record::Writing::kUnits) {
    const bool repairs = *s.writing == record::Writing::kProgram;
    add("librarian", repairs && s.queries > 0 ? 1 : 0, kIdeasPrefix, 600);
    add("coder", repairs ? 1.5 : 1, kCodePrefix, 800);
    add("reviewer", repairs ? s.reviewers : 0, kIdeasPrefix, 900);
    return out;
  }
  const double proposals = std::min(2, s.attempts);
  add("librarian", s.queries > 0 ? 1 : 0, kIdeasPrefix, 600);
  add("proposer", proposals, kIdeasPrefix, 820);
  add("reviewer", proposals * s.reviewers, kIdeasPrefix, 650);
  add("planner", s.planner ? 1 : 0, kIdeasPrefix, 520);
  add("coder", 2 * s.candidates * s.beam * (1 + (s.checker ? s.repairs / 2.0 : 0)),
      kCodePrefix + kCoderPrompt, 940);
  add("observer", s.observer ? 1 : 0, kIdeasPrefix, 600);
  return out;
}

}  // namespace gabbro::agents
