// Tests of worker processes on this machine, played by shell scripts: how each way to end is reported, and
// that no process is left running.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <thread>

#include "jobs/jobs.h"
#include "sandbox/sandbox.h"

namespace gabbro::jobs {
namespace {

namespace fs = std::filesystem;
using Kind = JobEnd::Kind;

constexpr const char* kDone = R"(echo '{"status": "done", "cause": ""}' > "$2")";

// Returns true if a process exists and is not a zombie.
bool alive(pid_t id) {
  std::ifstream file("/proc/" + std::to_string(id) + "/stat");
  std::string line;
  return std::getline(file, line) && line.substr(line.rfind(')') + 2, 1) != "Z";
}

// Returns true if the condition holds within ten seconds.
bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 1000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

class LocalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder =
        fs::path(::testing::TempDir()) / ("gabbro_jobs" + std::to_string(getpid()) +
                                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder);
  }
  void TearDown() override {
    executor.reset();
    fs::remove_all(folder);
  }

  // Makes this script the worker: $1 is the path of the spec, $2 that of the result.
  void set_worker(const std::string& script, int slots = 1) {
    const fs::path worker = folder / "worker";
    std::ofstream(worker) << "#!/bin/sh\ncd '" << folder.string() << "'\n" << script << "\n";
    fs::permissions(worker, fs::perms::owner_all);
    auto created = local_executor({.slots = slots, .worker = worker});
    ASSERT_TRUE(created.has_value());
    executor = std::move(*created);
  }
  void start(std::int64_t id, WorkerLimits limits = {}) {
    const auto ok = executor->start(job(id, limits));
    ASSERT_TRUE(ok.has_value()) << ok.error().message;
  }
  Job job(std::int64_t id, WorkerLimits limits = {}) const {
    const std::string name = std::to_string(id);
    return {.id = id,
            .spec_file = folder / (name + ".spec"),
            .result_file = folder / (name + ".result"),
            .limits = limits,
            .log_file = folder / (name + ".log")};
  }
  // Waits for all running jobs and returns their ends by job id. Progress goes to `updates`.
  std::map<std::int64_t, JobEnd> ends() {
    std::map<std::int64_t, JobEnd> out;
    while (executor->running() > 0) {
      JobEvents news = executor->wait(60);
      EXPECT_FALSE(news.updates.empty() && news.ended.empty()) << "nothing happened for a minute";
      if (news.updates.empty() && news.ended.empty()) break;
      for (Update& u : news.updates) updates.push_back(std::move(u));
      for (JobEnd& e : news.ended) out[e.id] = std::move(e);
    }
    return out;
  }
  JobEnd end_of(const std::string& script, WorkerLimits limits = {}) {
    set_worker(script);
    start(1, limits);
    return ends()[1];
  }
  // Reads a number that a script wrote into a file.
  pid_t number_in(const std::string& file) const {
    pid_t id = 0;
    EXPECT_TRUE(eventually([&] { return static_cast<bool>(std::ifstream(folder / file) >> id); })) << file;
    return id;
  }

  fs::path folder;
  std::unique_ptr<Executor> executor;
  std::vector<Update> updates;
};

TEST_F(LocalTest, SharedMemoryHasTheLimitOfMemory) {
  if (!sandbox::machine().mounts) GTEST_SKIP() << "no mount namespaces";
  set_worker("head -c 100000000 /dev/zero > /dev/shm/x; wc -c < /dev/shm/x > size; " + std::string(kDone));
  Job with_gpu = job(1);
  with_gpu.devices = true;
  with_gpu.limits.memory_bytes = 64 << 20;
  ASSERT_TRUE(executor->start(with_gpu).has_value());
  EXPECT_EQ(ends()[1].kind, JobEnd::Kind::kResult);
  EXPECT_EQ(number_in("size"), 64 << 20);
}

TEST_F(LocalTest, OnlyKnownVariablesReachTheWorker) {
  setenv("GABBRO_TEST_KEY", "distinctive-4711", 1);
  setenv("TORCH_HIDDEN", "distinctive-4711", 1);
  setenv("TORCH_SHOWN", "stays", 1);
  set_worker("env > seen; " + std::string(kDone));
  executor = std::move(
      *local_executor({.slots = 1, .worker = folder / "worker", .hidden = {"TORCH_HIDDEN", "NEVER_SET"}}));
  start(1);
  EXPECT_EQ(ends()[1].kind, JobEnd::Kind::kResult);
  unsetenv("GABBRO_TEST_KEY");
  unsetenv("TORCH_HIDDEN");
  unsetenv("TORCH_SHOWN");
  std::ifstream file(folder / "seen");
  const std::string seen{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(seen.find("distinctive-4711"), std::string::npos);
  EXPECT_EQ(seen.find("GABBRO_TEST_KEY="), std::string::npos);
  EXPECT_NE(seen.find("TORCH_SHOWN=stays"), std::string::npos);
  EXPECT_NE(seen.find("HOME=" + folder.string() + "\n"), std::string::npos);
  EXPECT_NE(seen.find("GABBRO_BORDERS=" + sandbox::machine().text()), std::string::npos);
  EXPECT_NE(seen.find("GABBRO_JOB="), std::string::npos);
}

record::Progress progress_of(const std::string& stage) {
  return {.stage = stage,
          .step = 3,
          .steps = 10,
          .tokens = 4096,
          .loss = 5.25,
          .tokens_per_second = 1000,
          .share = 0.3,
          .text = {}};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void expect_cause(const JobEnd& end, Kind kind, const std::string& says) {
  EXPECT_EQ(end.kind, kind) << end.cause;
  EXPECT_NE(end.cause.find(says), std::string::npos) << end.cause;
  EXPECT_EQ(end.result, "");
}

TEST_F(LocalTest, AResultIsTheTextOfItsFile) {
  std::ofstream(folder / "1.spec") << R"({"status": "done", "cause": "as asked", "more": [1, 2]})";
  const JobEnd end = end_of(R"(echo working >&2; cp "$1" "$2")");
  EXPECT_EQ(end.kind, Kind::kResult) << end.cause;
  EXPECT_EQ(end.result, R"({"status": "done", "cause": "as asked", "more": [1, 2]})");
  EXPECT_EQ(end.cause, "");
  EXPECT_GT(end.seconds, 0);
  std::ifstream log(folder / "1.log");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(log), {}), "working\n");
}

// Each worker waits until all have started, so they only end if they run side by side.
TEST_F(LocalTest, SeveralRunAtATime) {
  set_worker(std::string(R"(touch "$1.begun"; while [ $(ls *.begun | wc -l) -lt 3 ]; do sleep 0.01; done
)") + kDone,
             3);
  EXPECT_EQ(executor->slots(), 3);
  for (int id = 1; id <= 3; ++id) start(id);
  EXPECT_EQ(executor->running(), 3);
  const auto full = executor->start(job(4));
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().message, "no free slot: 3 jobs are running");
  const auto all = ends();
  ASSERT_EQ(all.size(), 3U);
  for (const auto& [id, end] : all) EXPECT_EQ(end.kind, Kind::kResult) << end.cause;
  start(4);  // Slots are free again.
  EXPECT_EQ(ends()[4].kind, Kind::kResult);
}

TEST_F(LocalTest, WaitReturnsWhenItsTimeIsOverAndWhenNothingRuns) {
  set_worker("sleep 600");
  EXPECT_TRUE(executor->wait(600).ended.empty());
  start(1);
  EXPECT_TRUE(executor->wait(0.1).ended.empty());
  EXPECT_TRUE(executor->wait(0).ended.empty());
  EXPECT_EQ(executor->running(), 1);
}

TEST_F(LocalTest, AHangIsKilledAtTheTimeLimit) {
  const JobEnd end = end_of("trap '' TERM; echo $$ > pid; while true; do sleep 1; done", {.seconds = 0.3});
  expect_cause(end, Kind::kTimeLimit, "more than the limit of 0.3 s and was killed");
  EXPECT_GE(end.seconds, 0.3);
  EXPECT_FALSE(alive(number_in("pid")));
}

// Time without checks, as on a machine that stood still, does not count as the worker's.
TEST_F(LocalTest, TimeInWhichTheMachineStoodStillDoesNotCount) {
  set_worker(std::string("sleep 3; ") + kDone);
  start(1, {.seconds = 2.4});
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  const JobEnd end = ends()[1];
  EXPECT_EQ(end.kind, Kind::kResult) << end.cause;
  EXPECT_GE(end.seconds, 1.4);
  EXPECT_LE(end.seconds, 2.4) << "the time of a run tells how long the next one will take";
}

// Files that the worker leaves before it is killed are kept, but are not a result.
TEST_F(LocalTest, AWorkerMayLeaveACheckpointAtTheTimeLimit) {
  const JobEnd end =
      end_of("trap 'echo saved > checkpoint; exit 0' TERM; while true; do sleep 0.1; done", {.seconds = 0.3});
  expect_cause(end, Kind::kTimeLimit, "more than the limit of 0.3 s and was stopped");
  EXPECT_TRUE(end.result.empty());
  EXPECT_TRUE(fs::exists(folder / "checkpoint"));
}

TEST_F(LocalTest, AMemoryEaterIsKilledAtTheMemoryLimit) {
  // The shell itself stays small; its child keeps a line that never ends.
  const JobEnd end =
      end_of("head -c 4G /dev/zero | tail -n 1 > eaten; sleep 600", {.memory_bytes = 60'000'000});
  expect_cause(end, Kind::kMemoryLimit, "more than the limit of 60.00MB and was killed");
  EXPECT_GT(end.peak_bytes, 60'000'000U);
}

TEST_F(LocalTest, ACrashIsReportedWithItsSignalOrCode) {
  expect_cause(end_of("kill -SEGV $$"), Kind::kCrash, "the worker was terminated by signal 11");
  expect_cause(end_of("exit 3"), Kind::kCrash, "the worker exited with code 3 and left no result");
  expect_cause(end_of("exit 0"), Kind::kCrash, "code 0 and left no result");
}

TEST_F(LocalTest, KilledFromOutsideIsACrash) {
  set_worker("echo $$ > pid; sleep 600");
  start(1);
  kill(number_in("pid"), SIGKILL);
  expect_cause(ends()[1], Kind::kCrash, "signal 9");
}

TEST_F(LocalTest, AnInvalidResultIsACrash) {
  for (const char* script : {R"(printf '{"status": "done", "cau' > "$2")", R"(echo done > "$2")",
                             R"(echo '[1]' > "$2")", R"(echo '{"status": "done"}' > "$2")"})
    expect_cause(end_of(script), Kind::kCrash, "left an invalid result");
  // The result of an earlier run does not count.
  std::ofstream(folder / "1.result") << R"({"status": "done", "cause": ""})";
  expect_cause(end_of("true"), Kind::kCrash, "left no result");
}

TEST_F(LocalTest, ProgressIsReadAndOtherOutputIsIgnored) {
  const std::string line = record::to_line(progress_of("training"));
  std::ofstream(folder / "line") << line;
  const JobEnd end = end_of(std::string(R"(echo garbage; echo '{"stage": 1}'; head -c 3000000 /dev/zero; echo
    cat line; printf '\377\376\n'; head -c 20 line; sleep 0.1; tail -c +21 line; printf 'no end'
)") + kDone);
  EXPECT_EQ(end.kind, Kind::kResult) << end.cause;
  ASSERT_EQ(updates.size(), 2U);
  for (const Update& u : updates) {
    EXPECT_EQ(u.id, 1);
    EXPECT_EQ(record::to_line(u.progress), line);
  }
}

TEST_F(LocalTest, StopAsksAndAnObedientWorkerLeavesItsResult) {
  set_worker(R"(trap 'echo "{\"status\": \"stopped\", \"cause\": \"\"}" > "$2"; exit 0' TERM
    echo $$ > "$1.pid"; while true; do sleep 0.01; done)",
             2);
  start(1), start(2);
  number_in("1.spec.pid"), number_in("2.spec.pid");
  executor->stop();
  for (const auto& [id, end] : ends()) {
    EXPECT_EQ(end.kind, Kind::kResult) << end.cause;
    EXPECT_NE(end.result.find("stopped"), std::string::npos);
  }
}

TEST_F(LocalTest, AWorkerThatIgnoresTheRequestToStopCanBeKilled) {
  set_worker("trap '' TERM; echo $$ > pid; while true; do sleep 0.01; done");
  start(1);
  number_in("pid");
  executor->stop();
  EXPECT_TRUE(executor->wait(0.3).ended.empty());
  EXPECT_EQ(executor->running(), 1);
  executor->kill();
  expect_cause(ends()[1], Kind::kStopped, "signal 9");
}

// A worker that is still loading ends by the signal.
TEST_F(LocalTest, AWorkerThatEndsBySigtermWithoutAResultWasStopped) {
  set_worker("echo $$ > pid; sleep 600");
  start(1);
  number_in("pid");
  executor->stop();
  expect_cause(ends()[1], Kind::kStopped, "signal 15");
}

// Descendants in the group, in their own session (which the filter of system calls refuses), and with a
// parent that is gone and their own environment variables.
constexpr const char* kGrandchildren = R"(sleep 600 & echo $! > in_group
  session='echo $$ > in_session; exec sleep 600'
  orphan='echo $$ > orphan; exec sleep 600'
  (setsid sh -c "$session" || exec sh -c "$session") &
  (env -i setsid sh -c "$orphan" || exec env -i sh -c "$orphan" &)
  while [ ! -s in_session -o ! -s orphan ]; do sleep 0.01; done
)";

TEST_F(LocalTest, DescendantsAreKilledWithTheirWorker) {
  for (const std::string last : {"sleep 600", kDone, "kill -9 $$"}) {
    for (const char* file : {"in_group", "in_session", "orphan"}) fs::remove(folder / file);
    const JobEnd end = end_of(kGrandchildren + last, {.seconds = last == "sleep 600" ? 1.0 : 0.0});
    EXPECT_EQ(end.kind, last == kDone         ? Kind::kResult
                        : last == "sleep 600" ? Kind::kTimeLimit
                                              : Kind::kCrash)
        << end.cause;
    for (const char* file : {"in_group", "in_session", "orphan"}) {
      const pid_t id = number_in(file);
      EXPECT_TRUE(eventually([&] { return !alive(id); })) << file << " after " << last;
    }
  }
}

// Kills look for a worker's mark in the environment of all processes of its user, which they may overwrite.
TEST_F(LocalTest, AnEnvironmentWithoutEndIsRead) {
  const pid_t other = fork();
  if (other == 0) {
    char** last = environ;
    while (last[0] != nullptr && last[1] != nullptr) ++last;
    if (*last) (*last)[std::strlen(*last)] = 'x';
    for (;;) pause();
  }
  const JobEnd end = end_of(kDone);
  EXPECT_EQ(end.kind, Kind::kResult) << end.cause;
  kill(other, SIGKILL);
  waitpid(other, nullptr, 0);
}

// ---- Malicious workers ----

TEST_F(LocalTest, AForkBombIsKilledWhole) {
  const JobEnd end = end_of("bomb() { while true; do (bomb) & sleep 0.2; done; }; bomb", {.seconds = 60});
  expect_cause(end, Kind::kLimit, "processes, more than the limit of 64");
  EXPECT_LT(end.seconds, 30);
}

TEST_F(LocalTest, ManySmallOrphansAreCounted) {
  const JobEnd end = end_of("for i in $(seq 200); do (sleep 600 &); done; sleep 600", {.seconds = 60});
  expect_cause(end, Kind::kLimit, "processes, more than the limit of 64");
}

TEST_F(LocalTest, OpenFilesOfTheParentAreNotInherited) {
  int pair[2];
  // The socket has no CLOEXEC flag, like one that the starter of a campaign may have left open.
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  set_worker("ls -l /proc/self/fd > seen; " + std::string(kDone));
  start(1);
  EXPECT_EQ(ends()[1].kind, JobEnd::Kind::kResult);
  std::ifstream file(folder / "seen");
  const std::string seen{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(seen.find("0 -> "), std::string::npos);
  EXPECT_EQ(seen.find("socket:"), std::string::npos) << seen;
  for (const int end : pair) close(end);
}

TEST_F(LocalTest, EndlessFoldersAreStopped) {
  WorkerLimits limits{.seconds = 60};
  limits.folder_bytes = 1 << 30;
  const JobEnd end = end_of("while mkdir deeper && cd deeper; do :; done; sleep 600", limits);
  expect_cause(end, Kind::kLimit, "to its folder");
}

TEST_F(LocalTest, EndlessWritingIsStopped) {
  // Limits of bytes.
  const auto limits_of = [](std::uint64_t log, std::uint64_t result, std::uint64_t folder_size) {
    return WorkerLimits{.seconds = 60, .log_bytes = log, .result_bytes = result, .folder_bytes = folder_size};
  };
  expect_cause(end_of("cat /dev/zero >&2", limits_of(1 << 20, 1 << 30, 1 << 30)), Kind::kLimit, "to its log");
  fs::remove(folder / "1.log");
  expect_cause(end_of(R"(cat /dev/zero > "$2")", limits_of(1 << 30, 1 << 20, 1 << 30)), Kind::kLimit,
               "of result");
  // With a log that already takes a block of the disk, the message about the full file takes no further one.
  std::ofstream(folder / "1.log") << "written by an earlier job";
  expect_cause(end_of("cat /dev/zero > large; sleep 600", limits_of(1 << 30, 1 << 20, 4 << 20)), Kind::kLimit,
               "to its folder");
  EXPECT_LE(fs::file_size(folder / "large"), 4U << 20) << "the kernel limits a single file";
  fs::remove(folder / "large");
  // A result that is too large is not read, whether it is seen before or after the worker has ended.
  const JobEnd end =
      end_of(R"(head -c 2000000 /dev/zero > "$2"; exit 0)", limits_of(1 << 30, 1 << 20, 1 << 30));
  EXPECT_TRUE(end.kind == Kind::kLimit || end.kind == Kind::kCrash) << end.cause;
  EXPECT_TRUE(contains(end.cause, "of result") || contains(end.cause, "larger than 1048576 bytes"))
      << end.cause;
  EXPECT_EQ(end.result, "");
}

TEST_F(LocalTest, AResultThatIsNotARegularFileIsNotRead) {
  std::ofstream(folder / "secret") << R"({"status": "done", "cause": "secret"})";
  set_worker(R"(ln -s secret "$2")");
  sandbox::Machine none;  // Without borders, nothing prevents the link.
  executor = std::move(*local_executor({.slots = 1, .worker = folder / "worker", .machine = none}));
  start(1);
  expect_cause(ends()[1], Kind::kCrash, "it is a symbolic link");
  const std::pair<const char*, const char*> kinds[] = {{R"(mkfifo "$2")", "it is not a regular file"},
                                                       {R"(mkdir -p "$2/full/of/things")", "it is a folder"}};
  for (const auto& [script, says] : kinds) {
    set_worker(script);
    executor = std::move(*local_executor({.slots = 1, .worker = folder / "worker", .machine = none}));
    start(1);
    expect_cause(ends()[1], Kind::kCrash, says);
  }
  start(1);  // A folder that is left there does not stop the next run.
  ends();
  const std::string nested(1 << 20, '[');
  std::ofstream(folder / "nested") << "{\"status\": \"done\", \"cause\": " << nested;
  expect_cause(end_of(R"(cat nested > "$2")"), Kind::kCrash, "nested more than 64 levels deep");
}

TEST_F(LocalTest, TheLogIsNotWrittenThroughALink) {
  std::ofstream(folder / "precious") << "precious";
  set_worker("echo overwritten >&2");
  fs::create_symlink(folder / "precious", folder / "1.log");
  EXPECT_FALSE(executor->start(job(1)));
  EXPECT_EQ(fs::file_size(folder / "precious"), 8U);
}

TEST_F(LocalTest, AFloodOfProgressTakesNoTimeOfOthers) {
  const JobEnd end = end_of("yes '{\"stage\": \"x\"}'", {.seconds = 1});
  expect_cause(end, Kind::kTimeLimit, "more than the limit of 1.0 s");
  EXPECT_LT(end.seconds, 10);
  EXPECT_TRUE(updates.empty());
  const std::string line = record::to_line(progress_of("\x1b]0;title\a"));
  std::ofstream(folder / "line") << line;
  EXPECT_EQ(end_of("cat line; " + std::string(kDone)).kind, Kind::kResult);
  EXPECT_TRUE(updates.empty()) << "a stage that would command the terminal";
}

TEST_F(LocalTest, AWorkerThatIgnoresTheRequestToStopIsKilledInTheEnd) {
  set_worker("trap '' TERM; echo $$ > pid; while true; do sleep 0.01; done");
  executor = std::move(*local_executor({.slots = 1, .worker = folder / "worker", .stop_seconds = 0.3}));
  start(1);
  number_in("pid");
  executor->stop();
  expect_cause(ends()[1], Kind::kStopped, "signal 9");
}

TEST_F(LocalTest, TheParentCannotBeSignalled) {
  if (!sandbox::machine().filter) GTEST_SKIP() << sandbox::machine().missing();
  // The signal is harmless if it arrives.
  const JobEnd end =
      end_of("for who in $PPID -$PPID -1; do kill -CONT $who && touch reached; done; " + std::string(kDone));
  EXPECT_EQ(end.kind, Kind::kResult) << end.cause;
  EXPECT_FALSE(fs::exists(folder / "reached"));
}

TEST_F(LocalTest, FilesOfOthersAreOutOfReach) {
  if (sandbox::machine().landlock == 0) GTEST_SKIP() << sandbox::machine().missing();
  const fs::path other = folder.string() + "_other";
  fs::create_directories(other);
  std::ofstream(other / "secret") << "secret";
  const std::string script = fmt::format(
      "cat '{0}/secret' > seen; echo x > '{0}/made'; rm '{0}/secret'; cat /etc/shadow >> seen; echo x > "
      "/tmp/x$$; {1}",
      other.string(), kDone);
  EXPECT_EQ(end_of(script).kind, Kind::kResult);
  EXPECT_EQ(fs::file_size(folder / "seen"), 0U);
  EXPECT_TRUE(fs::exists(other / "secret"));
  EXPECT_FALSE(fs::exists(other / "made"));
  // A job can read the files in its `reads`.
  set_worker(fmt::format("cat '{}/secret' > seen; {}", other.string(), kDone));
  Job reader = job(1);
  reader.reads = {other};
  ASSERT_TRUE(executor->start(reader));
  EXPECT_EQ(ends()[1].kind, Kind::kResult);
  EXPECT_EQ(fs::file_size(folder / "seen"), 6U);
  fs::remove_all(other);
}

TEST_F(LocalTest, OneJobsEndLeavesTheOthersAlone) {
  set_worker(R"(case "$1" in *1.spec) exit 3;; esac; echo $$ > pid; sleep 600)", 2);
  start(2);
  const pid_t other = number_in("pid");
  start(1);
  std::vector<JobEnd> ended;
  while (ended.empty()) ended = executor->wait(60).ended;
  EXPECT_EQ(ended[0].id, 1);
  EXPECT_TRUE(alive(other));
  executor.reset();  // The destructor kills what is left.
  EXPECT_FALSE(alive(other));
}

TEST_F(LocalTest, AWorkerIsToldToStopWhenItsExecutorDies) {
  set_worker("trap 'echo told > told; exit 0' TERM; echo $$ > pid; while true; do sleep 0.01; done");
  const pid_t child = fork();
  if (child == 0) {
    (void)executor->start(job(1));
    pause();
    _exit(0);
  }
  const pid_t worker = number_in("pid");
  kill(child, SIGKILL);
  EXPECT_TRUE(eventually([&] { return fs::exists(folder / "told") && !alive(worker); }));
}

TEST_F(LocalTest, FailuresToStartAreExplained) {
  const auto none = local_executor({.slots = 1, .worker = folder / "none"});
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, "jobs");
  EXPECT_NE(none.error().message.find("not found"), std::string::npos);
  EXPECT_EQ(local_executor({.slots = 0, .worker = "/bin/sh"}).error().message,
            "0 slots, but at least one is needed");

  set_worker("true");
  fs::remove(folder / "worker");
  EXPECT_NE(executor->start(job(1)).error().message.find("No such file"), std::string::npos);
  set_worker("true");
  Job nowhere = job(1);
  nowhere.log_file = folder / "none/log";
  EXPECT_NE(executor->start(nowhere).error().message.find("No such file"), std::string::npos);
  EXPECT_EQ(executor->running(), 0);
}

}  // namespace
}  // namespace gabbro::jobs
