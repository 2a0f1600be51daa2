// Tests of the worker as seen from `gabbro`: limits, signals and crashes are reported, and no process is left
// running.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

#include "base/files.h"
#include "data/made_corpus.h"
#include "paths.h"
#include "record/trial.h"
#include "worker/tiny.h"

extern char** environ;

namespace gabbro {
namespace {

namespace fs = std::filesystem;

// Returns the child processes of `parent`, without zombies.
std::vector<pid_t> children(pid_t parent) {
  std::vector<pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    char state = 0;
    int ppid = 0;
    if (std::sscanf(line.c_str() + line.rfind(')') + 1, " %c %d", &state, &ppid) == 2 && ppid == parent &&
        state != 'Z')
      out.push_back(std::stoi(entry.path().filename()));
  }
  return out;
}

// Returns false for a zombie.
bool alive(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  return std::getline(file, line) && line.substr(line.rfind(')') + 2, 1) != "Z";
}

// Returns true if `holds` returns true within 20 seconds.
bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 400; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

class WorkerProcess : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root = fs::path(::testing::TempDir()) / ("gabbro_process" + std::to_string(getpid()));
    testing::make_corpus(root, testing::stone_text());
    std::ofstream(root / "tiny.gab") << testing::kTiny;
  }
  static void TearDownTestSuite() { fs::remove_all(root); }

  // Starts `gabbro train` on more tokens than a test has time for. It logs to NAME.log, and works in the
  // folder `run`; "": in the folder `name`.
  static pid_t start(const std::string& name, std::vector<std::string> more_options = {},
                     const std::string& run = "") {
    std::vector<std::string> words{gabbro_path(),
                                   "train",
                                   root / "tiny.gab",
                                   "--data",
                                   root / "corpus",
                                   "--tokens",
                                   "500M",
                                   "--seq",
                                   "32",
                                   "--threads",
                                   "1",
                                   "--out",
                                   root / (run.empty() ? name : run)};
    words.insert(words.end(), more_options.begin(), more_options.end());
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const std::string log = root / (name + ".log");
    posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t id = 0;
    EXPECT_EQ(posix_spawn(&id, gabbro_path().c_str(), &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return id;
  }
  // Waits until the worker of `gabbro` trains, and returns its process id.
  static pid_t worker_of(pid_t gabbro, const std::string& name) {
    EXPECT_TRUE(eventually([&] { return log(name).find("loss") != std::string::npos; })) << log(name);
    const std::vector<pid_t> all = children(gabbro);
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? 0 : all[0];
  }
  // Waits for the process. Returns its exit status, or minus the number of the signal that ended it.
  static int code_of(pid_t id) {
    int status = 0;
    waitpid(id, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  static std::string log(const std::string& name) {
    std::ifstream file(root / (name + ".log"));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  static fs::path root;
};
fs::path WorkerProcess::root;

TEST_F(WorkerProcess, IsStoppedAtItsTimeLimitWithACheckpoint) {
  EXPECT_EQ(code_of(start("time", {"--time-limit", "1.5"})), 2);
  EXPECT_NE(log("time").find("more than the limit of 1.5 s and was stopped"), std::string::npos)
      << log("time");
  EXPECT_TRUE(fs::exists(root / "time/checkpoint.safetensors"));
}

TEST_F(WorkerProcess, IsKilledAtItsMemoryLimit) {
  EXPECT_EQ(code_of(start("memory", {"--memory-limit", "20MB"})), 2);
  EXPECT_NE(log("memory").find("more than the limit of 20.97MB and was killed"), std::string::npos)
      << log("memory");
}

TEST_F(WorkerProcess, ThatDiesIsReportedWithItsSignal) {
  const pid_t gabbro = start("crash");
  const pid_t worker = worker_of(gabbro, "crash");
  ASSERT_GT(worker, 0);
  kill(worker, SIGSEGV);
  EXPECT_EQ(code_of(gabbro), 2);
  EXPECT_NE(log("crash").find("was terminated by signal 11"), std::string::npos) << log("crash");
}

TEST_F(WorkerProcess, StopsWithACheckpointOnInterrupt) {
  const pid_t gabbro = start("interrupt");
  ASSERT_GT(worker_of(gabbro, "interrupt"), 0);
  kill(gabbro, SIGINT);
  EXPECT_EQ(code_of(gabbro), 1);
  EXPECT_NE(log("interrupt").find("stopped"), std::string::npos) << log("interrupt");
  EXPECT_TRUE(fs::exists(root / "interrupt/checkpoint.safetensors"));
}

TEST_F(WorkerProcess, DoesNotOverwriteAnotherRun) {
  const pid_t first = start("kept", {"--seed", "1"});
  ASSERT_GT(worker_of(first, "kept"), 0);
  EXPECT_EQ(code_of(start("second", {}, "kept")), 2);
  EXPECT_NE(log("second").find("another `gabbro train` is running in"), std::string::npos) << log("second");
  kill(first, SIGINT);
  EXPECT_EQ(code_of(first), 1);
  const std::string spec = read_file(root / "kept/spec.json").value(),
                    result = read_file(root / "kept/result.json").value();
  for (const auto& [other, says] :
       {std::pair<std::vector<std::string>, std::string>{{"--seed", "2"}, "--seed 2 instead of 1"},
        {{"--lr", "0.001"}, "--lr 0.001 instead of 0.003"},
        {{"--task", root / "nothing.jsonl"}, "not found"},
        {{"--device", "cuda"}, "the cpu engine does not run on the device 'cuda'"},
        {{"--device", "gpu"}, "unknown device 'gpu'"}}) {
    EXPECT_EQ(code_of(start("other", other, "kept")), 2);
    EXPECT_NE(log("other").find(says), std::string::npos) << log("other");
    EXPECT_EQ(read_file(root / "kept/spec.json").value(), spec);
    EXPECT_EQ(read_file(root / "kept/result.json").value(), result);
  }
}

TEST_F(WorkerProcess, EndsWithItsCaller) {
  const pid_t gabbro = start("orphan");
  const pid_t worker = worker_of(gabbro, "orphan");
  ASSERT_GT(worker, 0);
  kill(gabbro, SIGKILL);
  code_of(gabbro);
  EXPECT_TRUE(eventually([&] { return !alive(worker); }));
}

}  // namespace
}  // namespace gabbro
