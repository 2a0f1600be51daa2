#include <fmt/format.h>

#include "agents/roles.h"
#include "record/fields.h"

namespace gabbro::agents {

Result<Observation> observe(Conversation& talk, const Proposal& proposal, const std::string& program,
                            const ir::Facts& facts) {
  Observation seen;
  const auto asked =
      talk.ask_object({.role = "observer",
                       .prompt = "observer.md",
                       .values = {{"proposal", quoted("proposal", describe(proposal))},
                                  {"facts", facts_text(facts)},
                                  {"program", quoted("program", program, 24000)}},
                       .schema = "observer.json",
                       .variant = talk.report().observation > 0 ? 1 : 0},
                      "observation", [&](const std::string& json, bool) -> Result<bool> {
                        GABBRO_TRY(io, record::Reader::parse(json, "observation"));
                        double rating = 0;
                        io("rating", rating);
                        io.later("differences", seen.differences);
                        io.later("unit", seen.unit);
                        io.later("change", seen.change);
                        if (!io.error().code.empty()) return tl::unexpected(io.error());
                        if (!(rating >= 1 && rating <= 5))
                          return fail("observation", fmt::format("rating is {:g}, outside 1 to 5", rating),
                                      "use 1, 2, 3, 4 or 5");
                        seen.rating = static_cast<int>(rating);
                        return true;
                      });
  if (!asked) return tl::unexpected(asked.error());
  return seen;
}

}  // namespace gabbro::agents
