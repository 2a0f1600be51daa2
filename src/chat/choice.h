// Chooses the model that plays a role and the time before a retry, by pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "chat/call_log.h"
#include "chat/config.h"

namespace gabbro::chat {

/// Returns the models that play `role`, as indices into Config::models, in an order drawn by their weights
/// without replacement (Efraimidis and Spirakis 2006). The first is asked; the others are fallbacks. Equal
/// seeds give equal orders.
std::vector<std::size_t> drawn_order(const Config& config, const std::string& role, std::uint64_t seed);

/// Returns the same models ordered by experience: the mean worth of a model's replies plus the bonus of
/// UCB1 (Auer et al. 2002), divided by the mean cost of its calls, times its weight. A cost below a tenth of
/// the largest counts as a tenth. Models that were never judged come first, in their drawn order.
std::vector<std::size_t> learned_order(const Config& config, const std::string& role, std::uint64_t seed,
                                       const std::vector<CallLog::Worth>& worths);

/// Returns the seconds to wait after attempt `attempt` (from 1): a random value, drawn by `seed`, from half
/// to the whole of 1, 2, 4, ... and at most 60.
double backoff(int attempt, std::uint64_t seed);

/// Returns the seconds that a response asks the client to wait: the header retry-after-ms in milliseconds;
/// the header Retry-After as a number, or as an HTTP date relative to `now` (seconds since 1970); or the
/// words of the body, such as "try again in 1m4.5s". Empty if it asks for none, or that cannot be parsed.
std::optional<double> retry_after(const std::map<std::string, std::string>& headers, const std::string& body,
                                  double now);

}  // namespace gabbro::chat
