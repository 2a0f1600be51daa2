// Makes a design from a brief. By units (Writing::kUnits): librarian, proposer and reviewers, planner, coder
// with checker, observer. As a whole program: librarian, coder with checker, reviewers; or the coder alone.
#pragma once

#include <string>

#include "agents/brief.h"
#include "agents/task_resources.h"
#include "record/task.h"

namespace gabbro::agents {

/// Makes the design that `brief` orders; on failure the report gives the cause. Has no effects beyond the
/// calls of `resources` and of `brief.admit`: equal briefs, settings and replies give equal reports, except
/// for seconds. Never throws; every failure is reported with its cause (TaskReport::cause). An error of chat
/// ends the task with its code as the cause. May be called from several threads at once with resources that
/// share one chat.
record::TaskReport run_task(const Brief& brief, const TaskResources& resources);

/// Has reviewers judge an existing design as if it were a proposal; the checker derives its facts. Fills
/// prompts, title, proposal, reviews, calls, tokens, cost and seconds of the report. The outcome is "design"
/// if the weighted mean rating reaches AgentSettings::pass; AgentSettings::reviewers must be at least 1. Of
/// the brief, it uses `task`, `reviewer_weights` and what Interview puts into prompts. Causes: "program"
/// (it does not pass the checker or has no single design), "review", "internal" (a library threw), and those
/// of chat.
record::TaskReport review_program(const std::string& program, const Brief& brief,
                                  const TaskResources& resources);

}  // namespace gabbro::agents
