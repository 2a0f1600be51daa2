// A campaign on a real Slurm cluster of this machine (tools/slurm_local.sh), while the cluster does to it
// what clusters do. The tests are skipped where Slurm is not installed.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "base/clock.h"
#include "cli/run.h"
#include "paths.h"
#include "pytorch/setup.h"
#include "store/store.h"
#include "worker/real_campaign.h"

namespace gabbro {
namespace {

namespace fs = std::filesystem;

using testing::finish;

class SlurmCampaign : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root = fs::path(::testing::TempDir()) / ("gabbro_slurm_campaign" + std::to_string(getpid()));
    fs::create_directories(root);
    if (getuid() != 0 || run_command("command -v munged slurmctld slurmd").code != 0) {
      why_skipped = "needs Slurm (./dev setup --slurm) and root";
      return;
    }
    const Output cluster = script("start");
    ASSERT_EQ(cluster.code, 0) << cluster.text;
    setenv("SLURM_CONF", (root / "cluster/slurm.conf").c_str(), 1);
    testing::make_corpus(root, testing::noun_text());
    std::ofstream(root / "slurm.toml") << "[slurm]\npoll_seconds = 1\nstop_seconds = 20\n";
    write_preset("small.toml", "8k", 0.25);
    write_preset("longer.toml", "800k");
  }
  static void TearDownTestSuite() {
    if (why_skipped.empty()) script("stop");
    fs::remove_all(root);
  }
  void SetUp() override {
    if (!why_skipped.empty()) GTEST_SKIP() << why_skipped;
  }

  static Output script(const std::string& command) {
    return run_command(source_path("/tools/slurm_local.sh ") + command + " " + (root / "cluster").string() +
                       " 2>&1");
  }
  // A rung whose runs take about a second for each 100k tokens, and one above it.
  static void write_preset(const std::string& name, const std::string& tokens, double stopped = 0,
                           const std::string& engine = "") {
    std::ofstream(root / name) << fmt::format(R"(
blocks = 1
baselines = ["llama", "mamba2"]
hurdle_runs = 3
final_seeds = 3
tune_rates = false
search_share = 0.7
dtype = "float32"
[worker]
megabytes = 2048
[[rung]]
name = "low"
params = "40k"
tokens = "{}"
sequences = 4
length = 32
rate = 0.005
promote_fraction = 0.34
stop_fraction = {}
documents = 8
{}
[[rung]]
name = "high"
params = "60k"
tokens = "12k"
sequences = 4
length = 32
depth = 2
rate = 0.005
documents = 8
)",
                                              tokens, stopped, engine);
  }

  static pid_t start(const std::string& arguments) { return testing::start_gabbro(arguments, root / "log"); }
  static std::string evolve(const std::string& dir, int trials, const std::string& preset) {
    return testing::evolve_arguments(root, dir, trials, preset);
  }
  static std::string on_cluster(const std::string& settings = "slurm.toml") {
    return " --slurm " + (root / settings).string();
  }
  static std::string resume(const std::string& dir, int trials) {
    return fmt::format("resume {} --trials {} --workers 1", (root / dir).string(), trials);
  }
  static std::string log() {
    std::ifstream file(root / "log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // Returns designs, scores and hashes of weights and texts, without times.
  static std::string story(const std::string& dir) { return testing::story_of(root / dir); }
  static std::size_t runs_begun(const std::string& dir) {
    const auto store = store::Store::read((root / dir / "campaign.db").string());
    return store ? store->trials().size() : 0;
  }
  static std::string job_name(const std::string& dir) {
    std::ifstream file(root / dir / "slurm/campaign");
    std::string name;
    std::getline(file, name);
    return name;
  }
  // Returns the lines of squeue for the campaign's jobs, in these states.
  static std::vector<std::string> jobs(const std::string& dir, const std::string& states) {
    const Output out = run_command("squeue --noheader --array --format=%F_%K --states=" + states +
                                   " --name=" + job_name(dir) + " 2>&1");
    std::vector<std::string> lines;
    std::istringstream text(out.text);
    for (std::string line; text >> line;) lines.push_back(line);
    return lines;
  }
  static std::string history(const std::string& dir) {
    std::ifstream file(root / dir / "slurm/history");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static bool eventually(const std::function<bool()>& holds, double seconds = 120) {
    for (const double until = seconds_now() + seconds; seconds_now() < until; usleep(100'000))
      if (holds()) return true;
    return false;
  }
  // Waits until a run after the first `runs` has left a few lines of its learning curve, and returns its job.
  static std::string job_in_training(const std::string& dir, std::size_t runs) {
    std::string job;
    EXPECT_TRUE(eventually([&] {
      const std::size_t begun = runs_begun(dir);
      if (begun <= runs) return false;
      const auto running = jobs(dir, "RUNNING");
      const fs::path folder = root / dir / "slurm";
      bool trains = false;
      std::error_code error;
      for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
           entry.increment(error))
        trains = trains || entry->path().extension() == ".progress";
      if (running.size() != 1 || !trains) return false;
      job = running.front();
      return true;
    })) << log();
    return job;
  }

  static inline fs::path root;
  static inline std::string why_skipped;
};

TEST_F(SlurmCampaign, EndsWithTheDesignsAndScoresOfLocalWorkers) {
  constexpr int kTrials = 12;
  ASSERT_EQ(finish(start(evolve("local", kTrials, "small.toml"))), 0) << log();
  const double begun = seconds_now();
  ASSERT_EQ(finish(start(evolve("cluster", kTrials, "small.toml") + on_cluster())), 0) << log();
  RecordProperty("seconds", static_cast<int>(seconds_now() - begun));
  const std::string whole = story("local");
  EXPECT_NE(whole.find(" done "), std::string::npos) << whole;
  EXPECT_NE(whole.find(" hurdle "), std::string::npos) << "a hurdle ends runs: " << whole;
  EXPECT_EQ(story("cluster"), whole);
  EXPECT_EQ(jobs("cluster", "all").size(), static_cast<std::size_t>(kTrials)) << "one job a run";
  EXPECT_NE(gabbro("status " + (root / "cluster").string()).text.find("slurm: "), std::string::npos);
}

TEST_F(SlurmCampaign, LosesAndDoublesNothingWhateverTheClusterDoes) {
  constexpr int kTrials = 6;
  ASSERT_EQ(finish(start(evolve("undisturbed", kTrials, "longer.toml"))), 0) << log();

  const std::string dir = "disturbed";
  pid_t child = start(evolve(dir, kTrials, "longer.toml") + on_cluster());
  // The job is cancelled from outside.
  run_command("scancel " + job_in_training(dir, 0));
  // The search process is killed, and finds the job that runs on.
  const std::string kept = job_in_training(dir, 1);
  ::kill(child, SIGKILL);
  finish(child);
  EXPECT_EQ(jobs(dir, "RUNNING"), std::vector<std::string>{kept});
  child = start(resume(dir, kTrials));
  // The controller restarts.
  job_in_training(dir, 2);
  EXPECT_EQ(script("restart").code, 0);
  // A node is drained: its job ends, and the next one runs elsewhere. Then a node fails.
  job_in_training(dir, 3);
  run_command("scontrol update nodename=one state=drain reason=test");
  job_in_training(dir, 4);
  run_command("scontrol update nodename=two state=down reason=test");
  run_command("scontrol update nodename=one state=resume");
  EXPECT_EQ(finish(child), 0) << log();
  run_command("scontrol update nodename=two state=resume 2>&1");  // it may be back already

  EXPECT_EQ(story(dir), story("undisturbed")) << log();
  // The job that was cancelled and the one on the failed node ran again, and no other. This preset has no
  // hurdles: a run that continued and ends without a score is trained once more (campaign/fault.h).
  EXPECT_EQ(jobs(dir, "all").size(), static_cast<std::size_t>(kTrials) + 2) << history(dir) << story(dir);
  EXPECT_TRUE(jobs(dir, "PENDING,RUNNING").empty());
}

TEST_F(SlurmCampaign, PyTorchTrainsInSeveralProcessesOfAJobWithGpus) {
  if (!testing::use_python()) GTEST_SKIP() << "PyTorch is not installed";
  write_preset("modules.toml", "8k", 0, "engine = \"pytorch\"\ngpus = 2");
  // No machine of the tests has a GPU: the processes compute on the CPU, and the job asks for GPUs by an
  // option.
  std::ofstream(root / "gpus.toml") << "[slurm]\npoll_seconds = 1\noptions = [\"--gres=gpu:2\"]\n";
  ASSERT_EQ(finish(start(evolve("modules", 1, "modules.toml"))), 0) << log();
  ASSERT_EQ(finish(start(evolve("modules_on_cluster", 1, "modules.toml") + on_cluster("gpus.toml"))), 0)
      << log();
  const std::string whole = story("modules");
  EXPECT_NE(whole.find(" done "), std::string::npos) << whole;
  EXPECT_EQ(story("modules_on_cluster"), whole);
  const Output job = run_command("scontrol show job " + jobs("modules_on_cluster", "all").front() + " 2>&1");
  EXPECT_NE(job.text.find("gpu:2"), std::string::npos) << job.text;
}

TEST_F(SlurmCampaign, ARunLongerThanTheTimeLimitContinuesInOtherJobs) {
  write_preset("long.toml", "6M");
  std::ofstream(root / "minute.toml") << "[slurm]\npoll_seconds = 1\nstop_seconds = 20\ntime = \"1\"\n";
  ASSERT_EQ(finish(start(evolve("unlimited", 1, "long.toml"))), 0) << log();
  ASSERT_EQ(finish(start(evolve("limited", 1, "long.toml") + on_cluster("minute.toml"))), 0) << log();
  EXPECT_EQ(story("limited"), story("unlimited")) << log();
  EXPECT_GT(jobs("limited", "all").size(), 1U);
}

TEST_F(SlurmCampaign, CtrlCLeavesNoJobsAndACheckpoint) {
  const pid_t child = start(evolve("stopped", 3, "longer.toml") + on_cluster());
  job_in_training("stopped", 0);
  ::kill(child, SIGINT);
  EXPECT_EQ(finish(child), 1) << log();
  EXPECT_TRUE(eventually([] { return jobs("stopped", "PENDING,RUNNING,COMPLETING").empty(); }));
  EXPECT_TRUE(fs::exists(root / "stopped/trials/1/checkpoint.safetensors"));
  // Back on this machine, it goes on.
  EXPECT_EQ(finish(start(resume("stopped", 1) + " --executor local")), 0) << log();
}

}  // namespace
}  // namespace gabbro
