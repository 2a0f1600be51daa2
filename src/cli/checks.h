// Checks of option values, in the words of a user: what is wrong with `text`, or nothing. CLI11's own name
// types and the ends of their ranges.
#pragma once

#include <string>

namespace gabbro::cli {

std::string above_zero(const std::string& text);
std::string not_negative(const std::string& text);
/// cpu, cuda or cuda:N; whether the machine has it the worker says.
std::string known_device(const std::string& text);

}  // namespace gabbro::cli
