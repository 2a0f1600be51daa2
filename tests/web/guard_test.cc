#include "web/guard.h"

#include <gtest/gtest.h>

namespace gabbro::web {
namespace {

const std::string kToken = "0123456789abcdef0123456789abcdef";

RequestHeaders own(const std::string& method = "GET") {
  RequestHeaders r{.method = method, .host = "127.0.0.1:8100"};
  if (method == "POST") r.origin = "http://127.0.0.1:8100", r.content_type = "application/json";
  return r;
}

TEST(Guard, AnswersRequestsOfItsOwnPages) {
  const Guard guard("127.0.0.1", 8100, kToken);
  for (const char* host : {"127.0.0.1:8100", "localhost:8100", "LocalHost:8100", "[::1]:8100"}) {
    RequestHeaders r = own();
    r.host = host;
    EXPECT_EQ(guard.refusal(r), "") << host;
  }
  EXPECT_EQ(guard.refusal(own("POST")), "");
  RequestHeaders link = own();  // a link on another page to this server
  link.fetch_site = "cross-site", link.fetch_mode = "navigate";
  EXPECT_EQ(guard.refusal(link), "");
}

TEST(Guard, RefusesNamesThatLeadToThisMachine) {
  const Guard guard("127.0.0.1", 8100, kToken);
  for (const char* host : {"", "evil.example:8100", "evil.example", "127.0.0.1", "127.0.0.1:81",
                           "localhost.evil.example:8100", "127.0.0.1:8100.evil.example", "10.0.0.1:8100"}) {
    RequestHeaders r = own();
    r.host = host;
    EXPECT_NE(guard.refusal(r), "") << host;
  }
}

TEST(Guard, AnyAddressAllowsAddressesButNoNames) {
  const Guard guard("0.0.0.0", 8100, kToken);
  RequestHeaders r = own();
  r.host = "192.168.1.7:8100";
  EXPECT_EQ(guard.refusal(r), "");
  r.host = "evil.example:8100";
  EXPECT_NE(guard.refusal(r), "");
  r.host = "1.2.3.4.evil:8100";
  EXPECT_NE(guard.refusal(r), "");
}

TEST(Guard, RefusesOtherOrigins) {
  const Guard guard("127.0.0.1", 8100, kToken);
  for (const char* method : {"GET", "POST"})
    for (const char* origin : {"http://evil.example", "null", "http://127.0.0.1:81", "https://127.0.0.1:8100",
                               "http://127.0.0.1:8100.evil.example", "http://localhost:8100"}) {
      RequestHeaders r = own(method);
      r.origin = origin;
      EXPECT_NE(guard.refusal(r), "") << method << " " << origin;
    }
  for (const char* site : {"cross-site", "same-site"}) {
    RequestHeaders r = own();
    r.fetch_site = site, r.fetch_mode = "no-cors";
    EXPECT_NE(guard.refusal(r), "") << site;
    r = own("POST");
    r.fetch_site = site, r.fetch_mode = "navigate";
    EXPECT_NE(guard.refusal(r), "") << site;
  }
}

TEST(Guard, ChangesNeedAnOriginAndJson) {
  const Guard guard("127.0.0.1", 8100, kToken);
  RequestHeaders r = own("POST");
  r.origin = "";
  EXPECT_EQ(guard.refusal(r), "the request has no Origin");
  r = own("POST");
  r.content_type = "text/plain";
  EXPECT_EQ(guard.refusal(r), "the request is not JSON");
  for (const char* method : {"PUT", "DELETE", "OPTIONS", "PATCH"}) {
    r = own("POST");
    r.method = method;
    EXPECT_EQ(guard.refusal(r), "the method is not known") << method;
  }
}

TEST(Guard, OnlyTheTokenAllowsSteering) {
  const Guard guard("127.0.0.1", 8100, kToken);
  RequestHeaders r = own("POST");
  for (const std::string& text :
       std::vector<std::string>{"", "Bearer ", "Bearer 0", "Basic " + kToken, kToken,
                                "Bearer " + kToken + "0", "Bearer " + kToken.substr(1)}) {
    r.authorization = text;
    EXPECT_FALSE(guard.has_token(r)) << text;
  }
  r.authorization = "Bearer " + kToken;
  EXPECT_TRUE(guard.has_token(r));
}

TEST(Guard, TokensDiffer) {
  const std::string token = draw_token();
  EXPECT_EQ(token.size(), 32U);
  EXPECT_NE(token, draw_token());
}

}  // namespace
}  // namespace gabbro::web
