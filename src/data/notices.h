// Says what a build did that its user may not expect.
#pragma once

#include <string>
#include <vector>

#include "data/corpus.h"
#include "data/division.h"
#include "data/documents.h"

namespace gabbro::data {

/// Returns notices about what makes documents unfit as text.
std::vector<std::string> notices_of(const Findings& findings, const std::string& separator);

/// Returns notices about paths that were left out.
std::vector<std::string> notices_of(const Sources& sources);

/// Returns notices about documents that overlap with held-out ones or with each other. `by_name`: documents
/// are held out by name, and not as a share. `train` is the number of training documents.
std::vector<std::string> training_notices(const Division::Counts& counts, bool by_name, std::uint64_t train);

/// Returns notices about held-out documents that were left out.
std::vector<std::string> held_out_notices(const Division::Counts& counts);

/// Returns the error of a build of which hardly any held-out text is new. `share` is that of the rest.
tl::unexpected<Error> mostly_boilerplate(double share);

/// Returns a notice if a vocabulary from elsewhere fits the held-out text suspiciously well, or else "".
std::string vocabulary_notice(const SplitInfo& train, const SplitInfo& valid);

/// Returns a notice about documents of which the tokenizer keeps nothing; "" if there are none.
std::string lost_notice(std::uint64_t documents);

/// Returns a notice about documents of which the tokenizer keeps another text; "" if there are none.
std::string changed_notice(const SplitInfo& train, const SplitInfo& valid);

/// Returns the error of a build that has no training or no held-out documents. `train` and `valid` are their
/// numbers.
tl::unexpected<Error> one_sided(const Division::Counts& counts, bool by_name, std::uint64_t train,
                                std::uint64_t valid);

}  // namespace gabbro::data
