#include "trial/job.h"

#include <fmt/format.h>

#include <exception>

#include "record/bench.h"
#include "record/capability.h"
#include "record/job.h"
#include "record/probe.h"
#include "trial/bench.h"
#include "trial/capabilities.h"
#include "trial/generate.h"
#include "trial/probe.h"
#include "trial/score.h"
#include "trial/trial.h"

namespace gabbro::trial {

namespace {

using exec::pytorch::Python;
using record::OnProgress;

struct Job {
  const char* name;
  std::string (*run)(const std::string& spec, const OnProgress& progress, Python* python);
};

// Reports an invalid spec, or runs the job.
template <class Spec, class Run>
std::string run_spec(const Result<Spec>& spec, Run&& run) {
  if (!spec) return record::failure(Spec::kJob, "spec", spec.error());
  return to_json(run(*spec));
}

std::string train(const std::string& text, const OnProgress& progress, Python* python) {
  return run_spec(record::parse_spec(text),
                  [&](const auto& spec) { return run(spec, progress, {}, python); });
}

std::string eval(const std::string& text, const OnProgress& progress, Python* python) {
  return run_spec(record::parse_eval_spec(text),
                  [&](const auto& spec) { return run(spec, progress, python); });
}

std::string generate(const std::string& text, const OnProgress& progress, Python* /*python*/) {
  return run_spec(record::parse_generate_spec(text), [&](const auto& spec) { return run(spec, progress); });
}

std::string bench(const std::string& text, const OnProgress& progress, Python* /*python*/) {
  return run_spec(record::parse_bench_spec(text), [&](const auto& spec) { return run(spec, progress); });
}

std::string capabilities(const std::string& text, const OnProgress& progress, Python* /*python*/) {
  return run_spec(record::parse_capability_spec(text), [&](const auto& spec) { return run(spec, progress); });
}

record::ProbeResult probe_all(const record::ProbeSpec& spec, const OnProgress& progress) {
  record::ProbeResult result;
  result.status = record::Status::kDone;
  const std::size_t count = spec.programs.size();
  for (std::size_t i = 0; i < count; ++i) {
    record::Progress now{.stage = "probing"};
    now.share = static_cast<double>(i) / static_cast<double>(count);
    bool stopped = false;
    const auto goes_on = [&] {
      stopped = stopped || (progress && !progress(now));
      return !stopped;
    };
    if (!goes_on()) {
      result.status = record::Status::kStopped;
      return result;
    }
    const auto report = probe_program(spec.programs[i], torch_backend({.threads = spec.threads}),
                                      {.seed = spec.seed, .seconds = spec.seconds, .goes_on = goes_on});
    if (stopped) {
      result.status = record::Status::kStopped;
      return result;
    }
    record::ProbeReport& out = result.reports.emplace_back();
    if (report)
      out = *report;
    else
      out.error = format_error(spec.files[i], report.error());
    out.file = spec.files[i];
    if (out.holds) continue;
    result.status = record::Status::kRefused;
    if (result.cause.empty()) result.cause = out.error.empty() ? out.file + ": a check fails" : out.error;
  }
  return result;
}

std::string probe_programs(const std::string& text, const OnProgress& progress, Python* /*python*/) {
  return run_spec(record::parse_probe_spec(text),
                  [&](const auto& spec) { return probe_all(spec, progress); });
}

constexpr Job kJobs[] = {{"train", train},          {"eval", eval},   {"generate", generate},
                         {"probe", probe_programs}, {"bench", bench}, {"capabilities", capabilities}};

}  // namespace

std::string run_job(const std::string& spec, const OnProgress& progress, Python* python) {
  const auto name = record::job_of(spec);
  if (!name) return record::failure("train", "spec", name.error());
  std::string known;
  try {
    for (const Job& job : kJobs) {
      if (job.name == *name) return job.run(spec, progress, python);
      known += fmt::format("{}{}", known.empty() ? "" : ", ", job.name);
    }
  } catch (const std::exception& e) {  // ATen throws if memory is short.
    const std::string what = e.what();
    return record::failure(*name, what.substr(0, what.find('\n')), record::Cause::kException);
  }
  return record::failure(*name, fmt::format("unknown job '{}'; known jobs: {}", *name, known),
                         record::Cause::kSpec);
}

}  // namespace gabbro::trial
