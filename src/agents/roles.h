// The proposer with its reviewers, and the observer.
#pragma once

#include <string>
#include <vector>

#include "agents/assemble.h"
#include "agents/coder.h"
#include "agents/conversation.h"
#include "agents/plan.h"
#include "agents/proposal.h"

namespace gabbro::agents {

/// A proposal that passed, with the base that it changes.
struct Accepted {
  Proposal proposal;
  Base base;
};

/// Asks for proposals until one is readable, is not a duplicate, fits its place and passes review; each
/// refusal goes back with its reasons. Makes at most Settings::attempts attempts. Fills attempts, title,
/// proposal and reviews of the report. Errors: those of chat; after the last attempt its cause: "proposal",
/// "duplicate" or "review".
Result<Accepted> find_proposal(Conversation& talk, const std::vector<lang::Program>& parents,
                               const std::string& literature);

/// Asks Settings::reviewers reviewers about a text. A reviewer whose replies cannot be read abstains. Errors:
/// those of chat; "review" if all abstain.
Result<std::vector<record::Review>> review(Conversation& talk, const std::string& proposal);

/// Returns the weighted mean rating. Each review has its model's weight divided by the model's number of
/// reviews, so that a model that is asked twice does not count twice. A model that gives every proposal the
/// same rating shifts all means equally. It also has the least weight (weights.h), which bounds its influence
/// on what passes.
double mean_rating(const std::vector<record::Review>& reviews, const std::map<std::string, double>& weights);

/// The findings of the observer.
struct Observation {
  int rating = 0;
  std::vector<std::string> differences;
  std::string unit, change;
};

/// Asks the observer. Errors: those of chat; "observation" if its replies cannot be read.
Result<Observation> observe(Conversation& talk, const Proposal& proposal, const std::string& program,
                            const ir::Facts& facts);

}  // namespace gabbro::agents
