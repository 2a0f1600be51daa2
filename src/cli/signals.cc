#include "cli/signals.h"

#include <atomic>
#include <csignal>

namespace gabbro::cli {

namespace {

std::atomic<int> g_seen{0};
struct sigaction g_interrupt {
}, g_terminate{};

}  // namespace

Signals::Signals() {
  g_seen = 0;
  struct sigaction action {};
  action.sa_handler = [](int) { ++g_seen; };
  sigaction(SIGINT, &action, &g_interrupt);
  sigaction(SIGTERM, &action, &g_terminate);
}

Signals::~Signals() {
  sigaction(SIGINT, &g_interrupt, nullptr);
  sigaction(SIGTERM, &g_terminate, nullptr);
}

int Signals::seen() { return g_seen; }

}  // namespace gabbro::cli
