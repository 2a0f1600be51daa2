#include "chat/estimate.h"

namespace gabbro::chat {

namespace {

// Returns the money for one expected call.
double money_of(const Price& price, const ExpectedCalls& e) {
  constexpr double kPriceUnit = 1e-12;  // Prices are in millionths of a Micro (chat/config.h).
  return kPriceUnit *
         ((e.input - e.cached) * static_cast<double>(price.input) +
          e.cached * static_cast<double>(price.cached) + e.output * static_cast<double>(price.output));
}

}  // namespace

std::vector<CostEstimate> estimate(const Config& config, const std::vector<ExpectedCalls>& expected) {
  std::vector<CostEstimate> out;
  for (const ExpectedCalls& e : expected) {
    double weights = 0, money = 0;
    // A role's calls are divided among its models by their weights.
    for (const ChatModel& m : config.models) {
      weights += m.weight(e.role);
      money += m.weight(e.role) * money_of(m.price, e);
    }
    out.push_back({.role = e.role,
                   .calls = e.calls,
                   .tokens = e.calls * (e.input + e.output),
                   .money = weights > 0 ? e.calls * money / weights : 0});
  }
  return out;
}

}  // namespace gabbro::chat
