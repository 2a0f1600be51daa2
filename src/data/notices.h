// Says what a build did that its user may not expect.
#pragma once

#include <string>
#include <vector>

#include "data/corpus.h"
#include "data/division.h"
#include "data/documents.h"

namespace gabbro::data {

/// Returns what was found in documents that makes them unfit as text.
std::vector<std::string> notices_of(const Findings& findings, const std::string& separator);

/// Returns which paths were left out.
std::vector<std::string> notices_of(const Sources& sources);

/// Returns which of the `train` documents overlap with held-out ones or with each other. `by_name`: documents
/// are held out by name, and not as a share.
std::vector<std::string> training_notices(const Division::Counts& counts, bool by_name, std::uint64_t train);

/// Returns how many held-out documents were left out.
std::vector<std::string> held_out_notices(const Division::Counts& counts);

/// Says that a vocabulary from elsewhere fits the held-out text suspiciously well, or returns nothing.
std::string vocabulary_notice(const SplitInfo& train, const SplitInfo& valid);

/// Returns the error of a build that has no training or no held-out documents.
tl::unexpected<Error> one_sided(const Division::Counts& counts, bool by_name, std::uint64_t train,
                                std::uint64_t valid);

}  // namespace gabbro::data
