// The protocol between a campaign and its screener: one JSON object a line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::campaign {

/// The task of a request. The first three have no reply.
enum class ScreenerTask : std::uint8_t {
  kSettings,   // text: TOML
  kReset,      // removes all designs that were added
  kAddDesign,  // text: a design as its event
  kFindEqual,  // text: a design as its event
  kScreen,     // text: a program
  kMeasure,    // text: a program
  kAblations,  // text: a program
};

struct ScreenerRequest {
  ScreenerTask task = ScreenerTask::kSettings;
  std::string text;
  std::string ancestor;     // of kAblations: a program, or empty
  std::string untrainable;  // of kFindEqual and kScreen: ids (Population::untrainable), separated by spaces
  std::int64_t parent = 0, second_parent = 0;  // of kScreen
};

/// An error, or texts: a design as its event, a name, or for each ablation its description and its program.
struct ScreenerReply {
  Error error;  // empty code: no error
  std::vector<std::string> texts;
};

/// Exit code of a screener that ran out of memory.
constexpr int kOutOfMemory = 3;

std::string to_line(const ScreenerRequest& request);
std::string to_line(const ScreenerReply& reply);
/// Errors: "screener".
Result<ScreenerRequest> parse_request(const std::string& line);
Result<ScreenerReply> parse_reply(const std::string& line);

}  // namespace gabbro::campaign

template <>
struct gabbro::record::Spelling<gabbro::campaign::ScreenerTask> {
  static constexpr std::string_view kWhat = "task of the screener";
  static constexpr std::array<std::string_view, 7> kWords{"settings", "reset",   "add design", "find equal",
                                                          "screen",   "measure", "ablations"};
};
