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
  [[nodiscard]] std::string spending() const;
};

std::string AgentSetup::Parts::spending() const {
  if (replay) return "replayed from a record";
  const chat::Amount spent = log->spent();
  std::string out = fmt::format("spent {}", chat::money_text(spent.money));
  if (config.cap.money > 0) out += " of " + chat::money_text(config.cap.money);
  if (config.cap.tokens > 0) out += fmt::format(", {} of {} tokens", spent.tokens, config.cap.tokens);
  if (const auto why = client->pause_reason()) out += "; " + *why;
  for (const std::string& doubt : client->doubts()) out += "; " + doubt;
  return out;
}

AgentSetup::AgentSetup(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
AgentSetup::~AgentSetup() = default;
campaign::Agents& AgentSetup::agents() { return parts_->agents; }
const std::vector<std::string>& AgentSetup::hidden() const { return parts_->hidden; }

std::string AgentSetup::estimate(std::int64_t designs) const {
  constexpr double kMicros = 1e6;  // chat::Micro
  const chat::Amount spent = parts_->log ? parts_->log->spent() : chat::Amount{};
  double tokens = 0, money = 0;  // of a design
  if (designs > 0) {
    tokens = static_cast<double>(spent.tokens) / static_cast<double>(designs);
    money = static_cast<double>(spent.money) / kMicros / static_cast<double>(designs);
  } else {
    for (const chat::CostEstimate& e :
         chat::estimate(parts_->config, agents::expected_calls(parts_->settings)))
      tokens += e.tokens, money += e.money;
  }
  std::string out = designs > 0
                        ? fmt::format("agents: each of {} designs took about {:.0f} tokens", designs, tokens)
                        : fmt::format("agents: a design needs about {:.0f} tokens", tokens);
  if (money > 0) out += fmt::format(" and {} about {:.4f}", designs > 0 ? "cost" : "costs", money);
  const chat::Cap& cap = parts_->config.cap;
  double most = std::numeric_limits<double>::infinity();  // designs
  const auto limit = [&](std::int64_t capped, std::int64_t used, double of_a_design) {
    if (capped > 0 && of_a_design > 0)
      most = std::min(most, static_cast<double>(std::max<std::int64_t>(0, capped - used)) / of_a_design);
  };
  limit(cap.tokens, spent.tokens, tokens);
  limit(cap.money, spent.money, money * kMicros);
  if (!std::isfinite(most)) return out + "; no cap is set";
  return out + fmt::format("; {} allows about {:.0f} designs",
                           spent.tokens > 0 ? "the rest of the cap" : "the cap", most);
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
  p->agents = {.pool = p->pool.get(), .modes = settings.modes, .writing = settings.writing, .account = [p] {
                 return p->spending();
               }};
  return std::unique_ptr<AgentSetup>(new AgentSetup(std::move(parts)));
}

}  // namespace gabbro::cli
