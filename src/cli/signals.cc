#include "cli/signals.h"

#include <atomic>
#include <csignal>
#include <iterator>

namespace gabbro::cli {

namespace {

std::atomic<int> g_seen{0};
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
struct sigaction g_previous[std::size(kSignals)]{};  // the handlers before, in the same order

}  // namespace

Signals::Signals() {
  g_seen = 0;
  struct sigaction action {};
  action.sa_handler = [](int) { ++g_seen; };
  for (std::size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &action, &g_previous[i]);
  // Under nohup, the program continues without its terminal.
  if (constexpr std::size_t hangup = 2; g_previous[hangup].sa_handler == SIG_IGN)
    sigaction(SIGHUP, &g_previous[hangup], nullptr);
}

Signals::~Signals() {
  for (std::size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &g_previous[i], nullptr);
}

int Signals::seen() { return g_seen; }

}  // namespace gabbro::cli
