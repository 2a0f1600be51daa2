// Texts that are equal for two campaigns that took the same course.
#pragma once

#include <string>

#include "evolve/population.h"

namespace gabbro::campaign {

// Returns everything that a campaign decided and learned, without times.
inline std::string story(const evolve::Population& p) {
  std::string out;
  for (const evolve::Individual& i : p.individuals())
    out += std::to_string(i.created.id) + " " + evolve::source_of(i.created) + " " +
           evolve::maker_of(i.created) + " " + std::to_string(i.created.parent) + " " + i.created.hash + " " +
           std::to_string(i.entered) + "\n" + i.created.program;
  for (const evolve::Trial& t : p.trials())
    out += std::to_string(t.begun.id) + " " + std::to_string(t.begun.design) + " " +
           std::to_string(t.begun.rung) + " " + std::to_string(t.begun.seed) + " " +
           std::string(record::word_of(t.begun.purpose)) + " " + std::string(record::word_of(t.status)) +
           " " + std::to_string(t.bits) + " " + t.weights_hash + "\n";
  return out;
}

}  // namespace gabbro::campaign
