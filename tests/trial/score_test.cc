// Compares the benchmarks of a trained run with a plain computation of the same rules: text by text, in
// float64, with the reference engine.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "data/build.h"
#include "data/corpus.h"
#include "data/tokenizer.h"
#include "exec/reference/reference.h"
#include "lang/check.h"
#include "train/safetensors.h"
#include "trial/generate.h"
#include "trial/score.h"
#include "trial/trial.h"
#include "zoo/library.h"

namespace gabbro {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLength = 96;
constexpr int kVocab = 300;
const char* const kProgram =
    "design Tiny:\n    width = 32\n    stack = [Block, Block(mixer=GatedDeltaNet), RMSNorm]\n";

const std::vector<std::string> kNouns{"stone", "river", "bridge", "tower", "garden", "road"};

class Evaluation : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    root = fs::path(::testing::TempDir()) / ("gabbro_evaluation" + std::to_string(getpid()));
    fs::create_directories(root);
    std::ofstream text(root / "a.txt");
    Random random(1);
    for (int i = 0; i < 600; ++i)
      for (std::int64_t n = 1 + random.below(4); n >= 0; --n)
        text << "the " << random.pick(kNouns) << " lies by the " << random.pick(kNouns)
             << (n == 0 ? "\n<|endoftext|>\n" : "\n");
    text.close();
    build("corpus", kVocab);
    record::TrialSpec spec;
    spec.program = kProgram;
    spec.corpus = root / "corpus";
    spec.folder = root / "run";
    spec.tokens = 40 * 8 * kLength;
    spec.sequences = 8;
    spec.length = kLength;
    spec.rate = 1e-3;
    spec.threads = 1;
    fs::create_directories(root / "run");
    std::ofstream(root / "run/spec.json") << record::to_json(spec);
    trained = trial::run(spec);
    // It was scored. Whether the score counts does not matter here.
    ASSERT_GT(trained.bits_per_byte, 0) << trained.cause;
  }
  static void TearDownTestSuite() { fs::remove_all(root); }

  static void build(const std::string& name, int vocab, double valid_share = 0.1,
                    const std::string& tokenizer = "") {
    data::BuildOptions options;
    options.tokenizer = tokenizer;
    options.out = root / name;
    options.sources = {root / "a.txt"};
    options.vocab = vocab;
    options.valid_share = valid_share;
    const auto built = data::build_corpus(options, {});
    ASSERT_TRUE(built.has_value()) << built.error().message;
  }

  static std::string write(const std::string& name, const std::vector<nlohmann::json>& items) {
    std::ofstream file(root / name);
    for (const auto& item : items) file << item.dump() << "\n";
    return root / name;
  }

  static record::EvalSpec spec(const std::vector<std::string>& tasks) {
    record::EvalSpec s;
    s.run = root / "run";
    s.tasks = tasks;
    s.threads = 1;
    s.batch = 256;
    return s;
  }
  // Scores the run on one task; `length` is what the model reads at most, 0: as it was trained.
  static record::EvalResult score(const std::string& task, std::int64_t length = 0) {
    record::EvalSpec s = spec({task});
    s.held_out = false;
    s.length = length;
    record::EvalResult r = trial::run(s);
    EXPECT_EQ(r.status, record::Status::kDone) << r.cause;
    return r;
  }
  static record::Metric metric(const record::EvalResult& r, const std::string& name,
                               const std::string& group = "") {
    for (const record::Metric& m : r.tasks.at(0).metrics)
      if (m.name == name && m.group == group) return m;
    ADD_FAILURE() << "no " << name << " " << group;
    return {};
  }

  static fs::path root;
  static record::TrialResult trained;
};
fs::path Evaluation::root;
record::TrialResult Evaluation::trained;

// Computes scores text by text, in float64, with the reference engine.
class PlainScorer {
 public:
  explicit PlainScorer(const fs::path& root)
      : tokenizer_(*data::Tokenizer::load(root / "corpus/tokenizer.model")),
        subject_(lang::check(kProgram, zoo::library(), options()).subjects.back()) {
    const train::ArrayFile file = *train::load_arrays(root / "run/weights.safetensors");
    for (const ir::Param& param : subject_.elaboration.graph.params) {
      exec::Tensor x = exec::zeros(subject_.elaboration.graph, param.axes, 0);
      for (const exec::NamedArray& a : file.arrays)
        if (a.name == param.name) std::copy(a.data.begin(), a.data.end(), x.data.begin());
      params_.push_back(std::move(x));
    }
  }

  struct Score {
    double nats = 0;     // log-probability of the text
    bool greedy = true;  // true if every token is the likeliest one
  };
  // Scores `text` after `context`. A token must end where `context` ends.
  [[nodiscard]] Score score(const std::string& context, const std::string& text) const {
    std::vector<int> head, all;
    tokenizer_.encode(context, head);
    tokenizer_.encode(context + text, all);
    all.insert(all.begin(), tokenizer_.end());
    Score out;
    const std::size_t longest = static_cast<std::size_t>(length), first = head.size() + 1;
    if (all.size() - first <= longest) {
      add({all.end() - static_cast<std::ptrdiff_t>(std::min(all.size(), longest + 1)), all.end()},
          all.size() - first, out);
      return out;
    }
    // A longer text has windows that predict at least half as many tokens as the model reads.
    for (std::size_t begin = first; begin < all.size();) {
      const std::size_t end = std::min(all.size(), std::max(begin + (longest + 1) / 2, longest + 1));
      const std::size_t from = end > longest + 1 ? end - longest - 1 : 0;
      add({all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(end)},
          end - begin, out);
      begin = end;
    }
    return out;
  }

  std::int64_t length = kLength;  // maximum number of tokens that it reads

 private:
  // Adds the score of the last `scored` tokens of a window.
  void add(const std::vector<int>& window, std::size_t scored, Score& out) const {
    exec::Feed feed;
    feed.params = params_;
    feed.tokens.assign(window.begin(), window.end() - 1);
    const lang::Elaboration& e = subject_.elaboration;
    const std::vector<double> logits =
        exec::evaluate(e.graph, e.outputs, feed, static_cast<std::int64_t>(feed.tokens.size()))[0].data;
    const std::size_t vocab = logits.size() / feed.tokens.size();
    for (std::size_t t = window.size() - scored; t < window.size(); ++t) {
      const double* row = logits.data() + (t - 1) * vocab;
      double sum = 0;
      for (std::size_t v = 0; v < vocab; ++v) sum += std::exp(row[v]);
      out.nats += row[window[t]] - std::log(sum);
      out.greedy = out.greedy && std::max_element(row, row + vocab) - row == window[t];
    }
  }

  static lang::ElaborateOptions options() {
    lang::ElaborateOptions o;
    o.vocab = kVocab;
    return o;
  }
  data::Tokenizer tokenizer_;
  lang::Subject subject_;
  std::vector<exec::Tensor> params_;
};

// Returns the standard error of the mean.
double error_of(const std::vector<double>& x) {
  double sum = 0, square = 0;
  for (const double v : x) sum += v;
  for (const double v : x) square += std::pow(v - sum / static_cast<double>(x.size()), 2);
  return std::sqrt(square / static_cast<double>(x.size() - 1) / static_cast<double>(x.size()));
}
double mean_of(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v;
  return sum / static_cast<double>(x.size());
}

// Returns a sentence that `more_nouns` nouns lengthen.
std::string sentence(Random& random, int more_nouns) {
  std::string out = "the " + random.pick(kNouns) + " lies by the " + random.pick(kNouns);
  for (int i = 0; i < more_nouns; ++i) out += " by the " + random.pick(kNouns);
  return out;
}

TEST_F(Evaluation, OfPairs) {
  Random random(2);
  const PlainScorer plain(root);
  std::vector<nlohmann::json> items;
  std::vector<double> right, first_group;
  for (int i = 0; i < 60; ++i) {
    const std::string good = sentence(random, i % 4), bad = "lies " + sentence(random, i % 3);
    items.push_back({{"good", good}, {"bad", bad}, {"uid", "u"}, {"term", i < 20 ? "one" : "two"}});
    right.push_back(plain.score("", " " + good).nats >= plain.score("", " " + bad).nats ? 1 : 0);
    if (i < 20) first_group.push_back(right.back());
  }
  const record::EvalResult r = score(write("pairs.jsonl", items));
  EXPECT_DOUBLE_EQ(metric(r, "acc").value, mean_of(right));
  EXPECT_NEAR(metric(r, "acc").error, error_of(right), 1e-12);
  EXPECT_DOUBLE_EQ(metric(r, "acc", "term: one").value, mean_of(first_group));
  EXPECT_EQ(metric(r, "acc", "term: one").items, 20U);
  EXPECT_DOUBLE_EQ(metric(r, "acc", "uid: u").value, mean_of(right));
  EXPECT_EQ(r.weights_hash, trained.weights_hash);
}

TEST_F(Evaluation, OfWords) {
  Random random(3);
  PlainScorer plain(root);
  plain.length = 14;
  std::vector<nlohmann::json> items;
  std::vector<double> greedy, nats;
  for (int i = 0; i < 40; ++i) {
    const std::string context = sentence(random, i % 9) + " lies by", word = i % 2 ? "the" : "river";
    items.push_back({{"context", context}, {"continuation", word}});
    const PlainScorer::Score s = plain.score(context, " " + word);
    greedy.push_back(s.greedy ? 1 : 0);
    nats.push_back(s.nats);
  }
  ASSERT_GT(mean_of(greedy), 0);  // Otherwise the test would show nothing.
  ASSERT_LT(mean_of(greedy), 1);
  const record::EvalResult r = score(write("words.jsonl", items), plain.length);
  EXPECT_DOUBLE_EQ(metric(r, "acc").value, mean_of(greedy));
  const double perplexity = std::exp(-mean_of(nats));
  EXPECT_NEAR(metric(r, "perplexity").value, perplexity, 1e-4 * perplexity);
  EXPECT_NEAR(metric(r, "perplexity").error, perplexity * error_of(nats), 1e-3 * perplexity);
  EXPECT_GT(r.tasks[0].truncated, 0U);
}

TEST_F(Evaluation, OfChoicesAndContexts) {
  Random random(4);
  const PlainScorer plain(root);
  std::vector<nlohmann::json> choices, contexts;
  std::vector<double> right, by_length, gold_nats, right_context;
  for (int i = 0; i < 40; ++i) {
    // The number makes each question different, since repeated questions have an error of their own.
    const std::string query = std::to_string(i) + " the " + random.pick(kNouns) + " lies by the";
    const std::vector<std::string> words{random.pick(kNouns), random.pick(kNouns) + " by the road", "lies"};
    const int gold = static_cast<int>(random.below(3));
    choices.push_back({{"query", query}, {"choices", words}, {"gold", gold}});
    std::vector<double> nats, normed;
    for (const std::string& w : words) {
      nats.push_back(plain.score(query, " " + w).nats);
      normed.push_back(nats.back() / static_cast<double>(w.size()));
    }
    const auto best = [](const std::vector<double>& x) {
      return std::max_element(x.begin(), x.end()) - x.begin();
    };
    right.push_back(best(nats) == gold ? 1 : 0);
    by_length.push_back(best(normed) == gold ? 1 : 0);
    gold_nats.push_back(nats[static_cast<std::size_t>(gold)]);

    const std::vector<std::string> before{"the " + words[0] + " lies by", "lies the by " + words[2]};
    contexts.push_back({{"context_options", before}, {"continuation", "the road"}, {"gold", gold % 2}});
    const bool first = plain.score(before[0], " the road").nats >= plain.score(before[1], " the road").nats;
    right_context.push_back((first ? 0 : 1) == gold % 2 ? 1 : 0);
  }
  const record::EvalResult r = score(write("choices.jsonl", choices));
  EXPECT_DOUBLE_EQ(metric(r, "acc").value, mean_of(right));
  EXPECT_DOUBLE_EQ(metric(r, "acc_norm").value, mean_of(by_length));
  EXPECT_NEAR(metric(r, "gold_nats").value, mean_of(gold_nats), 1e-4);
  EXPECT_NEAR(metric(r, "gold_nats").error, error_of(gold_nats), 1e-4);
  EXPECT_DOUBLE_EQ(metric(score(write("contexts.jsonl", contexts)), "acc").value, mean_of(right_context));
}

TEST_F(Evaluation, OfLabels) {
  Random random(5);
  const PlainScorer plain(root);
  std::vector<nlohmann::json> items;
  std::vector<double> right, gold_nats;
  for (int i = 0; i < 50; ++i) {
    const std::string text = sentence(random, 0);
    const int label = static_cast<int>(random.below(2));
    items.push_back({{"text", text}, {"label", label}, {"split", "in_domain_dev"}});
    const std::string prompt = text + "\nQuestion: Does this sentence make sense?\nAnswer:";
    const double no = plain.score(prompt, " no").nats, yes = plain.score(prompt, " yes").nats;
    right.push_back((yes > no ? 1 : 0) == label ? 1 : 0);
    gold_nats.push_back(label == 1 ? yes : no);
  }
  const record::EvalResult r = score("cola=" + write("labels.jsonl", items));
  EXPECT_DOUBLE_EQ(metric(r, "acc").value, mean_of(right));
  EXPECT_NEAR(metric(r, "gold_nats").value, mean_of(gold_nats), 1e-4);
  EXPECT_LE(std::abs(metric(r, "mcc").value), 1);  // The formula is tested in tests/eval.
}

// Answers longer than the model reads are scored as a whole, in windows.
TEST_F(Evaluation, OfAnswersLongerThanTheModelReads) {
  Random random(7);
  PlainScorer plain(root);
  plain.length = 12;
  std::vector<nlohmann::json> choices, words;
  std::vector<double> by_length, gold_nats;
  for (int i = 0; i < 30; ++i) {
    const std::string query = "the " + random.pick(kNouns) + " lies by", end = sentence(random, 4);
    const std::vector<std::string> answers{"the road " + end, "road the " + end, "lies"};
    choices.push_back({{"query", query}, {"choices", answers}, {"gold", i % 3}});
    std::vector<double> nats, normed;
    for (const std::string& a : answers) {
      nats.push_back(plain.score(query, " " + a).nats);
      normed.push_back(nats.back() / static_cast<double>(a.size()));
    }
    by_length.push_back(std::max_element(normed.begin(), normed.end()) - normed.begin() == i % 3 ? 1 : 0);
    gold_nats.push_back(nats[static_cast<std::size_t>(i % 3)]);
    const std::string tail = "by the road" + std::string(i % 2 ? "" : "\nthe road lies by the bridge");
    words.push_back({{"context", query}, {"continuation", tail}});
  }
  const record::EvalResult r = score(write("long.jsonl", choices), plain.length);
  EXPECT_EQ(r.tasks[0].windowed, 60U);
  EXPECT_DOUBLE_EQ(metric(r, "acc_norm").value, mean_of(by_length));
  EXPECT_NEAR(metric(r, "gold_nats").value, mean_of(gold_nats), 1e-3);
  plain.length = 5;
  std::vector<double> greedy;
  for (const nlohmann::json& w : words)
    greedy.push_back(plain.score(w["context"], " " + w["continuation"].get<std::string>()).greedy ? 1 : 0);
  EXPECT_DOUBLE_EQ(metric(score(write("long-words.jsonl", words), 5), "acc").value, mean_of(greedy));
  const record::EvalResult again = *record::parse_eval_result(record::to_json(r));
  EXPECT_EQ(again.tasks[0].windowed, 60U);
}

// Equal choices are one choice, and lines without two different ones are left out and counted.
TEST_F(Evaluation, OfEqualChoices) {
  std::vector<nlohmann::json> doubled, single;
  for (int i = 0; i < 12; ++i) {
    const std::string text = "the " + kNouns[static_cast<std::size_t>(i) % kNouns.size()] + " lies by the";
    doubled.push_back({{"query", text}, {"choices", {"road", "lies", "road"}}, {"gold", i % 3}});
    single.push_back({{"query", text}, {"choices", {"road", "lies"}}, {"gold", i % 3 == 1 ? 1 : 0}});
  }
  single.push_back({{"query", "the"}, {"choices", {"road", "road"}}, {"gold", 0}});
  const record::EvalResult a = score(write("doubled.jsonl", doubled)),
                           b = score(write("single.jsonl", single));
  EXPECT_DOUBLE_EQ(metric(a, "acc").value, metric(b, "acc").value);
  EXPECT_DOUBLE_EQ(metric(a, "acc_norm").value, metric(b, "acc_norm").value);
  EXPECT_EQ(a.tasks[0].counts.equal, 12U);
  EXPECT_EQ(a.tasks[0].counts.repeated, 6U);
  EXPECT_EQ(b.tasks[0].counts.single, 1U);
  EXPECT_EQ(b.tasks[0].items, 12U);
  EXPECT_EQ(record::parse_eval_result(record::to_json(a))->tasks[0].counts.equal, 12U);
}

TEST_F(Evaluation, ScoresDoNotDependOnPacking) {
  Random random(6);
  std::vector<nlohmann::json> items;
  for (int i = 0; i < 30; ++i)
    items.push_back({{"context", sentence(random, i % 3)}, {"continuation", random.pick(kNouns)}});
  const std::string file = write("packing.jsonl", items);
  record::EvalSpec s = spec({file});
  s.held_out = false;
  std::vector<double> perplexities;
  for (const std::int64_t batch : {1, 100, 100000}) {
    s.batch = batch;
    perplexities.push_back(metric(trial::run(s), "perplexity").value);
  }
  EXPECT_NEAR(perplexities[1], perplexities[0], 1e-4 * perplexities[0]);
  EXPECT_NEAR(perplexities[2], perplexities[0], 1e-4 * perplexities[0]);
}

TEST_F(Evaluation, OfHeldOutTextEqualsThatOfTheTrial) {
  const record::EvalResult r = trial::run(spec({}));
  EXPECT_EQ(r.status, record::Status::kDone) << r.cause;
  EXPECT_NEAR(r.bits_per_byte, trained.bits_per_byte, 1e-6);
  EXPECT_EQ(r.valid_documents, trained.valid_documents);
}

TEST_F(Evaluation, SaysWhyARunCannotBeScored) {
  const auto cause = [](const record::EvalSpec& s) {
    const record::EvalResult r = trial::run(s);
    EXPECT_EQ(r.status, record::Status::kFailed);
    return r.cause;
  };
  record::EvalSpec s = spec({});
  s.run = root / "nowhere";
  EXPECT_NE(cause(s).find("there is no run in"), std::string::npos) << cause(s);
  build("other", kVocab - 10);
  s = spec({});
  s.corpus = root / "other";
  EXPECT_NE(cause(s).find("a vocabulary other than that of"), std::string::npos) << cause(s);

  const fs::path copy = root / "copy", weights = copy / "weights.safetensors";
  const auto fresh = [&] {
    fs::remove_all(copy);
    fs::create_directories(copy);
    for (const char* file : {"spec.json", "weights.safetensors"}) fs::copy(root / "run" / file, copy / file);
  };
  s = spec({});
  s.run = copy;
  fresh();
  fs::resize_file(weights, fs::file_size(weights) - 100);
  EXPECT_NE(cause(s).find("truncated"), std::string::npos) << cause(s);
  fresh();
  {
    std::fstream file(weights, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-3, std::ios::end);
    file.put('\x11');
  }
  EXPECT_NE(cause(s).find("was changed"), std::string::npos) << cause(s);
  fresh();
  record::TrialSpec trial = *record::parse_spec([&] {
    std::ifstream file(copy / "spec.json");
    return std::string(std::istreambuf_iterator<char>(file), {});
  }());
  trial.program = "design Tiny:\n    width = 32\n    stack = [Block, RMSNorm]\n";
  std::ofstream(copy / "spec.json") << record::to_json(trial);
  EXPECT_NE(cause(s).find("another design"), std::string::npos) << cause(s);
  // The same function, whose parameters have other names: arrays would land in wrong places.
  fresh();
  trial = *record::parse_spec(*read_file((copy / "spec.json").string(), 1 << 20));
  const std::string norm =
      "unit Norm(x: [t, D]) -> [t, D]:\n    scale = param([D], init=1)\n"
      "    return rms_normalize(x, over=D, eps=1e-6) * scale\n\n";
  trial.program =
      norm + "design Tiny:\n    width = 32\n    stack = [Block, Block(mixer=GatedDeltaNet), Norm]\n";
  const auto hash_of = [](const std::string& program) {
    return lang::check(program, zoo::library()).subjects.back().hash;
  };
  ASSERT_EQ(hash_of(trial.program), hash_of(kProgram));
  std::ofstream(copy / "spec.json") << record::to_json(trial);
  EXPECT_NE(cause(s).find("in a different form"), std::string::npos) << cause(s);
  // Comments and spaces do not change the parameters.
  trial.program = "# A comment.\n" + std::string(kProgram) + "\n\n# Another.\n";
  std::ofstream(copy / "spec.json") << record::to_json(trial);
  EXPECT_EQ(trial::run(s).status, record::Status::kDone) << cause(s);
  fresh();
  fs::remove(weights);
  EXPECT_NE(cause(s).find("not trained to the end"), std::string::npos) << cause(s);
}

// A refused run may be scored, and the score carries a caution. Weights that do not match the run's result
// are refused.
TEST_F(Evaluation, SaysWhatTheRunsOwnResultSays) {
  const fs::path copy = root / "judged";
  fs::create_directories(copy);
  for (const char* file : {"spec.json", "weights.safetensors"}) fs::copy(root / "run" / file, copy / file);
  record::EvalSpec s = spec({});
  s.run = copy;
  const auto scored = [&](record::TrialResult result) {
    std::ofstream(copy / "result.json") << record::to_json(result);
    return trial::run(s);
  };
  EXPECT_NE(trial::run(s).caution.find("no result.json"), std::string::npos);
  record::TrialResult result = trained;
  result.status = record::Status::kDone;
  EXPECT_EQ(scored(result).caution, "");
  result.status = record::Status::kRefused, result.cause = "future: it reads ahead";
  const record::EvalResult refused = scored(result);
  EXPECT_EQ(refused.status, record::Status::kDone) << refused.cause;
  EXPECT_EQ(refused.caution, "the run is refused: future: it reads ahead");
  EXPECT_EQ(record::parse_eval_result(record::to_json(refused))->caution, refused.caution);
  // A corpus that is built again with another split may hold documents that were trained on.
  build("again", kVocab, 0.5, root / "corpus/tokenizer.model");
  s.corpus = root / "again";
  result.status = record::Status::kDone, result.cause.clear();
  EXPECT_NE(scored(result).caution.find("is not the corpus that the run was trained on"), std::string::npos);
  s.corpus.clear();
  result.weights_hash = "another";
  EXPECT_NE(scored(result).cause.find("its result.json records another"), std::string::npos);
}

// Weights that are not finite have no score, whether or not their hash matches the file.
TEST_F(Evaluation, ScoresThatAreNotFiniteAreFailures) {
  const fs::path copy = root / "strange";
  fs::create_directories(copy);
  fs::copy(root / "run/spec.json", copy / "spec.json");
  train::ArrayFile file = *train::load_arrays(root / "run/weights.safetensors");
  ASSERT_EQ(train::hash_arrays(file.arrays), trained.weights_hash);
  for (exec::NamedArray& a : file.arrays) std::fill(a.data.begin(), a.data.end(), NAN);
  file.metadata["hash"] = train::hash_arrays(file.arrays);
  ASSERT_TRUE(train::save_arrays(copy / "weights.safetensors", file.arrays, file.metadata));
  record::EvalSpec s = spec({});
  s.run = copy;
  const record::EvalResult r = trial::run(s);
  EXPECT_EQ(r.status, record::Status::kFailed);
  EXPECT_NE(r.cause.find("these weights cannot be scored"), std::string::npos) << r.cause;
}

// A corpus that is exchanged between two runs of a campaign is another one, whatever lies in its folder.
TEST_F(Evaluation, TrialsRefuseACorpusThatWasNotRequested) {
  record::TrialSpec spec = *record::parse_spec(*read_file((root / "run/spec.json").string(), 1 << 20));
  spec.folder = root / "elsewhere";
  spec.tokens = 8 * kLength;
  spec.corpus_hash = "that of another corpus";
  ASSERT_EQ(record::parse_spec(record::to_json(spec))->corpus_hash, spec.corpus_hash);
  const record::TrialResult r = trial::run(spec);
  EXPECT_EQ(r.status, record::Status::kFailed);
  EXPECT_NE(r.cause.find("error[corpus]"), std::string::npos) << r.cause;
  spec.corpus_hash = data::hash_of(data::Corpus::open(spec.corpus)->manifest());
  EXPECT_EQ(trial::run(spec).cause.find("error[corpus]"), std::string::npos);
}

TEST_F(Evaluation, TrialsReportTheirTasks) {
  record::TrialSpec again = *record::parse_spec([&] {
    std::ifstream file(root / "run/spec.json");
    return std::string(std::istreambuf_iterator<char>(file), {});
  }());
  again.tasks = {write("task.jsonl", {{{"good", "the river"}, {"bad", "river the"}}})};
  const record::TrialResult r = trial::run(again);  // Training is complete, so the run is only scored again.
  EXPECT_EQ(r.status, trained.status) << r.cause;
  EXPECT_EQ(r.weights_hash, trained.weights_hash);
  ASSERT_EQ(r.tasks.size(), 1U);
  EXPECT_EQ(r.tasks[0].metrics.at(0).items, 1U);
  const auto back = record::parse_result(record::to_json(r));
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(record::to_json(*back), record::to_json(r));
}

TEST_F(Evaluation, GeneratesFromTheStepForm) {
  record::GenerateSpec s;
  s.run = root / "run";
  s.prompt = "the river";
  s.tokens = 30;
  s.temperature = 0;
  std::string streamed;
  const record::GenerateResult r = trial::run(s, [&](const record::Progress& p) {
    streamed += p.text;
    return true;
  });
  EXPECT_EQ(r.status, record::Status::kDone) << r.cause;
  EXPECT_EQ(streamed, r.text);
  EXPECT_EQ(r.weights_hash, trained.weights_hash);
  EXPECT_TRUE(r.ended || r.tokens == 30);
  // Greedy decoding: every token is the most likely one after those before it, by the plain computation
  // (which reads kLength tokens).
  const std::string first = r.text.substr(0, 12);
  EXPECT_TRUE(PlainScorer(root).score(s.prompt, first.substr(0, first.rfind(' '))).greedy) << r.text;
  s.temperature = 1;
  const record::GenerateResult one = trial::run(s), two = trial::run(s);
  EXPECT_EQ(one.text, two.text);
  s.seed = 2;
  EXPECT_NE(trial::run(s).text, one.text);
  int calls = 0;
  EXPECT_EQ(trial::run(s, [&](const record::Progress&) { return ++calls < 4; }).status,
            record::Status::kStopped);
}

}  // namespace
}  // namespace gabbro
