// The pipeline from a brief to a program: librarian, proposer and reviewers, planner, coder with checker,
// observer.
#pragma once

#include <string>

#include "agents/brief.h"
#include "agents/tools.h"
#include "record/task.h"

namespace gabbro::agents {

/// Makes the design that `brief` orders; on failure the report gives the cause. Has no effects beyond the
/// calls of `tools` and of `brief.admit`: equal briefs, settings and replies give equal reports, except for
/// seconds. Never throws; every failure is counted under its cause (record/task.h). An error of chat ends the
/// task with its code as the cause. May be called from several threads at once with tools that share one
/// chat.
record::TaskReport run_task(const Brief& brief, const Tools& tools);

/// Has reviewers judge an existing design as if it were a proposal; the checker derives its facts. Fills
/// title, proposal, reviews, calls, tokens, cost and seconds of the report, and sets the outcome "design" if
/// it passes. Of the brief, the task, the texts for prompts and the weights are used. Causes: "program" (it
/// does not pass the checker or has no single design), "review", and those of chat.
record::TaskReport review_program(const std::string& program, const Brief& brief, const Tools& tools);

}  // namespace gabbro::agents
