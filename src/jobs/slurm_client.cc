#include "jobs/slurm_client.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "base/clock.h"
#include "base/files.h"
#include "jobs/process.h"
#include "sandbox/sandbox.h"

extern char** environ;

namespace gabbro::jobs {

namespace fs = std::filesystem;

namespace {

constexpr double kCallSeconds = 60;
constexpr std::size_t kMostMessage = 400;

// Fields of squeue: array, index, state, node, comment, reason. The reason comes last, since it is free text.
constexpr const char* kFormat = "%F|%K|%T|%N|%k|%r";
constexpr std::size_t kFields = 6;

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string find_program(const std::string& name) {
  const char* list = std::getenv("PATH");
  for (std::string rest = list ? list : ""; !rest.empty();) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const fs::path file = fs::path(rest.substr(0, end)) / name;
    if (access(file.c_str(), X_OK) == 0) return file;
    rest.erase(0, end + 1);
  }
  return "";
}

// Returns the variables that a program of Slurm gets beside those of every process (sandbox::passes).
// Variables of a job in which this program may itself run would be taken for options.
std::vector<std::string> client_variables(const std::vector<std::string>& hidden) {
  std::vector<std::string> out;
  for (char** v = environ; *v != nullptr; ++v) {
    const std::string_view text = *v, name = text.substr(0, text.find('='));
    const bool is_of_job = (name.starts_with("SLURM_") && name != "SLURM_CONF") || name == "GABBRO_JOB";
    if (!is_of_job && !sandbox::passes(name) && std::find(hidden.begin(), hidden.end(), name) == hidden.end())
      out.emplace_back(text);
  }
  return out;
}

// Reads the output of a process until it ends or the time is over. Returns false in the second case.
bool read_all(const Process& process, std::string& out) {
  const double until = seconds_now() + kCallSeconds;
  char block[1 << 14];
  while (true) {
    const ssize_t got = read(process.out, block, sizeof block);
    if (got > 0) out.append(block, static_cast<std::size_t>(got));
    if (got > 0 || (got < 0 && errno == EINTR)) continue;
    if (got == 0) return true;
    if (errno != EAGAIN || seconds_now() > until) return false;
    pollfd output{process.out, POLLIN, 0};
    constexpr int kMilliseconds = 200;
    poll(&output, 1, kMilliseconds);
  }
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (text.size() > kMostMessage) text.erase(0, text.size() - kMostMessage);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

bool is_active(const std::string& state) {
  return is_one_of(state,
                   {"PENDING", "RUNNING", "SUSPENDED", "CONFIGURING", "COMPLETING", "RESIZING", "REQUEUED",
                    "REQUEUE_HOLD", "REQUEUE_FED", "SIGNALING", "STAGE_OUT", "STOPPED", "SPECIAL_EXIT"});
}

bool is_ended_by_cluster(const std::string& state) {
  return is_one_of(state, {"NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "CANCELLED", "TIMEOUT", "DEADLINE",
                           "REVOKED", "LAUNCH_FAILED", "RECONFIG_FAIL"});
}

Result<std::string> SlurmClient::run(const std::string& program, const std::vector<std::string>& arguments) {
  ++calls_[program];
  const std::string path = find_program(program);
  if (path.empty())
    return fail("jobs", program + " was not found in PATH",
                "run gabbro where Slurm's programs are, such as a login node of the cluster");
  std::error_code error;
  fs::remove(log_, error);
  Launch launch{.command = {path}, .log = log_, .hidden = hidden_, .variables = client_variables(hidden_)};
  launch.command.insert(launch.command.end(), arguments.begin(), arguments.end());
  launch.parent_death_signal = SIGKILL;
  GABBRO_TRY(process, start_process(launch));
  std::string out;
  const bool has_ended = read_all(process, out);
  if (!has_ended) ::kill(-process.id, SIGKILL);
  close(process.out);
  const int status = reap(process.id);
  if (has_ended && status == 0) return out;
  std::string message = trimmed(read_file(log_, kMostText).value_or(""));
  const std::string prefix = program + ": error: ";
  for (std::size_t at; (at = message.find(prefix)) != std::string::npos;)
    message.replace(at, prefix.size(), at == 0 ? "" : "; ");
  if (!has_ended) message = fmt::format("no answer within {:.0f} s", kCallSeconds);
  if (message.empty()) message = describe_status(status);
  return fail("jobs", fmt::format("{}: {}", program, message));
}

Result<std::string> SlurmClient::submit(const std::vector<std::string>& options, const std::string& script) {
  std::vector<std::string> arguments{"--parsable"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.push_back(script);
  GABBRO_TRY(out, run("sbatch", arguments));
  // "NUMBER" or "NUMBER;CLUSTER"
  const std::string id = out.substr(0, out.find_first_of(";\n"));
  if (!id.empty() && id.find_first_not_of("0123456789") == std::string::npos) return id;
  return fail("jobs", fmt::format("sbatch printed '{}' instead of a job's number", trimmed(out)));
}

Result<std::vector<SlurmJobState>> SlurmClient::list(const std::string& name) {
  GABBRO_TRY(text, run("squeue", {"--noheader", "--array", "--states=all", "--name=" + name,
                                  std::string("--format=") + kFormat}));
  std::vector<SlurmJobState> out;
  for (std::size_t from = 0, end; from < text.size(); from = end + 1) {
    end = std::min(text.find('\n', from), text.size());
    std::vector<std::string> fields;
    std::string_view rest = std::string_view(text).substr(from, end - from);
    while (fields.size() + 1 < kFields && rest.find('|') != std::string_view::npos) {
      fields.emplace_back(rest.substr(0, rest.find('|')));
      rest.remove_prefix(fields.back().size() + 1);
    }
    fields.emplace_back(rest);
    if (fields.size() != kFields) continue;
    SlurmJobState job{
        .array = fields[0], .batch = fields[4], .state = fields[2], .node = fields[3], .reason = fields[5]};
    const std::string& index = fields[1];
    if (std::from_chars(index.data(), index.data() + index.size(), job.index).ec == std::errc{})
      out.push_back(std::move(job));
  }
  return out;
}

void SlurmClient::cancel(const std::vector<std::string>& options) {
  static_cast<void>(run("scancel", options));
}

SubmitFailure submit_failure_of(const Error& error) {
  struct Row {
    std::string_view message;
    SubmitFailure refusal;
  };
  constexpr Row kRows[] = {{"Unable to contact", SubmitFailure::kNoAnswer},
                           {"timed out", SubmitFailure::kNoAnswer},
                           {"no answer within", SubmitFailure::kNoAnswer},
                           {"Connection refused", SubmitFailure::kNoAnswer},
                           {"onnection failure", SubmitFailure::kNoAnswer},
                           {"Zero Bytes were transmitted", SubmitFailure::kNoAnswer},
                           {"Resource temporarily unavailable", SubmitFailure::kNoAnswer},
                           {"temporarily unable", SubmitFailure::kNoAnswer},
                           {"temporarily in a maintenance", SubmitFailure::kNoAnswer},
                           {"not connected", SubmitFailure::kNoAnswer},
                           {"Message receive failure", SubmitFailure::kNoAnswer},
                           {"standby", SubmitFailure::kNoAnswer},
                           {"ackup controller", SubmitFailure::kNoAnswer},
                           {"submit limit", SubmitFailure::kQueueFull},
                           {"MaxSubmit", SubmitFailure::kQueueFull},
                           {"Requested node configuration is not available", SubmitFailure::kNoNodesLeft}};
  for (const Row& row : kRows)
    if (error.message.find(row.message) != std::string::npos) return row.refusal;
  return SubmitFailure::kPermanent;
}

}  // namespace gabbro::jobs
