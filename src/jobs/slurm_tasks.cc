#include "jobs/slurm_tasks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/files.h"
#include "record/fields.h"
#include "record/job.h"

namespace gabbro::record {

template <>
struct Spelling<jobs::JobEnd::Kind> {
  static constexpr std::string_view kWhat = "end of a job";
  static constexpr std::array<std::string_view, 7> kWords{"result", "crash",   "time limit", "memory limit",
                                                          "limit",  "stopped", "cluster"};
};

template <class Io, Is<jobs::Job> X>
void fields(Io& io, X& job) {
  io("id", job.id);
  io("spec_file", job.spec_file);
  io("result_file", job.result_file);
  io("log_file", job.log_file);
  io("reads", job.reads);
  io("devices", job.devices);
  io("python", job.python);
  io("multi_process", job.multi_process);
  io("rung", job.rung);
  io("threads", job.threads);
  io("gpus", job.gpus);
  io("continues", job.continues);
  io("seconds", job.limits.seconds);
  io("memory_bytes", job.limits.memory_bytes);
  io("processes", job.limits.processes);
  io("log_bytes", job.limits.log_bytes);
  io("result_bytes", job.limits.result_bytes);
  io("folder_bytes", job.limits.folder_bytes);
}

template <class Io, Is<jobs::JobEnd> X>
void fields(Io& io, X& end) {
  io("id", end.id);
  io("kind", end.kind);
  io("result", end.result);
  io("cause", end.cause);
  io("seconds", end.seconds);
  io("peak_bytes", end.peak_bytes);
}

}  // namespace gabbro::record

namespace gabbro::jobs {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMostEnd = 64 << 20;  // bytes of an end, which contains a result
constexpr double kProgressSeconds = 2;        // between two reports of progress
constexpr char kTaskEnding[] = ".json";

template <class T>
std::string text_of(const T& value) {
  record::Writer io;
  record::fields(io, value);
  return io.text(/*indented=*/false);
}

template <class T>
Result<T> parse(const std::string& text) {
  GABBRO_TRY(io, record::Reader::parse(text, "jobs"));
  T out;
  record::fields(io, out);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  return out;
}

std::optional<int> index_of(const std::string& text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// Creates a file with this text, unless it exists. The file appears with its text, by a link to a complete
// one, so a reader never sees half a claim.
bool create_once(const std::string& path, const std::string& text) {
  const std::string temporary =
      fmt::format("{}.{}.{}", path, getpid(), std::chrono::steady_clock::now().time_since_epoch().count());
  if (!replace_file(temporary, text)) return false;
  bool created = link(temporary.c_str(), path.c_str()) == 0;
  // The answer of a network file system may be lost after the link was made. The count of links says so.
  struct stat status {};
  if (!created && stat(temporary.c_str(), &status) == 0) created = status.st_nlink == 2;
  unlink(temporary.c_str());
  return created;
}

// Returns a number of microseconds that is larger than in every earlier call on this file system's folder.
std::string new_batch(const std::string& folder) {
  auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                 std::chrono::system_clock::now().time_since_epoch())
                 .count();
  std::error_code error;
  while (fs::exists(fmt::format("{}/{}", folder, now), error)) ++now;
  return fmt::format("{}", now);
}

}  // namespace

std::string SlurmTask::name() const { return fmt::format("{}.{}", batch, index); }

Result<SlurmFolder> SlurmFolder::open(const std::string& dir) {
  std::error_code error;
  const std::string place = fs::absolute(dir, error).lexically_normal().string(), path = place + "/slurm",
                    file = path + "/campaign";
  fs::create_directories(path + "/ends", error);
  if (error) return fail("io", fmt::format("cannot create {}: {}", path, error.message()));
  const std::string text = read_file(file, kMostText).value_or("");
  const std::size_t end = text.find('\n');
  if (end != std::string::npos && text.substr(end + 1) == place + "\n")
    return SlurmFolder(path, text.substr(0, end));
  // The jobs of a copied folder write into the original.
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error))
    if (entry.path() != path + "/ends" && entry.is_directory(error)) fs::remove_all(entry.path(), error);
  std::random_device device;
  const std::string name = fmt::format("gabbro-{:08x}{:08x}", device(), device());
  if (const auto ok = replace_file(file, name + "\n" + place + "\n"); !ok) return tl::unexpected(ok.error());
  return SlurmFolder(path, name);
}

std::string SlurmFolder::batch_folder(const std::string& batch) const { return path_ + "/" + batch; }
std::string SlurmFolder::file(const SlurmTask& task, const char* kind) const {
  return fmt::format("{}/{}/{}{}", path_, task.batch, task.index, kind);
}
std::string SlurmFolder::end_file(const SlurmTask& task) const {
  return fmt::format("{}/ends/{}", path_, task.name());
}

Result<std::string> SlurmFolder::create_batch(
    const std::vector<Job>& jobs, const std::function<std::string(const std::string& folder)>& script) const {
  const std::string temporary = path_ + "/new", batch = new_batch(path_);
  std::error_code error;
  fs::remove_all(temporary, error);
  fs::create_directories(temporary, error);
  if (error) return fail("io", fmt::format("cannot create {}: {}", temporary, error.message()));
  if (auto ok = replace_file(temporary + "/script", script(batch_folder(batch))); !ok)
    return tl::unexpected(ok.error());
  for (std::size_t i = 0; i < jobs.size(); ++i)
    if (auto ok = replace_file(fmt::format("{}/{}{}", temporary, i, kTaskEnding), text_of(jobs[i])); !ok)
      return tl::unexpected(ok.error());
  fs::rename(temporary, batch_folder(batch), error);
  if (error) return fail("io", fmt::format("cannot create {}: {}", batch_folder(batch), error.message()));
  return batch;
}

Result<std::vector<SlurmTask>> SlurmFolder::tasks() const {
  std::vector<SlurmTask> out;
  std::error_code error;
  for (const fs::directory_entry& batch : fs::directory_iterator(path_, error)) {
    const std::string name = batch.path().filename();
    if (name.empty() || name.find_first_not_of("0123456789") != std::string::npos) continue;
    for (const fs::directory_entry& entry : fs::directory_iterator(batch.path(), error)) {
      const std::string file = entry.path().filename();
      const auto index = file.ends_with(kTaskEnding)
                             ? index_of(file.substr(0, file.size() + 1 - sizeof kTaskEnding))
                             : std::nullopt;
      if (!index) continue;
      GABBRO_TRY(text, read_file(entry.path(), kMostText));
      auto job = parse<Job>(text);
      if (!job)
        return fail("jobs", fmt::format("{}: {}", entry.path().string(), job.error().message),
                    "remove the folder of this batch; its runs begin again");
      out.push_back({.batch = name, .index = *index, .job = std::move(*job)});
    }
  }
  if (error) return fail("io", fmt::format("cannot read {}: {}", path_, error.message()));
  std::sort(out.begin(), out.end(), [](const SlurmTask& a, const SlurmTask& b) {
    return std::pair(a.batch, a.index) < std::pair(b.batch, b.index);
  });
  return out;
}

std::string SlurmFolder::slurm_id(const std::string& batch) const {
  return read_file(batch_folder(batch) + "/id", kMostText).value_or("");
}
Result<bool> SlurmFolder::set_slurm_id(const std::string& batch, const std::string& id) const {
  return replace_file(batch_folder(batch) + "/id", id);
}

std::optional<SlurmClaim> SlurmFolder::claim_of(const SlurmTask& task) const {
  const auto text = read_file(file(task, ".claim"), kMostText);
  if (!text) return std::nullopt;
  const std::size_t space = text->find(' ');
  if (space == std::string::npos) return SlurmClaim{};
  return SlurmClaim{text->substr(0, space), text->substr(space + 1)};
}
bool SlurmFolder::give_up(const SlurmTask& task) const { return create_once(file(task, ".claim"), " "); }

std::vector<std::string> SlurmFolder::ended() const {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator entry(path_ + "/ends", error), end; !error && entry != end;
       entry.increment(error))
    out.push_back(entry->path().filename());
  return out;
}
Result<JobEnd> SlurmFolder::end_of(const SlurmTask& task) const {
  GABBRO_TRY(text, read_file(end_file(task), kMostEnd));
  return parse<JobEnd>(text);
}

std::optional<record::Progress> SlurmFolder::progress_of(const SlurmTask& task) const {
  const auto text = read_file(file(task, ".progress"), kMostText);
  const auto progress = text ? record::parse_progress(*text) : tl::unexpected(text.error());
  if (!progress) return std::nullopt;
  return *progress;
}
std::int64_t SlurmFolder::progress_time(const SlurmTask& task) const {
  struct stat status {};
  if (stat(file(task, ".progress").c_str(), &status) != 0) return 0;
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec;
}

std::string SlurmFolder::last_output(const SlurmTask& task) const {
  constexpr std::size_t kMost = 300;
  std::string text = read_file(file(task, ".out"), kMostText).value_or("");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.size() > kMost) text.erase(0, text.size() - kMost);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; },
      ' ');
  return text;
}

void SlurmFolder::remove(const SlurmTask& task) const {
  std::error_code error;
  fs::remove(file(task, kTaskEnding), error);
  fs::remove(end_file(task), error);
  for (const char* kind : {".progress", ".out"}) fs::remove(file(task, kind), error);
  // The claims stay until the batch is done with, so that a job that Slurm starts late does not run.
  const std::string folder = batch_folder(task.batch);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == kTaskEnding) return;
  if (!error) fs::remove_all(folder, error);
}

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// Turns the end of a worker that Slurm asked to stop into one by the cluster. A result that was ready in time
// counts.
void attribute_to_cluster(JobEnd& end) {
  const bool is_result = end.kind == JobEnd::Kind::kResult;
  if (is_result) {
    const auto outcome = record::outcome_of(end.result);
    if (outcome && outcome->status != record::Status::kStopped) return;
  }
  if (!is_result && end.kind != JobEnd::Kind::kStopped && end.kind != JobEnd::Kind::kCrash) return;
  end.kind = JobEnd::Kind::kCluster;
  end.result.clear();
  end.cause = "Slurm asked the job to end: its time limit, a preemption, or scancel";
}

// Writes progress to a file, at most every kProgressSeconds.
class ProgressFile {
 public:
  explicit ProgressFile(std::string file) : file_(std::move(file)) {}
  // Returns true if progress may be written now.
  bool is_due() {
    if (seconds_now() - last_ < kProgressSeconds) return false;
    last_ = seconds_now();
    return true;
  }
  void keep(const record::Progress& progress) { latest_ = record::to_line(progress); }
  void write() {
    if (!latest_.empty()) static_cast<void>(replace_file(file_, std::exchange(latest_, "")));
  }

 private:
  std::string file_, latest_;
  double last_ = -kProgressSeconds;
};

Result<JobEnd> run_on_this_machine(const Job& job, const std::string& task_file,
                                   const std::string& progress_file, int (*asked_to_stop)(),
                                   const LocalOptions& options) {
  GABBRO_TRY(executor, local_executor(options));
  if (const auto ok = executor->start(job); !ok) return tl::unexpected(ok.error());
  ProgressFile progress(progress_file);
  std::error_code error;
  for (bool stopping = false;;) {
    JobEvents events = executor->wait(0.2);
    for (const Update& update : events.updates) progress.keep(update.progress);
    if (!events.ended.empty()) {
      JobEnd end = std::move(events.ended.front());
      if (stopping || asked_to_stop() > 0) attribute_to_cluster(end);
      return end;
    }
    if (asked_to_stop() > 0 && !std::exchange(stopping, true)) executor->stop();
    if (!progress.is_due()) continue;
    progress.write();
    // Nobody waits for a task that was removed, and another job may run in its place.
    if (!fs::exists(task_file, error) && !error) executor->kill();
  }
}

}  // namespace

Result<bool> run_slurm_task(const std::string& folder, int index, int (*asked_to_stop)(),
                            const LocalOptions& options) {
  const std::string base = fmt::format("{}/{}", folder, index), task_file = base + kTaskEnding;
  GABBRO_TRY(text, read_file(task_file, kMostText));
  GABBRO_TRY(job, parse<Job>(text));
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  const std::string node = variable("SLURMD_NODENAME"), array = variable("SLURM_ARRAY_JOB_ID");
  // Outside of Slurm, as in tests, there is no number; an empty one would mean that nobody runs the task.
  if (!create_once(base + ".claim",
                   fmt::format("{} {}", array.empty() ? "0" : array, node.empty() ? host : node)))
    return fail("jobs", task_file + " is run by another process, or was given up", "");
  auto ended = run_on_this_machine(job, task_file, base + ".progress", asked_to_stop, options);
  JobEnd end = ended ? std::move(*ended)
                     : JobEnd{.id = job.id, .kind = JobEnd::Kind::kCrash, .cause = ended.error().message};
  if (!end.cause.empty()) end.cause += fmt::format(" (on node {})", node.empty() ? host : node);
  std::error_code error;
  if (!fs::exists(task_file, error)) return true;  // Nobody waits for it.
  const fs::path batch(folder);
  const std::string file =
      fmt::format("{}/ends/{}.{}", batch.parent_path().string(), batch.filename().string(), index);
  // The folder may be full, or its server away, for a moment.
  constexpr int kTries = 30;
  Result<bool> written = true;
  for (int i = 0; i < kTries && !(written = replace_file(file, text_of(end))); ++i)
    std::this_thread::sleep_for(std::chrono::seconds(1));
  return written;
}

}  // namespace gabbro::jobs
