#include "cli/agent_setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "agents/expected.h"
#include "agents/pipeline.h"
#include "base/files.h"
#include "chat/estimate.h"
#include "chat/replay.h"
#include "cli/files.h"
#include "cli/literature.h"
#include "cli/model_access.h"
#include "zoo/library.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

namespace {

std::string config_path(const std::string& dir) { return dir + "/agents.toml"; }
std::string call_log_path(const std::string& dir) { return dir + "/calls.db"; }

// Returns "about 5100 tokens and 0.0123", without money where nothing costs any.
std::string text_of(const agents::DesignCost& cost) {
  std::string out = fmt::format("about {:.0f} tokens", cost.tokens);
  return cost.money > 0 ? out + fmt::format(" and {:.4f}", cost.money) : out;
}

}  // namespace

// The members are ordered by dependence: the pool is destroyed first, so its threads end before the objects
// that they use.
struct AgentSetup::Parts {
  chat::Config config;
  agents::AgentSettings settings;
  std::unique_ptr<chat::CallLog> log;
  std::unique_ptr<chat::ChatClient> client;
  std::unique_ptr<chat::ReplayedChat> replay;
  std::shared_ptr<library::Library> papers;
  std::vector<std::string> hidden;
  std::unique_ptr<agents::TaskPool> pool;
  campaign::Agents agents;

  [[nodiscard]] chat::Chat& chat() const { return client ? static_cast<chat::Chat&>(*client) : *replay; }
  // Returns the line of the live view on the agents.
  [[nodiscard]] std::string spending(const agents::TaskCosts& so_far) const;
  // Returns the number of designs of this cost that the rest of the cap allows; infinite if it sets no limit.
  [[nodiscard]] double designs_left(const agents::DesignCost& cost) const;
};

std::string AgentSetup::Parts::spending(const agents::TaskCosts& so_far) const {
  if (replay) return "replayed from a record";
  const chat::Amount spent = log->spent();
  std::string out = fmt::format("spent {}", chat::money_text(spent.money));
  if (config.cap.money > 0) out += " of " + chat::money_text(config.cap.money);
  if (config.cap.tokens > 0) out += fmt::format(", {} of {} tokens", spent.tokens, config.cap.tokens);
  if (const auto why = client->pause_reason()) out += "; " + *why;
  const agents::DesignCost cost = agents::design_cost(config, settings, so_far);
  if (const double left = designs_left(cost); std::isfinite(left))
    out += fmt::format("; enough for about {:.0f} designs of {}", left, text_of(cost));
  for (const std::string& doubt : client->doubts()) out += "; " + doubt;
  return out;
}

AgentSetup::AgentSetup(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
AgentSetup::~AgentSetup() = default;
campaign::Agents& AgentSetup::agents() { return parts_->agents; }
const std::vector<std::string>& AgentSetup::hidden() const { return parts_->hidden; }

double AgentSetup::Parts::designs_left(const agents::DesignCost& cost) const {
  constexpr double kMicros = 1e6;  // chat::Micro
  const chat::Amount spent = log ? log->spent() : chat::Amount{};
  double left = std::numeric_limits<double>::infinity();
  const auto limit = [&](std::int64_t capped, std::int64_t used, double of_a_design) {
    if (capped > 0 && of_a_design > 0)
      left = std::min(left, static_cast<double>(std::max<std::int64_t>(0, capped - used)) / of_a_design);
  };
  limit(config.cap.tokens, spent.tokens, cost.tokens);
  limit(config.cap.money, spent.money, cost.money * kMicros);
  return left;
}

std::string AgentSetup::estimate(const agents::TaskCosts& so_far) const {
  const agents::DesignCost cost = agents::design_cost(parts_->config, parts_->settings, so_far);
  std::string out = so_far.designs > 0 ? fmt::format("agents: a design took {} (average of {})",
                                                     text_of(cost), so_far.designs)
                                       : fmt::format("agents: a design needs {}", text_of(cost));
  const double left = parts_->designs_left(cost);
  if (!std::isfinite(left)) return out + "; no cap is set";
  return out + fmt::format("; {} allows about {:.0f} designs",
                           parts_->log && parts_->log->spent().tokens > 0 ? "the rest of the cap" : "the cap",
                           left);
}

bool AgentSetup::has_agents(const std::string& dir) {
  std::error_code error;
  return fs::exists(config_path(dir), error);
}

Result<bool> AgentSetup::install(const std::string& file, const std::string& dir) {
  GABBRO_TRY(config, read_agents_config(file));
  std::error_code error;
  fs::create_directories(dir, error);
  return replace_file(config_path(dir), config.text);
}

Result<std::unique_ptr<AgentSetup>> AgentSetup::open(const std::string& dir, const std::string& replayed,
                                                     std::uint64_t seed) {
  GABBRO_TRY(read, read_agents_config(config_path(dir)));
  const chat::Config& config = read.models;
  const agents::AgentSettings& settings = read.settings;
  auto parts = std::make_unique<Parts>();
  parts->config = config;
  parts->settings = settings;
  if (replayed.empty()) {
    GABBRO_TRY(log, chat::CallLog::open(call_log_path(dir)));
    parts->log = std::move(log);
    chat::ChatClientOptions options;
    options.seed = seed;
    GABBRO_TRY(client, chat::ChatClient::open(config, *parts->log, std::move(options)));
    parts->client = std::move(client);
    parts->hidden = config.key_variables();
    GABBRO_TRY(papers, open_literature());
    parts->papers = std::move(papers);
  } else {
    GABBRO_TRY(replay, chat::ReplayedChat::open(call_log_path(replayed)));
    parts->replay = std::move(replay);
  }
  Parts* const p = parts.get();
  p->pool = std::make_unique<agents::TaskPool>(
      [p](const agents::Brief& brief) {
        agents::TaskResources resources{p->chat(), zoo::library(), p->settings};
        resources.literature = p->replay ? replayed_literature(*p->replay, brief.task)
                                         : recorded_literature(p->papers, *p->log, brief.task);
        return agents::run_task(brief, resources);
      },
      settings.tasks,
      [p](double seconds) {
        if (p->client) p->client->stop(seconds);
      });
  p->agents = {.pool = p->pool.get(),
               .modes = settings.modes,
               .writing = settings.writing,
               .account = [p](const agents::TaskCosts& so_far) { return p->spending(so_far); }};
  return std::unique_ptr<AgentSetup>(new AgentSetup(std::move(parts)));
}

}  // namespace gabbro::cli
