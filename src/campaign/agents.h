// What a campaign has to do with agents: when they are asked, what they are told, when their designs are
// taken up.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agents/settings.h"
#include "agents/team.h"
#include "base/random.h"
#include "campaign/judge.h"
#include "evolve/population.h"
#include "store/store.h"

namespace gabbro::campaign {

struct Agents {
  agents::Team* team = nullptr;
  agents::Modes modes;  // before success shifts them
  std::function<std::string()>
      account;  // a line for the view: money spent, endpoints that are down; may be empty
};

/// The next task of `strategy`: mode, parents, and the brief with what was measured. A function of the
/// population, the seed and the id.
record::TaskBegun next_task(const evolve::Population& population, const std::string& strategy,
                            const agents::Modes& modes, std::uint64_t seed, std::int64_t id);

/// The brief of a task that has begun, with what is not written into its event: proposals that were known by
/// then, and what admits programs.
Result<agents::Brief> brief_of(const evolve::Population& population, const evolve::Task& task,
                               std::shared_ptr<Judge> judge = judge_here());

/// By model, what a reviewer's word counts (agents/weights.h), from what came of the designs that it
/// reviewed.
std::map<std::string, double> weights_of_reviewers(const evolve::Population& population);

/// How many of a team's places tasks of this campaign should have: all while their designs do as well as
/// those of the other operators of their strategy, down to one in proportion to their success.
int wanted_tasks(const evolve::Population& population, const std::string& strategy, int places);

/// What agents and a person did in a recorded campaign, and when: by how far the campaign had come.
struct Moment {
  std::int64_t attempts = 0, begun = 0, ended = 0;  // draws, runs
  record::Event event;                              // TaskBegun, TaskEnded, Steered
};
std::vector<Moment> moments(const store::Store& store);

/// Steering that waits in the folder of a campaign (DIR/inbox), oldest first; reading removes nothing.
/// Errors, "io": a file that cannot be read.
std::vector<record::Steered> inbox(const std::string& dir);
/// Puts steering there, and takes it away once it is recorded. Errors: "io".
Result<bool> deliver(const std::string& dir, const record::Steered& steered);
void received(const std::string& dir, const std::string& key);

}  // namespace gabbro::campaign
