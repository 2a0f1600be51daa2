// Converts the plan of a campaign to and from text, for its first event.
#include <fmt/format.h>

#include "campaign/campaign.h"
#include "campaign/preset.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace gabbro::campaign {

namespace {
// Separates the values of the plan itself from those of its settings.
constexpr std::string_view kBorder = "\n# settings\n";
}  // namespace

std::string to_toml(const CampaignPlan& plan) {
  std::ostringstream out;
  toml::array programs;
  for (const std::string& program : plan.user_programs) programs.push_back(program);
  const toml::table head{{"corpus", plan.corpus},
                         {"corpus_hash", plan.corpus_hash},
                         {"seed", static_cast<std::int64_t>(plan.seed)},
                         {"secret", plan.secret},
                         {"secret_given", plan.secret_given},
                         {"threads", plan.threads},
                         {"workers", plan.workers},
                         {"aa_test", plan.aa_test},
                         {"given", std::move(programs)}};  // user_programs
  // Without format_flags::allow_multi_line_strings, line breaks in programs are escaped, so that no line of a
  // program can look like the border.
  out << toml::toml_formatter(head, toml::format_flags::none);
  return out.str() + std::string(kBorder) + to_toml(plan.settings);
}

std::string public_toml(CampaignPlan plan) {
  plan.secret.clear();
  return to_toml(plan);
}

Result<CampaignPlan> parse_plan(const record::CampaignBegun& begun) {
  const std::size_t border = begun.config.find(kBorder);
  const toml::parse_result head = toml::parse(std::string_view(begun.config).substr(0, border));
  if (border == std::string::npos || !head)
    return fail("preset", "the record contains no plan of the campaign",
                "use the version of gabbro that wrote it");
  CampaignPlan plan;
  const toml::table& t = head.table();
  plan.corpus = t["corpus"].value_or(plan.corpus);
  plan.corpus_hash = t["corpus_hash"].value_or(plan.corpus_hash);
  plan.seed = static_cast<std::uint64_t>(t["seed"].value_or(std::int64_t{1}));
  plan.secret = t["secret"].value_or(std::string());
  plan.secret_given = t["secret_given"].value_or(false);
  // Earlier versions recorded a number as the secret. 0 meant none: everybody could compute the seeds of
  // comparisons, which secret_given says.
  if (const auto number = t["secret"].value<std::int64_t>()) {
    plan.secret = std::to_string(*number);
    plan.secret_given = *number == 0;
  }
  plan.threads = t["threads"].value_or(plan.threads);
  plan.workers = t["workers"].value_or(plan.workers);
  plan.aa_test = t["aa_test"].value_or(plan.aa_test);
  if (const toml::array* programs = t["given"].as_array())
    for (const toml::node& program : *programs) plan.user_programs.push_back(program.value_or(std::string()));
  GABBRO_TRY(settings, parse_settings(std::string_view(begun.config).substr(border + kBorder.size()),
                                      /*name=*/"recorded"));  // unused where the text has a key `preset`
  plan.settings = std::move(settings);
  return plan;
}

}  // namespace gabbro::campaign
