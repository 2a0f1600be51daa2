// What can be found in a reply: a JSON object, or Gab, with whatever stands around it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gabbro::agents {

/// Replies are read up to here; what follows is cut. No honest reply comes near.
inline constexpr std::size_t kLongestReply = 256 << 10;

/// The reply without what a model thought aloud before it (up to "</think>"), cut to kLongestReply.
std::string_view answer_of(std::string_view reply);

/// The first JSON object of the answer, prose and fences around it left out. Errors, "json": there is none,
/// or it is not closed. O(bytes).
Result<std::string> find_object(std::string_view reply);

/// The Gab in a reply: the fenced blocks that hold items of the language, else the lines from the first item
/// on as long as they can be code, else all of it, for the parser to say what is wrong. O(bytes).
std::string find_code(std::string_view reply);

/// The expression in a reply: the lines of the first fenced block, or the last line that parses as one, or
/// the first line.
std::string find_expression(std::string_view reply);

/// The errors of a program as a model repairs them: each with its line, the line's text, and the hint; at
/// most `most` of them.
std::string describe_errors(const std::vector<Error>& errors, std::string_view source, std::size_t most = 5);

/// Whether `name` can be given to a unit: a name of the language, none that it keeps.
bool is_legal_name(std::string_view name);

}  // namespace gabbro::agents
