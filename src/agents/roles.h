// The roles that judge: proposer with reviewers, and the observer.
#pragma once

#include <string>
#include <vector>

#include "agents/assemble.h"
#include "agents/coder.h"
#include "agents/plan.h"
#include "agents/proposal.h"
#include "agents/talk.h"

namespace gabbro::agents {

/// A proposal that passed, with what it is built on.
struct Accepted {
  Proposal proposal;
  Base base;
};

/// Proposals until one is readable, new by its description, possible at its place, and passes review; each
/// refusal goes back with its reasons. At most Settings::attempts. Fills attempts, title, proposal and
/// reviews of the report. Errors: those of chat; after the last attempt its cause: "proposal", "duplicate" or
/// "review".
Result<Accepted> find_proposal(Talk& talk, const std::vector<lang::Program>& parents,
                               const std::string& literature);

/// Asks Settings::reviewers reviewers about a text. One whose replies cannot be read abstains. Errors: those
/// of chat; "review" when nobody is left.
Result<std::vector<record::Review>> review(Talk& talk, const std::string& proposal);

/// The mean rating, each model's by its weight over its number of reviews, so that a model that is asked
/// twice does not count twice. A rating that is the same for every proposal moves all means alike and its
/// weight is the least there is (weights.h): it can let a proposal pass only within that weight.
double mean_rating(const std::vector<record::Review>& reviews, const std::map<std::string, double>& weights);

/// What the observer found.
struct Observation {
  int rating = 0;
  std::vector<std::string> differences;
  std::string unit, change;
};

/// Asks the observer. Errors: those of chat, "observation" when its replies cannot be read.
Result<Observation> observe(Talk& talk, const Proposal& proposal, const std::string& program,
                            const ir::Facts& facts);

}  // namespace gabbro::agents
