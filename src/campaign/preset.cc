#include "campaign/preset.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>

#include "base/files.h"
#include "base/toml.h"
#include "capability/task.h"
#include "evolve/comparison.h"
#include "evolve/depth.h"
#include "evolve/strategy.h"
#include "zoo/library.h"

namespace gabbro::campaign {

using evolve::Rung;
using evolve::SearchSettings;

namespace {

// Reports an error if the value of a key, or its default, is outside [low, high]. `prefix` precedes the key
// in the message.
void check_range(TomlTable& t, const toml::table& table, const std::string& prefix, const char* key,
                 double value, double low, double high) {
  if (value < low || value > high)
    t.fail(table.get(key) ? table.get(key) : &table,
           fmt::format("{}{} is {:g}, outside {:g} to {:g}", prefix, key, value, low, high), "");
}

// Reads an enum by its words; messages name it by its key.
template <record::Spelled E>
void read_word(TomlTable& t, const toml::table& table, const std::string& prefix, const char* key, E& value,
               const char* hint) {
  std::string word(record::word_of(value));
  t(key, word);
  if (const auto known = record::parse_word<E>(word))
    value = *known;
  else
    t.fail(table.get(key), fmt::format("{}unknown {} '{}'", prefix, key, word), hint);
}

void read_rung(const toml::table& table, Rung& r, std::size_t number, Error& error) {
  const std::string prefix = fmt::format("rung {}: ", number);
  TomlTable t(table, prefix, "preset", error);
  t("name", r.name);
  t("params", r.params);
  t("tokens", r.tokens);
  t("sequences", r.sequences);
  t("length", r.length);
  t("depth", r.depth);
  t("rate", r.rate);
  t("designs", r.designs);
  t("promote_fraction", r.promote_fraction);
  t("seeds", r.seeds);
  t("evidence", r.evidence);
  t("stop_fraction", r.stop_fraction);
  t("documents", r.documents);
  t("document_tokens", r.document_tokens);
  read_word(t, table, prefix, "engine", r.engine, "use cpu or pytorch");
  t("device", r.device);
  t("gpus", r.gpus);
  t("compile", r.compile);
  if (r.engine == record::Engine::kCpu && (r.device != "cpu" || r.gpus != 1 || r.compile))
    t.fail(&table, prefix + "device, gpus and compile are settings of the pytorch engine",
           "add engine = \"pytorch\", or leave them out");
  const auto range = [&](const char* key, double value, double low, double high) {
    check_range(t, table, prefix, key, value, low, high);
  };
  range("gpus", r.gpus, 1, 64);
  range("params", static_cast<double>(r.params), 1000, 1e12);
  range("tokens", static_cast<double>(r.tokens), static_cast<double>(r.sequences * r.length), 1e14);
  range("sequences", static_cast<double>(r.sequences), 1, 1e6);
  range("length", static_cast<double>(r.length), 8, 1e6);
  range("rate", r.rate, 1e-7, 10);
  range("depth", r.depth, 1.0 / 64, 64);
  range("promote_fraction", r.promote_fraction, 0, 1);
  range("stop_fraction", r.stop_fraction, 0, 0.9);
  range("seeds", r.seeds, 1, 100);
  range("documents", static_cast<double>(r.documents), 0, 1e9);
  range("document_tokens", static_cast<double>(r.document_tokens), 0, 1e12);
  range("evidence", r.evidence, 0, 0.5);
  if (r.name.empty()) r.name = std::to_string(number);
}

}  // namespace

Result<SearchSettings> parse_settings(std::string_view text, const std::string& name) {
  GABBRO_TRY(parsed, parse_toml(text, "preset", "see presets/laptop.toml"));
  SearchSettings s;
  s.preset = name;
  Error error;
  {
    TomlTable t(parsed, "", "preset", error);
    t("preset", s.preset);
    t("vocab", s.vocab);
    t("blocks", s.blocks);
    t.list<std::string>("baselines", s.baselines, "a list of files of zoo/, without .gab",
                        [](const std::string& b) { return zoo::program(b + ".gab") != nullptr; });
    t.list<std::string>("controls", s.controls, "a list of files of zoo/, without .gab",
                        [](const std::string& b) { return zoo::program(b + ".gab") != nullptr; });
    std::string tasks;
    for (const capability::Task& task : capability::tasks())
      tasks += (tasks.empty() ? "" : ", ") + std::string(task.name);
    t.list<std::string>("capabilities", s.capabilities, ("a list of tasks: " + tasks).c_str(),
                        [](const std::string& task) { return capability::find_task(task) != nullptr; });
    t("tune_rates", s.tune_rates);
    std::string dtype = "auto";
    if (s.dtype) dtype = record::word_of(*s.dtype);
    t("dtype", dtype);
    s.dtype = record::parse_word<record::Dtype>(dtype);
    read_word(t, parsed, "", "optimizer", s.optimizer, "use adamw or muon");
    t("input_rate", s.input_rate);
    t("output_rate", s.output_rate);
    const auto names = evolve::strategy_names();
    t.list<std::string>(
        "strategies", s.strategies, "a list of strategies: adaptive, tournament, random",
        [&](const std::string& a) { return std::find(names.begin(), names.end(), a) != names.end(); });
    t.list<double>("hurdles", s.hurdles, "a list of shares between 0 and 1",
                   [](double h) { return h > 0 && h < 1; });
    t("hurdle_runs", s.hurdle_runs);
    t("effect", s.effect);
    t("final_seeds", s.final_seeds);
    t("ablate", s.ablate);
    t("search_share", s.search_share);
    const auto range = [&](const char* key, double value, double low, double high) {
      check_range(t, parsed, "", key, value, low, high);
    };
    range("vocab", static_cast<double>(s.vocab), 16, 1e6);
    range("blocks", s.blocks, 0, 1000);
    range("input_rate", s.input_rate, 1e-3, 1e3);
    range("output_rate", s.output_rate, 1e-3, 1e3);
    if (!s.dtype && dtype != "auto")
      t.fail(parsed.get("dtype"), fmt::format("unknown dtype '{}'", dtype),
             "use float32, bf16, float64 or auto");
    range("hurdle_runs", s.hurdle_runs, 1, 1e6);
    range("effect", s.effect, 1e-6, 10);
    range("final_seeds", s.final_seeds, evolve::kLeastSeeds, 100);
    range("search_share", s.search_share, 0, 1);
    if (parsed.get("baselines") && s.baselines.empty())
      t.fail(parsed.get("baselines"), "baselines is empty", "name at least one to compare designs with");
    std::set<std::string> named;
    for (const auto* list : {&s.baselines, &s.controls})
      for (const std::string& design : *list)
        if (!named.insert(design).second)
          t.fail(parsed.get(list == &s.controls ? "controls" : "baselines"), design + " is named twice",
                 "name each baseline and control once");
    if (std::adjacent_find(s.hurdles.begin(), s.hurdles.end(), std::greater_equal<>()) != s.hurdles.end())
      t.fail(parsed.get("hurdles"), "hurdles is not in ascending order",
             "list each share of a run once, smallest first");
    if (const toml::node* n = t.node("limits")) {
      if (!n->is_table())
        t.fail(n, "limits is not a table", "write [limits] on a line of its own");
      else {
        TomlTable limits(*n->as_table(), "limits.", "preset", error);
        limits("train_flops", s.limits.train_flops);
        limits("decode_flops", s.limits.decode_flops);
        limits("state_bytes", s.limits.state_bytes);
        limits("most_train_flops", s.limits.most_train_flops);
        limits("most_decode_flops", s.limits.most_decode_flops);
        limits("most_state_bytes", s.limits.most_state_bytes);
      }
    }
    if (const toml::node* n = t.node("worker")) {
      if (!n->is_table())
        t.fail(n, "worker is not a table", "write [worker] on a line of its own");
      else {
        TomlTable worker(*n->as_table(), "worker.", "preset", error);
        std::int64_t megabytes = s.worker_bytes >> 20;
        worker("seconds", s.worker_seconds);
        worker("megabytes", megabytes);
        check_range(worker, *n->as_table(), "worker.", "seconds", s.worker_seconds, 1, 1e8);
        check_range(worker, *n->as_table(), "worker.", "megabytes", static_cast<double>(megabytes),
                    megabytes == 0 ? 0 : 64, 1e8);  // 0: no limit
        s.worker_bytes = megabytes << 20;
      }
    }
    const toml::node* rungs = t.node("rung");
    if (!rungs || !rungs->is_array_of_tables())
      t.fail(rungs, "there is no [[rung]] table", "add at least one; see presets/laptop.toml");
    else
      for (const toml::node& rung : *rungs->as_array()) {
        Rung& next = s.rungs.emplace_back();
        read_rung(*rung.as_table(), next, s.rungs.size(), error);
        const bool is_duplicate = std::any_of(s.rungs.begin(), s.rungs.end() - 1,
                                              [&](const Rung& r) { return r.name == next.name; });
        if (is_duplicate)
          t.fail(rung.as_table()->get("name"), fmt::format("two rungs are named {}", next.name), "");
      }
  }
  if (!error.code.empty()) return tl::unexpected(error);
  return s;
}

Result<SearchSettings> load_settings(const std::string& name) {
  for (const Preset& p : presets())
    if (p.name == name) return parse_settings(p.text, name);
  const auto text = read_file(name, kMostText);
  std::error_code ignored;
  if (!text && std::filesystem::exists(name, ignored))
    return fail("preset", text.error().message, "give a TOML file");
  if (!text) {
    std::string names;
    for (const Preset& p : presets()) names += (names.empty() ? "" : ", ") + std::string(p.name);
    return fail("preset", fmt::format("unknown preset '{}', and there is no such file", name),
                "known presets: " + names);
  }
  return parse_settings(*text, name);
}

lang::Program baseline_program(const SearchSettings& s, const std::string& file) {
  std::int64_t length = 0;
  for (const evolve::Rung& r : s.rungs) length = std::max(length, r.length);
  return evolve::as_baseline(*zoo::program(file + ".gab"), s.blocks, length);
}

std::string to_toml(const SearchSettings& s) {
  const auto texts = [](const std::vector<std::string>& list) {
    toml::array out;
    for (const std::string& x : list) out.push_back(x);
    return out;
  };
  toml::array hurdles, rungs;
  for (const double h : s.hurdles) hurdles.push_back(h);
  for (const Rung& r : s.rungs)
    rungs.push_back(toml::table{{"name", r.name},
                                {"params", r.params},
                                {"tokens", r.tokens},
                                {"sequences", r.sequences},
                                {"length", r.length},
                                {"depth", r.depth},
                                {"rate", r.rate},
                                {"designs", r.designs},
                                {"promote_fraction", r.promote_fraction},
                                {"seeds", r.seeds},
                                {"evidence", r.evidence},
                                {"stop_fraction", r.stop_fraction},
                                {"documents", r.documents},
                                {"document_tokens", r.document_tokens},
                                {"engine", record::word_of(r.engine)},
                                {"device", r.device},
                                {"gpus", r.gpus},
                                {"compile", r.compile}});
  const toml::table table{
      {"preset", s.preset},
      {"vocab", s.vocab},
      {"blocks", s.blocks},
      {"baselines", texts(s.baselines)},
      {"controls", texts(s.controls)},
      {"capabilities", texts(s.capabilities)},
      {"strategies", texts(s.strategies)},
      {"tune_rates", s.tune_rates},
      {"dtype", s.dtype ? record::word_of(*s.dtype) : "auto"},
      {"optimizer", record::word_of(s.optimizer)},
      {"input_rate", s.input_rate},
      {"output_rate", s.output_rate},
      {"hurdles", hurdles},
      {"hurdle_runs", s.hurdle_runs},
      {"effect", s.effect},
      {"final_seeds", s.final_seeds},
      {"ablate", s.ablate},
      {"search_share", s.search_share},
      {"limits", toml::table{{"train_flops", s.limits.train_flops},
                             {"decode_flops", s.limits.decode_flops},
                             {"state_bytes", s.limits.state_bytes},
                             {"most_train_flops", s.limits.most_train_flops},
                             {"most_decode_flops", s.limits.most_decode_flops},
                             {"most_state_bytes", s.limits.most_state_bytes}}},
      {"worker", toml::table{{"seconds", s.worker_seconds}, {"megabytes", s.worker_bytes >> 20}}},
      {"rung", rungs}};
  std::ostringstream out;
  out << table << '\n';
  return out.str();
}

}  // namespace gabbro::campaign
