// Which model plays a role, and how long to wait before it is asked again: pure functions of numbers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "chat/config.h"
#include "chat/journal.h"

namespace gabbro::chat {

/// The models that play `role`, in an order drawn by their weights without replacement (Efraimidis and
/// Spirakis 2006): the first is asked, the others stand in for it. Equal seeds give equal orders.
std::vector<std::size_t> drawn_order(const Config& config, const std::string& role, std::uint64_t seed);

/// The same by experience: the worth of a model's replies, with the bonus of UCB1 (Auer et al. 2002) for
/// those judged seldom, divided by what a call of it costs, times its weight. What costs less than a tenth of
/// the dearest counts as a tenth. Models never judged come first, by their drawn order.
std::vector<std::size_t> learned_order(const Config& config, const std::string& role, std::uint64_t seed,
                                       const std::vector<Journal::Worth>& worths);

/// Seconds before attempt `attempt` (from 1) is made again: 1, 2, 4 ... up to 60, of which the half to the
/// whole by `draw`.
double backoff(int attempt, std::uint64_t draw);

/// The seconds that a header Retry-After asks for: a number, or a date of HTTP against `now` (seconds since
/// 1970). Empty: there is none, or nothing that can be read.
std::optional<double> retry_after(const std::map<std::string, std::string>& headers, double now);

}  // namespace gabbro::chat
