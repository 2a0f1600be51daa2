// From a brief to a program: librarian, proposer and reviewers, planner, coder with the checker, observer.
#pragma once

#include <string>

#include "agents/brief.h"
#include "agents/tools.h"
#include "record/task.h"

namespace gabbro::agents {

/// Makes the design that `brief` orders, or a report of why not. Pure but for `tools.chat`,
/// `tools.literature` and `brief.admit`: equal briefs, settings and replies give equal reports, seconds
/// aside. Never throws; every failure is a cause that is counted (record/task.h). An error of chat ends the
/// task with its code as the cause. May be called from several threads at once with tools of one chat.
record::TaskReport run_task(const Brief& brief, const Tools& tools);

/// What reviewers say of a design that there is, as if it were proposed; `facts` are derived by the checker.
/// Only reviews, calls, tokens and cost of the report are filled, and outcome "design" when it passes. Cause
/// "program": it does not check.
record::TaskReport review_program(const std::string& program, const Brief& brief, const Tools& tools);

}  // namespace gabbro::agents
