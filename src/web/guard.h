// Decides which HTTP requests the dashboard answers: against pages of other sites that a browser of its user
// has open, and against everybody else who reaches the port.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gabbro::web {

/// The parts of a request that say where it comes from. Headers that are missing are "".
struct RequestHeaders {
  std::string method;  // "GET"
  std::string host, origin, fetch_site, fetch_mode, content_type, authorization;
};

/// The rules of one server.
class Guard {
 public:
  /// `host` is the address or the name that the server was told to listen on, `port` the port, and `token`
  /// the secret that allows steering.
  Guard(const std::string& host, int port, std::string token);

  /// Returns why a request is refused; "" if it is answered. A name that leads to this machine but is not one
  /// of its own (DNS rebinding), a page of another site, and a request that changes something without its
  /// Origin are refused.
  [[nodiscard]] std::string refusal(const RequestHeaders& request) const;
  /// Returns true if a request carries the token.
  [[nodiscard]] bool has_token(const RequestHeaders& request) const;

 private:
  [[nodiscard]] bool is_own_host(std::string_view host) const;

  int port_;
  bool any_address_;  // the server is reached by any address of the machine
  std::vector<std::string> names_;
  std::string token_;
};

/// Returns a random token of 128 bits in hexadecimal.
std::string draw_token();

}  // namespace gabbro::web
