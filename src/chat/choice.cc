#include "chat/choice.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

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

std::optional<double> retry_after(const std::map<std::string, std::string>& headers, double now) {
  const auto found = headers.find("retry-after");
  if (found == headers.end()) return std::nullopt;
  const std::string& text = found->second;
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc{} && end == text.data() + text.size() && seconds >= 0 && std::isfinite(seconds))
    return seconds;
  tm parts{};
  const char* rest = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (rest == nullptr || *rest != '\0') return std::nullopt;
  return std::max(0.0, static_cast<double>(timegm(&parts)) - now);
}

}  // namespace gabbro::chat
