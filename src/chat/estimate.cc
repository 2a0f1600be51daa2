#include "chat/estimate.h"

namespace gabbro::chat {

namespace {

double money_of(const Price& price, const Expected& e) {
  constexpr double kPerToken = 1e-12;  // Prices are in millionths of millionths.
  return kPerToken *
         ((e.input - e.cached) * static_cast<double>(price.input) +
          e.cached * static_cast<double>(price.cached) + e.output * static_cast<double>(price.output));
}

}  // namespace

std::vector<CostEstimate> estimate(const Config& config, const std::vector<Expected>& expected) {
  std::vector<CostEstimate> out;
  for (const Expected& e : expected) {
    double weights = 0, money = 0;
    for (const ChatModel& m : config.models) {
      weights += m.weight(e.role);
      money += m.weight(e.role) * money_of(m.price, e);
    }
    out.push_back(
        {e.role, e.calls, e.calls * (e.input + e.output), weights > 0 ? e.calls * money / weights : 0});
  }
  return out;
}

}  // namespace gabbro::chat
