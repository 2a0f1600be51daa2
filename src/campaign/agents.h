// Connects a campaign to agents: the tasks they get, the briefs they are given, and the handling of steering.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agents/expected.h"
#include "agents/settings.h"
#include "agents/task_pool.h"
#include "base/random.h"
#include "campaign/screener.h"
#include "evolve/population.h"
#include "store/store.h"

namespace gabbro::campaign {

/// The agents of a campaign.
struct Agents {
  agents::TaskPool* pool = nullptr;
  agents::Modes modes;  // initial weights of the modes, before success shifts them
  // The way in which the strategy "agents" writes designs; nothing: as its record in the campaign says
  // (next_task).
  std::optional<record::Writing> writing{};
  // Returns a line for the view, with the money spent, the expected cost of a design, which follows from the
  // tasks so far, and the endpoints that are down; may be null.
  std::function<std::string(const agents::TaskCosts&)> account;
};

/// Returns what the tasks of a campaign that have ended took, and the number of designs that they made.
agents::TaskCosts task_costs(const evolve::Population& population);

/// Returns the next task of `strategy`, with the id `id`: mode, parents, the way of writing, and a brief with
/// the measurements so far. Unless `agents.writing` is set, the way is drawn by designs better than their
/// parent per money (or per token, where nothing costs money) in the record. Of `agents`, only `modes` and
/// `writing` are used; the task depends on the arguments alone.
record::TaskBegun next_task(const evolve::Population& population, const std::string& strategy,
                            const Agents& agents, std::uint64_t seed, std::int64_t id);

/// Returns the brief of a task that has begun. It adds what the task's event does not contain: the proposals
/// known when it began, and the function that screens programs. Errors: as agents::parse_brief.
Result<agents::Brief> brief_of(const evolve::Population& population, const evolve::AgentTask& task,
                               std::shared_ptr<Screener> screener = screener_in_process());

/// Returns the weight of each reviewer model (agents/weights.h), from the outcomes of the designs that it
/// reviewed.
std::map<std::string, double> weights_of_reviewers(const evolve::Population& population);

/// Returns how many of the pool's `places` this strategy's tasks should have. It is all of them while their
/// designs succeed as often as those of the strategy's other operators; otherwise fewer, in proportion to
/// their success, but at least one.
int wanted_tasks(const evolve::Population& population, const std::string& strategy, int places);

/// An action of agents or the user in a recorded campaign, and the campaign's progress at that moment.
struct RecordedAction {
  std::int64_t draws = 0, runs_begun = 0, runs_ended = 0;
  record::Event event;  // TaskBegun, TaskEnded or Steered
};
/// Returns the actions of agents and the user in a record, in order.
std::vector<RecordedAction> recorded_actions(const store::Store& store);

/// Returns the steering that waits in the folder of a campaign (DIR/inbox), oldest first, and leaves it
/// there. Unreadable files are skipped.
std::vector<record::Steered> inbox(const std::string& dir);
/// Returns the time with which the key of new steering begins, in microseconds since 1970. It is later than
/// the times of all steering in the inbox and the record, so that a clock that was set back changes no order.
std::int64_t steering_time(const std::string& dir, const store::Store& store);
/// Writes steering to the inbox of a campaign. Errors: "io".
Result<bool> deliver(const std::string& dir, const record::Steered& steered);
/// Checks requests of a user and delivers them, with keys in their order. Errors: "usage" for a veto of a
/// baseline or a control; "store"; "io".
Result<bool> steer(const std::string& dir, std::vector<record::Steered> requests);
/// Removes the steering with this key from the inbox, once it has been recorded.
void remove_from_inbox(const std::string& dir, const std::string& key);

}  // namespace gabbro::campaign
