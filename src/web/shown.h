// Texts of the record as the pages may show them.
#pragma once

#include <string>
#include <string_view>

#include "base/text.h"
#include "campaign/format.h"
#include "campaign/reading.h"

namespace gabbro::web {

/// Returns a text that is safe to show: invisible characters, such as those that reverse the direction of
/// writing, are escaped.
inline std::string shown(std::string_view text) { return printable(text); }
/// Does the same, on one line of at most `max_bytes`.
inline std::string shown_line(std::string_view text, std::size_t max_bytes) {
  return printable(campaign::one_line(text, max_bytes));
}
/// Returns the requests of users with their times, as a JSON list.
std::string steering_list(const campaign::CampaignReading& reading);

}  // namespace gabbro::web
