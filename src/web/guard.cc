#include "web/guard.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <random>

#include "base/hash.h"

namespace gabbro::web {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// Returns true for an address in digits, which no DNS server can point elsewhere.
bool is_address(std::string_view name) {
  if (name.starts_with('[')) return name.ends_with(']');
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; }) &&
         std::count(name.begin(), name.end(), '.') == 3;
}

// Compares in a time that does not depend on where the texts differ.
bool are_equal(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^
                                        static_cast<unsigned char>(b.empty() ? '\0' : b[i % b.size()]));
  return difference == 0;
}

}  // namespace

Guard::Guard(const std::string& host, int port, std::string token)
    : port_(port),
      any_address_(host == "0.0.0.0" || host == "::"),
      names_{"localhost", "127.0.0.1", "[::1]"},
      token_(std::move(token)) {
  names_.push_back(host.find(':') == std::string::npos ? lower(host) : "[" + lower(host) + "]");
  if (std::array<char, 256> name{}; any_address_ && gethostname(name.data(), name.size() - 1) == 0)
    names_.push_back(lower(name.data()));
}

bool Guard::is_own_host(std::string_view host) const {
  const std::string given = lower(host);
  const std::string port = ":" + std::to_string(port_);
  std::string name = given;
  if (given.ends_with(port))
    name = given.substr(0, given.size() - port.size());
  else if (port_ != 80)  // browsers leave out only the default port
    return false;
  return std::find(names_.begin(), names_.end(), name) != names_.end() || (any_address_ && is_address(name));
}

std::string Guard::refusal(const RequestHeaders& r) const {
  if (!is_own_host(r.host)) return "the request names another host";
  constexpr std::string_view kScheme = "http://";
  const bool has_origin = !r.origin.empty();
  const bool is_own_origin =
      r.origin.starts_with(kScheme) && lower(r.origin.substr(kScheme.size())) == lower(r.host);
  if (has_origin && !is_own_origin) return "the request comes from a page of another site";
  if (!r.fetch_site.empty() && r.fetch_site != "same-origin" && r.fetch_site != "none" &&
      !(r.method == "GET" && r.fetch_mode == "navigate"))
    return "the request comes from a page of another site";
  if (r.method == "GET" || r.method == "HEAD") return "";
  if (r.method != "POST") return "the method is not known";
  if (!has_origin) return "the request has no Origin";
  if (!r.content_type.starts_with("application/json")) return "the request is not JSON";
  return "";
}

bool Guard::has_token(const RequestHeaders& r) const {
  constexpr std::string_view kBearer = "Bearer ";
  return r.authorization.starts_with(kBearer) &&
         are_equal(std::string_view(r.authorization).substr(kBearer.size()), token_);
}

std::string draw_token() {
  std::random_device device;
  const auto word = [&] { return std::uint64_t{device()} << 32 | device(); };
  const std::uint64_t high = word();
  return to_hex({high, word()});
}

}  // namespace gabbro::web
