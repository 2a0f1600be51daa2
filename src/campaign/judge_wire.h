// What a campaign and its judge say to each other: one JSON object a line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::campaign {

/// `what`: "settings" (text: TOML), "forget", "known" (text: a design as its event), none of which is
/// answered; "screen", "measure", "ablations" (text: a program; more: the ancestor or nothing).
struct Ask {
  std::string what, text, more, op;
  std::int64_t parent = 0, second_parent = 0;
};

/// An error, or texts: a design as its event, or for each ablation what it is and its program.
struct Answer {
  Error error;  // its code is empty: there is none
  std::vector<std::string> texts;
};

/// Exit code of a judge that ran out of memory.
constexpr int kOutOfMemory = 3;

std::string to_line(const Ask& ask);
std::string to_line(const Answer& answer);
/// Errors: "judge".
Result<Ask> parse_ask(const std::string& line);
Result<Answer> parse_answer(const std::string& line);

}  // namespace gabbro::campaign
