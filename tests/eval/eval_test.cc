// Tests of prompts, tokens, metrics and sampling against values computed by hand.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "eval/benchmark.h"
#include "eval/likelihood.h"
#include "eval/metrics.h"
#include "eval/sample.h"
#include "eval/task.h"

namespace gabbro::eval {
namespace {

// ---- Metrics ----

TEST(Metrics, MeanHasTheSampleErrorOfTheMean) {
  const std::vector<double> x{1, 0, 1, 1};
  EXPECT_DOUBLE_EQ(mean(x).value, 0.75);
  EXPECT_DOUBLE_EQ(mean(x).error, 0.25);  // sqrt(0.75 / 3 / 4)
  EXPECT_FALSE(std::isfinite(mean(std::vector<double>{1}).error));
}

TEST(Metrics, PerplexityByTheDeltaMethod) {
  const std::vector<double> nats{-1, -3};
  EXPECT_DOUBLE_EQ(perplexity(nats).value, std::exp(2.0));
  EXPECT_DOUBLE_EQ(perplexity(nats).error, std::exp(2.0));  // The standard error of the mean is 1.
}

TEST(Metrics, MatthewsAndF1) {
  // tp 3, tn 2, fp 1, fn 2
  const std::vector<Pair> p{{1, 1}, {1, 1}, {1, 1}, {0, 0}, {0, 0}, {0, 1}, {1, 0}, {1, 0}};
  EXPECT_DOUBLE_EQ(matthews(p), (3 * 2 - 1 * 2) / std::sqrt(4.0 * 5 * 3 * 4));
  EXPECT_DOUBLE_EQ(f1_of(p, 2), 6.0 / 9);
  const std::vector<Pair> constant{{1, 1}, {0, 1}};
  EXPECT_EQ(matthews(constant), 0);
  EXPECT_EQ(f1(constant, 0), 0);
  const std::vector<Pair> three{{0, 0}, {1, 0}, {2, 2}, {2, 1}};
  EXPECT_DOUBLE_EQ(f1_of(three, 3), (2.0 / 3 + 0 + 2.0 / 3) / 3);
}

TEST(Metrics, BootstrapGivesTheErrorOfAMean) {
  std::vector<Pair> p;
  for (int i = 0; i < 400; ++i) p.push_back({1, i % 4 == 0 ? 0 : 1});
  const auto share = [](std::span<const Pair> x) {
    double right = 0;
    for (const Pair& pair : x) right += pair.predicted;
    return right / static_cast<double>(x.size());
  };
  const MetricEstimate e = bootstrap(p, share);
  EXPECT_DOUBLE_EQ(e.value, 0.75);
  EXPECT_NEAR(e.error, std::sqrt(0.75 * 0.25 / 400), 0.002);
  EXPECT_EQ(bootstrap(p, share).error, e.error);
}

// ---- Sampling ----

TEST(Sampling, CutsByRankAndByShare) {
  const std::vector<float> logits{std::log(1.0F), std::log(4.0F), std::log(2.0F), std::log(1.0F)};
  const auto tokens = [&](SampleOptions o) {
    std::vector<std::int64_t> out;
    for (const SampleCandidate& c : candidates(logits, o)) out.push_back(c.token);
    return out;
  };
  using List = std::vector<std::int64_t>;
  EXPECT_EQ(tokens({}), (List{1, 2, 0, 3}));
  EXPECT_EQ(tokens({.temperature = 0}), (List{1}));
  EXPECT_EQ(tokens({.top_k = 2}), (List{1, 2}));
  EXPECT_EQ(tokens({.top_p = 0.5}), (List{1}));
  EXPECT_EQ(tokens({.top_p = 0.51}), (List{1, 2}));
  EXPECT_EQ(tokens({.top_p = 0}), (List{1}));
  EXPECT_NEAR(candidates(logits, {}).front().probability, 0.5, 1e-7);
  EXPECT_NEAR(candidates(logits, {.temperature = 0.5}).front().probability, 16.0 / 22, 1e-7);
  EXPECT_NEAR(candidates(logits, {.top_k = 2}).front().probability, 4.0 / 6, 1e-7);
}

TEST(Sampling, DrawsByProbability) {
  const std::vector<float> logits{0, std::log(3.0F)};
  Random random(1);
  int ones = 0;
  for (int i = 0; i < 4000; ++i) ones += static_cast<int>(sample(logits, {}, random));
  EXPECT_NEAR(ones / 4000.0, 0.75, 0.03);
}

// ---- Tasks ----

class Tasks : public ::testing::Test {
 protected:
  std::string path = ::testing::TempDir() + "gabbro_task" + std::to_string(getpid()) + ".jsonl";
  void TearDown() override { std::remove(path.c_str()); }

  Result<BenchmarkTask> read(const std::string& lines, const std::string& name = "set") {
    std::ofstream(path) << lines;
    return read_task({name, path});
  }
  // Reads the only item of a file of one line.
  BenchmarkItem item(const std::string& line, const std::string& name = "set") {
    const auto task = read(line, name);
    EXPECT_TRUE(task.has_value()) << task.error().message;
    return task ? task->items.at(0) : BenchmarkItem{{{}}, 0, {}};
  }
};

TEST_F(Tasks, PromptsAreThoseOfTheHarness) {
  BenchmarkItem i = item(R"({"good": "A b.", "bad": "B a.", "uid": "u", "term": "t", "field": "f"})");
  EXPECT_EQ(i.choices[0].context, "");
  EXPECT_EQ(i.choices[1].continuation, " B a.");
  EXPECT_EQ(i.groups, (std::vector<std::string>{"term: t", "uid: u"}));
  i = item(R"({"context": "I saw a", "continuation": "cat"})");
  EXPECT_EQ(i.choices[0].context + "|" + i.choices[0].continuation, "I saw a| cat");
  i = item(R"({"query": "Predators eat", "choices": ["gräs", "prey"], "gold": 1})");
  EXPECT_EQ(i.choices[1].context + "|" + i.choices[1].continuation, "Predators eat| prey");
  EXPECT_EQ(i.choices[0].characters, 4);
  EXPECT_EQ(i.gold, 1);
  i = item(R"({"query": "Question: Why?\n", "choices": ["a", "b"], "gold": 0})");
  EXPECT_EQ(i.choices[0].context, "Question: Why?\nAnswer:");
  i = item(R"({"query": "Passage: It is.\nQuestion: is it?", "choices": ["no", "yes"], "gold": 1})");
  EXPECT_EQ(i.choices[0].context, "It is.\nQuestion: is it?\nAnswer:");
  i = item(R"({"query": "Why?", "support": " So.", "choices": ["a", "b"], "gold": 0})");
  EXPECT_EQ(i.choices[0].context, "So.\nQuestion: Why?\nAnswer:");
  i = item(R"({"context_options": ["x A", "x B"], "continuation": "ran.", "gold": 1})");
  EXPECT_EQ(i.choices[1].context + "|" + i.choices[1].continuation, "x B| ran.");
}

TEST_F(Tasks, LabelsHaveWords) {
  const auto prompt = [&](const std::string& line, const std::string& name) {
    const BenchmarkItem i = item(line, name);
    return i.choices[0].context + "|" + i.choices[0].continuation + "|" + i.choices[1].continuation;
  };
  EXPECT_EQ(prompt(R"({"text": "He go.", "label": 0, "split": "in_domain_dev"})", "cola"),
            "He go.\nQuestion: Does this sentence make sense?\nAnswer:| no| yes");
  EXPECT_EQ(prompt(R"({"sentence": "fun ", "label": 1})", "sst2_dev"),
            "fun \nQuestion: Is this sentence positive or negative?\nAnswer:| negative| positive");
  const std::string two = R"({"sentence1": "A.", "sentence2": "B.", "label": 1})";
  EXPECT_EQ(prompt(two, "rte"), "A.\nQuestion: B. True or False?\nAnswer:| True| False");
  EXPECT_EQ(prompt(two, "mrpc_dev"),
            "Sentence 1: A.\nSentence 2: B.\nQuestion: Do both sentences mean the same thing?\nAnswer:| no| "
            "yes");
  EXPECT_EQ(prompt(R"({"premise": "P.", "hypothesis": "h", "label": 2})", "cb"),
            "P.\nQuestion: h. True, False, or Neither?\nAnswer:| True| False");
  const auto cola = read(
      "{\"text\": \"a\", \"label\": 0, \"split\": \"in_domain_train\"}\n"
      "{\"text\": \"b\", \"label\": 1, \"split\": \"out_of_domain_dev\"}\n",
      "cola");
  EXPECT_EQ(cola->items.size(), 1U);
  EXPECT_TRUE(cola->correlation);
}

TEST_F(Tasks, SaysWhatIsWrong) {
  const auto message = [&](const std::string& lines, const std::string& name = "set") {
    const auto task = read(lines, name);
    return task ? std::string("no error") : task.error().message + "; " + task.error().hint;
  };
  const std::string good = R"({"query": "q", "choices": ["a", "b"], "gold": 0})";
  for (const char* gold : {"0.97", "true", "-1", "4294967297", "1e300"})
    EXPECT_NE(message(good + "\n{\"query\": \"q\", \"choices\": [\"a\", \"b\"], \"gold\": " + gold + "}")
                  .find("is not the number of a choice"),
              std::string::npos)
        << gold;
  EXPECT_NE(
      message(good + "\n{\"query\": \"q\", \"choices\": [\"a\"], \"gold\": 3}").find(":2: the answer is 3, but there are 1 choices"),
      std::string::npos);
  EXPECT_NE(message(good + "\n\nnonsense").find(":3: the line is not a JSON object"), std::string::npos);
  EXPECT_NE(message("{\"a\": 1}").find("unknown task format, with the fields a"), std::string::npos);
  EXPECT_NE(message(R"({"sentence1": "a", "sentence2": "b", "label": 0})").find("NAME one of cola, sst2"),
            std::string::npos);
  EXPECT_NE(message(good + R"(
{"good": "a", "bad": "b"})")
                .find(":2: the first line is {query, choices, gold}, but this one has the fields bad, good;"),
            std::string::npos);
  EXPECT_NE(message(R"({"query": "q", "choices": ["a"], "gold": "a"})")
                .find(":1: a field of {query, choices, gold} is missing or has the wrong type"),
            std::string::npos);
  EXPECT_NE(message("").find("contains no items"), std::string::npos);
  EXPECT_EQ(read_task({"x", path + ".none"}).error().code, "io");
  EXPECT_EQ(parse_source("rte=a/b.jsonl").name, "rte");
  EXPECT_EQ(parse_source("rte=a/b.jsonl").file, "a/b.jsonl");
  EXPECT_EQ(parse_source("./dir=1/blimp.jsonl.xz").file, "./dir=1/blimp.jsonl.xz");
  EXPECT_EQ(parse_source("dir/blimp.jsonl.xz").name, "blimp");
}

// ---- Tokens ----

TEST(Requests, FollowTheRulesOfContextAndContinuation) {
  std::vector<std::string> sample;
  for (int i = 0; i < 300; ++i)
    sample.push_back("the river runs by the old stone bridge " + std::to_string(i));
  const auto tokenizer = data::Tokenizer::train(sample, 320);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  const auto encode = [&](const std::string& text) {
    std::vector<int> ids;
    tokenizer->encode(text, ids);
    return std::vector<std::int64_t>(ids.begin(), ids.end());
  };
  const auto with_end = [&](std::vector<std::int64_t> ids) {
    ids.insert(ids.begin(), tokenizer->end());
    return ids;
  };
  const auto scored = static_cast<std::int64_t>(encode(" bridge").size());

  const LikelihoodRequest plain = *make_request(*tokenizer, "the old stone", " bridge", 100);
  EXPECT_EQ(plain.tokens, with_end(encode("the old stone bridge")));
  EXPECT_EQ(plain.scored, scored);
  // White space at the end of the context belongs to the continuation.
  const LikelihoodRequest moved = *make_request(*tokenizer, "the old stone ", "bridge", 100);
  EXPECT_EQ(moved.tokens, plain.tokens);
  EXPECT_EQ(moved.scored, scored);
  const LikelihoodRequest empty = *make_request(*tokenizer, "", " bridge", 100);
  EXPECT_EQ(empty.tokens, with_end(encode(" bridge")));
  EXPECT_EQ(empty.scored, scored);
  // A text that is too long loses its beginning.
  const LikelihoodRequest cut = *make_request(*tokenizer, "the old stone", " bridge", scored + 1);
  EXPECT_EQ(cut.tokens, std::vector<std::int64_t>(plain.tokens.end() - scored - 2, plain.tokens.end()));
  EXPECT_EQ(cut.scored, scored);
  EXPECT_TRUE(cut.truncated);
  EXPECT_FALSE(plain.truncated);
  EXPECT_EQ(make_request(*tokenizer, "the old stone", "", 100).error().code, "eval");
}

}  // namespace
}  // namespace gabbro::eval
