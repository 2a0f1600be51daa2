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
  // Bit 0 stands for label 0, bit 1 for label 1; tp 3, tn 2, fp 1, fn 2.
  const std::vector<Pair> p{{1, 2}, {1, 2}, {1, 2}, {0, 1}, {0, 1}, {0, 2}, {1, 1}, {1, 1}};
  EXPECT_DOUBLE_EQ(matthews(p), (3 * 2 - 1 * 2) / std::sqrt(4.0 * 5 * 3 * 4));
  EXPECT_DOUBLE_EQ(f1_of(p, 2), 6.0 / 9);
  const std::vector<Pair> constant{{1, 2}, {0, 2}};
  EXPECT_EQ(matthews(constant), 0);
  EXPECT_EQ(f1(constant, 0), 0);
  const std::vector<Pair> three{{0, 1}, {1, 1}, {2, 4}, {2, 2}};
  EXPECT_DOUBLE_EQ(f1_of(three, 3), (2.0 / 3 + 0 + 2.0 / 3) / 3);
}

// Labels that are equally likely count as a guess among them, so a tie changes nothing on average.
TEST(Metrics, TiesCountAsEachLabelByItsShare) {
  const std::vector<Pair> ties{{1, 3}, {1, 3}, {0, 3}};
  EXPECT_EQ(matthews(ties), 0);
  EXPECT_DOUBLE_EQ(f1(ties, 1), 2 * 1.0 / (2 + 1.5));
  const MetricEstimate e = bootstrap(ties, matthews);
  EXPECT_EQ(e.value, 0);
  EXPECT_EQ(e.error, 0);
  // tp 1.5, fn 0.5, tn 1
  const std::vector<Pair> mixed{{1, 2}, {1, 3}, {0, 1}};
  EXPECT_DOUBLE_EQ(matthews(mixed), 1.5 / std::sqrt(1.5 * 2 * 1 * 1.5));
  EXPECT_DOUBLE_EQ(Pair({0, 5}).share(2), 0.5);
  EXPECT_EQ(Pair({0, 5}).share(1), 0);
}

TEST(Metrics, BootstrapGivesTheErrorOfAMean) {
  std::vector<Pair> p;
  for (int i = 0; i < 400; ++i) p.push_back({1, i % 4 == 0 ? 1U : 2U});
  const auto share = [](std::span<const Pair> x) {
    double right = 0;
    for (const Pair& pair : x) right += pair.share(1);
    return right / static_cast<double>(x.size());
  };
  const MetricEstimate e = bootstrap(p, share);
  EXPECT_DOUBLE_EQ(e.value, 0.75);
  EXPECT_NEAR(e.error, std::sqrt(0.75 * 0.25 / 400), 0.002);
  EXPECT_EQ(bootstrap(p, share).error, e.error);
}

// Items that ask the same tell nothing new: each value counts, but the errors are those of the questions.
TEST(Metrics, RepeatedItemsNarrowNoError) {
  const std::vector<double> once{1, 0, 1, 1, 0.5, 0};
  const std::vector<Pair> pairs{{1, 2}, {1, 1}, {0, 1}, {0, 1}, {1, 2}, {0, 2}};
  std::vector<double> twice;
  std::vector<Pair> pairs_twice;
  std::vector<std::size_t> questions;
  for (std::size_t i = 0; i < 12; ++i) {
    twice.push_back(once[i % 6]), pairs_twice.push_back(pairs[i % 6]);
    questions.push_back(i % 6);
  }
  EXPECT_DOUBLE_EQ(mean(twice, questions).value, mean(once).value);
  EXPECT_DOUBLE_EQ(mean(twice, questions).error, mean(once).error);
  EXPECT_LT(mean(twice).error, 0.75 * mean(once).error);
  EXPECT_DOUBLE_EQ(perplexity(twice, questions).error, perplexity(once).error);
  EXPECT_DOUBLE_EQ(bootstrap(pairs_twice, matthews, questions).error, bootstrap(pairs, matthews).error);
  const std::vector<std::size_t> one_question(6, 0);
  EXPECT_FALSE(std::isfinite(mean(once, one_question).error));
  EXPECT_FALSE(std::isfinite(bootstrap(pairs, matthews, one_question).error));
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

using Tokens = std::vector<std::int64_t>;

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

// Equal choices are one choice. Lines that ask nothing are left out, and everything unusual is counted.
TEST_F(Tasks, CountsWhatIsNotAsItShouldBe) {
  const auto task = read(R"({"query": "q", "choices": ["a", "b", "c", "b"], "gold": 3}
{"query": "q", "choices": ["a", "a", "b"], "gold": 2}
{"query": "q", "choices": ["a", "b", "c"], "gold": 0, "split": "train"}
{"query": "q", "choices": ["a", "b", "c"], "gold": 0, "split": "TRAIN"}
{"query": "q", "choices": ["a", "b", "c"], "gold": 0, "split": "train[:50%]"}
{"query": "q", "choices": ["a", "b", "c"], "gold": 0, "split": "xl.Training"}
{"query": "q", "choices": ["a", "a"], "gold": 1}
{"query": "q", "choices": ["a"], "gold": 0}
{"query": "q", "choices": ["a", "b", "c"], "gold": 1}
{"query": "r", "choices": ["c", "b", "a"], "gold": 1, "split": "constrained"}
{"query": "R ", "choices": ["a", "b", " c"], "gold": 1}
)");
  ASSERT_TRUE(task.has_value()) << task.error().message;
  ASSERT_EQ(task->items.size(), 5U);
  const std::vector<int> gold{1, 1, 1, 1, 1};
  const std::vector<std::size_t> choices{3, 2, 3, 3, 3}, questions{0, 1, 0, 2, 2};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(task->items[i].question, questions[i]) << i;
    EXPECT_EQ(task->items[i].gold, gold[i]) << i;
    EXPECT_EQ(task->items[i].choices.size(), choices[i]) << i;
  }
  EXPECT_EQ(task->counts.training, 4U);
  EXPECT_EQ(task->counts.single, 2U);
  EXPECT_EQ(task->counts.equal, 2U);
  EXPECT_EQ(task->counts.repeated, 2U) << "the first and the third ask the same, and the last two";
  EXPECT_EQ(task->counts.spaced, 1U) << "a space is added before each answer";
  const auto words = read(R"({"context": "a", "continuation": "b"})");
  EXPECT_EQ(words->items.size(), 1U);
  EXPECT_EQ(words->counts.single, 0U);
  const auto none = read(R"({"good": "a", "bad": "a"})");
  EXPECT_NE(none.error().message.find("contains no items; left out: 0 of a training split, 1 without"),
            std::string::npos)
      << none.error().message;
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
  EXPECT_NE(message(good + "\n{\"query\": \"q\", \"choices\": [\"a\"], \"gold\": 3}")
                .find(":2: the answer is 3, but there are 1 choices"),
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
                .find(":1: the field gold needs a whole number, but has "),
            std::string::npos);
  for (const auto& [object, says] : std::vector<std::pair<const char*, const char*>>{
           {R"({"query": "q", "choices": ["a", "b"], "gold": "0"})",
            "gold needs a whole number, but has \"0\""},
           {R"({"query": "q", "choices": ["a", "b"], "gold": null})",
            "gold needs a whole number, but has null"},
           {R"({"query": 7, "choices": ["a", "b"], "gold": 0})", "query needs a text, but has 7"},
           {R"({"query": "q", "choices": ["a", 2], "gold": 0})", "choices needs a list of texts"},
           {R"({"query": "q", "choices": "hot", "gold": 0})",
            "choices needs a list of texts, but has \"hot\""},
           {R"({"a": 1, "id": 2, "query": "q", "choices": ["a", "b"], "gold": "0"})",
            "gold needs a whole number, but has \"0\""},
           {R"({"good": "a", "bad": 7})", "bad needs a text, but has 7"}})
    EXPECT_NE(message(object).find(std::string(":1: the field ") + says), std::string::npos)
        << message(object);
  EXPECT_NE(message("").find("contains no items"), std::string::npos);
  EXPECT_NE(message(good + "\n{\"query\": \"q\", \"choices\": [\"a\", \"\"], \"gold\": 0}")
                .find(":2: a text to score is empty"),
            std::string::npos);
  EXPECT_NE(message(R"({"context": "a", "continuation": ""})").find(":1: a text to score is empty"),
            std::string::npos);
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

  const auto window = [&](const std::string& context, const std::string& more, std::int64_t length) {
    const LikelihoodRequest r = *make_request(*tokenizer, context, more, length);
    EXPECT_EQ(r.windows.size(), 1U);
    return r.windows[0];
  };

  const LikelihoodWindow plain = window("the old stone", " bridge", 100);
  EXPECT_EQ(plain.tokens, with_end(encode("the old stone bridge")));
  EXPECT_EQ(plain.scored, scored);
  // White space at the end of the context belongs to the continuation.
  const LikelihoodWindow moved = window("the old stone ", "bridge", 100);
  EXPECT_EQ(moved.tokens, plain.tokens);
  EXPECT_EQ(moved.scored, scored);
  const LikelihoodWindow empty = window("", " bridge", 100);
  EXPECT_EQ(empty.tokens, with_end(encode(" bridge")));
  EXPECT_EQ(empty.scored, scored);
  // A context that is too long loses its beginning.
  const LikelihoodWindow cut = window("the old stone", " bridge", scored + 1);
  EXPECT_EQ(cut.tokens, Tokens(plain.tokens.end() - scored - 2, plain.tokens.end()));
  EXPECT_EQ(cut.scored, scored);
  EXPECT_TRUE(make_request(*tokenizer, "the old stone", " bridge", scored + 1)->truncated);
  EXPECT_FALSE(make_request(*tokenizer, "the old stone", " bridge", 100)->truncated);
  EXPECT_EQ(make_request(*tokenizer, "the old stone", "", 100).error().code, "eval");
}

// A continuation that is too long is cut into windows, which look back by half of what the model reads.
TEST(Requests, OfLongContinuationsHaveSeveralWindows) {
  std::vector<std::string> sample(300, "the river runs by the old stone bridge");
  for (std::size_t i = 0; i < sample.size(); ++i) sample[i] += " " + std::to_string(i);
  const auto tokenizer = *data::Tokenizer::train(sample, 320);
  const auto windows = [&](const std::string& context, bool truncated) {
    // Digits are tokens, and so is the space before them.
    const LikelihoodRequest r = *make_request(tokenizer, context, " 0123456", 4);
    EXPECT_EQ(r.truncated, truncated);
    std::string out;
    for (const LikelihoodWindow& w : r.windows) {
      std::vector<int> head(w.tokens.begin(), w.tokens.end() - w.scored);
      std::vector<int> tail(w.tokens.end() - w.scored, w.tokens.end());
      out += (out.empty() ? "" : ", ") + tokenizer.decode(head) + "|" + tokenizer.decode(tail);
    }
    return out;
  };
  EXPECT_EQ(windows("", false), "| 012, 012|34, 234|56");
  EXPECT_EQ(windows("9", false), "9| 01,  01|23, 123|45, 2345|6");
  EXPECT_EQ(windows("987", true), "987| 0, 7 0|12, 012|34, 234|56");
}

}  // namespace
}  // namespace gabbro::eval
