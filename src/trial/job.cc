#include "trial/job.h"

#include <fmt/format.h>

#include <exception>

#include "record/job.h"
#include "record/probe.h"
#include "trial/generate.h"
#include "trial/probe.h"
#include "trial/score.h"
#include "trial/trial.h"

namespace gabbro::trial {

namespace {

using record::OnProgress;

struct Job {
  const char* name;
  std::string (*run)(const std::string& spec, const OnProgress& progress);
};

std::string train(const std::string& text, const OnProgress& progress) {
  const auto spec = record::parse_spec(text);
  if (!spec) return record::failure("train", format_error("spec", spec.error()));
  return to_json(run(*spec, progress));
}

std::string eval(const std::string& text, const OnProgress& progress) {
  const auto spec = record::parse_eval_spec(text);
  if (!spec) return record::failure("eval", format_error("spec", spec.error()));
  return to_json(run(*spec, progress));
}

std::string generate(const std::string& text, const OnProgress& progress) {
  const auto spec = record::parse_generate_spec(text);
  if (!spec) return record::failure("generate", format_error("spec", spec.error()));
  return to_json(run(*spec, progress));
}

std::string probe_all(const std::string& text, const OnProgress& progress) {
  const auto spec = record::parse_probe_spec(text);
  if (!spec) return record::failure("probe", format_error("spec", spec.error()));
  record::ProbeResult result;
  result.status = "done";
  const std::size_t count = spec->programs.size();
  for (std::size_t i = 0; i < count; ++i) {
    record::Progress now{.stage = "probing"};
    now.share = static_cast<double>(i) / static_cast<double>(count);
    if (progress && !progress(now)) {
      result.status = "stopped";
      return to_json(result);
    }
    const auto report = probe_program(spec->programs[i], torch_backend({spec->device, spec->threads}),
                                      {.seed = spec->seed, .seconds = spec->seconds});
    record::ProbeReport& out = result.reports.emplace_back();
    if (report)
      out = *report;
    else
      out.error = format_error(spec->files[i], report.error());
    out.file = spec->files[i];
    if (out.holds) continue;
    result.status = "refused";
    if (result.cause.empty()) result.cause = out.error.empty() ? out.file + ": a check fails" : out.error;
  }
  return to_json(result);
}

constexpr Job kJobs[] = {{"train", train}, {"eval", eval}, {"generate", generate}, {"probe", probe_all}};

}  // namespace

std::string run_job(const std::string& spec, const OnProgress& progress) {
  const auto name = record::job_of(spec);
  if (!name) return record::failure("train", format_error("spec", name.error()));
  std::string known;
  try {
    for (const Job& job : kJobs) {
      if (job.name == *name) return job.run(spec, progress);
      known += fmt::format("{}{}", known.empty() ? "" : ", ", job.name);
    }
  } catch (const std::exception& e) {  // ATen throws when memory is short
    const std::string what = e.what();
    return record::failure(*name, what.substr(0, what.find('\n')));
  }
  return record::failure(*name, fmt::format("there is no job {}; there are: {}", *name, known));
}

}  // namespace gabbro::trial
