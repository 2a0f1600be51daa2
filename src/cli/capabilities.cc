#include "cli/capabilities.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"
#include "capability/profile.h"
#include "capability/task.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/scratch.h"
#include "cli/terminal.h"
#include "lang/check.h"
#include "lang/library.h"
#include "record/job.h"
#include "zoo/library.h"

namespace gabbro::cli {

namespace {

using capability::Task;
using record::CapabilityResult;
using record::CapabilityTask;

Result<std::vector<const Task*>> tasks_of(const std::vector<std::string>& names) {
  std::vector<const Task*> out;
  std::vector<std::string> known;
  for (const Task& task : capability::tasks()) {
    known.emplace_back(task.name);
    if (names.empty() || std::find(names.begin(), names.end(), task.name) != names.end())
      out.push_back(&task);
  }
  for (const std::string& name : names) {
    if (capability::find_task(name)) continue;
    const std::string near = lang::closest(name, known);
    std::string all;
    for (const std::string& k : known) all += (all.empty() ? "" : ", ") + k;
    return fail("usage", "unknown task '" + name + "'",
                near.empty() ? "known tasks: " + all : "did you mean '" + near + "'? Known tasks: " + all);
  }
  return out;
}

// Prints a table row by row as results arrive. Column widths depend only on the tasks and the file names.
class Table {
 public:
  Table(const std::vector<std::string>& files, const std::vector<const Task*>& tasks) : tasks_(tasks) {
    constexpr std::size_t kMaxWidth = 40;
    for (const std::string& file : files) file_width_ = std::max(file_width_, printable_line(file).size());
    file_width_ = std::min(file_width_, kMaxWidth);
    for (const Task* task : tasks)
      widths_.push_back(
          std::max(std::string_view(task->name).size(), kNumberWidth * task->lengths.size() - 1));
  }

  void print_head() const {
    std::string names(file_width_, ' '), lengths = fmt::format("{:<{}}", "tokens", file_width_),
                                         chances = fmt::format("{:<{}}", "chance, %", file_width_);
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      std::string each;
      for (const std::int64_t length : tasks_[i]->lengths) each += number(std::to_string(length));
      names += fmt::format("  {:>{}}", tasks_[i]->name, widths_[i]);
      lengths += fmt::format("  {:>{}}", each, widths_[i]);
      chances += fmt::format("  {:>{}}", fmt::format("{:.1f}", 100 * tasks_[i]->chance), widths_[i]);
    }
    print("{}\n{}\n{}\n", names, lengths, chances);
  }

  void print_row(const CapabilityResult& r) const {
    std::string line = fmt::format("{:<{}}", printable_line(r.file), file_width_);
    for (std::size_t i = 0; i < tasks_.size(); ++i)
      line += fmt::format("  {:>{}}", cell(r, tasks_[i]->name), widths_[i]);
    print("{}\n", line);
    for (const CapabilityTask& t : r.tasks)
      if (t.outcome != record::CapabilityOutcome::kDone)
        print("  {}: {}: {}\n", t.task, t.outcome, printable_line(t.cause));
  }

 private:
  static constexpr std::size_t kNumberWidth = 6;  // of " 100.0"

  static std::string number(const std::string& text) { return fmt::format("{:>{}}", text, kNumberWidth); }

  static std::string cell(const CapabilityResult& r, const std::string& task) {
    for (const CapabilityTask& t : r.tasks) {
      if (t.task != task) continue;
      if (t.scores.empty()) return "-";
      std::string out;
      for (const record::CapabilityScore& s : t.scores)
        out += number(fmt::format("{:.1f}", 100 * s.accuracy));
      return out.substr(out.size() - (kNumberWidth * t.scores.size() - 1));
    }
    return "-";
  }

  std::size_t file_width_ = 9;  // at least that of "chance, %"
  const std::vector<const Task*>& tasks_;
  std::vector<std::size_t> widths_;  // of the columns of tasks
};

// Runs the tasks on the design of one file and returns its result, or an error if the worker left none.
Result<CapabilityResult> measure(const CapabilitiesCommand& c, const record::CapabilitySpec& spec,
                                 const Scratch& scratch) {
  const std::string spec_file = scratch.file("spec.json");
  if (const auto ok = replace_file(spec_file, to_json(spec)); !ok) return tl::unexpected(ok.error());
  ProgressLine line;
  const auto end =
      run_worker(spec_file, scratch.file("result.json"), c.limits, {}, [&](const record::Progress& p) {
        line.show(fmt::format("{}: {}", spec.file, progress_text(p)));
        return true;
      });
  if (!end) return tl::unexpected(end.error());
  if (end->kind != jobs::JobEnd::Kind::kResult) return fail("worker", end->cause);
  GABBRO_TRY(result, record::parse_capability_result(end->result));
  const lang::CheckReport written = lang::check(spec.program, zoo::library());
  const std::string hash = written.subjects.empty() ? "" : to_hex(written.subjects.back().hash);
  if (const std::string why = capability::misfit(spec.tasks, hash, result); !why.empty())
    return tl::unexpected(record::inconsistent(why));
  return result;
}

}  // namespace

int run_capabilities(const CapabilitiesCommand& c) {
  const auto tasks = tasks_of(c.spec.tasks);
  if (!tasks) return failed("capabilities", tasks.error());
  const auto scratch = Scratch::make();
  if (!scratch) return failed("capabilities", scratch.error());
  std::vector<record::CapabilitySpec> specs;
  for (const std::string& file : c.files) {
    const auto text = read_program(file);
    if (!text) return failed("capabilities", text.error());
    record::CapabilitySpec& spec = specs.emplace_back(c.spec);
    spec.file = file;
    spec.program = *text;
    spec.tasks.clear();
    for (const Task* task : *tasks) spec.tasks.emplace_back(task->name);
    spec.memory = static_cast<std::int64_t>(c.limits.memory_bytes);
  }
  const Table table(c.files, *tasks);
  if (!c.json) table.print_head();
  int code = kValid;
  for (const record::CapabilitySpec& spec : specs) {
    auto result = measure(c, spec, *scratch);
    if (!result) {
      code = failed(printable_line(spec.file), result.error());
      continue;
    }
    result->file = spec.file;
    if (c.json)
      print("{}", to_line(*result));
    else if (!result->tasks.empty())
      table.print_row(*result);
    if (!c.json && result->status != record::Status::kDone)
      print("{}\n", result->status == record::Status::kStopped ? printable_line(spec.file) + ": stopped"
                    : result->status == record::Status::kRefused
                        ? printable_line(spec.file) + ": " + result->cause
                        : result->cause);
    if (result->status != record::Status::kDone) code = std::max(code, kInvalid);
    if (result->status == record::Status::kStopped) break;
  }
  return code;
}

}  // namespace gabbro::cli
