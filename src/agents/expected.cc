#include "agents/expected.h"

#include <algorithm>

namespace gabbro::agents {

std::vector<chat::Expected> expected(const AgentSettings& s) {
  constexpr double kEvidence = 4.0 / 3;
  const double reply = s.reply_tokens / 5.0;
  std::vector<chat::Expected> out;
  const auto add = [&](const char* role, double calls, double standing, double rest) {
    if (calls > 0) out.push_back({role, calls, (standing + rest) * kEvidence, standing, reply});
  };
  if (s.direct) {
    add("coder", 1, 2658, 800);
    return out;
  }
  const double proposals = std::min(2, s.attempts);
  add("librarian", s.queries > 0 ? 1 : 0, 781, 600);
  add("proposer", proposals, 781, 820);
  add("reviewer", proposals * s.reviewers, 781, 650);
  add("planner", s.planner ? 1 : 0, 781, 520);
  add("coder", 2 * s.candidates * s.beam * (1 + (s.checker ? s.repairs / 2.0 : 0)), 2785, 940);
  add("observer", s.observer ? 1 : 0, 781, 600);
  return out;
}

}  // namespace gabbro::agents
