#include <fmt/format.h>

#include "agents/roles.h"
#include "record/fields.h"

namespace gabbro::agents {

namespace {

constexpr std::size_t kLongestProgram = 24000;  // bytes; quoted() would cut after 12000

}  // namespace

Result<Observation> observe(Interview& interview, const Proposal& proposal, const std::string& program,
                            const ir::Facts& facts) {
  Observation observation;
  const auto reply = interview.ask_object(
      {.role = "observer",
       .prompt = "observer.md",
       .values = {{"proposal", quoted("proposal", describe(proposal))},
                  {"facts", facts_text(facts)},
                  {"program", quoted("program", program, kLongestProgram)}},
       .schema = "observer.json",
       // 1 after a rewrite, so that an unchanged program gets a new reply and not the recorded one.
       .variant = interview.report().observation > 0 ? 1 : 0},
      "observation", [&](const std::string& json, bool /*is_last*/) -> Result<bool> {
        GABBRO_TRY(io, record::Reader::parse(json, "observation"));
        double rating = 0;
        io("rating", rating);
        io.optional("differences", observation.differences);
        io.optional("unit", observation.unit);
        io.optional("change", observation.change);
        if (!io.error().code.empty()) return tl::unexpected(io.error());
        if (!(rating >= 1 && rating <= 5))
          return fail("observation", fmt::format("rating is {:g}, outside 1 to 5", rating),
                      "use 1, 2, 3, 4 or 5");
        observation.rating = static_cast<int>(rating);
        return true;
      });
  if (!reply) return tl::unexpected(reply.error());
  return observation;
}

}  // namespace gabbro::agents
