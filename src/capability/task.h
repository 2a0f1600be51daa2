// Synthetic tasks that test what a mixer can do before it reads any text: recall, copying, memorising, state
// tracking, induction.
//
// A task generates sequences of tokens and asks, at some positions, for a token that follows from the earlier
// ones. Each row of the table in task.cc is one task, with its difficulty, the paper that it comes from, and
// the accuracy of a guess. In tasks that require memory, the answer is never among the last 9 tokens (kNear),
// so that a design of short convolutions stays at chance.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "exec/model.h"

namespace gabbro::capability {

/// The number of last tokens, including the current one, that four blocks of short convolutions of width 3
/// see. The two blocks of the designs that are tested see five.
constexpr std::int64_t kNear = 9;

/// The use of a sequence. Test sequences only ask for tokens farther back than kNear. Tasks that ask at every
/// position do so in the second half of a test sequence of the training length, but not within its first
/// kNear tokens. In a longer test sequence they ask only after the training length.
enum class Use : std::uint8_t { kTraining, kTest };

/// A sequence to be filled. All `targets` are initially kNotScored.
struct Sequence {
  std::span<std::int64_t> tokens, targets;
  Use use = Use::kTraining;
  std::int64_t ask_from = 0;  // first position at which a task that asks everywhere may ask
  [[nodiscard]] std::int64_t length() const { return static_cast<std::int64_t>(tokens.size()); }
};

/// A task. `write` fills a sequence with tokens below `vocab`.
struct Task {
  const char* name;
  const char* asks;                   // phrase that says what the task asks for
  const char* source;                 // paper, with its arXiv number
  const char* difficulty;             // its numbers of keys, values, symbols and the like
  std::int64_t vocab;                 // number of different tokens
  std::int64_t length;                // length of training sequences
  std::vector<std::int64_t> lengths;  // lengths of test sequences
  double chance;                      // accuracy of the best guess without the context
  void (*write)(Sequence sequence, Random& random);
};

/// Returns the tasks, in the order in which they are reported.
const std::vector<Task>& tasks();

/// Returns the task of this name; null if there is none.
const Task* find_task(std::string_view name);

/// Returns `sequences` sequences of `length` tokens, a multiple of the training length. Sequence i is drawn
/// from `random` split by i. The result depends only on the arguments.
exec::TokenBatch batch(const Task& task, Use use, std::int64_t sequences, std::int64_t length,
                       const Random& random);

}  // namespace gabbro::capability
