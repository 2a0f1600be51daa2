#include "cli/train.h"

#include <fmt/core.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/report.h"
#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

namespace {

pid_t g_worker = 0;

int failed(const Error& error) {
  fmt::print(stderr, "{}\n", format_error("gabbro train", error));
  return kUsage;
}

// The worker with its standard output as a pipe; its own process group, so that Ctrl-C reaches it through us alone.
Result<std::FILE*> start_worker(const std::string& spec, const std::string& result) {
  std::error_code error;
  const std::string worker = fs::read_symlink("/proc/self/exe", error).parent_path() / "gabbro-worker";
  if (error || !fs::exists(worker, error))
    return fail("worker", fmt::format("there is no {}", worker),
                "build it: ./dev build (with the torch backend)");
  int ends[2];
  if (pipe(ends) != 0) return fail("worker", std::string("cannot make a pipe: ") + std::strerror(errno));
  g_worker = fork();
  if (g_worker < 0) return fail("worker", std::string("cannot start a process: ") + std::strerror(errno));
  if (g_worker == 0) {
    setpgid(0, 0);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execl(worker.c_str(), worker.c_str(), spec.c_str(), result.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  close(ends[1]);
  return fdopen(ends[0], "r");
}

std::string progress_line(const nlohmann::json& p) {
  if (p.at("stage") == "scoring")
    return fmt::format("scoring held-out text {:3.0f} %", 100 * p.at("share").get<double>());
  const double speed = p.at("tokens_per_second"),
               left = p.at("steps").get<double>() - p.at("step").get<double>();
  const double per_step = p.at("tokens").get<double>() / p.at("step").get<double>();
  return fmt::format("step {}/{}  loss {:.4f}  {}tokens/s  {:.0f} s left", p.at("step").get<int>(),
                     p.at("steps").get<int>(), p.at("loss").get<double>(), human(speed),
                     speed > 0 ? left * per_step / speed : 0);
}

void watch(std::FILE* pipe) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  char line[4096];
  int said = 0;
  while (std::fgets(line, sizeof line, pipe)) {
    const nlohmann::json p = nlohmann::json::parse(line, nullptr, false);
    if (!p.is_object() || !p.contains("stage")) continue;
    if (!terminal && said++ % 40 != 0) continue;  // four lines a second come in
    fmt::print(stderr, "{}{}{}", terminal ? "\r\x1b[K" : "", progress_line(p), terminal ? "" : "\n");
  }
  if (terminal) fmt::print(stderr, "\n");
}

void print_result(const record::TrialResult& r, const std::string& folder) {
  if (r.params > 0)
    fmt::print("{}: {} with {} parameters (D = {}), {} tokens at {}tokens/s\n", folder, r.design,
               human(static_cast<double>(r.params)), r.width, human(static_cast<double>(r.tokens)),
               human(r.tokens_per_second));
  if (r.bits_per_byte > 0) {
    const std::string interval = std::isfinite(r.bits_low)
                                     ? fmt::format("[{:.4f}, {:.4f}]", r.bits_low, r.bits_high)
                                     : "(one document gives no interval)";
    fmt::print("  {:<20}{:.4f} {} over {} documents\n", "bits per byte", r.bits_per_byte, interval,
               r.valid_documents);
    fmt::print("  {:<20}{:.4f}\n", "bigram model", r.bigram_bits_per_byte);
  }
  for (const record::Anchor& a : r.anchors)
    fmt::print("  {:<20}{}  {}\n", a.name, a.holds ? "holds" : "FAILS", a.detail);
  fmt::print("  {}{}{}\n", r.status, r.cause.empty() ? "" : ": ", r.cause);
  if (r.status == "stopped") fmt::print("  the same command goes on from here\n");
}

}  // namespace

int run_train(const TrainCommand& c) {
  record::TrialSpec spec = c.spec;
  const auto text = read_program(c.file);
  if (!text) return failed(text.error());
  spec.program = *text;
  const lang::CheckReport report = lang::check(*text, zoo::library());
  for (const Error& e : report.errors) fmt::print("{}\n", format_error(c.file, e));
  if (!report.valid()) return kInvalid;
  if (!report.subjects.back().is_design)
    return failed({"design", c.file + " holds no design", "add `design Name:` with a stack", {}});
  const auto tokens = parse_amount(c.tokens);
  const auto params = c.params.empty() ? std::optional<std::int64_t>(0) : parse_amount(c.params);
  if (!tokens || !params)
    return failed({"usage", "expected amounts such as 350k, 5M or 1.5M for --tokens and --params", "", {}});
  spec.tokens = *tokens;
  spec.params = *params;
  std::error_code error;
  spec.corpus = fs::absolute(spec.corpus, error);
  const std::string folder = c.out.empty() ? "runs/" + report.subjects.back().name : c.out;
  spec.folder = fs::absolute(folder, error);
  fs::create_directories(spec.folder, error);
  if (error) return failed({"io", fmt::format("cannot make {}: {}", folder, error.message()), "", {}});
  const std::string spec_file = spec.folder + "/spec.json", result_file = spec.folder + "/result.json";
  for (const auto& [path, content] :
       {std::pair{spec_file, record::to_json(spec)}, {spec.folder + "/design.gab", spec.program}})
    if (const auto ok = replace_file(path, content); !ok) return failed(ok.error());
  fs::remove(result_file, error);

  auto pipe = start_worker(spec_file, result_file);
  if (!pipe) return failed(pipe.error());
  const auto pass_on = [](int) { kill(g_worker, SIGTERM); };
  const auto before = std::signal(SIGINT, pass_on);
  const auto before_term = std::signal(SIGTERM, pass_on);
  watch(*pipe);
  std::fclose(*pipe);
  int status = 0;
  while (waitpid(g_worker, &status, 0) < 0 && errno == EINTR) {
  }
  std::signal(SIGINT, before);
  std::signal(SIGTERM, before_term);

  std::ifstream file(result_file, std::ios::binary);
  const std::string json{std::istreambuf_iterator<char>(file), {}};
  const auto result = record::parse_result(json);
  if (!result)
    return failed({"worker",
                   WIFSIGNALED(status)
                       ? fmt::format("the worker was ended by signal {} and left no result", WTERMSIG(status))
                       : fmt::format("the worker ended with code {} and left no result", WEXITSTATUS(status)),
                   "the same command goes on from the last checkpoint",
                   {}});
  if (c.json)
    fmt::print("{}", json);
  else
    print_result(*result, folder);
  return result->status == "done" ? kValid : kInvalid;
}

}  // namespace gabbro::cli
