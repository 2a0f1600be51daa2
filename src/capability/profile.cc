#include "capability/profile.h"

#include <fmt/format.h>

#include "capability/task.h"

namespace gabbro::capability {

namespace {

// Returns why `s` cannot be the score of `task` at this sequence length; "" if it can. A standard error of
// accuracies in [0, 1] is at most 0.5.
std::string score_misfit(const Task& task, std::int64_t length, const record::CapabilityScore& s) {
  if (s.task != task.name || s.length != length || s.chance != task.chance)
    return fmt::format("{} at {} tokens with chance {} instead of {} at {} with {}", s.task, s.length,
                       s.chance, task.name, length, task.chance);
  if (!(s.accuracy >= 0 && s.accuracy <= 1) || !(s.error >= 0 && s.error <= 0.5) || s.answers < 1)
    return fmt::format("accuracy {} ± {} over {} answers", s.accuracy, s.error, s.answers);
  return "";
}

}  // namespace

std::string misfit(const std::vector<std::string>& task_names, const std::string& hash,
                   const record::CapabilityResult& r) {
  using record::Status;
  if (r.status == Status::kFailed || r.status == Status::kRefused || r.status == Status::kStopped) return "";
  if (r.status != Status::kDone)
    return fmt::format("invalid status '{}' for this job", record::word_of(r.status));
  if (r.hash != hash) return fmt::format("it belongs to the design with hash {} instead of {}", r.hash, hash);
  if (r.tasks.size() != task_names.size())
    return fmt::format("{} tasks instead of {}", r.tasks.size(), task_names.size());
  for (std::size_t k = 0; k < task_names.size(); ++k) {
    const record::CapabilityTask& t = r.tasks[k];
    if (t.task != task_names[k]) return fmt::format("{} instead of {}", t.task, task_names[k]);
    const Task* task = find_task(t.task);
    const std::size_t scores =
        t.outcome == record::CapabilityOutcome::kDone && task ? task->lengths.size() : 0;
    if (t.scores.size() != scores)
      return fmt::format("{} has {} scores instead of {}", t.task, t.scores.size(), scores);
    for (std::size_t i = 0; i < scores; ++i)
      if (std::string why = score_misfit(*task, task->lengths[i], t.scores[i]); !why.empty()) return why;
  }
  return "";
}

}  // namespace gabbro::capability
