// Reads benchmark tasks from files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/eval.h"

namespace gabbro::eval {

/// The kind of a task follows from the fields of the objects in its file:
/// - kPairs {good, bad}: is the good text more likely? (BLiMP; `term` and `uid` define groups)
/// - kWord {context, continuation}: is the continuation the greedy one? (LAMBADA)
/// - kChoice {query, choices, gold}: which choice is most likely after the query? (`support` precedes it)
/// - kContext {context_options, continuation, gold}: after which context is the continuation most likely?
///   (WinoGrande, WSC)
/// - kLabel {..., label}: which label's word is most likely after a prompt? (CoLA, SST-2, RTE, MRPC, CB)
enum class TaskKind : std::uint8_t { kPairs, kWord, kChoice, kContext, kLabel };

struct AnswerChoice {
  std::string context, continuation;
  double characters = 0;  // number of characters of the choice, without the space before it
};

struct BenchmarkItem {
  std::vector<AnswerChoice> choices;  // all different
  int gold = 0;                       // index of the correct choice
  std::vector<std::string> groups;    // such as "term: island_effects"
  std::size_t question = 0;  // number; items with the same choices, in any order, ask the same question
};

struct BenchmarkTask {
  std::string name;
  TaskKind kind = TaskKind::kPairs;
  std::vector<BenchmarkItem> items;
  record::ItemCounts counts;
  bool correlation = false;  // Matthews' correlation coefficient is reported
  bool f1 = false;           // F1 of label 1 is reported, or the mean over labels if there are more than two
};

/// A file, and the name of the task in it. The name of a task with labels, whose fields do not identify it,
/// begins with cola, sst2, rte, mrpc or cb.
struct TaskSource {
  std::string name, file;
};

/// Parses "NAME=FILE" or "FILE". Without a name, the task is named after the file, up to the first dot of its
/// name.
TaskSource parse_source(const std::string& text);

/// Reads JSON lines, compressed or not. Prompts are those of lm-evaluation-harness without examples.
/// Continuations begin with a space. Equal choices of an item become one choice, which is correct if one of
/// them is. Left out and counted are objects whose `split` is a training split, and objects without two
/// different choices, which ask nothing (unless the kind is kWord). `limit` > 0: only the first `limit` items
/// are read. Errors, with file and line: "io", "task" (fields of no known kind, a field of the wrong type,
/// gold out of range, an empty answer, no item).
Result<BenchmarkTask> read_task(const TaskSource& source, std::uint64_t limit = 0);

}  // namespace gabbro::eval
