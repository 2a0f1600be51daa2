#include <fmt/format.h>

#include "agents/roles.h"
#include "record/fields.h"

namespace gabbro::agents {

namespace {

constexpr std::size_t kLongestProgram = 24000;  // bytes; quoted() would cut after 12000

// Reads an observer's reply. A rating alone could be a review's, so the differences must be there, too.
Result<Observation> read_observation(const std::string& json) {
  GABBRO_TRY(io, record::Reader::parse(json, "observation"));
  Observation out;
  double rating = 0;
  io("rating", rating);
  io("differences", out.differences);
  io.optional("unit", out.unit);
  io.optional("change", out.change);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  if (!(rating >= 1 && rating <= 5))
    return fail("observation", fmt::format("rating is {:g}, outside 1 to 5", rating), "use 1, 2, 3, 4 or 5");
  out.rating = static_cast<int>(rating);
  return out;
}

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
      "observation", [&](const std::string& json, bool is_last) -> Result<bool> {
        GABBRO_TRY(read, read_observation(json));
        const bool passed = read.rating >= interview.settings().observer_pass;
        if (!passed && !is_last && read.differences.empty() && read.change.empty())
          return fail("observation", fmt::format("rated {}, but neither differences nor change", read.rating),
                      "say in `differences` what departs from the proposal, and in `change` what to change");
        observation = std::move(read);
        return true;
      });
  if (!reply) return tl::unexpected(reply.error());
  return observation;
}

}  // namespace gabbro::agents
