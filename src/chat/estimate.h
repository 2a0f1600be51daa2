// Estimates the cost of model calls before a campaign begins.
#pragma once

#include <string>
#include <vector>

#include "chat/config.h"

namespace gabbro::chat {

/// The expected number of calls of a role, and the expected tokens of each call.
struct ExpectedCalls {
  std::string role;
  double calls = 0;
  double input = 0, cached = 0, output = 0;  // `cached` is a part of `input`
};

/// The estimated calls of a role.
struct CostEstimate {
  std::string role;
  double calls = 0;
  double tokens = 0;  // input and output of all calls
  double money = 0;   // cost of all calls in the currency of the prices; 0 if no model plays the role
};

/// Returns estimates in the order of `expected`. Calls are divided among the models of a role by their
/// weights.
std::vector<CostEstimate> estimate(const Config& config, const std::vector<ExpectedCalls>& expected);

}  // namespace gabbro::chat
