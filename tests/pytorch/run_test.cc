// Runs with the engine pytorch through the real programs: the same text, the anchors, stops, damage.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "base/files.h"
#include "cli/run.h"
#include "data/made_corpus.h"
#include "pytorch/setup.h"
#include "record/eval.h"
#include "record/trial.h"
#include "sandbox/sandbox.h"
#include "worker/tiny.h"

namespace gabbro::testing {
namespace {

namespace fs = std::filesystem;

class PyTorchRun : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root = fs::path(::testing::TempDir()) / ("gabbro_pytorch" + std::to_string(getpid()));
    make_corpus(root, stone_text());
    std::ofstream(root / "tiny.gab") << kTiny;
  }
  static void TearDownTestSuite() { fs::remove_all(root); }
  void SetUp() override {
    if (!use_python()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  }

  static record::TrialSpec spec(const std::string& name) {
    record::TrialSpec s = tiny_spec(root);
    s.folder = root / name;
    s.engine = record::Engine::kPyTorch;
    return s;
  }
  static fs::path file(const char* name) { return root / name; }

  static record::TrialResult result() { return result_in(root); }
  static record::TrialResult run(const record::TrialSpec& s) { return run_worker(root, record::to_json(s)); }
  // Starts the worker. Once there is a checkpoint, sends the signal `number` to it and its processes, or only
  // to its Python process, and waits for the end of the worker.
  static void interrupt(const record::TrialSpec& s, int number, bool only_python = false) {
    std::ofstream(root / "spec.json") << record::to_json(s);
    fs::remove(root / "result.json");
    const pid_t id = fork();
    if (id == 0) {
      setpgid(0, 0);
      const int log = open((root / "log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      dup2(log, 1);
      dup2(log, 2);
      execl(worker_path().c_str(), "gabbro-worker", (root / "spec.json").c_str(),
            (root / "result.json").c_str(), nullptr);
      _exit(127);
    }
    const std::string checkpoint = s.folder + "/checkpoint.safetensors";
    int status = 0;
    for (int i = 0; i < 6000 && !fs::exists(checkpoint) && waitpid(id, &status, WNOHANG) == 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ASSERT_TRUE(fs::exists(checkpoint)) << read_file(root / "log").value_or("");
    pid_t python = 0;
    std::ifstream(fmt::format("/proc/{0}/task/{0}/children", id)) >> python;
    if (only_python) {
      ASSERT_GT(python, 1);
    }
    kill(only_python ? python : -id, number);
    waitpid(id, &status, 0);
    kill(-id, SIGKILL);  // Python may outlive a killed worker by the step that it computes.
  }

  static fs::path root;
};
fs::path PyTorchRun::root;

TEST_F(PyTorchRun, HoldsTheAnchorsAndScoresAsTheCpuEngine) {
  const record::TrialSpec s = spec("good");
  const record::TrialResult r = run(s);
  EXPECT_EQ(r.status, record::Status::kDone) << r.cause;
  EXPECT_EQ(r.anchors.size(), record::kAnchors.size());
  for (const record::Anchor& a : r.anchors) EXPECT_TRUE(a.holds) << a.name << ": " << a.detail;
  EXPECT_EQ(record::misfit(s, r), "");
  EXPECT_NE(r.engine.find("PyTorch"), std::string::npos) << r.engine;
  record::TrialSpec other = spec("cpu");
  other.engine = record::Engine::kCpu;
  const record::TrialResult cpu = run(other);
  EXPECT_EQ(cpu.status, record::Status::kDone) << cpu.cause;
  EXPECT_EQ(r.text_hash, cpu.text_hash);
  EXPECT_EQ(r.held_out_hash, cpu.held_out_hash);
  EXPECT_EQ(r.bigram_bits_per_byte, cpu.bigram_bits_per_byte);
  EXPECT_NEAR(r.bits_per_byte, cpu.bits_per_byte, 1e-3);
  ASSERT_EQ(r.curve.size(), cpu.curve.size());
  for (std::size_t i = 0; i < r.curve.size(); ++i)
    EXPECT_NEAR(r.curve[i].loss, cpu.curve[i].loss, 1e-3) << "at step " << i;
  // A result of another engine than the spec's is rejected.
  EXPECT_NE(record::misfit(other, r), "");
  EXPECT_NE(record::misfit(s, cpu), "");
}

TEST_F(PyTorchRun, ContinuesAfterSignalsToTheSameWeightsSlow) {
  record::TrialSpec s = spec("whole");
  s.checkpoint_seconds = 0;
  const record::TrialResult whole = run(s);
  ASSERT_EQ(whole.status, record::Status::kDone) << whole.cause;
  for (const int number : {SIGTERM, SIGKILL}) {
    s.folder = root / ("signal" + std::to_string(number));
    interrupt(s, number);
    if (number == SIGTERM) {
      EXPECT_EQ(result().status, record::Status::kStopped);
    }
    const record::TrialResult resumed = run(s);
    EXPECT_EQ(resumed.status, record::Status::kDone) << resumed.cause;
    EXPECT_EQ(resumed.weights_hash, whole.weights_hash);
    EXPECT_EQ(resumed.text_hash, whole.text_hash);
    EXPECT_EQ(resumed.bits_per_byte, whole.bits_per_byte);
  }
  // The end of the Python process is not blamed on the design.
  s.folder = root / "python";
  interrupt(s, SIGKILL, /*only_python=*/true);
  EXPECT_EQ(result().error, record::Cause::kWorker) << result().cause;
  EXPECT_EQ(run(s).weights_hash, whole.weights_hash);
  // The checkpoint of another engine, and one that was changed, are refused.
  s.engine = record::Engine::kCpu;
  EXPECT_NE(run(s).cause.find("belongs to another run"), std::string::npos);
  s.engine = record::Engine::kPyTorch;
  const std::string checkpoint = s.folder + "/checkpoint.safetensors";
  fs::resize_file(checkpoint, fs::file_size(checkpoint) - 1);
  EXPECT_NE(run(s).cause.find("truncated"), std::string::npos);
}

TEST_F(PyTorchRun, EndsAtAHurdleSlow) {
  record::TrialSpec s = spec("hurdle");
  constexpr std::int64_t kHurdleTokens = 40 * 8 * 32;  // 40 steps of tiny_spec
  s.hurdles = {{.tokens = kHurdleTokens, .loss = 0.1}};
  const record::TrialResult r = run(s);
  EXPECT_EQ(r.status, record::Status::kHurdle) << r.cause;
  EXPECT_EQ(r.tokens, kHurdleTokens);
  EXPECT_EQ(record::misfit(s, r), "");
}

TEST_F(PyTorchRun, TrainsInEveryDtypeAndByParts) {
  record::TrialSpec s = spec("bf16");
  s.dtype = record::Dtype::kBf16;
  s.rows = 3;
  s.gpus = 2;
  const record::TrialResult r = run(s);
  EXPECT_EQ(r.status, record::Status::kDone) << r.cause;
  EXPECT_NE(r.engine.find("2 processes"), std::string::npos) << r.engine;
}

TEST_F(PyTorchRun, SaysWhyThereIsNoResult) {
  record::TrialSpec s = spec("bad");
  s.device = "cuda:99";
  EXPECT_NE(run(s).cause.find("error[device]: cuda:99 is not available: PyTorch"), std::string::npos)
      << result().cause;
  s = spec("bad");
  s.program = "design Tiny:\n    stack = [Blok, RMSNorm]\n";
  EXPECT_NE(run(s).cause.find("Blok"), std::string::npos);
  setenv("GABBRO_PYTHON", "/nowhere/python", 1);
  EXPECT_NE(run(spec("bad")).cause.find("error[python]: cannot start /nowhere/python"), std::string::npos)
      << result().cause;
}

TEST_F(PyTorchRun, TrainsWithTwoProcessesInTheSandboxSlow) {
  if (!sandbox::machine().network) GTEST_SKIP() << "this machine has no network namespaces";
  const auto [code, text] =
      gabbro("train " + file("tiny.gab").string() + " --data " + file("corpus").string() +
             " --engine pytorch --gpus 2 --tokens 31k --seq 32 --batch 8 --lr 0.001 --threads 2 --out " +
             file("two").string());
  EXPECT_EQ(code, 0) << text;
  EXPECT_NE(text.find("2 processes"), std::string::npos) << text;
}

// The command line runs it in its sandbox, and either engine evaluates its weights.
TEST_F(PyTorchRun, FromTheCommandLine) {
  const std::string folder = root / "command";
  const auto [code, text] =
      gabbro("train " + (root / "tiny.gab").string() + " --data " + (root / "corpus").string() +
             " --engine pytorch --tokens 31k --seq 32 --batch 8 --lr 0.001 --threads 1 --out " + folder);
  EXPECT_EQ(code, 0) << text;
  EXPECT_NE(text.find("PyTorch"), std::string::npos) << text;
  const auto by_python = gabbro("eval " + folder + " --engine pytorch --threads 1 --json"),
             by_cpu = gabbro("eval " + folder + " --threads 1 --json");
  ASSERT_EQ(by_python.code, 0) << by_python.text;
  ASSERT_EQ(by_cpu.code, 0) << by_cpu.text;
  const auto json = [](const std::string& all) {
    return record::parse_eval_result(all.substr(all.find('{')));
  };
  const auto a = json(by_python.text), b = json(by_cpu.text);
  ASSERT_TRUE(a && b) << by_python.text << by_cpu.text;
  EXPECT_NEAR(a->bits_per_byte, b->bits_per_byte, 1e-4);
  EXPECT_EQ(a->weights_hash, b->weights_hash);
  EXPECT_NE(a->engine, "");
}

}  // namespace
}  // namespace gabbro::testing
