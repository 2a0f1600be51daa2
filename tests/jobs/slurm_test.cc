// Tests of jobs on a cluster that one script plays: what is submitted, what is done about each way to end,
// and that no job is lost or runs twice.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "base/clock.h"
#include "jobs/fake_slurm.h"
#include "jobs/slurm.h"
#include "jobs/slurm_tasks.h"

namespace gabbro::jobs {
namespace {

namespace fs = std::filesystem;
using Kind = JobEnd::Kind;

constexpr const char* kDone = R"(echo '{"status": "done", "cause": ""}' > "$2")";

const auto kGoOn = [] { return 0; };

class SlurmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder =
        fs::path(::testing::TempDir()) / ("gabbro_slurm" + std::to_string(getpid()) +
                                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder / "fake");
    fs::create_directories(campaign());
    slurm = std::make_unique<FakeSlurm>(folder / "fake");
  }
  void TearDown() override {
    executor.reset();
    slurm.reset();
    fs::remove_all(folder);
  }
  [[nodiscard]] std::string campaign() const { return folder / "campaign"; }

  void open(SlurmSettings settings = {}) {
    executor.reset();
    settings.poll_seconds = 0.2;
    auto opened = slurm_executor({.dir = campaign(),
                                  .settings = settings,
                                  .program = "/bin/gabbro",
                                  .file_seconds = 0.2,
                                  .lost_start_seconds = 0.01,
                                  .retry_seconds = 0.1});
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    executor = std::move(*opened);
  }
  Job job(std::int64_t id) const {
    const fs::path run = folder / std::to_string(id);
    fs::create_directories(run);
    return {.id = id, .spec_file = run / "spec.json", .result_file = run / "result.json"};
  }
  void start(std::int64_t id) { ASSERT_TRUE(executor->start(job(id)).has_value()); }
  // Lets the executor work until the condition holds, and keeps the ends.
  bool wait_until(const std::function<bool()>& holds, double seconds = 30) {
    for (const double until = seconds_now() + seconds; seconds_now() < until;) {
      JobEvents events = executor->wait(0.05);
      for (JobEnd& end : events.ended) {
        EXPECT_FALSE(ends.contains(end.id)) << "job " << end.id << " ended twice";
        ends[end.id] = std::move(end);
      }
      if (events.error) error = events.error;
      if (holds()) return true;
    }
    return false;
  }
  bool wait_for_ends(std::size_t count) {
    return wait_until([&] { return ends.size() == count; });
  }
  bool wait_for_jobs(std::size_t count) {
    return wait_until([&] { return slurm->jobs().size() == count && slurm->calls("squeue") > 0; });
  }
  // Runs a task as its job does, with a script as the worker.
  Result<bool> run_task(const SlurmTask& task, const std::string& script = kDone, int (*stop)() = kGoOn) {
    const fs::path worker = folder / "worker";
    std::ofstream(worker) << "#!/bin/sh\n" << script << "\n";
    fs::permissions(worker, fs::perms::owner_all);
    return run_slurm_task(files().batch_folder(task.batch), task.index, stop, {.worker = worker});
  }
  [[nodiscard]] SlurmFolder files() const { return *SlurmFolder::open(campaign()); }
  [[nodiscard]] std::vector<SlurmTask> tasks() const { return files().tasks().value(); }
  [[nodiscard]] SlurmTask task(std::int64_t id) const {
    for (const SlurmTask& t : tasks())
      if (t.job.id == id) return t;
    ADD_FAILURE() << "job " << id << " has no task";
    return {};
  }
  [[nodiscard]] std::set<std::string> options(std::size_t at) const {
    std::istringstream words(slurm->jobs().at(at).options);
    return {std::istream_iterator<std::string>(words), {}};
  }

  [[nodiscard]] std::vector<std::int64_t> attached() const {
    std::vector<std::int64_t> ids;
    for (const AttachedJob& found : executor->attached()) ids.push_back(found.id);
    return ids;
  }

  fs::path folder;
  std::unique_ptr<FakeSlurm> slurm;
  std::unique_ptr<Executor> executor;
  std::map<std::int64_t, JobEnd> ends;
  std::optional<Error> error;
};

TEST_F(SlurmTest, JobsOfOneKindAreOneArray) {
  auto settings = parse_slurm_settings(R"(
[slurm]
partition = "cpu"
options = ["--nice"]
[slurm.rungs.14M]
partition = "gpu"
gres = "gpu:h100"
time = "2:00:00"
)");
  ASSERT_TRUE(settings.has_value()) << settings.error().message;
  open(*settings);
  for (const int id : {1, 2, 3}) {
    Job small = job(id);
    small.rung = "2M";
    small.threads = 4;
    small.limits.seconds = 600;
    small.limits.memory_bytes = std::uint64_t{1} << 30;
    ASSERT_TRUE(executor->start(small).has_value());
  }
  Job large = job(4);
  large.rung = "14M";
  large.devices = true;
  large.gpus = 2;
  ASSERT_TRUE(executor->start(large).has_value());
  ASSERT_TRUE(wait_for_jobs(4));
  EXPECT_EQ(slurm->calls("sbatch"), 2);
  EXPECT_EQ(executor->running(), 4);
  std::set<std::string> cpu, gpu;
  for (std::size_t i = 0; i < 4; ++i) (options(i).contains("--partition=cpu") ? cpu : gpu) = options(i);
  for (const char* option : {"--array=0-2", "--cpus-per-task=4", "--mem=1536M", "--no-requeue", "--nice",
                             "--time=13", "--signal=B:TERM@120"})
    EXPECT_TRUE(cpu.contains(option)) << option;
  for (const char* option :
       {"--array=0-0", "--gres=gpu:h100:2", "--cpus-per-task=2", "--partition=gpu", "--time=120"})
    EXPECT_TRUE(gpu.contains(option)) << option;
}

TEST_F(SlurmTest, ResultAndProgressComeThroughFiles) {
  open();
  start(7);
  ASSERT_TRUE(wait_for_jobs(1));
  const SlurmTask t = task(7);
  ASSERT_TRUE(run_task(t).has_value());
  EXPECT_FALSE(run_task(t).has_value()) << "a task runs once";
  ASSERT_TRUE(wait_for_ends(1));
  EXPECT_EQ(ends[7].kind, Kind::kResult);
  EXPECT_EQ(ends[7].result, "{\"status\": \"done\", \"cause\": \"\"}\n");
  EXPECT_EQ(executor->running(), 0);
  executor->wait(0);
  EXPECT_TRUE(tasks().empty()) << "an accepted end needs no files";
  EXPECT_TRUE(files().ended().empty());
}

TEST_F(SlurmTest, AWorkerThatSlurmStopsIsNoFailure) {
  open();
  start(1);
  start(2);
  start(3);
  ASSERT_TRUE(wait_for_jobs(3));
  const auto stop = [] { return 1; };
  const char* stops =
      "trap 'echo \"{\\\"status\\\": \\\"stopped\\\", \\\"cause\\\": \\\"\\\"}\" > \"$2\"; exit 0' TERM; "
      "while :; do sleep 0.05; done";
  ASSERT_TRUE(run_task(task(1), stops, stop).has_value());
  ASSERT_TRUE(
      run_task(task(2), "trap : TERM; sleep 0.3; sleep 0.3; " + std::string(kDone), stop).has_value());
  ASSERT_TRUE(run_task(task(3), "exit 3").has_value());
  ASSERT_TRUE(wait_for_ends(3));
  EXPECT_EQ(ends[1].kind, Kind::kCluster);
  EXPECT_EQ(ends[2].kind, Kind::kResult) << "a result that is ready counts";
  EXPECT_EQ(ends[3].kind, Kind::kCrash);
}

TEST_F(SlurmTest, StatesWithoutAResult) {
  open();
  for (int id = 1; id <= 5; ++id) start(id);
  ASSERT_TRUE(wait_for_jobs(5));
  // A process of these two has begun; of the others, none has.
  for (const int id : {1, 2}) {
    const SlurmTask t = task(id);
    std::ofstream(files().batch_folder(t.batch) + "/" + std::to_string(t.index) + ".claim") << "1 n7";
  }
  const SlurmTask failed = task(4);
  std::ofstream(files().batch_folder(failed.batch) + "/" + std::to_string(failed.index) + ".out")
      << "module: not found\n";
  const std::map<int, std::string> states{{task(1).index, "NODE_FAIL"},
                                          {task(2).index, "OUT_OF_MEMORY"},
                                          {task(3).index, "CANCELLED"},
                                          {task(4).index, "FAILED"}};
  slurm->for_each([&](FakeSlurm::Row& row) {
    const auto state = states.find(std::stoi(row.index));
    if (state != states.end()) row.state = state->second;
  });
  ASSERT_TRUE(wait_for_ends(4));
  EXPECT_EQ(ends[1].kind, Kind::kCluster);
  EXPECT_NE(ends[1].cause.find("NODE_FAIL"), std::string::npos) << ends[1].cause;
  EXPECT_NE(ends[1].cause.find("node n7"), std::string::npos) << ends[1].cause;
  EXPECT_EQ(ends[2].kind, Kind::kCrash);
  EXPECT_EQ(ends[3].kind, Kind::kCluster);
  EXPECT_EQ(ends[4].kind, Kind::kCluster) << "its worker never began";
  EXPECT_NE(ends[4].cause.find("module: not found"), std::string::npos) << ends[4].cause;
  EXPECT_EQ(executor->running(), 1);
  // A job that crashed goes to another node, if there is one.
  start(2);
  ASSERT_TRUE(wait_until([&] { return slurm->jobs().size() == 6; }));
  EXPECT_TRUE(options(5).contains("--exclude=n7"));
}

TEST_F(SlurmTest, StatusSaysWhichJobsNeverBegin) {
  open();
  for (int id = 1; id <= 2; ++id) start(id);
  ASSERT_TRUE(wait_for_jobs(2));
  slurm->for_each([](FakeSlurm::Row& row) { row.reason = "Priority"; });
  ASSERT_TRUE(wait_until([&] {
    return executor->status().find("2 pending (Priority)") != std::string::npos;
  })) << executor->status();
  EXPECT_EQ(executor->status().find("never begin"), std::string::npos) << executor->status();
  slurm->for_each([](FakeSlurm::Row& row) {
    if (row.index == "0") row.reason = "PartitionTimeLimit";
  });
  EXPECT_TRUE(wait_until([&] {
    return executor->status().find("jobs that wait for PartitionTimeLimit never begin: change slurm.toml") !=
           std::string::npos;
  })) << executor->status();
}

// A job that another one preempts says nothing about its design, and begins again.
TEST_F(SlurmTest, PreemptionIsAnEndByTheCluster) {
  open();
  start(1);
  ASSERT_TRUE(wait_for_jobs(1));
  const SlurmTask t = task(1);
  std::ofstream(files().batch_folder(t.batch) + "/" + std::to_string(t.index) + ".claim") << "1 n7";
  slurm->set_states("PREEMPTED", "n7");
  ASSERT_TRUE(wait_for_ends(1));
  EXPECT_EQ(ends[1].kind, Kind::kCluster);
  EXPECT_NE(ends[1].cause.find("PREEMPTED"), std::string::npos) << ends[1].cause;
}

// While a worker runs, the cluster works, and jobs that never begin or were cancelled end no session.
TEST_F(SlurmTest, LostStartsBesideAJobThatRunsEndNoSessionSlow) {
  for (const bool runs : {true, false}) {
    SCOPED_TRACE(runs);
    ends.clear(), error.reset();
    open();
    start(1);
    ASSERT_TRUE(wait_until([&] { return !slurm->jobs().empty(); }));
    if (runs) {
      const SlurmTask t = task(1);
      std::ofstream(files().batch_folder(t.batch) + "/" + std::to_string(t.index) + ".claim") << "1 n7";
    }
    const std::string first = slurm->jobs().back().array;
    for (int lost = 0; lost < 15 && !error; ++lost) {
      const std::size_t before = slurm->jobs().size();
      start(100 + lost);
      ASSERT_TRUE(wait_until([&] { return slurm->jobs().size() > before || error.has_value(); }));
      slurm->for_each([&](FakeSlurm::Row& row) {
        if (row.array != first) row.state = lost % 5 == 0 ? "CANCELLED" : "FAILED";
      });
      ASSERT_TRUE(wait_until([&] { return ends.contains(100 + lost) || error.has_value(); }));
      usleep(20'000);
    }
    EXPECT_EQ(error.has_value(), !runs);
  }
}

TEST_F(SlurmTest, WithoutAnotherNodeTheSameOneIsTaken) {
  open();
  start(1);
  ASSERT_TRUE(wait_for_jobs(1));
  slurm->set_states("FAILED", "n1");
  ASSERT_TRUE(wait_for_ends(1));
  slurm->set("refuse", "Batch job submission failed: Requested node configuration is not available");
  ends.clear();
  start(1);
  ASSERT_TRUE(wait_until([&] { return error.has_value(); }));
  EXPECT_EQ(slurm->calls("sbatch", "--exclude=n1"), 1);
  EXPECT_EQ(slurm->calls("sbatch"), 3);
}

TEST_F(SlurmTest, ALaterProcessFindsItsJobs) {
  open();
  for (const int id : {1, 2, 3, -4}) start(id);
  ASSERT_TRUE(wait_for_jobs(4));
  ASSERT_TRUE(run_task(task(2)).has_value());
  open();
  EXPECT_EQ(attached(), (std::vector<std::int64_t>{-4, 1, 2, 3}));
  EXPECT_EQ(executor->running(), 4);
  ASSERT_TRUE(wait_for_ends(1));
  EXPECT_EQ(ends[2].kind, Kind::kResult);
  open();  // killed before the end was accepted
  ends.clear();
  ASSERT_TRUE(wait_for_ends(1));
  executor->wait(0);
  open();
  EXPECT_EQ(attached(), (std::vector<std::int64_t>{-4, 1, 3}));
  executor->discard(-4);
  EXPECT_EQ(executor->running(), 2);
  EXPECT_EQ(slurm->calls("scancel", "1_3"), 1);
  for (const SlurmTask& t : tasks()) ASSERT_TRUE(run_task(t).has_value());
  ends.clear();
  ASSERT_TRUE(wait_for_ends(2));
  EXPECT_EQ(slurm->calls("sbatch"), 1);
}

TEST_F(SlurmTest, ASubmissionThatWasNotRecordedIsFound) {
  open();
  start(1);
  ASSERT_TRUE(wait_for_jobs(1));
  const std::string batch = task(1).batch;
  fs::remove(files().batch_folder(batch) + "/id");
  open();
  EXPECT_EQ(attached(), std::vector<std::int64_t>{1});
  EXPECT_EQ(files().slurm_id(batch), "1");
  // The job is gone from Slurm, but its process has begun.
  fs::remove(files().batch_folder(batch) + "/id");
  ASSERT_TRUE(run_task(task(1)).has_value());
  slurm->forget();
  open();
  EXPECT_EQ(attached(), std::vector<std::int64_t>{1});
  ASSERT_TRUE(wait_for_ends(1));
  EXPECT_EQ(ends[1].kind, Kind::kResult);
}

TEST_F(SlurmTest, ASubmissionThatIsGivenUpDoesNotRun) {
  open();
  start(1);
  ASSERT_TRUE(wait_for_jobs(1));
  const SlurmTask late = task(1);
  const std::string batch = files().batch_folder(late.batch);
  fs::copy(batch, folder / "kept");
  fs::remove(batch + "/id");
  slurm->forget();  // sbatch is still on its way
  open();
  EXPECT_TRUE(attached().empty()) << "the campaign begins the run again";
  EXPECT_FALSE(run_task(late).has_value());
}

TEST_F(SlurmTest, AControllerThatDoesNotAnswerIsWaitedFor) {
  open();
  slurm->set("down");
  start(1);
  EXPECT_FALSE(wait_until([&] { return !ends.empty() || error; }, 1));
  EXPECT_EQ(executor->running(), 1);
  EXPECT_NE(executor->status().find("Unable to contact"), std::string::npos) << executor->status();
  slurm->unset("down");
  ASSERT_TRUE(wait_for_jobs(1));
  ASSERT_TRUE(run_task(task(1)).has_value());
  ASSERT_TRUE(wait_for_ends(1));
  EXPECT_EQ(slurm->jobs().size(), 1);
}

TEST_F(SlurmTest, ALostAnswerSubmitsNothingTwice) {
  open();
  slurm->set("lost");
  start(1);
  ASSERT_TRUE(wait_until([&] { return !files().slurm_id(task(1).batch).empty(); }));
  EXPECT_EQ(slurm->jobs().size(), 1);
  EXPECT_EQ(slurm->calls("sbatch"), 1);
}

TEST_F(SlurmTest, ARefusalIsAnError) {
  open();
  slurm->set("refuse", "Batch job submission failed: Invalid account or account/partition combination");
  start(1);
  ASSERT_TRUE(wait_for_ends(1));
  ASSERT_TRUE(error.has_value());
  EXPECT_NE(error->message.find("Invalid account"), std::string::npos) << error->message;
  EXPECT_EQ(ends[1].kind, Kind::kStopped) << "it says nothing about the job";
}

TEST_F(SlurmTest, AFullQueueIsWaitedForWhileJobsRun) {
  open();
  start(1);
  ASSERT_TRUE(wait_for_jobs(1));
  executor->wait(0.1);
  slurm->set("refuse", "Batch job submission failed: Job violates accounting/QOS policy (job submit limit)");
  start(2);
  EXPECT_FALSE(wait_until([&] { return error.has_value(); }, 1));
  slurm->unset("refuse");
  EXPECT_TRUE(wait_for_jobs(2));
}

TEST_F(SlurmTest, StoppingCancelsWhatWaitsAndSignalsWhatRuns) {
  open();
  start(1);
  start(2);
  ASSERT_TRUE(wait_for_jobs(2));
  const std::string running = std::to_string(task(1).index);
  slurm->for_each([&](FakeSlurm::Row& row) {
    if (row.index == running) row.state = "RUNNING";
  });
  start(3);  // not submitted yet
  executor->stop();
  ASSERT_TRUE(wait_for_ends(2));
  EXPECT_EQ(ends[2].kind, Kind::kStopped);
  EXPECT_EQ(ends[3].kind, Kind::kStopped);
  EXPECT_EQ(slurm->calls("scancel", "--signal=TERM --batch 1_" + running), 1);
  ASSERT_TRUE(run_task(task(1), "sleep 60", [] { return 1; }).has_value());
  ASSERT_TRUE(wait_for_ends(3));
  EXPECT_EQ(ends[1].kind, Kind::kStopped) << "asked for, so not by the cluster";
  EXPECT_EQ(slurm->calls("sbatch"), 1);
}

TEST_F(SlurmTest, AKillWithoutAControllerLeavesTheJobs) {
  open();
  start(1);
  ASSERT_TRUE(wait_for_jobs(1));
  slurm->set("down");
  executor->kill();
  ASSERT_TRUE(wait_for_ends(1));
  EXPECT_EQ(ends[1].kind, Kind::kStopped);
  slurm->unset("down");
  open();
  EXPECT_EQ(attached(), std::vector<std::int64_t>{1});
}

TEST_F(SlurmTest, AThousandJobsTakeFewCalls) {
  SlurmSettings settings;
  settings.max_jobs = 1000;
  open(settings);
  for (int id = 1; id <= 1000; ++id) start(id);
  EXPECT_FALSE(executor->start(job(1001)).has_value()) << "their number is bounded";
  ASSERT_TRUE(wait_until([&] { return slurm->jobs().size() == 1000; }));
  EXPECT_EQ(slurm->calls("sbatch"), 5) << "arrays of 200";
  slurm->set_states("RUNNING", "n1");
  executor->wait(5);
  const int polls = slurm->calls("squeue");
  EXPECT_LE(polls, 3) << "a thousand jobs are looked at every 20 s, by one call";
  for (const SlurmTask& t : tasks())
    if (t.index % 100 == 0) {
      EXPECT_TRUE(run_task(t).has_value());
    }
  ASSERT_TRUE(wait_for_ends(10));
  EXPECT_EQ(executor->running(), 990);
  EXPECT_LE(slurm->calls("squeue"), polls + 1);
}

TEST_F(SlurmTest, ACopiedCampaignHasJobsOfItsOwn) {
  open();
  start(1);
  ASSERT_TRUE(wait_for_jobs(1));
  executor.reset();
  fs::copy(campaign(), folder / "copy", fs::copy_options::recursive);
  const auto copy = SlurmFolder::open(folder / "copy");
  ASSERT_TRUE(copy.has_value());
  EXPECT_NE(copy->job_name(), files().job_name());
  EXPECT_TRUE(copy->tasks()->empty());
}

TEST_F(SlurmTest, WithoutSlurmItSaysWhatIsMissing) {
  setenv("PATH", "/nowhere", 1);
  const auto opened = slurm_executor({.dir = campaign()});
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().message, "squeue was not found in PATH");
}

TEST(SlurmSettings, Errors) {
  const auto message = [](const std::string& text) {
    const auto settings = parse_slurm_settings(text);
    return settings ? "" : settings.error().message;
  };
  EXPECT_EQ(message("[slurm]\n"), "");
  EXPECT_EQ(message(""), "the table [slurm] is missing");
  EXPECT_EQ(message("[slurm]\nparition = \"x\"\n"), "slurm: unknown key 'parition'");
  EXPECT_EQ(message("[slurm]\ntime = \"soon\"\n"), "invalid time 'soon'");
  EXPECT_EQ(message("[slurm]\noptions = [\"exclusive\"]\n"),
            "slurm: options must be a list of options such as [\"--exclusive\"]");
  EXPECT_EQ(message("[slurm]\narray = 5000\n"), "array must be between 1 and 1000");
  EXPECT_EQ(message("[slurm.rungs.14M]\nmax_jobs = 3\n"), "rung 14M: unknown key 'max_jobs'");
}

TEST(SlurmSettings, RungsInheritWhatTheyDoNotSet) {
  const auto settings = parse_slurm_settings(
      "[slurm]\naccount = \"lab\"\npartition = \"a\"\n[slurm.rungs.top]\npartition = \"b\"\n");
  ASSERT_TRUE(settings.has_value()) << settings.error().message;
  EXPECT_EQ(settings->request_of("top").account, "lab");
  EXPECT_EQ(settings->request_of("top").partition, "b");
  EXPECT_EQ(settings->request_of("low").partition, "a");
  EXPECT_EQ(settings->request_of("").partition, "a");
}

TEST(SlurmSettings, Times) {
  EXPECT_EQ(parse_slurm_time("90"), 5400);
  EXPECT_EQ(parse_slurm_time("1:30"), 90);
  EXPECT_EQ(parse_slurm_time("4:00:00"), 14400);
  EXPECT_EQ(parse_slurm_time("2-12"), 216000);
  EXPECT_EQ(parse_slurm_time("1-0:30"), 88200);
  EXPECT_EQ(parse_slurm_time("1-1:01:01"), 90061);
  for (const char* wrong : {"", ":", "a", "1:2:3:4", "1-", "-1", "1:", "1.5"})
    EXPECT_FALSE(parse_slurm_time(wrong).has_value()) << wrong;
}

}  // namespace
}  // namespace gabbro::jobs
