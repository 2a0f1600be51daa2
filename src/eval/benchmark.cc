#include "eval/benchmark.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/clock.h"
#include "eval/metrics.h"

namespace gabbro::eval {

using record::Metric;
using record::TaskScore;

namespace {

const char* name_of(TaskKind kind) {
  constexpr const char* kNames[] = {"pairs", "word", "choice", "context", "label"};
  return kNames[static_cast<int>(kind)];
}

// The largest value, and how often it occurs. A model that gives several choices the same largest score has
// not chosen between them, so each counts as a guess among them.
struct Best {
  std::int64_t count = 0;
  double top = 0;

  explicit Best(const std::vector<double>& x) : top(*std::max_element(x.begin(), x.end())) {
    count = std::count(x.begin(), x.end(), top);
  }
  [[nodiscard]] double share_of(double score) const {
    return score == top ? 1 / static_cast<double>(count) : 0;
  }
};

// Returns the labels whose score is the largest, as Pair::predicted.
std::uint64_t most_likely(const std::vector<double>& nats, double top) {
  std::uint64_t labels = 0;
  for (std::size_t i = 0; i < nats.size(); ++i)
    if (nats[i] == top) labels |= std::uint64_t{1} << i;
  return labels;
}

// The scores of the items of a task, one element for each item.
struct Answers {
  std::vector<double> right;            // the share of the item that counts as right
  std::vector<double> right_by_length;  // the same with log-likelihoods per character
  std::vector<double> gold;             // log-likelihood of the correct choice, in nats
  std::vector<double> ties;             // 1 if several choices are the most likely, else 0
  std::vector<Pair> pairs;              // of tasks with labels only
};

Answers answers_of(const BenchmarkTask& task, const std::vector<Likelihood>& scores) {
  Answers out;
  std::size_t next = 0;  // index of the score of the next choice
  for (const BenchmarkItem& item : task.items) {
    std::vector<double> nats, per_character;
    for (const AnswerChoice& c : item.choices) {
      nats.push_back(scores[next].nats);
      per_character.push_back(scores[next++].nats / c.characters);
    }
    const Best best(nats), by_length(per_character);
    const auto gold = static_cast<std::size_t>(item.gold);
    out.gold.push_back(nats[gold]);
    out.right.push_back(task.kind == TaskKind::kWord ? scores[next - 1].greedy : best.share_of(nats[gold]));
    out.right_by_length.push_back(by_length.share_of(per_character[gold]));
    out.ties.push_back(best.count > 1);
    if (task.kind == TaskKind::kLabel) out.pairs.push_back({item.gold, most_likely(nats, best.top)});
  }
  return out;
}

void add(TaskScore& score, const char* name, MetricEstimate e, std::uint64_t items,
         const std::string& group = "") {
  score.metrics.push_back({name, group, e.value, e.error, items});
}

void add_groups(TaskScore& score, const BenchmarkTask& task, const std::vector<double>& right) {
  struct Group {
    std::vector<double> right;
    std::vector<std::size_t> questions;
    std::map<std::size_t, std::size_t> numbers;  // question of the task -> its number within the group
  };
  std::map<std::string, Group> groups;
  for (std::size_t i = 0; i < right.size(); ++i)
    for (const std::string& name : task.items[i].groups) {
      Group& group = groups[name];
      group.right.push_back(right[i]);
      const auto number = group.numbers.try_emplace(task.items[i].question, group.numbers.size()).first;
      group.questions.push_back(number->second);
    }
  for (const auto& [name, group] : groups)
    add(score, "acc", mean(group.right, group.questions), group.right.size(), name);
}

void summarise(TaskScore& score, const BenchmarkTask& task, const Answers& a) {
  const std::size_t n = task.items.size();
  std::vector<std::size_t> questions;
  for (const BenchmarkItem& item : task.items) questions.push_back(item.question);
  const auto any = [](const std::vector<double>& x) {
    return std::any_of(x.begin(), x.end(), [](double v) { return v > 0; });
  };
  add(score, "acc", mean(a.right, questions), n);
  if (task.kind == TaskKind::kChoice) add(score, "acc_norm", mean(a.right_by_length, questions), n);
  if (task.kind == TaskKind::kWord) add(score, "perplexity", perplexity(a.gold, questions), n);
  if (task.correlation) add(score, "mcc", bootstrap(a.pairs, matthews, questions), n);
  if (task.f1) {
    const auto labels = static_cast<int>(task.items[0].choices.size());
    add(score, "f1",
        bootstrap(
            a.pairs, [&](std::span<const Pair> p) { return f1_of(p, labels); }, questions),
        n);
  }
  if (task.kind != TaskKind::kWord && task.kind != TaskKind::kPairs)
    add(score, "gold_nats", mean(a.gold, questions), n);
  if (task.kind != TaskKind::kWord && any(a.ties)) add(score, "ties", mean(a.ties, questions), n);
  add_groups(score, task, a.right);
}

}  // namespace

Result<TaskScore> score_task(exec::Model& model, const data::Tokenizer& tokenizer, const BenchmarkTask& task,
                             std::int64_t length, const Packing& packing,
                             const std::function<bool(double)>& progress) {
  const double start = seconds_now();
  TaskScore out;
  out.name = task.name;
  out.kind = name_of(task.kind);
  out.items = task.items.size();
  out.counts = task.counts;
  std::vector<LikelihoodRequest> requests;
  for (const BenchmarkItem& item : task.items)
    for (const AnswerChoice& c : item.choices) {
      GABBRO_TRY(request, make_request(tokenizer, c.context, c.continuation, length));
      out.truncated += request.truncated ? 1 : 0;
      out.windowed += request.windows.size() > 1 ? 1 : 0;
      requests.push_back(std::move(request));
    }
  const std::vector<Likelihood> scores =
      likelihoods(model, requests, task.kind == TaskKind::kWord, packing, progress);
  if (scores.size() != requests.size()) return out;
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (!std::isfinite(scores[i].nats))
      return fail("eval", fmt::format("the log-likelihood of text {} of {} in {} is {}", i + 1, scores.size(),
                                      task.name, scores[i].nats));
  summarise(out, task, answers_of(task, scores));
  out.seconds = seconds_now() - start;
  return out;
}

}  // namespace gabbro::eval
