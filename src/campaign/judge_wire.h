// The protocol between a campaign and its judge: one JSON object a line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::campaign {

/// A request. Requests with `what` "settings" (text: TOML), "forget" and "known" (text: a design as its
/// event) have no answer. The others have one: "equal" (text: a design as its event), "screen", "measure" and
/// "ablations" (text: a program). `more` is the ancestor of "ablations", or empty; of "equal" and "screen"
/// the ids of Population::untrainable, with spaces between them.
struct JudgeRequest {
  std::string what, text, more;
  std::int64_t parent = 0, second_parent = 0;
};

/// An error, or texts: a design as its event, a name, or for each ablation its description and its program.
struct JudgeReply {
  Error error;  // empty code: no error
  std::vector<std::string> texts;
};

/// Exit code of a judge that ran out of memory.
constexpr int kOutOfMemory = 3;

std::string to_line(const JudgeRequest& request);
std::string to_line(const JudgeReply& reply);
/// Errors: "judge".
Result<JudgeRequest> parse_request(const std::string& line);
Result<JudgeReply> parse_reply(const std::string& line);

}  // namespace gabbro::campaign
