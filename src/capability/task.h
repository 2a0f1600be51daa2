// Synthetic tasks that show what a mixer can do before it reads any text: recall, copying, memorising, state
// tracking, induction.
//
// A task writes sequences of tokens, and asks at some positions for a token that follows from what came
// before. A row of the table in task.cc is a task: the settings at which it is asked, the paper that it comes
// from, the accuracy of a guess. The answer is never in the last 9 tokens of tasks that ask to remember
// (kNear), so that a design of short convolutions stays at chance.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "exec/model.h"

namespace gabbro::capability {

/// How many tokens, its own included, four blocks of short convolutions of width 3 read; the two blocks to
/// which designs are cut read five.
constexpr std::int64_t kNear = 9;

/// What a sequence is for. Tests ask for what lies behind the last kNear tokens alone; tasks that ask at
/// every position are asked in the second half of a sequence of the training length, behind the first kNear
/// tokens, and only behind the training length in a longer one.
enum class Use : std::uint8_t { kTraining, kTest };

/// One sequence to be filled. `targets` begin as kNotAsked.
struct Sequence {
  std::span<std::int64_t> tokens, targets;
  Use use = Use::kTraining;
  std::int64_t ask_from = 0;  // the first position at which a task that asks everywhere may ask
  [[nodiscard]] std::int64_t length() const { return static_cast<std::int64_t>(tokens.size()); }
};

struct Task {
  const char* name;
  const char* asks;      // in a sentence
  const char* source;    // the paper, with its arXiv number
  const char* settings;  // how difficult it is made
  std::int64_t vocab;
  std::int64_t length;                // of training
  std::vector<std::int64_t> lengths;  // of the tests
  double chance;                      // accuracy of the best guess without the context
  void (*write)(Sequence sequence, Random& random);
};

/// The tasks, in the order in which they are reported.
const std::vector<Task>& tasks();

/// Null when there is none of this name.
const Task* find_task(std::string_view name);

/// `sequences` sequences of `length`, a multiple of the training length; number i is drawn from `random`
/// split by i. A function of its arguments.
exec::TokenBatch batch(const Task& task, Use use, std::int64_t sequences, std::int64_t length,
                       const Random& random);

}  // namespace gabbro::capability
