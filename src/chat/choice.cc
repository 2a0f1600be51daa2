#include "chat/choice.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>

#include "base/random.h"

namespace gabbro::chat {

namespace {

constexpr double kLongestBackoff = 60;  // seconds
constexpr double kMinCostRatio = 0.1;   // least cost of a model, as a part of the largest

// Sorts indices by descending value; equal values keep their order in `order`.
std::vector<std::size_t> by_value(std::vector<std::size_t> order, const std::vector<double>& values) {
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  return order;
}

// Removes a number of at least 0 from the beginning of `text`; empty if there is none.
std::optional<double> take_number(std::string_view& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !(value >= 0) || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

// Returns the number if nothing else stands in `text`.
std::optional<double> whole_number(std::string_view text) {
  const auto value = take_number(text);
  return text.empty() ? value : std::nullopt;
}

// Returns the seconds of a duration such as "4.8s", "1m30s", "500 ms" or "2 minutes" at the beginning of
// `text`; without a unit these are seconds. Empty if there is no number.
std::optional<double> take_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  // Longer names come before those that they begin with.
  constexpr std::array kUnits{Unit{"milliseconds", 1e-3}, Unit{"ms", 1e-3}, Unit{"m", 60}, Unit{"h", 3600},
                              Unit{"d", 86400},           Unit{"s", 1}};
  std::optional<double> total;
  while (const auto number = take_number(text)) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    const auto unit =
        std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return text.starts_with(u.name); });
    if (unit == kUnits.end()) return total.value_or(0) + *number;
    total = total.value_or(0) + *number * unit->seconds;
    while (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text.remove_prefix(1);
    while (text.starts_with(' ')) text.remove_prefix(1);
  }
  return total;
}

// Returns the wait that the words of an error ask for; empty if there is none.
std::optional<double> wait_in_words(std::string_view text) {
  constexpr std::array<std::string_view, 6> kWords{"again in ",    "retry in ",        "retry after ",
                                                   "again after ", "retrydelay\": \"", "retrydelay\":\""};
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  for (const std::string_view words : kWords)
    if (const std::size_t at = lower.find(words); at != std::string::npos)
      if (const auto seconds = take_duration(std::string_view(lower).substr(at + words.size())))
        return seconds;
  return std::nullopt;
}

}  // namespace

std::vector<std::size_t> drawn_order(const Config& config, const std::string& role, std::uint64_t seed) {
  std::vector<std::size_t> order;
  std::vector<double> values(config.models.size());
  const Random random(seed);
  for (std::size_t i = 0; i < config.models.size(); ++i) {
    const double weight = config.models[i].weight(role);
    if (weight <= 0) continue;
    order.push_back(i);
    // A uniform number u from 0 to 1 gives the key log(u) / weight; the largest keys are drawn first.
    values[i] = std::log(1 - random.split(config.models[i].name).uniform()) / weight;
  }
  return by_value(std::move(order), values);
}

std::vector<std::size_t> learned_order(const Config& config, const std::string& role, std::uint64_t seed,
                                       const std::vector<CallLog::Worth>& worths) {
  std::vector<const CallLog::Worth*> known(config.models.size());
  double judged = 0, max_cost = 0;
  for (const CallLog::Worth& w : worths)
    for (std::size_t i = 0; i < config.models.size(); ++i)
      if (w.role == role && w.model == config.models[i].name && w.judged > 0) {
        known[i] = &w;
        judged += static_cast<double>(w.judged);
        max_cost = std::max(max_cost, static_cast<double>(w.cost) / static_cast<double>(w.calls));
      }
  std::vector<double> values(config.models.size(), std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (known[i] == nullptr) continue;
    const auto n = static_cast<double>(known[i]->judged);
    const double cost = static_cast<double>(known[i]->cost) / static_cast<double>(known[i]->calls);
    const double worth = known[i]->sum / n + std::sqrt(2 * std::log(judged) / n);
    // A cost of at least a millionth of the currency keeps the quotient finite for free models.
    values[i] = config.models[i].weight(role) * worth / std::max({cost, kMinCostRatio * max_cost, 1.0});
  }
  return by_value(drawn_order(config, role, seed), values);
}

double backoff(int attempt, std::uint64_t seed) {
  // The exponent is limited so that the power of two stays small.
  const double whole = std::min(kLongestBackoff, std::ldexp(1.0, std::min(attempt, 30) - 1));
  return whole * Random(seed).uniform(0.5, 1);
}

std::optional<double> retry_after(const std::map<std::string, std::string>& headers, const std::string& body,
                                  double now) {
  if (const auto found = headers.find("retry-after-ms"); found != headers.end())
    if (const auto milliseconds = whole_number(found->second)) return *milliseconds / 1000;
  const auto found = headers.find("retry-after");
  if (found == headers.end()) return wait_in_words(body);
  if (const auto seconds = whole_number(found->second)) return seconds;
  tm parts{};
  const char* rest = strptime(found->second.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (rest == nullptr || *rest != '\0') return wait_in_words(body);
  return std::max(0.0, static_cast<double>(timegm(&parts)) - now);
}

}  // namespace gabbro::chat
