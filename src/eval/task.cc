#include "eval/task.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "data/bytes.h"

namespace gabbro::eval {

namespace {

using nlohmann::json;

std::string text(const json& object, const char* field) { return object.at(field).get<std::string>(); }

// Returns the number of code points.
double characters(const std::string& text) {
  return static_cast<double>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & '\xC0') != '\x80'; }));
}

// Continuations begin with a space.
AnswerChoice choice(std::string context, const std::string& continuation) {
  return {std::move(context), " " + continuation, characters(continuation)};
}

// ---- Tasks that are identified by their fields ----

// Builds the prompt of a query. The queries of question sets lack the "Answer:" of their prompts, so it is
// added.
std::string prompt(const json& object) {
  std::string query = text(object, "query");
  if (object.contains("support")) {
    std::string support = text(object, "support");
    support.erase(0, std::min(support.find_first_not_of(" \t\n\r\f\v"), support.size()));
    return support + "\nQuestion: " + query + "\nAnswer:";
  }
  constexpr std::string_view kPassage = "Passage: ";
  const bool passage = query.starts_with(kPassage) && query.find("\nQuestion: ") != std::string::npos;
  if (!passage && !query.starts_with("Question: ")) return query;
  if (passage) query.erase(0, kPassage.size());
  while (query.ends_with('\n')) query.pop_back();
  return query + "\nAnswer:";
}

BenchmarkItem pair(const json& object) {
  BenchmarkItem item{{choice("", text(object, "good")), choice("", text(object, "bad"))}, 0, {}};
  for (const char* group : {"term", "uid"})
    if (object.contains(group)) item.groups.push_back(fmt::format("{}: {}", group, text(object, group)));
  return item;
}

BenchmarkItem word(const json& object) {
  return {{choice(text(object, "context"), text(object, "continuation"))}, 0, {}};
}

// Returns the index of the right choice. JSON converts fractions, booleans and large numbers to int silently,
// so they are refused here.
int answer(const json& object, const char* key) {
  const json& value = object.at(key);
  constexpr std::int64_t kLargest = 1000;
  if (!value.is_number() && !value.is_boolean())
    return value.get<int>();  // throws the error for a wrong type
  if (!value.is_number_integer() || value.get<double>() < 0 || value.get<double>() > kLargest)
    throw std::runtime_error(fmt::format("{} is {}, which is not the number of a choice", key, value.dump()));
  return value.get<int>();
}

BenchmarkItem choices(const json& object) {
  BenchmarkItem item{{}, answer(object, "gold"), {}};
  for (const auto& c : object.at("choices").get<std::vector<json>>())
    item.choices.push_back(choice(prompt(object), c.get<std::string>()));
  return item;
}

BenchmarkItem contexts(const json& object) {
  BenchmarkItem item{{}, answer(object, "gold"), {}};
  for (const auto& c : object.at("context_options").get<std::vector<json>>())
    item.choices.push_back(choice(c.get<std::string>(), text(object, "continuation")));
  return item;
}

// ---- Tasks with labels ----

struct LabelTask {
  const char* name;  // the names of its files begin with it
  std::string (*prompt)(const json& object);
  std::vector<const char*> words;        // one word per label
  bool correlation = false, f1 = false;  // metrics to report (BenchmarkTask)
};

const std::vector<LabelTask>& label_tasks() {
  static const std::vector<LabelTask> tasks{
      {.name = "cola",
       .prompt =
           [](const json& o) {
             return text(o, o.contains("text") ? "text" : "sentence") +
                    "\nQuestion: Does this sentence make sense?\nAnswer:";
           },
       .words = {"no", "yes"},
       .correlation = true},
      {.name = "sst2",
       .prompt =
           [](const json& o) {
             return text(o, "sentence") + "\nQuestion: Is this sentence positive or negative?\nAnswer:";
           },
       .words = {"negative", "positive"}},
      {.name = "rte",
       .prompt =
           [](const json& o) {
             return text(o, "sentence1") + "\nQuestion: " + text(o, "sentence2") + " True or False?\nAnswer:";
           },
       .words = {"True", "False"}},
      {.name = "mrpc",
       .prompt =
           [](const json& o) {
             return "Sentence 1: " + text(o, "sentence1") + "\nSentence 2: " + text(o, "sentence2") +
                    "\nQuestion: Do both sentences mean the same thing?\nAnswer:";
           },
       .words = {"no", "yes"},
       .f1 = true},
      {.name = "cb",
       .prompt =
           [](const json& o) {
             return text(o, "premise") + "\nQuestion: " + text(o, "hypothesis") +
                    ". True, False, or Neither?\nAnswer:";
           },
       .words = {"True", "False", "Neither"},
       .f1 = true},
  };
  return tasks;
}

BenchmarkItem label(const LabelTask& task, const json& object) {
  BenchmarkItem item{{}, answer(object, "label"), {}};
  for (const char* word : task.words) item.choices.push_back(choice(task.prompt(object), word));
  return item;
}

// ---- Files ----

struct TaskForm {
  TaskKind kind = TaskKind::kPairs;
  const LabelTask* label = nullptr;
};

// Fields of the objects of each kind. If the fields of one kind include those of another, the longer list
// comes first.
const std::vector<std::pair<TaskKind, std::vector<const char*>>> kKinds{
    {TaskKind::kPairs, {"good", "bad"}},
    {TaskKind::kChoice, {"query", "choices", "gold"}},
    {TaskKind::kContext, {"context_options", "continuation", "gold"}},
    {TaskKind::kWord, {"context", "continuation"}},
    {TaskKind::kLabel, {"label"}},
};

bool has_all(const json& object, const std::vector<const char*>& fields) {
  return std::all_of(fields.begin(), fields.end(), [&](const char* f) { return object.contains(f); });
}

std::string fields_of(const json& object) {
  std::string fields;
  for (const auto& [key, value] : object.items()) fields += (fields.empty() ? "" : ", ") + key;
  return fields;
}

Result<TaskForm> form_of(const json& object, const TaskSource& source) {
  for (const auto& [kind, fields] : kKinds)
    if (kind != TaskKind::kLabel && has_all(object, fields)) return TaskForm{kind, nullptr};
  const bool labelled = object.contains("label");
  std::string names;
  for (const LabelTask& task : label_tasks()) {
    if (labelled && source.name.starts_with(task.name)) return TaskForm{TaskKind::kLabel, &task};
    names += fmt::format("{}{}", names.empty() ? "" : ", ", task.name);
  }
  if (labelled)
    return fail("task",
                fmt::format("the objects have labels, but {} is not a known task with labels", source.name),
                fmt::format("name the task: --task NAME={}, with NAME one of {}", source.file, names));
  std::string known;
  for (const auto& [kind, fields] : kKinds)
    known += fmt::format("{}{{{}}}", known.empty() ? "" : ", ", fmt::join(fields, ", "));
  return fail("task", "unknown task format, with the fields " + fields_of(object), "known formats: " + known);
}

// Returns which of the fields that tasks read has a value of a wrong type, with that value; "" if none has.
std::string wrong_type(const json& object) {
  static const std::set<std::string_view> kTexts{
      "bad",      "continuation", "context",   "good",      "hypothesis", "premise", "query",
      "sentence", "support",      "sentence1", "sentence2", "term",       "text",    "uid"};
  const auto is_text = [](const json& value) { return value.is_string(); };
  for (const auto& [key, value] : object.items()) {
    const bool is_number = key == "gold" || key == "label",
               is_list = key == "choices" || key == "context_options";
    if (!is_number && !is_list && !kTexts.contains(key)) continue;
    const bool fits = is_number ? value.is_number_integer()
                      : is_list ? value.is_array() && std::all_of(value.begin(), value.end(), is_text)
                                : is_text(value);
    if (fits) continue;
    constexpr std::size_t kShown = 40;
    return fmt::format("the field {} needs {}, but has {}", key,
                       is_number ? "a whole number"
                       : is_list ? "a list of texts"
                                 : "a text",
                       value.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, kShown));
  }
  return "";
}

// Explains why an object does not fit the kind of task of the first object in its file.
std::string misfit(const TaskForm& form, const json& object) {
  const auto& fields =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& k) { return k.first == form.kind; })->second;
  const std::string kind = fmt::format("{{{}}}", fmt::join(fields, ", "));
  if (!has_all(object, fields))
    return fmt::format("the first line is {}, but this one has the fields {}", kind, fields_of(object));
  const std::string wrong = wrong_type(object);
  return wrong.empty() ? fmt::format("a field of {} is missing", kind) : wrong;
}

BenchmarkItem item_of(const TaskForm& form, const json& object) {
  switch (form.kind) {
    case TaskKind::kPairs:
      return pair(object);
    case TaskKind::kWord:
      return word(object);
    case TaskKind::kChoice:
      return choices(object);
    case TaskKind::kContext:
      return contexts(object);
    case TaskKind::kLabel:
      return label(*form.label, object);
  }
  return {};
}

// Returns true if the object's split is a training split: its name has the word train or training in it.
bool is_for_training(const json& object) {
  const auto split = object.find("split");
  if (split == object.end() || !split->is_string()) return false;
  std::string name = split->get<std::string>();
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::string_view kTrain = "train", kEnding = "ing";
  for (std::size_t at = 0; (at = name.find(kTrain, at)) != std::string::npos; ++at) {
    const std::string after = name.substr(at + kTrain.size(), kEnding.size());
    const bool begins = at == 0 || std::isalpha(static_cast<unsigned char>(name[at - 1])) == 0;
    const bool ends = after.empty() || std::isalpha(static_cast<unsigned char>(after[0])) == 0;
    if (begins && (ends || after == kEnding)) return true;
  }
  return false;
}

// Keeps the first of equal choices, and lets `gold` point to it. Returns true if there were equal choices.
bool merge_equal(BenchmarkItem& item) {
  std::map<std::pair<std::string_view, std::string_view>, int> places;
  std::vector<AnswerChoice> kept;
  const auto correct = static_cast<std::size_t>(item.gold);
  for (std::size_t i = 0; i < item.choices.size(); ++i) {
    const AnswerChoice& c = item.choices[i];
    const auto [place, is_new] =
        places.try_emplace({c.context, c.continuation}, static_cast<int>(kept.size()));
    if (is_new) kept.push_back(c);
    if (i == correct) item.gold = place->second;
  }
  const bool merged = kept.size() < item.choices.size();
  item.choices = std::move(kept);
  return merged;
}

// Returns a hash of the choices that does not depend on their order, nor on white space and case of ASCII.
std::uint64_t hash_of(const BenchmarkItem& item) {
  const auto folded = [](const std::string& text) {
    std::string out;
    for (const char c : text)
      if (const auto byte = static_cast<unsigned char>(c); std::isspace(byte) == 0)
        out += static_cast<char>(std::tolower(byte));
    return hash64(out);
  };
  std::uint64_t hash = item.choices.size();
  for (const AnswerChoice& c : item.choices) hash += mix(folded(c.context), folded(c.continuation));
  return hash;
}

}  // namespace

TaskSource parse_source(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals != std::string::npos && text.find('/') > equals)
    return {text.substr(0, equals), text.substr(equals + 1)};
  const std::string file = std::filesystem::path(text).filename();
  return {file.substr(0, file.find('.')), text};
}

Result<BenchmarkTask> read_task(const TaskSource& source, std::uint64_t limit) {
  BenchmarkTask task;
  task.name = source.name;
  std::optional<TaskForm> form;
  std::map<std::uint64_t, std::size_t> questions;
  GABBRO_TRY(lines, data::Lines::open(source.file));
  const auto wrong = [&](const std::string& what, const std::string& hint = "") {
    return fail("task", fmt::format("{}:{}: {}", source.file, lines.number(), what), hint);
  };
  for (std::string line; limit == 0 || task.items.size() < limit;) {
    GABBRO_TRY(found, lines.next(line));
    if (!found) break;
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const json object = json::parse(line, nullptr, false);
    if (!object.is_object()) return wrong("the line is not a JSON object");
    if (is_for_training(object)) {
      ++task.counts.training;
      continue;
    }
    if (!form) {
      auto first = form_of(object, source);
      if (!first) return wrong(first.error().message, first.error().hint);
      form = *first;
    }
    BenchmarkItem item;
    try {
      item = item_of(*form, object);
    } catch (const json::exception&) {
      return wrong(misfit(*form, object));
    } catch (const std::runtime_error& e) {
      return wrong(e.what());
    }
    if (item.gold < 0 || item.gold >= static_cast<int>(item.choices.size()))
      return wrong(fmt::format("the answer is {}, but there are {} choices", item.gold, item.choices.size()));
    for (const AnswerChoice& c : item.choices)
      if (c.characters == 0)
        return wrong("a text to score is empty", "give every choice and continuation some text");
    const bool merged = merge_equal(item);
    if (form->kind != TaskKind::kWord && item.choices.size() < 2) {
      ++task.counts.single;
      continue;
    }
    task.counts.equal += merged ? 1 : 0;
    task.counts.spaced += std::any_of(item.choices.begin(), item.choices.end(),
                                      [](const AnswerChoice& c) { return c.continuation.starts_with("  "); });
    const auto [question, is_new] = questions.try_emplace(hash_of(item), questions.size());
    item.question = question->second;
    task.counts.repeated += is_new ? 0 : 1;
    task.items.push_back(std::move(item));
  }
  if (!form || task.items.empty())
    return fail("task", fmt::format("{} contains no items; left out: {} of a training split, {} without two "
                                    "different choices",
                                    source.file, task.counts.training, task.counts.single));
  task.kind = form->kind;
  task.correlation = form->label && form->label->correlation;
  task.f1 = form->label && form->label->f1;
  return task;
}

}  // namespace gabbro::eval
