// Checks of option values with messages for users: each returns what is wrong with `text`, or "". CLI11's own
// checks name types and the ends of ranges instead.
#pragma once

#include <string>

namespace gabbro::cli {

std::string above_zero(const std::string& text);
std::string not_negative(const std::string& text);
/// Accepts cpu, cuda or cuda:N. The worker reports if the machine does not have the device.
std::string known_device(const std::string& text);

}  // namespace gabbro::cli
