#include "jobs/slurm.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/files.h"
#include "jobs/slurm_client.h"
#include "jobs/slurm_tasks.h"
#include "record/fields.h"

namespace gabbro::jobs {

namespace fs = std::filesystem;

namespace {

constexpr double kStopPollSeconds = 2;     // between two calls of squeue while jobs are asked to stop
constexpr double kJobsPerSecond = 50;      // jobs that are looked at in a second, on average
constexpr double kBetweenSubmissions = 1;  // seconds; jobs that start meanwhile share an array
constexpr std::size_t kMostArguments = 500;
constexpr double kMinute = 60;

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Slurm replaces %A and the like in the names of output files.
std::string without_patterns(const std::string& path) {
  std::string out;
  for (const char c : path) out += c == '%' ? std::string("%%") : std::string(1, c);
  return out;
}

// A task from its creation until its end is reported.
struct Entry {
  SlurmTask task;
  SlurmJobState slurm;             // as squeue listed it last; no state: not yet
  double gone_since = 0;           // when squeue first showed that it had ended; 0: it has not
  double stop_asked = 0;           // when it was asked to stop; 0: it was not
  std::int64_t progress_time = 0;  // of the progress that was read last
  bool ends = false;               // its end is in the events of this call
};

// A batch that Slurm has not accepted yet.
struct Waiting {
  std::string batch;
  std::vector<std::string> options;
  bool was_tried = false;  // Slurm may have accepted it without an answer.
};

// Returns true for reasons to wait that end only when somebody changes the job or the cluster (the reasons of
// `man squeue`).
bool never_ends(const std::string& reason) {
  constexpr std::array<std::string_view, 9> kReasons{
      "PartitionTimeLimit", "PartitionNodeLimit", "InvalidAccount",
      "InvalidQOS",         "AccountNotAllowed",  "QOSNotAllowed",
      "BadConstraints",     "QOSTimeLimit",       "AssocMaxWallDurationPerJobLimit"};
  return std::find(kReasons.begin(), kReasons.end(), reason) != kReasons.end();
}

class SlurmExecutor : public Executor {
 public:
  SlurmExecutor(SlurmOptions options, SlurmFolder folder)
      : options_(std::move(options)),
        folder_(std::move(folder)),
        client_(folder_.path() + "/client.log", options_.hidden) {}
  SlurmExecutor(const SlurmExecutor&) = delete;
  SlurmExecutor& operator=(const SlurmExecutor&) = delete;
  // Jobs continue, and so do the files of ends that the caller has not accepted.
  ~SlurmExecutor() override { write_status(); }

  // Finds the jobs of an earlier process.
  Result<bool> attach() {
    GABBRO_TRY(listed, client_.list(folder_.job_name()));
    GABBRO_TRY(tasks, folder_.tasks());
    std::map<std::string, std::string> ids;  // numbers of arrays, by batch
    for (const SlurmJobState& job : listed) ids[job.batch] = job.array;
    std::map<std::int64_t, SlurmTask> newest;
    for (SlurmTask& task : tasks) {
      const auto found = ids.find(task.batch);
      std::string id = folder_.slurm_id(task.batch);
      if (id.empty() && found != ids.end()) id = found->second;
      if (id.empty()) {
        // Its submission was lost with the process, or is still under way. The claim decides.
        const bool runs = !folder_.give_up(task);
        const auto claim = folder_.claim_of(task);
        if (!runs || !claim || claim->slurm_job.empty()) {
          folder_.remove(task);
          continue;
        }
        id = claim->slurm_job;
      }
      if (folder_.slurm_id(task.batch).empty())
        if (const auto ok = folder_.set_slurm_id(task.batch, id); !ok) return ok;
      if (const auto older = newest.find(task.job.id); older != newest.end()) folder_.remove(older->second);
      newest[task.job.id] = std::move(task);
    }
    std::set<std::string> names;
    for (auto& [job, task] : newest) {
      attached_.push_back({job, task.job.continues});
      names.insert(task.name());
      add(std::move(task));
    }
    for (const std::string& name : folder_.ended())
      if (!names.contains(name)) fs::remove(folder_.path() + "/ends/" + name, none_);
    apply(listed);
    return true;
  }

  [[nodiscard]] int slots() const override { return static_cast<int>(options_.settings.max_jobs); }
  [[nodiscard]] int running() const override {
    return static_cast<int>(kept_.size() + entries_.size() + kept_events_.ended.size());
  }
  [[nodiscard]] std::vector<AttachedJob> attached() const override { return attached_; }

  Result<bool> start(const Job& job) override {
    accept_reported();
    if (running() >= slots())
      return fail("jobs", fmt::format("no free slot: {} jobs run or wait", running()));
    if (const auto ok = clear_path(job.result_file); !ok) return ok;
    is_stopping_ = is_killing_ = false;
    kept_.push_back(with_absolute_paths(job));
    return true;
  }

  JobEvents wait(double seconds) override {
    accept_reported();
    const double until = seconds_now() + seconds;
    JobEvents events = std::exchange(kept_events_, {});
    while (true) {
      if (!is_stopping_) submit(events);
      take_ends(events);
      if (seconds_now() >= next_poll_) poll(events);
      if (seconds_now() >= next_progress_) take_progress(events);
      if (!events.ended.empty() || !events.updates.empty() || events.error || running() == 0) break;
      const double left = until - seconds_now();
      if (left <= 0) break;
      // A signal ends the sleep, and the caller looks why.
      const double longest = running() > 100 ? 0.25 : 0.1;
      if (usleep(static_cast<useconds_t>(1e6 * std::min(left, longest))) != 0) break;
    }
    for (const auto& [name, entry] : entries_)
      if (entry.ends) reported_.push_back(entry.task);
    std::erase_if(entries_, [](const auto& item) { return item.second.ends; });
    return events;
  }

  void discard(std::int64_t id) override {
    std::erase_if(kept_, [&](const Job& job) { return job.id == id; });
    std::erase_if(entries_, [&](const auto& item) {
      const Entry& entry = item.second;
      if (entry.task.job.id != id) return false;
      if (const std::string job = number_of(entry.task); !job.empty()) client_.cancel({job});
      // A process that runs the task ends when the file is gone; one that does not must not begin.
      static_cast<void>(folder_.give_up(entry.task));
      folder_.remove(entry.task);
      return true;
    });
    forget(id);
  }

  void stop() override {
    if (!std::exchange(is_stopping_, true)) end_unsubmitted();
    next_poll_ = 0;
  }
  void kill() override {
    stop();
    is_killing_ = true;
  }

  [[nodiscard]] std::string status() const override {
    int running = 0, pending = 0;
    std::map<std::string, int> reasons;
    for (const auto& [name, entry] : entries_) {
      running += entry.slurm.state == "RUNNING";
      if (entry.slurm.state != "PENDING") continue;
      ++pending;
      ++reasons[entry.slurm.reason];
    }
    const int others = this->running() - running - pending;
    std::string out = fmt::format("slurm: {} running, {} pending", running, pending);
    const auto most = std::max_element(reasons.begin(), reasons.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most != reasons.end()) out += fmt::format(" ({})", most->first);
    for (const auto& [reason, jobs] : reasons)
      if (never_ends(reason)) {
        out += fmt::format(
            "; jobs that wait for {} never begin: change slurm.toml in the campaign's folder, "
            "cancel them, and resume",
            reason);
        break;
      }
    if (others > 0) out += fmt::format(", {} being submitted or ending", others);
    if (!problem_.empty()) out += "; " + problem_;
    return out;
  }

 private:
  // Jobs run in another folder than this process.
  Job with_absolute_paths(Job job) const {
    for (std::string* path : {&job.spec_file, &job.result_file, &job.log_file})
      if (!path->empty()) *path = fs::absolute(*path, none_).string();
    for (std::string& path : job.reads) path = fs::absolute(path, none_).string();
    return job;
  }

  void add(SlurmTask task) {
    std::string name = task.name();
    entries_[std::move(name)].task = std::move(task);
  }

  void forget(std::int64_t id) {
    std::erase_if(attached_, [&](const AttachedJob& job) { return job.id == id; });
  }

  // Removes the files of jobs whose ends the caller has taken. Until then, a later process finds them.
  void accept_reported() {
    for (const SlurmTask& task : std::exchange(reported_, {})) {
      folder_.remove(task);
      forget(task.job.id);
    }
  }

  // Returns the number of a task in Slurm; "" if it is not submitted.
  [[nodiscard]] std::string number_of(const SlurmTask& task) const {
    const std::string id = folder_.slurm_id(task.batch);
    return id.empty() ? "" : fmt::format("{}_{}", id, task.index);
  }

  void end(Entry& entry, JobEnd ended, JobEvents& events) {
    ended.id = entry.task.job.id;
    if (is_stopping_ && ended.kind == JobEnd::Kind::kCluster) ended.kind = JobEnd::Kind::kStopped;
    if (ended.kind == JobEnd::Kind::kCrash)
      if (const std::string node = node_of(entry); !node.empty()) failed_on_[ended.id].insert(node);
    if (ended.kind == JobEnd::Kind::kResult) lost_starts_ = 0;
    entry.ends = true;
    note(entry, ended.cause.empty() ? "left a result" : ended.cause);
    events.ended.push_back(std::move(ended));
  }
  void end_without_result(Entry& entry, JobEnd::Kind kind, const std::string& cause, JobEvents& events) {
    JobEnd ended;
    ended.kind = kind;
    ended.cause = cause;
    end(entry, std::move(ended), events);
  }
  // Keeps what became of each job. The record has it only if it counts for a run or against it.
  void note(const Entry& entry, const std::string& what) const {
    std::ofstream(folder_.path() + "/history", std::ios::app) << fmt::format(
        "{} run {} job {}: {}\n", std::time(nullptr), entry.task.job.id, number_of(entry.task), what);
  }
  [[nodiscard]] std::string node_of(const Entry& entry) const {
    const auto claim = folder_.claim_of(entry.task);
    return claim && !claim->node.empty() ? claim->node : entry.slurm.node;
  }

  // Ends what Slurm has never been asked to run.
  void end_unsubmitted() {
    for (const Job& job : std::exchange(kept_, {})) {
      JobEnd ended;
      ended.id = job.id;
      ended.kind = JobEnd::Kind::kStopped;
      ended.cause = "the job was not submitted";
      kept_events_.ended.push_back(std::move(ended));
    }
  }

  // --- Submission ---

  [[nodiscard]] std::vector<std::string> options_of(const Job& job) const {
    const SlurmSettings& settings = options_.settings;
    const SlurmRequest& request = settings.request_of(job.rung);
    std::vector<std::string> out{"--nodes=1", "--ntasks=1", "--no-requeue", "--open-mode=append"};
    const auto add = [&](const char* name, const std::string& value) {
      if (!value.empty()) out.push_back(fmt::format("--{}={}", name, value));
    };
    add("cpus-per-task",
        std::to_string(request.cpus > 0 ? request.cpus : std::max({1, job.threads, job.gpus})));
    add("mem", memory_of(job, request));
    if (job.devices)
      add("gres", fmt::format("{}:{}", request.gres.empty() ? "gpu" : request.gres, std::max(1, job.gpus)));
    add("partition", request.partition);
    add("account", request.account);
    add("qos", request.qos);
    add("constraint", request.constraint);
    const double limit = time_limit_of(job, request);
    if (limit > 0) {
      add("time", std::to_string(static_cast<std::int64_t>(std::ceil(limit / kMinute))));
      // Signals come up to a minute early. A short limit keeps most of its time for the job.
      add("signal", fmt::format("B:TERM@{:.0f}", std::clamp(settings.stop_seconds, 1.0, limit / 2)));
    }
    if (const auto nodes = failed_on_.find(job.id); nodes != failed_on_.end())
      add("exclude", fmt::format("{}", fmt::join(nodes->second, ",")));
    out.insert(out.end(), request.options.begin(), request.options.end());
    return out;
  }
  // Beside the worker, a job holds the process that watches it, and the files of its /dev/shm.
  static std::string memory_of(const Job& job, const SlurmRequest& request) {
    constexpr std::int64_t kMegabyte = 1 << 20, kMargin = 512;
    std::int64_t megabytes = request.megabytes;
    if (const auto limit = static_cast<std::int64_t>(job.limits.memory_bytes); megabytes == 0 && limit > 0)
      megabytes = (job.devices ? 2 : 1) * limit / kMegabyte + kMargin;
    return megabytes > 0 ? fmt::format("{}M", megabytes) : "";
  }
  [[nodiscard]] double time_limit_of(const Job& job, const SlurmRequest& request) const {
    if (!request.time.empty()) return parse_slurm_time(request.time).value_or(0);
    return job.limits.seconds > 0 ? job.limits.seconds + options_.settings.stop_seconds + kMinute : 0;
  }

  [[nodiscard]] std::string script_of(const SlurmRequest& request, const std::string& folder) const {
    return fmt::format("#!/bin/bash\n{}\nexec {} slurm-job {} \"$SLURM_ARRAY_TASK_ID\"\n", request.prologue,
                       quoted(options_.program), quoted(folder));
  }

  // Submits the jobs that were started, as one array for each list of options.
  void submit(JobEvents& events) {
    if ((kept_.empty() && waiting_.empty()) || seconds_now() < next_submission_) return;
    problem_.clear();
    for (Job& job : std::exchange(kept_, {})) groups_[options_of(job)].push_back(std::move(job));
    const auto most = static_cast<std::size_t>(options_.settings.array);
    for (auto& [options, jobs] : std::exchange(groups_, {}))
      for (std::size_t from = 0; from < jobs.size(); from += most) {
        const std::vector<Job> part(
            jobs.begin() + static_cast<std::ptrdiff_t>(from),
            jobs.begin() + static_cast<std::ptrdiff_t>(std::min(from + most, jobs.size())));
        if (const auto ok = create(part, options); !ok) {
          give_back(part, events);
          events.error = ok.error();
          return;
        }
      }
    while (!waiting_.empty())
      if (!submit_one(waiting_.front(), events)) break;
    next_submission_ = std::max(next_submission_, seconds_now() + kBetweenSubmissions);
  }

  void give_back(const std::vector<Job>& jobs, JobEvents& events) {
    for (const Job& job : jobs) {
      JobEnd ended;
      ended.id = job.id;
      ended.kind = JobEnd::Kind::kStopped;
      ended.cause = "the job was not submitted";
      events.ended.push_back(std::move(ended));
    }
  }

  Result<bool> create(const std::vector<Job>& jobs, const std::vector<std::string>& options) {
    const SlurmRequest& request = options_.settings.request_of(jobs.front().rung);
    GABBRO_TRY(batch, folder_.create_batch(
                          jobs, [&](const std::string& folder) { return script_of(request, folder); }));
    for (std::size_t i = 0; i < jobs.size(); ++i)
      add({.batch = batch, .index = static_cast<int>(i), .job = jobs[i]});
    const std::string path = folder_.batch_folder(batch);
    Waiting waiting{.batch = batch, .options = options};
    // Options of the user come last, so these come first.
    waiting.options.insert(waiting.options.begin(),
                           {"--job-name=" + folder_.job_name(), "--comment=" + batch,
                            fmt::format("--array=0-{}", jobs.size() - 1), "--chdir=" + folder_.path(),
                            "--output=" + without_patterns(path) + "/%a.out"});
    waiting_.push_back(std::move(waiting));
    return true;
  }

  // Submits a batch and removes it from those that wait. Returns false if it has to wait longer.
  bool submit_one(Waiting& waiting, JobEvents& events) {
    const auto wait_for = [&](const Error& error) {
      problem_ = error.message;
      next_submission_ = seconds_now() + options_.retry_seconds;
      return false;
    };
    std::string id;
    if (waiting.was_tried) {
      const auto listed = client_.list(folder_.job_name());
      if (!listed) return wait_for(listed.error());
      for (const SlurmJobState& job : *listed)
        if (job.batch == waiting.batch) id = job.array;
    }
    if (id.empty()) {
      waiting.was_tried = true;
      const auto submitted = client_.submit(waiting.options, folder_.batch_folder(waiting.batch) + "/script");
      if (!submitted)
        return handle_refusal(waiting, submitted.error(), events) || wait_for(submitted.error());
      id = *submitted;
    }
    if (const auto ok = folder_.set_slurm_id(waiting.batch, id); !ok) return wait_for(ok.error());
    for (const auto& [name, entry] : entries_)
      if (entry.task.batch == waiting.batch) note(entry, "submitted");
    waiting_.erase(waiting_.begin());
    next_poll_ = std::min(next_poll_, seconds_now() + kStopPollSeconds);
    return true;
  }

  // Returns true if the batch does not have to wait: it is tried again in another form, or given up.
  bool handle_refusal(Waiting& waiting, const Error& error, JobEvents& events) {
    const SubmitFailure refusal = submit_failure_of(error);
    const auto excludes = [](const std::string& option) { return option.starts_with("--exclude="); };
    if (refusal == SubmitFailure::kNoNodesLeft && std::erase_if(waiting.options, excludes) > 0) return true;
    const bool has_jobs = std::any_of(entries_.begin(), entries_.end(),
                                      [](const auto& item) { return is_active(item.second.slurm.state); });
    if (refusal == SubmitFailure::kNoAnswer || (refusal == SubmitFailure::kQueueFull && has_jobs))
      return false;
    events.error = error;
    events.error->hint =
        fmt::format("change {}/slurm.toml, then continue with `gabbro resume {}`; nothing was lost",
                    options_.dir, options_.dir);
    for (auto& [name, entry] : entries_)
      if (entry.task.batch == waiting.batch)
        end_without_result(entry, JobEnd::Kind::kStopped, "the job was not submitted", events);
    waiting_.erase(waiting_.begin());
    return true;
  }

  // --- Ends and progress ---

  void take_ends(JobEvents& events) {
    for (const std::string& name : folder_.ended()) {
      const auto found = entries_.find(name);
      if (found == entries_.end() || found->second.ends) continue;
      auto ended = folder_.end_of(found->second.task);
      if (ended)
        end(found->second, std::move(*ended), events);
      else
        end_without_result(found->second, JobEnd::Kind::kCrash, ended.error().message, events);
    }
  }

  void take_progress(JobEvents& events) {
    next_progress_ = seconds_now() + std::max(1.0, running() / kJobsPerSecond);
    for (auto& [name, entry] : entries_) {
      const std::int64_t time = folder_.progress_time(entry.task);
      if (entry.ends || time == 0 || std::exchange(entry.progress_time, time) == time) continue;
      if (auto progress = folder_.progress_of(entry.task))
        events.updates.push_back({entry.task.job.id, std::move(*progress)});
    }
  }

  // Asks Slurm for the states of all jobs.
  void poll(JobEvents& events) {
    const double interval = is_stopping_ ? kStopPollSeconds : options_.settings.poll_seconds;
    next_poll_ = seconds_now() + std::max(interval, running() / kJobsPerSecond);
    if (entries_.empty()) return;
    const auto listed = client_.list(folder_.job_name());
    if (!listed) {
      problem_ = listed.error().message;
      if (is_killing_) detach(events);
      return;
    }
    problem_.clear();
    apply(*listed);
    if (is_stopping_) give_up_waiting(events);
    for (auto& [name, entry] : entries_)
      if (!entry.ends) end_if_gone(entry, events);
    if (is_stopping_) stop_jobs();
    cancel_strays(*listed);
    write_status();
  }

  // Lets all jobs go while the controller does not answer. Their files stay, so a later process finds them.
  void detach(JobEvents& events) {
    for (auto& [name, entry] : entries_) {
      if (entry.ends) continue;
      JobEnd ended;
      ended.id = entry.task.job.id;
      ended.kind = JobEnd::Kind::kStopped;
      ended.cause = "the controller of Slurm does not answer; a later session finds the job";
      events.ended.push_back(std::move(ended));
    }
    std::erase_if(entries_, [](const auto& item) { return !item.second.ends; });
    waiting_.clear();
  }

  // Gives up batches that Slurm has not accepted, as far as it knows. If it did, their jobs find the claims.
  void give_up_waiting(JobEvents& events) {
    for (auto& [name, entry] : entries_) {
      if (entry.ends || !is_waiting(entry.task.batch)) continue;
      if (folder_.give_up(entry.task))
        end_without_result(entry, JobEnd::Kind::kStopped, "the job was not submitted", events);
      else if (const auto claim = folder_.claim_of(entry.task); claim && !claim->slurm_job.empty())
        static_cast<void>(folder_.set_slurm_id(entry.task.batch, claim->slurm_job));
    }
    waiting_.clear();
  }

  // Cancels jobs of the campaign that wait although nobody waits for them: their submission got no answer.
  void cancel_strays(const std::vector<SlurmJobState>& listed) {
    std::vector<std::string> strays;
    for (const SlurmJobState& job : listed)
      if (job.state == "PENDING" && !entries_.contains(fmt::format("{}.{}", job.batch, job.index)))
        strays.push_back(fmt::format("{}_{}", job.array, job.index));
    call_for(strays, {});
  }

  void apply(const std::vector<SlurmJobState>& listed) {
    std::map<std::string, const SlurmJobState*> states;
    for (const SlurmJobState& job : listed) states[fmt::format("{}.{}", job.batch, job.index)] = &job;
    for (auto& [name, entry] : entries_) {
      const auto found = states.find(name);
      if (found != states.end())
        entry.slurm = *found->second;
      else
        entry.slurm.state.clear();
      const bool is_submitted = !is_waiting(entry.task.batch);
      if (!is_submitted || is_active(entry.slurm.state))
        entry.gone_since = 0;
      else if (entry.gone_since == 0)
        entry.gone_since = seconds_now();
    }
  }
  [[nodiscard]] bool is_waiting(const std::string& batch) const {
    return std::any_of(waiting_.begin(), waiting_.end(), [&](const Waiting& w) { return w.batch == batch; });
  }

  // Ends a task that Slurm does not run any more and that has left no end.
  void end_if_gone(Entry& entry, JobEvents& events) {
    if (entry.gone_since == 0) return;
    const std::string& state = entry.slurm.state;
    const std::string reported =
        state.empty() ? "Slurm does not know the job any more"
                      : fmt::format("Slurm reports {} ({}) for the job", state, entry.slurm.reason);
    // Whoever creates the claim first decides whether the task has run.
    const bool has_run = !folder_.give_up(entry.task);
    if (has_run && seconds_now() < entry.gone_since + options_.file_seconds) {
      next_poll_ = std::min(next_poll_, seconds_now() + kStopPollSeconds);
      return;
    }
    if (!has_run) {
      const std::string cause = fmt::format("{}{}, and its worker had not begun; its last output: {}",
                                            reported, on_node(entry), folder_.last_output(entry.task));
      // A job that was cancelled or preempted while it waited says nothing about the cluster.
      if (state != "CANCELLED" && state != "PREEMPTED") wait_after_lost_start(entry, cause, events);
      end_without_result(entry, JobEnd::Kind::kCluster, cause, events);
    } else if (state.empty() || is_ended_by_cluster(state)) {
      end_without_result(entry, JobEnd::Kind::kCluster, fmt::format("{}{}", reported, on_node(entry)),
                         events);
    } else {
      end_without_result(entry, JobEnd::Kind::kCrash,
                         fmt::format("{}{}, and it left no result; its last output: {}", reported,
                                     on_node(entry), folder_.last_output(entry.task)),
                         events);
    }
  }

  // A job whose worker never began says nothing about its design: the script may not run on its node, or the
  // shared folder may be away. Its next start avoids the node, and all submissions wait, longer each time,
  // until the worker of a job has begun.
  void wait_after_lost_start(const Entry& entry, const std::string& cause, JobEvents& events) {
    constexpr int kMostWaits = 12, kMostDoublings = 6;
    if (const std::string node = node_of(entry); !node.empty()) failed_on_[entry.task.job.id].insert(node);
    if (is_stopping_ || seconds_now() < lost_start_wait_) return;  // jobs of one time are one event
    const bool works = std::any_of(entries_.begin(), entries_.end(), [&](const auto& item) {
      return !item.second.ends && is_active(item.second.slurm.state) && folder_.claim_of(item.second.task);
    });
    lost_starts_ = works ? 1 : lost_starts_ + 1;
    if (lost_starts_ > kMostWaits)
      events.error = {"jobs",
                      fmt::format("no job begins on this cluster; last: {}", cause),
                      fmt::format("check `prologue` in {}/slurm.toml, and that nodes see this folder, then "
                                  "continue with `gabbro resume {}`; nothing was lost",
                                  options_.dir, options_.dir),
                      {}};
    lost_start_wait_ =
        seconds_now() + std::ldexp(options_.lost_start_seconds, std::min(lost_starts_, kMostDoublings));
    next_submission_ = std::max(next_submission_, lost_start_wait_);
    problem_ = "a job did not begin: " + cause;
  }
  [[nodiscard]] std::string on_node(const Entry& entry) const {
    const std::string node = node_of(entry);
    return node.empty() ? "" : " on node " + node;
  }

  // Asks running jobs to stop, and cancels those that wait or had their time to stop.
  void stop_jobs() {
    std::vector<std::string> asked, cancelled;
    for (auto& [name, entry] : entries_) {
      const std::string number = number_of(entry.task);
      if (entry.ends || number.empty() || !is_active(entry.slurm.state)) continue;
      const bool is_late =
          entry.stop_asked > 0 && seconds_now() > entry.stop_asked + options_.settings.stop_seconds;
      if (is_killing_ || is_late || entry.slurm.state == "PENDING") {
        cancelled.push_back(number);
      } else if (entry.stop_asked == 0) {
        entry.stop_asked = seconds_now();
        asked.push_back(number);
      }
    }
    call_for(cancelled, {});
    call_for(asked, {"--signal=TERM", "--batch"});
  }
  void call_for(const std::vector<std::string>& numbers, const std::vector<std::string>& options) {
    for (std::size_t from = 0; from < numbers.size(); from += kMostArguments) {
      std::vector<std::string> arguments = options;
      arguments.insert(
          arguments.end(), numbers.begin() + static_cast<std::ptrdiff_t>(from),
          numbers.begin() + static_cast<std::ptrdiff_t>(std::min(from + kMostArguments, numbers.size())));
      client_.cancel(arguments);
    }
  }

  // Leaves the states for `gabbro status`.
  void write_status() const {
    constexpr int kMostRows = 20;
    std::string text = fmt::format("{}\n{}\n", std::time(nullptr), status());
    int rows = 0;
    for (const auto& [name, entry] : entries_) {
      if (entry.ends || entry.slurm.state.empty() || ++rows > kMostRows) continue;
      text += fmt::format("  {} job {} {}{}{}\n",
                          entry.task.job.id > 0   ? fmt::format("run {}", entry.task.job.id)
                          : entry.task.job.id < 0 ? fmt::format("capabilities of #{}", -entry.task.job.id)
                                                  : "check of the machine",
                          number_of(entry.task), entry.slurm.state,
                          entry.slurm.node.empty() ? "" : " on " + entry.slurm.node,
                          entry.slurm.state == "PENDING" ? ": " + entry.slurm.reason : "");
    }
    if (rows > kMostRows) text += fmt::format("  and {} more\n", rows - kMostRows);
    static_cast<void>(replace_file(folder_.path() + "/status", text));
  }

  SlurmOptions options_;
  SlurmFolder folder_;
  SlurmClient client_;
  mutable std::error_code none_;
  std::vector<Job> kept_;                 // started, and not in a batch yet
  std::map<std::string, Entry> entries_;  // by name of the task
  std::vector<Waiting> waiting_;          // in the order in which they are submitted
  std::map<std::vector<std::string>, std::vector<Job>>
      groups_;                       // jobs by their options, while they are sorted
  std::vector<SlurmTask> reported_;  // ends of the last `wait`, whose files still exist
  std::vector<AttachedJob> attached_;
  std::map<std::int64_t, std::set<std::string>> failed_on_;  // nodes on which a job crashed
  JobEvents kept_events_;                                    // for the next `wait`
  std::string problem_;                                      // why Slurm does not answer; "" if it does
  int lost_starts_ = 0;         // waits after jobs that never began, since a worker was known to run
  double lost_start_wait_ = 0;  // when the last of these waits ends
  double next_submission_ = 0, next_poll_ = 0, next_progress_ = 0;
  bool is_stopping_ = false, is_killing_ = false;
};

}  // namespace

Result<std::unique_ptr<Executor>> slurm_executor(const SlurmOptions& given) {
  SlurmOptions options = given;
  std::error_code error;
  if (options.program.empty()) options.program = fs::read_symlink("/proc/self/exe", error);
  GABBRO_TRY(folder, SlurmFolder::open(options.dir));
  auto executor = std::make_unique<SlurmExecutor>(std::move(options), std::move(folder));
  if (auto ok = executor->attach(); !ok) return tl::unexpected(ok.error());
  return executor;
}

std::string slurm_status(const std::string& dir) {
  const std::string text = read_file(dir + "/slurm/status", kMostText).value_or("");
  const std::size_t line = text.find('\n');
  if (line == std::string::npos) return "";
  const std::int64_t age = std::time(nullptr) - std::atoll(text.c_str());
  const std::string rest = text.substr(line + 1);
  return fmt::format("{}, {} s ago{}", rest.substr(0, rest.find('\n')), age, rest.substr(rest.find('\n')));
}

}  // namespace gabbro::jobs
