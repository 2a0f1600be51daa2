#include "agents/settings.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "lang/library.h"

namespace gabbro::agents {

namespace {

Position position(const toml::node& node) {
  const auto at = node.source().begin;
  return {static_cast<int>(at.line), static_cast<int>(at.column)};
}

// Takes the keys of the table one by one; keeps the first error.
class Pipeline {
 public:
  explicit Pipeline(const toml::table& table) : table_(table) {}

  void number(const char* key, double& value, double low, double high) {
    const toml::node* node = find(key);
    if (!node) return;
    const auto found = node->value<double>();
    if (!found || node->is_boolean())
      fail(*node, fmt::format("pipeline.{} is not a number", key), range(low, high));
    else if (!(*found >= low && *found <= high))
      fail(*node, fmt::format("pipeline.{} is {:g}", key, *found), range(low, high));
    else
      value = *found;
  }
  void count(const char* key, int& value, int low, int high) {
    const toml::node* node = find(key);
    if (!node) return;
    const auto found = node->value_exact<std::int64_t>();
    if (!found)
      fail(*node, fmt::format("pipeline.{} is not a whole number", key), range(low, high));
    else if (*found < low || *found > high)
      fail(*node, fmt::format("pipeline.{} is {}", key, *found), range(low, high));
    else
      value = static_cast<int>(*found);
  }
  void flag(const char* key, bool& value) {
    const toml::node* node = find(key);
    if (!node) return;
    if (const auto found = node->value_exact<bool>())
      value = *found;
    else
      fail(*node, fmt::format("pipeline.{} is neither true nor false", key), "");
  }
  Error rest() {
    for (const auto& [key, node] : table_)
      if (!known_.contains(std::string(key.str()))) {
        const std::vector<std::string> names(known_.begin(), known_.end());
        const std::string near = lang::closest(key.str(), names);
        fail(node, fmt::format("there is no key pipeline.{}", key.str()),
             near.empty() ? fmt::format("keys here: {}", fmt::join(known_, ", "))
                          : "did you mean " + near + "?");
      }
    return error_;
  }

 private:
  const toml::node* find(const char* key) {
    known_.insert(key);
    return table_.get(key);
  }
  void fail(const toml::node& at, std::string message, std::string hint) {
    if (error_.code.empty()) error_ = {"agents", std::move(message), std::move(hint), position(at)};
  }
  static std::string range(double low, double high) {
    return fmt::format("it may be from {:g} to {:g}", low, high);
  }

  const toml::table& table_;
  std::set<std::string> known_;
  Error error_;
};

}  // namespace

Result<Settings> parse_settings(std::string_view text) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const auto at = parsed.error().source().begin;
    return fail("agents", std::string(parsed.error().description()), "agents.toml is a TOML file",
                {static_cast<int>(at.line), static_cast<int>(at.column)});
  }
  Settings s;
  const toml::node* node = parsed.table().get("pipeline");
  if (!node) return s;
  if (!node->is_table())
    return fail("agents", "pipeline is not a table", "write [pipeline] on a line of its own",
                position(*node));
  Pipeline p(*node->as_table());
  p.number("mutation", s.mutation, 0, 1);
  p.number("crossover", s.crossover, 0, 1);
  p.number("scratch", s.scratch, 0, 1);
  p.count("tasks", s.tasks, 1, 64);
  p.count("queries", s.queries, 0, 10);
  p.count("excerpts", s.excerpts, 1, 10);
  p.count("attempts", s.attempts, 1, 100);
  p.count("reviewers", s.reviewers, 0, 9);
  p.number("pass", s.pass, 1, 5);
  p.number("similar", s.similar, 0, 1);
  p.count("most_units", s.most_units, 1, 20);
  p.count("candidates", s.candidates, 1, 16);
  p.count("beam", s.beam, 1, 8);
  p.count("repairs", s.repairs, 0, 50);
  p.count("examples", s.examples, 0, 6);
  p.number("observer_pass", s.observer_pass, 1, 5);
  p.count("reply_tokens", s.reply_tokens, 64, 100000);
  p.number("temperature", s.temperature, 0, 2);
  p.flag("planner", s.planner);
  p.flag("checker", s.checker);
  p.flag("observer", s.observer);
  p.flag("direct", s.direct);
  const Error error = p.rest();
  if (!error.code.empty()) return tl::unexpected(error);
  if (s.mutation + s.crossover + s.scratch <= 0)
    return fail("agents", "mutation, crossover and scratch are all 0", "one of them must be drawn",
                position(*node));
  return s;
}

std::string draw_mode(const Settings& s, int parents, Random& random) {
  const double mutation = parents >= 1 ? s.mutation : 0, crossover = parents >= 2 ? s.crossover : 0;
  const double drawn = random.uniform() * (mutation + crossover + s.scratch);
  if (drawn < mutation) return "mutation";
  return drawn < mutation + crossover ? "crossover" : "scratch";
}

}  // namespace gabbro::agents
