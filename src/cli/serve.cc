#include "cli/serve.h"

#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "cli/commands.h"
#include "cli/held_out_texts.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "web/guard.h"
#include "web/server.h"

namespace gabbro::cli {

namespace {

// Opens an address with the program that the desktop prefers. The address carries no token, since every user
// of the machine sees the arguments of a process.
bool open_browser(const std::string& address) {
  std::string program = "xdg-open", argument = address;
  char* arguments[] = {program.data(), argument.data(), nullptr};
  pid_t process = 0;
  if (posix_spawnp(&process, program.c_str(), nullptr, nullptr, arguments, environ) != 0) return false;
  int status = 0;
  return waitpid(process, &status, 0) == process && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace

int run_serve(const ServeCommand& c) {
  HeldOutTexts texts;
  web::ServerOptions options{
      .host = c.host,
      .port = c.port,
      .token = web::draw_token(),
      .document_text = [&texts](const web::HeldOutDocument& document) { return texts(document); }};
  if (!c.folders.empty()) options.folders = c.folders;
  const Signals signals;
  auto server = web::Server::start(options);
  if (!server) return failed("serve", server.error());
  const bool is_any = c.host == "0.0.0.0" || c.host == "::";
  const std::string name = is_any                                  ? "localhost"
                           : c.host.find(':') != std::string::npos ? "[" + c.host + "]"
                                                                   : c.host;
  const std::string address = fmt::format("http://{}:{}/", name, server->port());
  print("{}\n  to steer campaigns from the page: {}#token={}\n", address, address, options.token);
  if (server->campaigns() == 0) print("  no campaign was found yet; those that begin below will appear\n");
  if (!is_loopback(c.host))
    print(
        stderr,
        "everybody who reaches this address can read the campaigns; steering needs the token, which is sent "
        "unencrypted\n");
  std::fflush(stdout);
  if (c.open && !open_browser(address)) print(stderr, "xdg-open failed; open the address yourself\n");
  while (Signals::seen() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  server->stop();
  return kValid;
}

}  // namespace gabbro::cli
