#include "cli/bench.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/report.h"
#include "cli/scratch.h"
#include "cli/terminal.h"
#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro::cli {

namespace {

using record::BenchResult;
using record::BenchSpec;

// Prints all errors of a program, since a worker reports only the first. Returns true if there are any.
bool print_errors(const std::string& file, const std::string& program) {
  lang::CheckReport report = lang::check(program, zoo::library());
  if (report.valid() && !report.subjects.back().is_design)
    report.errors.push_back(
        {"design", "the program contains no design", "add `design Name:` with a stack", {}});
  for (const Error& e : report.errors) print("{}\n", format_error(file, e));
  return !report.errors.empty();
}

void print_row(const char* name, const std::string& text) { print("  {:<20}{}\n", name, text); }

// Formats a speed. FLOPs and the peak (in FLOP/s) are left out if they are 0.
std::string speed_text(double tokens_per_second, double flops_per_token, double flops_per_second,
                       double peak) {
  std::string out = fmt::format("{}tokens/s", human(tokens_per_second));
  if (flops_per_token > 0)
    out += fmt::format(", {}FLOPs/token: {}FLOP/s", human(flops_per_token), human(flops_per_second));
  if (peak > 0) out += fmt::format(", {:.1f} % of the peak", 100 * flops_per_second / peak);
  return out;
}

void print_report(const BenchResult& r, const BenchSpec& s) {
  print("{}: {} with {} parameters (D = {}, V = {}), {} x {} tokens per step, {}, {}\n",
        printable_line(r.file), r.design, human(static_cast<double>(r.params)), r.width, r.vocab, s.sequences,
        s.length, s.dtype, s.threads == 1 ? "1 thread" : fmt::format("{} threads", s.threads));
  const double peak = r.peak_flops_per_second;
  print_row("compile", fmt::format("{:.0f} ms check and size, {:.0f} ms build, {:.0f} ms first step",
                                   1e3 * r.check_seconds, 1e3 * r.model_seconds, 1e3 * r.first_step_seconds));
  print_row("training",
            speed_text(r.train_tokens_per_second, r.train_flops_per_token, r.train_flops_per_second, peak));
  print_row("scoring",
            speed_text(r.score_tokens_per_second, r.score_flops_per_token, r.score_flops_per_second, peak));
  if (r.decode_tokens_per_second > 0) print_row("decoding", speed_text(r.decode_tokens_per_second, 0, 0, 0));
  if (peak > 0)
    print_row("peak of the machine", fmt::format("{}FLOP/s, a product of large matrices", human(peak)));
  print_row("memory",
            fmt::format("{}B at most, {}B before the model was built",
                        human(static_cast<double>(r.peak_bytes)), human(static_cast<double>(r.idle_bytes))));
}

// Measures one design in a worker of its own, so that memory left by one design does not count for the next.
Result<jobs::JobEnd> measure(const BenchCommand& c, const BenchSpec& spec, const Scratch& scratch) {
  const std::string spec_file = scratch.file("spec.json");
  if (const auto ok = replace_file(spec_file, to_json(spec)); !ok) return tl::unexpected(ok.error());
  ProgressLine line;
  const Needs needs;
  auto end =
      run_worker(spec_file, scratch.file("result.json"), c.limits, needs, [&](const record::Progress& p) {
        line.show(fmt::format("{}: {}", spec.file, progress_text(p)));
        return true;
      });
  if (end && end->kind != jobs::JobEnd::Kind::kResult) return fail("worker", end->cause);
  return end;
}

}  // namespace

int run_bench(const BenchCommand& c) {
  const auto params = c.params.empty() ? std::optional<std::int64_t>(0) : parse_amount(c.params);
  if (!params)
    return failed(
        "bench",
        {"usage", "--params: invalid number '" + c.params + "'", "write it like 350k, 5M or 1.5M", {}});
  const auto scratch = Scratch::make();
  if (!scratch) return failed("bench", scratch.error());
  int code = kValid;
  for (const std::string& file : c.files) {
    const auto text = read_program(file);
    if (!text) return failed("bench", text.error());
    if (print_errors(file, *text)) {
      code = kInvalid;
      continue;
    }
    BenchSpec spec = c.spec;
    spec.file = file;
    spec.program = *text;
    spec.params = *params;
    const auto end = measure(c, spec, *scratch);
    if (!end) return failed("bench", end.error());
    const auto result = record::parse_bench_result(end->result);
    if (!result) return failed("bench", result.error());
    if (c.json)
      print("{}", to_line(*result));
    else if (result->status == record::Status::kDone)
      print_report(*result, spec);
    else
      print("{}\n",
            result->status == record::Status::kStopped ? printable_line(file) + ": stopped" : result->cause);
    if (result->status != record::Status::kDone) code = kInvalid;
    if (result->status == record::Status::kStopped) break;
  }
  return code;
}

}  // namespace gabbro::cli
