#include "chat/transcript.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/text.h"

namespace gabbro::chat {

std::string transcript(const CallLog& log, std::int64_t task) {
  std::string out;
  std::map<std::string, std::set<std::string>> said;
  for (const Exchange& e : log.exchanges(task)) {
    for (const Message& m : e.request.messages)
      if (said[e.call.role].insert(m.text).second)
        out +=
            fmt::format("---- to {} ({})\n{}\n\n", e.call.role, record::word_of(m.from), printable(m.text));
    if (e.call.state != CallState::kSettled)
      out += fmt::format("---- no reply of {} as {}: {}\n\n", e.call.model, e.call.role,
                         e.call.state == CallState::kOpen ? "the call is open" : "its process was killed");
    else if (!e.call.error.code.empty())
      out += fmt::format("---- {} of {}: {}: {}\n\n", e.call.model, e.call.role, e.call.error.code,
                         printable(e.call.error.message));
    else
      out += fmt::format("---- {} as {}: {} + {} tokens, {}, {:.1f} s\n{}\n\n", e.call.model, e.call.role,
                         e.call.usage.input, e.call.usage.output, money_text(e.call.counted.money),
                         e.call.seconds, printable(e.reply));
  }
  return out;
}

}  // namespace gabbro::chat
