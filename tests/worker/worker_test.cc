// Tests of the worker as its caller uses it: a spec goes in and a result comes out, whatever happens in
// between.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "data/made_corpus.h"
#include "evolve/screen.h"
#include "lang/parser.h"
#include "record/trial.h"
#include "worker/tiny.h"
#include "zoo/library.h"

namespace gabbro {
namespace {

namespace fs = std::filesystem;

class Worker : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root = fs::path(::testing::TempDir()) / ("gabbro_worker" + std::to_string(getpid()));
    testing::make_corpus(root, testing::stone_text());
  }
  static void TearDownTestSuite() { fs::remove_all(root); }

  static record::TrialSpec spec(const std::string& name) {
    record::TrialSpec s = testing::tiny_spec(root);
    s.folder = root / name;
    return s;
  }

  static record::TrialResult run(const record::TrialSpec& s) { return run_text(record::to_json(s)); }
  static record::TrialResult run_text(const std::string& text) { return testing::run_worker(root, text); }

  static fs::path root;
};
fs::path Worker::root;

TEST_F(Worker, TrainsScoresAndHoldsTheAnchors) {
  const record::TrialResult r = run(spec("good"));
  EXPECT_EQ(r.status, record::Status::kDone) << r.cause;
  EXPECT_EQ(r.anchors.size(), record::kAnchors.size());
  for (const record::Anchor& a : r.anchors) EXPECT_TRUE(a.holds) << a.name << ": " << a.detail;
  EXPECT_LT(r.bits_per_byte, r.bigram_bits_per_byte);
  EXPECT_EQ(r.tokens, 120 * 8 * 32);
  EXPECT_TRUE(fs::exists(root / "good/weights.safetensors"));
  EXPECT_TRUE(fs::exists(root / "good/curve.jsonl"));
  // The same spec again, in a new folder, gives the same weights.
  EXPECT_EQ(run(spec("again")).weights_hash, r.weights_hash);
}

// The search compares the costs of both.
TEST_F(Worker, ReportsTheCostsThatTheScreenComputed) {
  record::TrialSpec s = spec("costs");
  s.program =
      "unit U(x: [t, D]) -> [t, D]:\n    axis j = D\n"
      "    w = dot(param([D, j], init=normal(0.1)), param([D, j], init=normal(0.1)), over=j)\n"
      "    return shift(x, 1) * tanh(w)\n\ndesign Tiny:\n    stack = [Block(mixer=U), RMSNorm]\n";
  s.params = 40'000;
  s.tokens = s.sequences * s.length;
  const record::TrialResult r = run(s);
  evolve::SearchSettings settings;
  settings.vocab = 320;
  settings.rungs = {{.name = "40k", .params = s.params, .sequences = s.sequences, .length = s.length}};
  const auto created = evolve::measure(lang::parse(s.program).program, settings, zoo::library());
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_EQ(created->sized.front(), r.hash) << r.cause;
  EXPECT_EQ(created->train_flops, r.train_flops_per_token);
  EXPECT_EQ(created->decode_flops, r.decode_flops_per_token);
  EXPECT_EQ(created->state_bytes, r.state_bytes);
}

TEST_F(Worker, TrainsInEveryDtype) {
  for (const record::Dtype dtype : {record::Dtype::kBf16, record::Dtype::kFloat64}) {
    record::TrialSpec s = spec(std::string(word_of(dtype)));
    s.dtype = dtype;
    const record::TrialResult r = run(s);
    EXPECT_EQ(r.status, record::Status::kDone) << word_of(dtype) << ": " << r.cause;
    EXPECT_EQ(r.anchors.size(), record::kAnchors.size());
  }
}

TEST_F(Worker, ASeedOfTheInitialisationChangesTheWeightsAndNotTheText) {
  record::TrialSpec s = spec("start1");
  const record::TrialResult seeded = run(s);
  s.folder = root / "start2";
  s.start = 2;
  const record::TrialResult started = run(s);
  EXPECT_EQ(started.status, record::Status::kDone) << started.cause;
  EXPECT_EQ(started.text_hash, seeded.text_hash);
  EXPECT_NE(started.weights_hash, seeded.weights_hash);
  EXPECT_NE(started.first_loss, seeded.first_loss);
  s.start = 3;  // in the folder of the other run
  EXPECT_NE(run(s).cause.find("belongs to another run"), std::string::npos);
  s.folder = root / "start3";
  s.start = s.seed;
  EXPECT_EQ(run(s).weights_hash, seeded.weights_hash);
}

TEST_F(Worker, DocumentsAddUpToTheScore) {
  // The documents of stone_text are near copies, of which one is held out.
  const fs::path folder = root / "words";
  Random random(4);
  std::string text;
  for (int document = 0; document < 400; ++document) {
    for (int i = 0; i < 120; ++i) text += i % 6 == 5 ? ' ' : static_cast<char>('a' + random.below(12));
    text += "\n<|endoftext|>\n";
  }
  testing::make_corpus(folder, text, 280);
  record::TrialSpec s = testing::tiny_spec(folder);
  s.folder = root / "documents";
  const record::TrialResult r = run(s);
  ASSERT_EQ(r.documents.size(), r.valid_documents);
  ASSERT_GT(r.documents.size(), 10U);
  double bits = 0;
  std::uint64_t bytes = 0;
  for (const record::DocumentScore& d : r.documents) {
    bits += d.bits_per_byte * static_cast<double>(d.bytes);
    bytes += d.bytes;
  }
  EXPECT_EQ(bytes, r.valid_bytes);
  EXPECT_NEAR(bits / static_cast<double>(bytes), r.bits_per_byte, 1e-12);
  EXPECT_NE(r.documents[0].bits_per_byte, r.documents[1].bits_per_byte);
}

TEST_F(Worker, HurdlesEndARunWithItsCurveAndNoScore) {
  const record::TrialResult whole = run(spec("whole"));
  ASSERT_EQ(whole.curve.size(), 120U);
  EXPECT_EQ(whole.curve[4].recent, whole.curve[4].loss);
  EXPECT_NEAR(whole.curve[19].recent, (whole.curve[18].loss + whole.curve[19].loss) / 2, 1e-12);
  record::TrialSpec s = spec("hurdle");
  s.hurdles = {{.tokens = whole.curve[39].tokens, .loss = whole.curve[39].recent},
               {.tokens = whole.curve[59].tokens, .loss = 0.999 * whole.curve[59].recent}};
  const record::TrialResult r = run(s);
  EXPECT_EQ(r.status, record::Status::kHurdle) << r.cause;
  EXPECT_NE(r.cause.find("of 60 steps is "), std::string::npos) << r.cause;
  EXPECT_EQ(r.tokens, whole.curve[59].tokens);
  ASSERT_EQ(r.curve.size(), 60U);
  EXPECT_EQ(r.curve[59].recent, whole.curve[59].recent);
  EXPECT_GT(r.tokens_per_second, 0);
  EXPECT_TRUE(r.documents.empty());
  EXPECT_EQ(r.bits_per_byte, 0);
  EXPECT_FALSE(fs::exists(root / "hurdle/weights.safetensors"));
}

TEST_F(Worker, RefusesWhatDoesNotBeatBigrams) {
  record::TrialSpec s = spec("untrained");
  s.tokens = 8 * 32;
  s.rate = 1e-9;
  const record::TrialResult r = run(s);
  EXPECT_EQ(r.status, record::Status::kRefused);
  EXPECT_NE(r.cause.find("better than bigrams"), std::string::npos) << r.cause;
}

TEST_F(Worker, SaysWhyThereIsNoResult) {
  record::TrialSpec s = spec("bad");
  s.program = "design Tiny:\n    stack = [Blok, RMSNorm]\n";
  EXPECT_EQ(run(s).status, record::Status::kFailed);
  EXPECT_NE(run(s).cause.find("Blok"), std::string::npos);
  s = spec("bad");
  s.corpus = root / "nowhere";
  EXPECT_NE(run(s).cause.find("no corpus"), std::string::npos);
  s = spec("bad");
  s.device = "cuda";
  EXPECT_EQ(run(s).status, record::Status::kFailed);
  EXPECT_NE(run(s).cause.find("the cpu engine does not run on the device 'cuda'\n  hint: choose the pytorch "
                              "engine for it (--engine pytorch)"),
            std::string::npos)
      << run(s).cause;
  s = spec("bad");
  s.params = 10;
  EXPECT_NE(run(s).cause.find(s.folder + "/design.gab:3:13: error[budget]"), std::string::npos)
      << run(s).cause;
  EXPECT_NE(run_text("{\"version\": 99}").cause.find("version 99"), std::string::npos);
  EXPECT_NE(run_text("nonsense").cause.find("JSON"), std::string::npos);
}

TEST_F(Worker, KnowsItsJobs) {
  EXPECT_NE(
      run_text("{\"version\": 1, \"job\": \"dance\"}").cause.find("unknown job 'dance'; known jobs: train"),
      std::string::npos);
  // Early specs named no job; they ask for training.
  std::string text = record::to_json(spec("bad"));
  const std::string job = "  \"job\": \"train\",\n";
  ASSERT_NE(text.find(job), std::string::npos);
  text.erase(text.find(job), job.size());
  EXPECT_TRUE(record::parse_spec(text).has_value());
  EXPECT_EQ(record::parse_spec("{\"version\": 1, \"job\": \"eval\"}").error().message,
            "spec of job eval instead of train");
}

TEST_F(Worker, SpecsAndResultsSurviveJson) {
  record::TrialSpec s = spec("json");
  s.program += "# é \"quoted\"\n";
  s.hurdles = {{.tokens = 1000, .loss = 4.5}};
  s.start = 7;
  const auto back = record::parse_spec(record::to_json(s));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(record::to_json(*back), record::to_json(s));
  record::TrialResult r;
  r.bits_error = std::numeric_limits<double>::infinity();
  r.anchors.push_back({.name = "a", .holds = true, .detail = "b"});
  r.curve.push_back({.step = 1, .tokens = 2, .loss = 0.5, .gradient_norm = 3, .rate = 1e-3, .recent = 0.6});
  r.documents.push_back({.bits_per_byte = 1.5, .bytes = 10});
  const auto again = record::parse_result(record::to_json(r));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(record::to_json(*again), record::to_json(r));
  EXPECT_EQ(record::parse_spec("{\"version\": 1}").error().code, "spec");
  // Records from before these fields existed keep their meaning.
  std::string old = record::to_json(spec("old"));
  for (const std::string field : {",\n  \"start\": 0", ",\n  \"hurdles\": []"}) {
    ASSERT_NE(old.find(field), std::string::npos) << old;
    old.erase(old.find(field), field.size());
  }
  ASSERT_TRUE(record::parse_spec(old).has_value());
  EXPECT_EQ(record::to_json(*record::parse_spec(old)), record::to_json(spec("old")));
}

}  // namespace
}  // namespace gabbro
