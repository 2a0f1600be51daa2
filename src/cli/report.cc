#include "cli/report.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/toml.h"
#include "cli/terminal.h"

namespace gabbro::cli {

namespace {

using nlohmann::json;

ir::SymEnv env_of(const lang::Subject& subject, double context) {
  ir::SymEnv env = subject.elaboration.graph.env;
  env.context = context;
  return env;
}

std::string receptive_field(const ir::Reach& reach) {
  if (reach.empty()) return "none";
  return reach.first == -ir::Reach::kFar ? "unbounded" : std::to_string(1 - reach.first);
}

json facts_json(const lang::Subject& s, double context) {
  const ir::Facts& f = s.facts;
  const ir::SymEnv env = env_of(s, context);
  json out{{"name", s.name}, {"hash", to_hex(s.hash)}};
  out["causal"] = f.causal;
  out["prefix_consistent"] = f.prefix_consistent;
  out["batch_independent"] = f.batch_independent;
  out["mixes_tokens"] = f.mixes_tokens;
  const bool bounded = !f.reach.empty() && f.reach.first != -ir::Reach::kFar;
  out["receptive_field"] = bounded ? json(1 - f.reach.first) : json(receptive_field(f.reach));
  out["params"] = ir::count_params(s.elaboration.graph);
  out["train_flops_per_token"] = f.train_flops.eval(env);
  out["train_flops_per_step"] = f.step_train_flops.eval(env);
  out["decode_flops_per_token"] = f.decode_flops.eval(env);
  out["state_bytes"] = f.state_bytes.eval(env);
  out["state_grows"] = f.state_grows;
  out["complexity"] = f.complexity;
  out["parallel_depth"] = f.parallel_depth.eval(env);
  out["width"] = env.width;
  out["moved"] = json::array();
  for (const lang::Move& m : s.elaboration.moves)
    out["moved"].push_back({{"unit", m.unit}, {"hyper", m.hyper}, {"from", m.from}, {"to", m.to}});
  out["context"] = context;
  out["symbolic"] = {{"params", f.params.to_string()},
                     {"train_flops_per_token", f.train_flops.to_string()},
                     {"train_flops_per_step", f.step_train_flops.to_string()},
                     {"decode_flops_per_token", f.decode_flops.to_string()},
                     {"state_bytes", f.state_bytes.to_string()},
                     {"parallel_depth", f.parallel_depth.to_string()}};
  constexpr std::array<const char*, 5> kRoles{"input", "hidden", "output", "vector", "state"};  // ir::Role
  for (const char* role : kRoles) out["roles"][role] = 0;
  for (const ir::Param& p : s.elaboration.graph.params) {
    json& count = out["roles"][kRoles[static_cast<std::size_t>(p.role)]];
    count = count.get<std::int64_t>() + ir::elements(s.elaboration.graph, p.axes);
  }
  return out;
}

}  // namespace

std::optional<std::int64_t> parse_amount(const std::string& text) {
  const auto amount = gabbro::parse_amount(text);
  return amount && *amount >= 1 ? amount : std::nullopt;
}

std::string human(double value) {
  constexpr std::array<const char*, 5> kUnits{"", "k", "M", "G", "T"};
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.4g}{}", value, kUnits[unit]);
}

namespace {

// One line of the facts. `number` is set if the ratio of two values is meaningful. A line that is
// `negligible` is left out of the text.
struct Fact {
  std::string name, value, formula;
  std::optional<double> number{};
  bool negligible = false;
};

std::vector<Fact> facts_of(const lang::Subject& s, double context) {
  const ir::Facts& f = s.facts;
  const ir::SymEnv env = env_of(s, context);
  std::vector<Fact> out;
  const auto amount = [&](const char* name, const ir::Sym& sym, const std::string& suffix = "") {
    const double value = sym.eval(env);
    out.push_back({name, human(value) + suffix, sym.is_constant() ? "" : sym.to_string(), value});
  };
  out.push_back({"proved",
                 fmt::format("{}causal, {}prefix-consistent, {}batch-independent", f.causal ? "" : "not ",
                             f.prefix_consistent ? "" : "not ", f.batch_independent ? "" : "not "),
                 ""});
  out.push_back({"mixes tokens", f.mixes_tokens ? "yes" : "no: every position sees itself only", ""});
  out.push_back({"receptive field", receptive_field(f.reach), ""});
  amount("parameters", f.params);
  amount("FLOPs/token train", f.train_flops);
  amount("FLOPs/token decode", f.decode_flops);
  amount("FLOPs/step train", f.step_train_flops, ", on parameters and constants alone");
  // Nearly every design has some operations, such as the frequencies of rotary positions. Even a step of one
  // token would not notice a thousandth of its work.
  out.back().negligible = f.step_train_flops.eval(env) < 1e-3 * f.train_flops.eval(env);
  amount("state, bytes", f.state_bytes, f.state_grows ? ", grows" : ", constant");
  out.push_back({"complexity", f.complexity, ""});
  amount("parallel depth", f.parallel_depth);
  out.push_back({"hash", to_hex(s.hash), ""});
  out.push_back({"at", fmt::format("D = {}, V = {}, T = {}", env.width, env.vocab, env.context), ""});
  return out;
}

}  // namespace

std::string facts_text(const lang::Subject& s, double context) {
  std::string out;
  for (const Fact& fact : facts_of(s, context)) {
    if (fact.negligible) continue;
    out += fmt::format("  {:<20}{}", fact.name, fact.value);
    if (!fact.formula.empty()) out += paint(Ink::kDim, " = " + fact.formula);
    out += "\n";
  }
  return out;
}

std::vector<FactChange> changed_facts(const lang::Subject& before, const lang::Subject& after,
                                      double context) {
  const std::vector<Fact> a = facts_of(before, context), b = facts_of(after, context);
  std::vector<FactChange> out;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].value == b[i].value && a[i].formula == b[i].formula) continue;
    const bool comparable = a[i].number && b[i].number && *a[i].number > 0;
    out.push_back({a[i].name, a[i].value, b[i].value,
                   comparable ? fmt::format("{:.3g}", *b[i].number / *a[i].number) : ""});
  }
  return out;
}

std::string tree_text(const lang::Subject& s) {
  constexpr std::size_t kLabelWidth = 60;
  const auto& all = s.elaboration.instances;
  // Returns the index after the last instance inside of instance i.
  const auto end_of = [&](std::size_t i) {
    std::size_t end = i + 1;
    while (end < all.size() && all[end].depth > all[i].depth) ++end;
    return end;
  };
  // Returns true if the `length` instances from a on equal those from b on.
  const auto same = [&](std::size_t a, std::size_t b, std::size_t length) {
    if (b + length > all.size()) return false;
    for (std::size_t k = 0; k < length; ++k)
      if (all[a + k].unit != all[b + k].unit || all[a + k].hypers != all[b + k].hypers ||
          all[a + k].depth != all[b + k].depth || all[a + k].params != all[b + k].params)
        return false;
    return true;
  };
  std::string out;
  const auto show = [&](std::size_t from, std::size_t to, int level, const auto& self) -> void {
    for (std::size_t i = from; i < to;) {
      const std::size_t length = end_of(i) - i;
      std::size_t next = i + length;
      int count = 1;
      while (next < to && same(i, next, length)) {
        ++count;
        next += length;
      }
      const std::string times = count > 1 ? fmt::format("{} x ", count) : "";
      const std::string hypers = all[i].hypers.empty() ? "" : "(" + all[i].hypers + ")";
      const std::string label = fmt::format("{}{}{}{}", std::string(static_cast<std::size_t>(level) * 2, ' '),
                                            times, all[i].unit, hypers);
      const std::size_t pad = label.size() < kLabelWidth ? kLabelWidth - label.size() : 1;
      out += fmt::format("  {}{}{}{}{}{:>10}\n", std::string(static_cast<std::size_t>(level) * 2, ' '),
                         paint(Ink::kCyan, times), paint(Ink::kBold, all[i].unit), hypers,
                         std::string(pad, ' '), human(static_cast<double>(all[i].params)));
      self(i + 1, i + length, level + 1, self);
      i = next;
    }
  };
  show(0, all.size(), 0, show);
  return out;
}

std::string check_json(const std::string& file, const lang::CheckReport& report, double context) {
  json out{{"file", file}, {"valid", report.valid()}};
  if (report.valid()) {
    out.update(facts_json(report.subjects.back(), context));
    if (report.subjects.size() > 1)
      for (const lang::Subject& s : report.subjects) out["designs"].push_back(facts_json(s, context));
  } else {
    for (const char* key : {"causal", "prefix_consistent", "batch_independent"}) out[key] = false;
    for (const char* key :
         {"name", "hash", "mixes_tokens", "receptive_field", "params", "roles", "train_flops_per_token",
          "train_flops_per_step", "decode_flops_per_token", "state_bytes", "state_grows", "complexity",
          "parallel_depth", "width", "moved", "context", "symbolic"})
      out[key] = nullptr;
  }
  out["errors"] = json::array();
  for (const Error& e : report.errors)
    out["errors"].push_back({{"line", e.at.line},
                             {"column", e.at.column},
                             {"code", e.code},
                             {"message", e.message},
                             {"hint", e.hint}});
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace gabbro::cli
