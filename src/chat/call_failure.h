// The ways in which a call to a model fails, and what is done about each: one table for all endpoints.
#pragma once

#include <array>
#include <cstdint>

#include "record/cause.h"

namespace gabbro::chat {

/// A way in which an attempt to get a reply fails.
enum class CallFailure : std::uint8_t {
  kNone,         // there is a reply
  kDown,         // no connection, no response, or a server that is overloaded or failed
  kLoading,      // the server is loading the model
  kEmpty,        // a response without any text, as routers send now and then
  kUnreadable,   // a response that does not follow the interface
  kOnlyThought,  // the model spent its reply on thinking, or answered in another field than that of the reply
  kFiltered,     // the server's content filter refused the prompt or the reply
  kDeclined,     // the model refused
  kRequest,      // the server refuses this request
  kContext,      // the conversation is longer than what the server reads
  kKey,          // the key is refused
  kMoney,        // the account is empty
  kStopped,      // from outside
};

/// Who is asked after a failed attempt that is not repeated. kNobody: the question ends with the error.
enum class NextAsked : std::uint8_t { kNobody, kOtherModel, kOtherEndpoint };

/// The state of an endpoint that a failure shows (circuit_breaker.h). kUnusable: it is paused at once.
enum class EndpointState : std::uint8_t { kUnknown, kWorks, kFailed, kUnusable };

struct FailureRule {
  CallFailure failure = CallFailure::kNone;
  record::Cause code = record::Cause::kNone;  // code of the error
  int max_retries = 0;                        // attempts after the first, at most Endpoint::retries
  NextAsked next = NextAsked::kNobody;        // after these attempts
  EndpointState state = EndpointState::kUnknown;
};

// Each empty reply may be billed, so fewer are asked for again than after failures that cost nothing.
inline constexpr int kRetriesAsConfigured = 1'000'000, kRetriesOfEmptyReplies = 2;

inline constexpr std::array<FailureRule, 13> kFailureRules{{
    {CallFailure::kNone, record::Cause::kNone, 0, NextAsked::kNobody, EndpointState::kWorks},
    {CallFailure::kDown, record::Cause::kChatDown, kRetriesAsConfigured, NextAsked::kOtherEndpoint,
     EndpointState::kFailed},
    // The client waits for it without using up retries.
    {CallFailure::kLoading, record::Cause::kChatDown, kRetriesAsConfigured, NextAsked::kOtherEndpoint,
     EndpointState::kFailed},
    {CallFailure::kEmpty, record::Cause::kChatReply, kRetriesOfEmptyReplies, NextAsked::kOtherModel,
     EndpointState::kFailed},
    {CallFailure::kUnreadable, record::Cause::kChatReply, 0, NextAsked::kOtherModel, EndpointState::kWorks},
    {CallFailure::kOnlyThought, record::Cause::kChatReply, 0, NextAsked::kOtherModel, EndpointState::kWorks},
    {CallFailure::kFiltered, record::Cause::kChatReply, 0, NextAsked::kOtherModel, EndpointState::kWorks},
    {CallFailure::kDeclined, record::Cause::kChatReply, 0, NextAsked::kOtherModel, EndpointState::kWorks},
    {CallFailure::kRequest, record::Cause::kChatReply, 0, NextAsked::kOtherModel, EndpointState::kWorks},
    // The conversation is shortened and asked again (agents/interview.h).
    {CallFailure::kContext, record::Cause::kChatContext, 0, NextAsked::kNobody, EndpointState::kWorks},
    {CallFailure::kKey, record::Cause::kChatKey, 0, NextAsked::kOtherEndpoint, EndpointState::kUnusable},
    {CallFailure::kMoney, record::Cause::kChatKey, 0, NextAsked::kOtherEndpoint, EndpointState::kUnusable},
    {CallFailure::kStopped, record::Cause::kStopped, 0, NextAsked::kNobody, EndpointState::kUnknown},
}};

/// Returns the rule for a failure.
constexpr const FailureRule& rule_of(CallFailure failure) {
  return kFailureRules[static_cast<std::size_t>(failure)];
}

}  // namespace gabbro::chat
