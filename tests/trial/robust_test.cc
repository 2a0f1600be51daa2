// Tests of training in adverse conditions: killed at any moment, with a damaged or foreign checkpoint, a full
// disk, or an impossible budget.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "base/random.h"
#include "data/build.h"
#include "lang/check.h"
#include "paths.h"
#include "train/batches.h"
#include "train/safetensors.h"
#include "train/trainer.h"
#include "trial/trial.h"
#include "zoo/library.h"

namespace gabbro {
namespace {

namespace fs = std::filesystem;

class Robust : public ::testing::Test {
 protected:
  static constexpr std::int64_t kEnd = 2;

  // Builds the corpus `root`/`name` from random sentences. If `documents` is 1, it has one long document for
  // training, and is scored on the text of "corpus".
  static void build(const std::string& name, int documents, int vocab, std::uint64_t seed) {
    Random random(seed);
    // A single long document has other words than the held-out ones, which would otherwise stand in it by
    // chance.
    const std::vector<std::string> nouns =
        documents == 1 ? std::vector<std::string>{"house", "mill", "field", "harbour", "wood", "well"}
                       : std::vector<std::string>{"stone", "river", "bridge", "tower", "garden", "road"};
    std::ofstream text(root / (name + ".txt"));
    for (int i = 0; i < documents; ++i)
      for (std::int64_t n = documents == 1 ? 2000 : 1 + random.below(6); n >= 0; --n)
        text << "the " << random.pick(nouns) << " lies by the " << random.pick(nouns)
             << (n == 0 ? "\n<|endoftext|>\n" : "\n");
    text.close();
    data::BuildOptions options;
    options.out = root / name;
    options.sources = {root / (name + ".txt")};
    options.vocab = vocab;
    options.valid_share = 0.1;
    if (documents == 1) options.valid_sources = {root / "corpus.txt"};
    const auto built = data::build_corpus(options, {});
    ASSERT_TRUE(built.has_value()) << built.error().message;
  }

  static void SetUpTestSuite() {
    root = fs::path(::testing::TempDir()) / ("gabbro_robust" + std::to_string(getpid()));
    fs::create_directories(root);
    build("corpus", 600, 320, 1);
    build("other", 600, 320, 2);
    build("wider", 600, 340, 1);
    build("single", 1, 320, 3);
  }
  static void TearDownTestSuite() { fs::remove_all(root); }

  static data::Split split(const std::string& corpus = "corpus") {
    return std::move(*data::Corpus::open(root / corpus)->split("train"));
  }
  static std::unique_ptr<exec::Model> model(const std::string& stack = "[Block, RMSNorm]", int vocab = 320) {
    const lang::CheckReport report =
        lang::check(fmt::format("design M:\n    width = 32\n    vocab = {}\n    stack = {}\n", vocab, stack),
                    zoo::library());
    EXPECT_TRUE(report.valid());
    return trial::torch_backend()(report.subjects.at(0).elaboration.graph, 1);
  }
  static train::TrainOptions options(std::int64_t steps) {
    train::TrainOptions o;
    o.sequences = 8;
    o.length = 32;
    o.tokens = steps * o.sequences * o.length;
    o.update.base_fan_in = 32;
    o.design = "M";
    return o;
  }
  static record::TrialSpec spec(const std::string& folder) {
    record::TrialSpec s;
    s.program = "design Tiny:\n    width = 32\n    stack = [Block(mixer=GLA(heads=2)), RMSNorm]\n";
    s.corpus = root / "corpus";
    s.folder = root / folder;
    s.tokens = 60 * 8 * 32;
    s.sequences = 8;
    s.length = 32;
    s.rate = 1e-3;
    s.threads = 1;
    s.checkpoint_seconds = 0;
    return s;
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  static fs::path root;
};
fs::path Robust::root;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Robust, ImpossibleBudgetsAreRefused) {
  for (const std::int64_t tokens : {0, -5}) {
    train::TrainOptions o = options(1);
    o.tokens = tokens;
    const auto result = train::train(*model(), split(), kEnd, o);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, "budget");
    EXPECT_TRUE(contains(result.error().message, std::to_string(tokens))) << result.error().message;
  }
  train::TrainOptions o = options(1);
  o.sequences = 0;
  EXPECT_EQ(train::train(*model(), split(), kEnd, o).error().code, "budget");
  o = options(1);
  o.length = 1'000'000;
  EXPECT_EQ(train::train(*model(), split(), kEnd, o).error().code, "budget");
  o = options(1);
  o.tokens = 10;  // less than a batch, so rounded up to one
  const auto one = train::train(*model(), split(), kEnd, o);
  ASSERT_TRUE(one.has_value());
  EXPECT_EQ(one->tokens, 8 * 32);
  record::TrialSpec s = spec("nothing");
  s.tokens = 0;
  const auto trial = trial::run(s);
  EXPECT_EQ(trial.status, record::Status::kFailed);
  EXPECT_TRUE(contains(trial.cause, "0 tokens")) << trial.cause;
}

TEST_F(Robust, MoreTokensThanTheCorpusHolds) {
  const data::Split text = split();
  const train::Batches batches(text, kEnd, 8, 32, 1);
  const std::int64_t passes = 3, windows = batches.windows();
  std::map<std::vector<std::int64_t>, int> seen, once;
  std::vector<std::int64_t> tokens(32);
  for (std::int64_t w = 0; w < windows; ++w) {
    text.read(static_cast<std::uint64_t>(w * 32), tokens);
    ++once[tokens];
  }
  const std::int64_t rows = passes * windows;
  for (std::int64_t row = 0; row < rows; ++row) {
    const exec::TokenBatch batch = batches.batch(row / 8);
    const auto from = batch.tokens.begin() + static_cast<std::ptrdiff_t>(row % 8 * 32);
    ++seen[{from, from + 32}];
  }
  for (const auto& [window, count] : once) ASSERT_EQ(seen[window], passes * count);
  EXPECT_EQ(seen.size(), once.size());
  const train::TrainOptions o = options(passes * windows / 8 + 1);
  const auto result = train::train(*model("[SwiGLU, RMSNorm]"), text, kEnd, o);
  ASSERT_TRUE(result.has_value());
  EXPECT_GT(result->tokens, static_cast<std::int64_t>(2 * text.tokens()));
}

TEST_F(Robust, ACorpusOfOneDocument) {
  ASSERT_EQ(split("single").documents(), 1U);
  record::TrialSpec s = spec("single_run");
  s.corpus = root / "single";
  const auto r = trial::run(s);
  EXPECT_EQ(r.status, record::Status::kDone) << r.cause;
  EXPECT_EQ(r.tokens, s.tokens);
}

// A run that has diverged stays diverged when it is called again.
TEST_F(Robust, ADivergedRunStaysDiverged) {
  train::TrainOptions o = options(60);
  o.checkpoint = root / "diverged";
  o.update.rate = 30;
  o.divergence = 0.05;
  const auto first = train::train(*model(), split(), kEnd, o);
  ASSERT_TRUE(first.has_value()) << first.error().message;
  ASSERT_TRUE(first->end == train::TrainResult::End::kDiverged ||
              first->end == train::TrainResult::End::kNotFinite)
      << first->cause;
  for (int call = 0; call < 3; ++call) {
    const auto again = train::train(*model(), split(), kEnd, o);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(again->end, first->end);
    EXPECT_EQ(again->curve.size(), first->curve.size());
    EXPECT_EQ(again->cause, first->cause);
  }
}

TEST_F(Robust, DamagedCheckpointsAreRefusedAndLeftAlone) {
  train::TrainOptions o = options(6);
  o.checkpoint = root / "damaged";
  int steps = 0;
  ASSERT_TRUE(train::train(*model(), split(), kEnd, o, [&](const auto&, auto, auto) { return ++steps < 3; }));
  const std::string whole = read(o.checkpoint);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(o.checkpoint, std::ios::binary) << whole.substr(0, size);
    const auto result = train::train(*model(), split(), kEnd, o);
    ASSERT_FALSE(result.has_value()) << size;
    EXPECT_EQ(result.error().code, "checkpoint") << size;
    EXPECT_TRUE(contains(result.error().message, o.checkpoint)) << result.error().message;
    EXPECT_EQ(fs::file_size(o.checkpoint), size) << "nothing is overwritten";
  }
  // Now the file is intact except for its progress or its number of updates.
  auto arrays = [&] {
    std::ofstream(o.checkpoint, std::ios::binary) << whole;
    return *train::load_arrays(o.checkpoint);
  }();
  auto broken = arrays;
  broken.metadata["curve"] = "[[0, 256";
  ASSERT_TRUE(train::save_arrays(o.checkpoint, broken.arrays, broken.metadata));
  EXPECT_EQ(train::train(*model(), split(), kEnd, o).error().code, "checkpoint");
  broken = arrays;
  for (exec::NamedArray& a : broken.arrays)
    if (a.name == "steps") a.data[0] = 1;
  broken.metadata["hash"] = train::hash_arrays(broken.arrays);
  ASSERT_TRUE(train::save_arrays(o.checkpoint, broken.arrays, broken.metadata));
  const auto fewer = train::train(*model(), split(), kEnd, o);
  ASSERT_FALSE(fewer.has_value());
  EXPECT_TRUE(contains(fewer.error().message, "3 steps")) << fewer.error().message;
  // Now the file is intact except for its values. The weights or moments of another run would give a score
  // that nobody can reproduce.
  for (std::size_t k = 0; k < arrays.arrays.size(); ++k) {
    broken = arrays;
    std::vector<float>& data = broken.arrays[k].data;
    data[data.size() / 2] += 1;
    ASSERT_TRUE(train::save_arrays(o.checkpoint, broken.arrays, broken.metadata));
    const auto other = train::train(*model(), split(), kEnd, o);
    ASSERT_FALSE(other.has_value()) << arrays.arrays[k].name;
    EXPECT_TRUE(contains(other.error().message, "was changed")) << other.error().message;
  }
}

TEST_F(Robust, CheckpointsOfOtherRunsAreRefusedAndLeftAlone) {
  train::TrainOptions o = options(6);
  o.checkpoint = root / "foreign";
  int steps = 0;
  ASSERT_TRUE(train::train(*model(), split(), kEnd, o, [&](const auto&, auto, auto) { return ++steps < 3; }));
  const std::string before = read(o.checkpoint);
  const auto refused = [&](const std::string& code, const Result<train::TrainResult>& result) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_TRUE(read(o.checkpoint) == before) << "nothing is overwritten";
  };
  refused("checkpoint", train::train(*model("[Block, RMSNorm]", 340), split("wider"), kEnd, o));
  refused("checkpoint", train::train(*model(), split("other"), kEnd, o));
  train::TrainOptions other = o;
  other.design = "N";  // another function with parameters of the same shapes
  refused("checkpoint", train::train(*model(), split(), kEnd, other));
  EXPECT_TRUE(train::train(*model(), split(), kEnd, o).has_value());
}

// The number of tokens and documents is the same, but the words differ. Only a hash of the text can detect
// this.
TEST_F(Robust, ACheckpointIsNotTakenUpOnAChangedText) {
  train::TrainOptions o = options(6);
  o.checkpoint = root / "changed_checkpoint";
  int steps = 0;
  ASSERT_TRUE(train::train(*model(), split(), kEnd, o, [&](const auto&, auto, auto) { return ++steps < 3; }));
  fs::copy(root / "corpus", root / "changed", fs::copy_options::recursive);
  // The files are already mapped; opening the changed corpus again would report damage.
  const data::Split text = split("changed");
  {
    std::fstream shard(root / "changed/train-00000.tokens", std::ios::in | std::ios::out | std::ios::binary);
    for (int i = 0; i < 5000; ++i) shard.write("\5\0", 2);
  }
  const auto result = train::train(*model(), text, kEnd, o);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, "checkpoint");
  EXPECT_TRUE(contains(result.error().message, "text")) << result.error().message;
}

// A limit on the size of files makes writes fail as a full disk does.
TEST_F(Robust, WritesThatFailLeaveTheOldCheckpoint) {
  train::TrainOptions o = options(6);
  o.checkpoint = root / "limited";
  int steps = 0;
  ASSERT_TRUE(train::train(*model(), split(), kEnd, o, [&](const auto&, auto, auto) { return ++steps < 3; }));
  const std::string before = read(o.checkpoint);
  struct rlimit old {};
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = old;
  small.rlim_cur = before.size() / 2;
  setrlimit(RLIMIT_FSIZE, &small);
  const auto result = train::train(*model(), split(), kEnd, o);
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, "io");
  EXPECT_TRUE(contains(result.error().message, "limited")) << result.error().message;
  EXPECT_TRUE(read(o.checkpoint) == before);
  EXPECT_FALSE(fs::exists(o.checkpoint + ".tmp"));
  EXPECT_TRUE(train::train(*model(), split(), kEnd, o).has_value())
      << "and the run goes on when there is room";
}

TEST_F(Robust, AFullDiskIsAResultWithItsCause) {
  const fs::path disk = root / "disk";
  fs::create_directories(disk);
  if (mount("none", disk.c_str(), "tmpfs", 0, "size=100k") != 0)
    GTEST_SKIP() << "needs the right to mount a small file system";
  record::TrialSpec s = spec("disk/run");
  const auto full = trial::run(s);
  const bool unmounted = umount(disk.c_str()) == 0;
  EXPECT_TRUE(unmounted);
  EXPECT_EQ(full.status, record::Status::kFailed);
  EXPECT_TRUE(contains(full.cause, "No space left")) << full.cause;
}

// Returns the bytes that the program uses, without those that the allocator keeps.
std::size_t used_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST_F(Robust, MemoryDoesNotGrowWithSteps) {
  for (const char* stack : {"[Block, RMSNorm]", "[Block(mixer=GLA(heads=2)), RMSNorm]"}) {
    const auto m = model(stack);
    const data::Split text = split();
    const train::Batches batches(text, kEnd, 8, 32, 1);
    std::int64_t step = 0;
    const auto run = [&](int count) {
      for (int i = 0; i < count; ++i) m->step(batches.batch(step++), {});
      return used_bytes();
    };
    run(10);
    const std::size_t early = run(20), late = run(60);
    EXPECT_LT(late, early + 16 * 1024)  // bytes
        << stack << ": " << early << " bytes after 30 steps, " << late << " after 90";
  }
}

// Starts the worker on `s` and kills it at a random moment after it has written a new checkpoint, or after a
// minute. Returns false if it ended before.
bool killed(const record::TrialSpec& s, Random& random) {
  const fs::path folder = s.folder, checkpoint = folder / "checkpoint.safetensors";
  fs::create_directories(folder);
  std::ofstream(folder / "spec.json") << record::to_json(s);
  const std::string worker = worker_path();
  std::error_code none;
  const auto previous_write = fs::last_write_time(checkpoint, none);
  const pid_t child = fork();
  if (child == 0) {
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    execl(worker.c_str(), worker.c_str(), (folder / "spec.json").c_str(), (folder / "result.json").c_str(),
          static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  for (int i = 0; i < 60'000; ++i) {
    if (waitpid(child, &status, WNOHANG) == child) return false;
    if (fs::exists(checkpoint) && fs::last_write_time(checkpoint, none) != previous_write) break;
    usleep(1000);
  }
  usleep(static_cast<useconds_t>(random.below(60'000)));
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

TEST_F(Robust, KilledAtAnyMomentItGivesTheSameBits) {
  const auto straight = trial::run(spec("straight"));
  ASSERT_EQ(straight.status, record::Status::kDone) << straight.cause;
  record::TrialSpec s = spec("killed");
  Random random(4);
  int kills = 0;
  for (int i = 0; i < 4; ++i) kills += killed(s, random) ? 1 : 0;
  EXPECT_GE(kills, 2) << "the run ended before it could be killed";
  const auto resumed = trial::run(s);
  ASSERT_EQ(resumed.status, record::Status::kDone) << resumed.cause;
  EXPECT_EQ(resumed.weights_hash, straight.weights_hash);
  EXPECT_EQ(resumed.text_hash, straight.text_hash);
  EXPECT_EQ(resumed.bits_per_byte, straight.bits_per_byte);
  ASSERT_EQ(resumed.curve.size(), straight.curve.size());
  for (std::size_t i = 0; i < resumed.curve.size(); ++i) {
    ASSERT_EQ(resumed.curve[i].loss, straight.curve[i].loss) << "step " << i;
    ASSERT_EQ(resumed.curve[i].gradient_norm, straight.curve[i].gradient_norm) << "step " << i;
  }
}

}  // namespace
}  // namespace gabbro
