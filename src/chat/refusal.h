// Reads what a server says when it gives no reply, whatever status and form it chooses for it.
#pragma once

#include <string>

#include "chat/call_failure.h"
#include "chat/config.h"

namespace gabbro::chat {

/// A failure as a server reports it.
struct Refusal {
  CallFailure failure = CallFailure::kRequest;
  std::string message;  // begins with the endpoint's name
  std::string hint;
};

/// Reads a body that reports an error, as an object, a list of objects or text. `status` is that of HTTP. If
/// it is one of success, the status in the body counts, or the one that the body's words mean; such bodies
/// come from routers whose own request failed. Words about keys, money, content filters and lengths count
/// more than a status below 500.
Refusal read_refusal(int status, const std::string& body, const Endpoint& endpoint);

}  // namespace gabbro::chat
