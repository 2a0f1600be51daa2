// Benchmark tasks from files: what is asked of a model, item by item.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::eval {

/// Found from the fields of a file's objects:
///   kPairs    {good, bad}: is the good text likelier? (BLiMP; `term` and `uid` make groups)
///   kWord     {context, continuation}: is the continuation the greedy one? (LAMBADA)
///   kChoice   {query, choices, gold}: which choice is likeliest after the query? (`support` stands before
///   the query) kContext  {context_options, continuation, gold}: after which context is the continuation
///   likeliest? (WinoGrande, WSC) kLabel    {..., label}: which word for the label is likeliest after a
///   prompt? (CoLA, SST-2, RTE, MRPC, CB)
enum class TaskKind : std::uint8_t { kPairs, kWord, kChoice, kContext, kLabel };

struct Choice {
  std::string context, continuation;
  double characters = 0;  // of the choice, the space before it not counted
};

struct Item {
  std::vector<Choice> choices;
  int gold = 0;
  std::vector<std::string> groups;  // "term: island_effects"
};

struct Task {
  std::string name;
  TaskKind kind = TaskKind::kPairs;
  std::vector<Item> items;
  bool correlation = false;  // report Matthews' coefficient
  bool f1 = false;           // of label 1, or the mean over labels when there are more than two
};

/// "NAME=FILE" or "FILE". A name is needed where fields do not tell a task (those with labels): it begins
/// with cola, sst2, rte, mrpc or cb. Without one it is the file's name up to its first dot.
struct TaskSource {
  std::string name, file;
};
TaskSource parse_source(const std::string& text);

/// Reads JSON lines, packed or not. Prompts are those of lm-evaluation-harness without examples;
/// continuations begin with a space. Objects whose `split` is one of training are left out. `limit` > 0: the
/// first so many items. Errors: "io", "task" (fields of no known kind, a field of another type, gold out of
/// range, no item), with file and line.
Result<Task> read_task(const TaskSource& source, std::uint64_t limit = 0);

}  // namespace gabbro::eval
