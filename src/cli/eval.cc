#include "cli/eval.h"

#include <fmt/core.h>

#include <cmath>
#include <filesystem>

#include "base/files.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/report.h"
#include "cli/scratch.h"
#include "cli/terminal.h"
#include "record/job.h"
#include "record/trial.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

namespace {

void print_result(const record::EvalResult& r, const std::string& folder) {
  if (r.params > 0)
    print("{}: {} with {} parameters, weights {}, read {} tokens at a time\n", printable_line(folder),
          r.design, human(static_cast<double>(r.params)), r.weights_hash, r.length);
  if (!r.caution.empty()) print("  Do not judge the run by these scores: {}\n", printable_line(r.caution));
  if (r.bits_per_byte > 0) {
    const std::string interval = std::isfinite(r.bits_low)
                                     ? fmt::format("[{:.4f}, {:.4f}]", r.bits_low, r.bits_high)
                                     : "(no interval from one document)";
    print("  {:<20}{:.4f} {} over {} documents{}\n", "bits per byte", r.bits_per_byte, interval,
          r.valid_documents,
          r.document_tokens > 0 ? fmt::format(", their first {} tokens", r.document_tokens) : std::string());
    if (r.changed_share > 0) print("  {}\n", record::changed_text_note(r.changed_share));
  }
  for (const record::TaskScore& task : r.tasks) print("{}", task_text(task));
  if (r.status != record::Status::kDone) print("  {}{}{}\n", r.status, r.cause.empty() ? "" : ": ", r.cause);
}

Result<std::string> absolute_task(const std::string& source) {
  const std::size_t equals = source.find('=');
  std::size_t file = equals == std::string::npos ? 0 : equals + 1;
  if (source.substr(0, file).find('/') != std::string::npos) file = 0;  // The equals sign is part of a path.
  std::error_code error;
  const std::string path = source.substr(file);
  if (!fs::exists(path, error))
    return fail("io", fmt::format("--task {}: file {} not found", source, path),
                "give FILE or NAME=FILE, a file of JSON lines");
  if (const auto ok = check_regular_file(path); !ok)
    return fail("io", fmt::format("--task {}: {}", source, ok.error().message), "give a file of JSON lines");
  return source.substr(0, file) + fs::absolute(path).string();
}

}  // namespace

std::string task_text(const record::TaskScore& task) {
  std::string out =
      fmt::format("  {} ({}): {} items in {:.1f} s", task.name, task.kind, task.items, task.seconds);
  const auto add = [&](std::uint64_t count, const char* what) {
    if (count > 0) out += fmt::format(", {} {}", count, what);
  };
  add(task.counts.training, "left out, which are for training");
  add(task.counts.single, "left out without two different choices");
  add(task.counts.equal, "with equal choices that count as one");
  add(task.counts.repeated, "repeated");
  add(task.counts.spaced, "with answers that begin with a space, beside the one that is added");
  add(task.truncated, "contexts truncated to what the model reads");
  add(task.windowed, "longer answers scored in several windows");
  out += "\n";
  for (const record::Metric& m : task.metrics) {
    const std::string error = std::isfinite(m.error) ? fmt::format("± {:.4f}", m.error) : "";
    out += fmt::format("    {:<52}{:>10.4f} {:<10} {:>6}\n",
                       m.group.empty() ? m.name : fmt::format("{}, {}", m.name, m.group), m.value, error,
                       m.items);
  }
  return out;
}

Result<bool> make_absolute(std::vector<std::string>& tasks) {
  for (std::string& task : tasks) {
    GABBRO_TRY(absolute, absolute_task(task));
    task = absolute;
  }
  return true;
}

int run_eval(const EvalCommand& c) {
  record::EvalSpec spec = c.spec;
  spec.held_out = !c.tasks_only;
  if (const auto ok = record::check_engine({.engine = spec.engine, .device = spec.device}); !ok)
    return failed("eval", ok.error());
  if (!spec.held_out && spec.tasks.empty())
    return failed("eval", {"usage", "nothing to score: --tasks-only needs --task", "", {}});
  const auto run = run_folder(spec.run);
  if (!run) return failed("eval", run.error());
  const std::string folder = spec.run = *run;
  std::error_code error;
  if (!spec.corpus.empty()) spec.corpus = fs::absolute(spec.corpus, error);
  if (const auto ok = make_absolute(spec.tasks); !ok) return failed("eval", ok.error());
  // The spec and the result are not put into the run's folder, since that may not be writable.
  const auto scratch = Scratch::make();
  if (!scratch) return failed("eval", scratch.error());
  const std::string spec_file = scratch->file("spec.json"), result_file = scratch->file("result.json");
  Needs needs = needs_of_run(folder, {.engine = spec.engine, .device = spec.device});
  if (!spec.corpus.empty()) needs.reads.push_back(spec.corpus);
  add_tasks(needs, spec.tasks);
  if (const auto ok = replace_file(spec_file, to_json(spec)); !ok) return failed("eval", ok.error());
  const auto end = [&] {
    ProgressLine line;
    return run_worker(spec_file, result_file, c.limits, needs, [&](const record::Progress& p) {
      line.show(progress_text(p));
      return true;
    });
  }();
  if (!end) return failed("eval", end.error());
  if (end->kind != jobs::JobEnd::Kind::kResult) return failed("eval", {"worker", end->cause, "", {}});
  const auto result = record::parse_eval_result(end->result);
  if (!result) return failed("eval", result.error());
  if (const std::string why = record::misfit(spec, *result); !why.empty())
    return failed("eval", record::inconsistent(why));
  if (c.json)
    print("{}", end->result);
  else
    print_result(*result, c.spec.run);
  if (result->status == record::Status::kDone)
    if (const auto ok = replace_file(folder + "/eval.json", end->result); !ok)
      print(stderr, "gabbro eval: the scores are not kept: {}\n", printable_line(ok.error().message));
  return result->status == record::Status::kDone ? kValid : kInvalid;
}

}  // namespace gabbro::cli
