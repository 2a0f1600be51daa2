#include "jobs/slurm_options.h"

#include <array>

#include "base/toml.h"

namespace gabbro::jobs {

namespace {

constexpr const char* kCode = "jobs";

void read_request(TomlTable& table, SlurmRequest& r) {
  table("partition", r.partition);
  table("account", r.account);
  table("qos", r.qos);
  table("constraint", r.constraint);
  table("gres", r.gres);
  table("time", r.time);
  table("cpus", r.cpus);
  table("megabytes", r.megabytes);
  table.list<std::string>("options", r.options, "a list of options such as [\"--exclusive\"]",
                          [](const std::string& option) { return option.starts_with("-"); });
  table("prologue", r.prologue);
  if (!r.time.empty() && !parse_slurm_time(r.time))
    table.fail(table.node("time"), fmt::format("invalid time '{}'", r.time),
               "write minutes or HOURS:MINUTES:SECONDS, such as \"4:00:00\"");
}

void read_rungs(const toml::table& rungs, SlurmSettings& out, Error& error) {
  for (const auto& [name, node] : rungs) {
    const std::string rung(name.str());
    const toml::table* own = node.as_table();
    if (!own) {
      error = {kCode, fmt::format("slurm.rungs.{} must be a table", rung), "", {}};
      return;
    }
    TomlTable table(*own, fmt::format("rung {}: ", rung), kCode, error);
    SlurmRequest& request = out.rungs[rung] = out.request;
    read_request(table, request);
  }
}

}  // namespace

const SlurmRequest& SlurmSettings::request_of(const std::string& rung) const {
  const auto own = rungs.find(rung);
  return own == rungs.end() ? request : own->second;
}

Result<SlurmSettings> parse_slurm_settings(const std::string& text) {
  GABBRO_TRY(document, parse_toml(text, kCode, "docs/cluster.md describes the table [slurm]"));
  SlurmSettings out;
  Error error;
  {
    TomlTable top(document, "", kCode, error);
    if (const toml::node* node = top.node("slurm"); node && node->as_table()) {
      TomlTable table(*node->as_table(), "slurm: ", kCode, error);
      read_request(table, out.request);
      table("max_jobs", out.max_jobs);
      table("array", out.array);
      table("poll_seconds", out.poll_seconds);
      table("stop_seconds", out.stop_seconds);
      constexpr std::int64_t kMostJobs = 100'000, kMostInArray = 1000;
      if (out.max_jobs < 1 || out.max_jobs > kMostJobs)
        table.fail(table.node("max_jobs"), fmt::format("max_jobs must be between 1 and {}", kMostJobs), "");
      if (out.array < 1 || out.array > kMostInArray)
        table.fail(table.node("array"), fmt::format("array must be between 1 and {}", kMostInArray),
                   "Slurm's MaxArraySize is 1001 unless the cluster sets another");
      if (const toml::node* rungs = table.node("rungs"); rungs && rungs->as_table())
        read_rungs(*rungs->as_table(), out, error);
      else if (rungs)
        table.fail(rungs, "slurm.rungs must be a table", "write [slurm.rungs.NAME] for the rung NAME");
    } else {
      top.fail(node, "the table [slurm] is missing", "docs/cluster.md has an example");
    }
  }
  if (!error.code.empty()) return tl::unexpected(error);
  return out;
}

std::optional<double> parse_slurm_time(const std::string& text) {
  std::array<double, 3> fields{};  // between the colons
  double days = 0;
  std::string_view rest = text;
  const auto number = [](std::string_view digits) -> std::optional<double> {
    constexpr std::size_t kMostDigits = 9;
    if (digits.empty() || digits.size() > kMostDigits) return std::nullopt;
    double value = 0;
    for (const char c : digits) {
      if (c < '0' || c > '9') return std::nullopt;
      value = 10 * value + (c - '0');
    }
    return value;
  };
  const std::size_t dash = rest.find('-');
  if (dash != std::string_view::npos) {
    const auto value = number(rest.substr(0, dash));
    if (!value) return std::nullopt;
    days = *value;
    rest.remove_prefix(dash + 1);
  }
  std::size_t count = 0;
  for (bool more = true; more; ++count) {
    const std::size_t colon = rest.find(':');
    more = colon != std::string_view::npos;
    const auto value = number(rest.substr(0, colon));
    if (!value || count == fields.size()) return std::nullopt;
    fields[count] = *value;
    if (more) rest.remove_prefix(colon + 1);
  }
  constexpr double kMinute = 60, kHour = 3600, kDay = 86400;
  // Without days, one or two fields begin with minutes; otherwise they begin with hours.
  if (dash == std::string::npos && count < 3) return fields[0] * kMinute + fields[1];
  return days * kDay + fields[0] * kHour + fields[1] * kMinute + fields[2];
}

}  // namespace gabbro::jobs
