// The worker as its caller meets it: a spec in, a result out, whatever happens in between.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "data/build.h"
#include "record/trial.h"

namespace gabbro {
namespace {

namespace fs = std::filesystem;

class Worker : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root = fs::path(::testing::TempDir()) / ("gabbro_worker" + std::to_string(getpid()));
    fs::create_directories(root);
    std::ofstream text(root / "a.txt");
    for (int i = 0; i < 800; ++i)
      text << "the stone of number " << i * 7919 % 1000
           << " lies by the river under the bridge\n<|endoftext|>\n";
    text.close();
    data::BuildOptions options;
    options.out = root / "corpus";
    options.sources = {root / "a.txt"};
    options.vocab = 320;
    options.valid_share = 0.1;
    ASSERT_TRUE(data::build_corpus(options, {}).has_value());
  }
  static void TearDownTestSuite() { fs::remove_all(root); }

  static record::TrialSpec spec(const std::string& name) {
    record::TrialSpec s;
    s.program = "design Tiny:\n    width = 32\n    stack = [Block, RMSNorm]\n";
    s.corpus = root / "corpus";
    s.folder = root / name;
    s.tokens = 120 * 8 * 32;
    s.sequences = 8;
    s.length = 32;
    s.rate = 1e-3;  // at fan-in 256; eight times as much at 32
    s.threads = 1;
    return s;
  }

  static record::TrialResult run(const record::TrialSpec& s) { return run_text(record::to_json(s)); }
  static record::TrialResult run_text(const std::string& text) {
    std::ofstream(root / "spec.json") << text;
    fs::remove(root / "result.json");
    const std::string worker = fs::path(GABBRO_BINARY).parent_path() / "gabbro-worker";
    const int code = std::system((worker + " " + (root / "spec.json").string() + " " +
                                  (root / "result.json").string() + " > /dev/null")
                                     .c_str());
    EXPECT_EQ(code, 0);
    std::ifstream file(root / "result.json");
    const auto result = record::parse_result({std::istreambuf_iterator<char>(file), {}});
    EXPECT_TRUE(result.has_value()) << result.error().message;
    return result ? *result : record::TrialResult{};
  }

  static fs::path root;
};
fs::path Worker::root;

TEST_F(Worker, TrainsScoresAndHoldsTheAnchors) {
  const record::TrialResult r = run(spec("good"));
  EXPECT_EQ(r.status, "done") << r.cause;
  EXPECT_EQ(r.anchors.size(), 9U);
  for (const record::Anchor& a : r.anchors) EXPECT_TRUE(a.holds) << a.name << ": " << a.detail;
  EXPECT_LT(r.bits_per_byte, r.bigram_bits_per_byte);
  EXPECT_EQ(r.tokens, 120 * 8 * 32);
  EXPECT_TRUE(fs::exists(root / "good/weights.safetensors"));
  EXPECT_TRUE(fs::exists(root / "good/curve.jsonl"));
  // The same spec again, in a new folder, gives the same weights.
  EXPECT_EQ(run(spec("again")).weights_hash, r.weights_hash);
}

TEST_F(Worker, RefusesWhatDoesNotBeatBigrams) {
  record::TrialSpec s = spec("untrained");
  s.tokens = 8 * 32;
  s.rate = 1e-9;
  const record::TrialResult r = run(s);
  EXPECT_EQ(r.status, "refused");
  EXPECT_NE(r.cause.find("better than bigrams"), std::string::npos) << r.cause;
}

TEST_F(Worker, SaysWhyThereIsNoResult) {
  record::TrialSpec s = spec("bad");
  s.program = "design Tiny:\n    stack = [Blok, RMSNorm]\n";
  EXPECT_EQ(run(s).status, "failed");
  EXPECT_NE(run(s).cause.find("Blok"), std::string::npos);
  s = spec("bad");
  s.corpus = root / "nowhere";
  EXPECT_NE(run(s).cause.find("no corpus"), std::string::npos);
  s = spec("bad");
  s.device = "warp";
  EXPECT_EQ(run(s).status, "failed");
  EXPECT_NE(run(s).cause.find("there is no kind of device 'warp'\n  hint: cpu, cuda or cuda:1"),
            std::string::npos)
      << run(s).cause;
  s.device = "cuda:99";
  EXPECT_NE(run(s).cause.find("cuda:99 is not here: libtorch finds"), std::string::npos) << run(s).cause;
  s = spec("bad");
  s.params = 10;
  EXPECT_NE(run(s).cause.find(s.folder + "/design.gab:3:13: error[budget]"), std::string::npos)
      << run(s).cause;
  EXPECT_NE(run_text("{\"version\": 99}").cause.find("version 99"), std::string::npos);
  EXPECT_NE(run_text("nonsense").cause.find("JSON"), std::string::npos);
}

TEST_F(Worker, KnowsItsJobs) {
  EXPECT_NE(
      run_text("{\"version\": 1, \"job\": \"dance\"}").cause.find("there is no job dance; there are: train"),
      std::string::npos);
  // The first specs named no job: they ask for training.
  std::string text = record::to_json(spec("bad"));
  const std::string job = "  \"job\": \"train\",\n";
  ASSERT_NE(text.find(job), std::string::npos);
  text.erase(text.find(job), job.size());
  EXPECT_TRUE(record::parse_spec(text).has_value());
  EXPECT_EQ(record::parse_spec("{\"version\": 1, \"job\": \"eval\"}").error().message,
            "a spec of job eval instead of train");
}

TEST_F(Worker, SpecsAndResultsSurviveJson) {
  record::TrialSpec s = spec("json");
  s.program += "# é \"quoted\"\n";
  const auto back = record::parse_spec(record::to_json(s));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(record::to_json(*back), record::to_json(s));
  record::TrialResult r;
  r.bits_error = std::numeric_limits<double>::infinity();
  r.anchors.push_back({"a", true, "b"});
  r.curve.push_back({1, 2, 0.5, 3, 1e-3});
  const auto again = record::parse_result(record::to_json(r));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(record::to_json(*again), record::to_json(r));
  EXPECT_EQ(record::parse_spec("{\"version\": 1}").error().code, "spec");
}

}  // namespace
}  // namespace gabbro
