// The proposer with its reviewers, and the observer.
#pragma once

#include <string>
#include <vector>

#include "agents/assemble.h"
#include "agents/coder.h"
#include "agents/interview.h"
#include "agents/plan.h"
#include "agents/proposal.h"

namespace gabbro::agents {

/// A proposal that passed, with the base that it changes.
struct Accepted {
  Proposal proposal;
  Base base;
};

/// Asks for proposals until one is readable, is not a duplicate, fits its place and passes review; each
/// refusal goes back with its reasons. Makes at most AgentSettings::attempts attempts. `parents` are those of
/// the brief, parsed. Fills attempts, title, proposal and reviews of the report, and the interview's value
/// "objections" with those of the reviews that passed. Errors: those of chat; after the last attempt its
/// cause: "proposal", "duplicate" or "review".
Result<Accepted> find_proposal(Interview& interview, const std::vector<lang::Program>& parents);

/// Asks AgentSettings::reviewers reviewers about a proposal, as text; they see the papers found for the task
/// and the papers nearest to the proposal. A reviewer whose replies cannot be read abstains. Errors: those of
/// chat; "review" if all abstain.
Result<std::vector<record::Review>> review(Interview& interview, const std::string& proposal);

/// Has a proposal, or a whole program, reviewed and fills the reviews of the report. The objections of
/// reviews that pass become the interview's value "objections". Errors: those of review(); "review", with
/// the objections, if the mean rating is below AgentSettings::pass.
Result<bool> pass_review(Interview& interview, const std::string& proposal);

/// Returns the weighted mean rating, 0 without reviews. `weights` are those of the models by name, 1 for a
/// model that is not listed. Each review has its model's weight divided by the model's number of reviews, so
/// that a model that is asked twice does not count twice. A model that gives every proposal the same rating
/// adds the same amount to all means; how much depends on its predictions (weights.h).
double mean_rating(const std::vector<record::Review>& reviews, const std::map<std::string, double>& weights);

/// The findings of the observer.
struct Observation {
  int rating = 0;                        // 1 (another mechanism) to 5 (as proposed)
  std::vector<std::string> differences;  // between program and proposal, a sentence each
  std::string unit, change;              // name of the unit that should change, and how; may be empty
};

/// Asks the observer how far `program`, with its `facts`, is from the proposal. Errors: those of chat;
/// "observation" if its replies cannot be read.
Result<Observation> observe(Interview& interview, const Proposal& proposal, const std::string& program,
                            const ir::Facts& facts);

}  // namespace gabbro::agents
