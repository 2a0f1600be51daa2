// The protocol between a campaign and its screener: one JSON object a line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::campaign {

/// The task of a request, with what ScreenerRequest::text holds. The first three have no reply.
enum class ScreenerTask : std::uint8_t {
  kSettings,   // the settings as TOML; removes all designs that were added
  kReset,      // nothing; removes all designs that were added
  kAddDesign,  // a design as its event
  kFindEqual,  // a design as its event
  kScreen,     // a program
  kMeasure,    // a program
  kAblations,  // a program
};

struct ScreenerRequest {
  ScreenerTask task = ScreenerTask::kSettings;
  std::string text;
  std::string ancestor;     // for kAblations: the ancestor's program; "" if there is none
  std::string untrainable;  // for kFindEqual and kScreen: ids (Population::untrainable), separated by spaces
  std::int64_t parent = 0, second_parent = 0;  // for kScreen: ids of designs; 0: none
};

/// An error, or texts: the design as its event (kScreen, kMeasure), the name of the equal design or ""
/// (kFindEqual), or the description and the program of each ablation (kAblations).
struct ScreenerReply {
  Error error;  // an empty code means no error
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
