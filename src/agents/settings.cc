#include "agents/settings.h"

#include "base/toml.h"

namespace gabbro::agents {

Result<AgentSettings> parse_settings(std::string_view text) {
  GABBRO_TRY(document, parse_toml(text, "agents", "see docs/agents.md for the format of agents.toml"));
  AgentSettings s;
  const toml::node* node = document.get("pipeline");
  if (!node) return s;
  const auto begin = node->source().begin;
  const Position position{static_cast<int>(begin.line), static_cast<int>(begin.column)};
  if (!node->is_table())
    return fail("agents", "pipeline is not a table", "write [pipeline] on a line of its own", position);
  Error error;
  {
    const toml::table& table = *node->as_table();
    TomlTable t(table, "pipeline.", "agents", error);
    const auto read = [&](const char* key, auto& value, double low, double high) {
      t(key, value);
      if (static_cast<double>(value) < low || static_cast<double>(value) > high)
        t.fail(table.get(key), fmt::format("pipeline.{} is {}, outside {:g} to {:g}", key, value, low, high),
               "");
    };
    read("mutation", s.modes.mutation, 0, 1);
    read("crossover", s.modes.crossover, 0, 1);
    read("scratch", s.modes.scratch, 0, 1);
    read("tasks", s.tasks, 1, 64);
    read("queries", s.queries, 0, 10);
    read("excerpts", s.excerpts, 1, 10);
    read("attempts", s.attempts, 1, 100);
    read("reviewers", s.reviewers, 0, 9);
    read("pass", s.pass, 1, 5);
    read("similar", s.similar, 0, 1);
    read("most_units", s.most_units, 1, 20);
    read("candidates", s.candidates, 1, 16);
    read("beam", s.beam, 1, 8);
    read("repairs", s.repairs, 0, 50);
    read("examples", s.examples, 0, 6);
    read("observer_pass", s.observer_pass, 1, 5);
    read("reply_tokens", s.reply_tokens, 64, 100000);
    read("temperature", s.temperature, 0, 2);
    t("planner", s.planner);
    t("checker", s.checker);
    t("observer", s.observer);
    t("grammar", s.grammar);
    std::string writing = "auto";
    t("writing", writing);
    s.writing = record::parse_word<record::Writing>(writing);
    if (!s.writing && writing != "auto")
      t.fail(table.get("writing"), record::unknown_word<record::Writing>(writing) + ", or \"auto\"", "");
    if (s.modes.mutation + s.modes.crossover + s.modes.scratch <= 0)
      t.fail(node, "mutation, crossover and scratch are all 0", "set at least one of them above 0");
  }
  if (!error.code.empty()) return tl::unexpected(error);
  return s;
}

record::Mode draw_mode(const Modes& modes, int parents, Random& random) {
  const double mutation = parents >= 1 ? modes.mutation : 0, crossover = parents >= 2 ? modes.crossover : 0;
  const double drawn = random.uniform(0, mutation + crossover + modes.scratch);
  if (drawn < mutation) return record::Mode::kMutation;
  return drawn < mutation + crossover ? record::Mode::kCrossover : record::Mode::kScratch;
}

}  // namespace gabbro::agents
