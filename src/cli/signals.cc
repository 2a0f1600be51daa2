#include "cli/signals.h"

#include <atomic>
#include <csignal>
#include <iterator>

namespace gabbro::cli {

namespace {

std::atomic<int> g_seen{0};
constexpr int kAsking[] = {SIGINT, SIGTERM, SIGHUP};
struct sigaction g_before[std::size(kAsking)]{};

}  // namespace

Signals::Signals() {
  g_seen = 0;
  struct sigaction action {};
  action.sa_handler = [](int) { ++g_seen; };
  for (std::size_t i = 0; i < std::size(kAsking); ++i) sigaction(kAsking[i], &action, &g_before[i]);
  // Under nohup, the program continues without its terminal.
  if (constexpr std::size_t hangup = 2; g_before[hangup].sa_handler == SIG_IGN)
    sigaction(SIGHUP, &g_before[hangup], nullptr);
}

Signals::~Signals() {
  for (std::size_t i = 0; i < std::size(kAsking); ++i) sigaction(kAsking[i], &g_before[i], nullptr);
}

int Signals::seen() { return g_seen; }

}  // namespace gabbro::cli
