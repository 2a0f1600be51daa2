// What a campaign will take, before it begins.
#pragma once

#include <string>
#include <vector>

#include "chat/config.h"

namespace gabbro::chat {

/// Calls that are expected of a role, and the tokens of one.
struct Expected {
  std::string role;
  double calls = 0;
  double input = 0, cached = 0, output = 0;  // cached: of the input
};

struct Estimate {
  std::string role;
  double calls = 0, tokens = 0, money = 0;
};

/// By role, in the order of `expected`: calls go to the models of a role by their weights. Money in that of
/// the prices.
std::vector<Estimate> estimate(const Config& config, const std::vector<Expected>& expected);

}  // namespace gabbro::chat
