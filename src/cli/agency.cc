#include "cli/agency.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "agents/expected.h"
#include "agents/pipeline.h"
#include "base/files.h"
#include "chat/estimate.h"
#include "chat/replay.h"
#include "cli/agents_desk.h"
#include "cli/files.h"
#include "cli/literature.h"
#include "zoo/library.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

namespace {

std::string file_in(const std::string& dir) { return dir + "/agents.toml"; }
std::string talk_in(const std::string& dir) { return dir + "/talk.db"; }

}  // namespace

// The members are ordered by dependence: the team is destroyed first, so its threads end before the objects
// that they use.
struct Agency::Parts {
  chat::Config config;
  agents::Settings settings;
  std::unique_ptr<chat::Journal> journal;
  std::unique_ptr<chat::Desk> desk;
  std::unique_ptr<chat::Replay> replay;
  std::shared_ptr<library::Library> papers;
  std::vector<std::string> hidden;
  std::unique_ptr<agents::Team> team;
  campaign::Agents agents;

  [[nodiscard]] chat::Chat& chat() const { return desk ? static_cast<chat::Chat&>(*desk) : *replay; }
  [[nodiscard]] std::string account() const;
};

std::string Agency::Parts::account() const {
  if (replay) return "replayed from a record";
  const chat::Amount spent = journal->spent();
  std::string out = fmt::format("spent {}", chat::money_text(spent.money));
  if (config.cap.money > 0) out += " of " + chat::money_text(config.cap.money);
  if (config.cap.tokens > 0) out += fmt::format(", {} of {} tokens", spent.tokens, config.cap.tokens);
  if (const auto why = desk->paused()) out += "; " + *why;
  return out;
}

Agency::Agency(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Agency::~Agency() = default;
campaign::Agents& Agency::agents() { return parts_->agents; }
const std::vector<std::string>& Agency::hidden() const { return parts_->hidden; }

std::string Agency::estimate() const {
  double tokens = 0, money = 0;
  for (const chat::Estimate& e : chat::estimate(parts_->config, agents::expected(parts_->settings)))
    tokens += e.tokens, money += e.money;
  std::string out = fmt::format("agents: a design needs about {:.0f} tokens", tokens);
  if (money > 0) out += fmt::format(" and costs about {:.4f}", money);
  const chat::Cap& cap = parts_->config.cap;
  double designs = 0;
  if (cap.tokens > 0 && tokens > 0) designs = static_cast<double>(cap.tokens) / tokens;
  if (cap.money > 0 && money > 0) {
    const double by_money = static_cast<double>(cap.money) / 1e6 / money;
    designs = designs > 0 ? std::min(designs, by_money) : by_money;
  }
  return out +
         (designs > 0 ? fmt::format("; the cap allows about {:.0f} designs", designs) : "; no cap is set");
}

bool Agency::is_there(const std::string& dir) {
  std::error_code error;
  return fs::exists(file_in(dir), error);
}

Result<bool> Agency::install(const std::string& file, const std::string& dir) {
  GABBRO_TRY(config, read_agents_config(file));
  std::error_code error;
  fs::create_directories(dir, error);
  return replace_file(file_in(dir), config.text);
}

Result<std::unique_ptr<Agency>> Agency::open(const std::string& dir, const std::string& replayed,
                                             std::uint64_t seed) {
  GABBRO_TRY(read, read_agents_config(file_in(dir)));
  const chat::Config& config = read.models;
  const agents::Settings& settings = read.settings;
  auto parts = std::make_unique<Parts>();
  parts->config = config;
  parts->settings = settings;
  if (replayed.empty()) {
    GABBRO_TRY(journal, chat::Journal::open(talk_in(dir)));
    parts->journal = std::move(journal);
    chat::DeskOptions options;
    options.seed = seed;
    GABBRO_TRY(desk, chat::Desk::open(config, *parts->journal, std::move(options)));
    parts->desk = std::move(desk);
    parts->hidden = config.key_variables();
    GABBRO_TRY(papers, open_literature());
    parts->papers = std::move(papers);
  } else {
    GABBRO_TRY(replay, chat::Replay::open(talk_in(replayed)));
    parts->replay = std::move(replay);
  }
  Parts* const p = parts.get();
  p->team = std::make_unique<agents::Team>(
      [p](const agents::Brief& brief) {
        agents::Tools tools{p->chat(), zoo::library(), p->settings};
        tools.literature = p->replay ? replayed_literature(*p->replay, brief.task)
                                     : recorded_literature(p->papers, *p->journal, brief.task);
        return agents::run_task(brief, tools);
      },
      settings.tasks,
      [p] {
        if (p->desk) p->desk->stop();
      });
  p->agents = {p->team.get(), settings.modes, [p] { return p->account(); }};
  return std::unique_ptr<Agency>(new Agency(std::move(parts)));
}

}  // namespace gabbro::cli
