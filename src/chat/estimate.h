// Estimates the cost of a campaign before it begins.
#pragma once

#include <string>
#include <vector>

#include "chat/config.h"

namespace gabbro::chat {

/// The expected number of calls of a role, and the tokens per call.
struct Expected {
  std::string role;
  double calls = 0;
  double input = 0, cached = 0, output = 0;  // `cached` is a part of `input`.
};

struct CostEstimate {
  std::string role;
  double calls = 0, tokens = 0, money = 0;
};

/// Returns estimates in the order of `expected`. Calls are divided among the models of a role by their
/// weights. Money is in the currency of the prices.
std::vector<CostEstimate> estimate(const Config& config, const std::vector<Expected>& expected);

}  // namespace gabbro::chat
