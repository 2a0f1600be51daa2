#include "cli/probe.h"

#include <fmt/core.h>

#include "base/files.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/scratch.h"
#include "cli/terminal.h"
#include "record/job.h"

namespace gabbro::cli {

namespace {

void print_report(const record::ProbeReport& r, bool with_checks_that_hold) {
  if (!r.error.empty()) {
    print("{}\n", r.error);
    return;
  }
  print("{}: {} at D = {}, {} parameters: {} ({:.2f} s)\n", printable_line(r.file), r.design, r.width,
        r.params, r.holds ? fmt::format("{} checks hold", r.checks.size()) : "FAILS", r.seconds);
  for (const record::Anchor& a : r.checks)
    if (with_checks_that_hold || !a.holds)
      print("  {:<20}{}  {}\n", a.name, a.holds ? "holds" : "FAILS", a.detail);
}

}  // namespace

int run_probe(const ProbeCommand& c) {
  record::ProbeSpec spec = c.spec;
  for (const std::string& file : c.files) {
    const auto text = read_program(file);
    if (!text) return failed("probe", text.error());
    spec.files.push_back(file);
    spec.programs.push_back(*text);
  }
  const auto scratch = Scratch::make();
  if (!scratch) return failed("probe", scratch.error());
  const std::string spec_file = scratch->file("spec.json"), result_file = scratch->file("result.json");
  if (const auto ok = replace_file(spec_file, to_json(spec)); !ok) return failed("probe", ok.error());
  const auto end = [&] {
    ProgressLine line;
    const Needs needs;  // The programs are in the spec.
    return run_worker(spec_file, result_file, c.limits, needs, [&](const record::Progress& p) {
      if (p.share > 0) line.show(progress_text(p));
      return true;
    });
  }();
  if (!end) return failed("probe", end.error());
  if (end->kind != jobs::JobEnd::Kind::kResult) return failed("probe", {"worker", end->cause, "", {}});
  const auto result = record::parse_probe_result(end->result);
  if (!result) return failed("probe", result.error());
  if (result->status == record::Status::kFailed) return failed("probe", {"worker", result->cause, "", {}});
  if (const std::string why = record::misfit(spec, *result); !why.empty())
    return failed("probe", record::inconsistent(why));
  if (c.json) print("{}", end->result);
  for (const record::ProbeReport& r : result->reports)
    if (!c.json) print_report(r, result->reports.size() == 1);
  return result->status == record::Status::kDone ? kValid : kInvalid;
}

}  // namespace gabbro::cli
