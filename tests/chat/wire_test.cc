// Tests of the two protocols: requests are encoded correctly, and any response is read without a crash.
#include "chat/wire.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gabbro::chat {
namespace {

using nlohmann::json;

constexpr const char* kSchema =
    R"({"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false})";

ChatRequest request(const std::string& schema = "", const std::string& grammar = "") {
  ChatRequest r;
  r.role = "coder";
  r.messages = {{MessageRole::kSystem, "You write."}, {MessageRole::kUser, "Write \xff."}};
  r.schema = schema, r.grammar = grammar;
  r.max_tokens = 100;
  return r;
}

Endpoint endpoint(Wire wire, Structured structured) {
  Endpoint e;
  e.name = "there", e.url = "http://h/v1", e.wire = wire, e.structured = structured;
  return e;
}

json body(const ChatRequest& r, Wire wire, Structured structured, std::int64_t thinking = 0) {
  ChatModel m;
  m.model = "m-1", m.thinking = thinking;
  return json::parse(to_http(r, endpoint(wire, structured), m, "").body);
}

ParsedResponse openai(const std::string& text, int status = 200) {
  return parse_response({status, {}, text}, endpoint(Wire::kOpenai, Structured::kSchema));
}
ParsedResponse anthropic(const std::string& text, int status = 200) {
  return parse_response({status, {}, text}, endpoint(Wire::kAnthropic, Structured::kTool));
}

TEST(Wire, AKeyIsInItsHeaderAndNowhereElse) {
  const ChatModel m;
  for (const Wire wire : {Wire::kOpenai, Wire::kAnthropic}) {
    const auto http = to_http(request(), endpoint(wire, Structured::kNone), m, "secret-key");
    EXPECT_EQ(http.body.find("secret-key"), std::string::npos);
    EXPECT_EQ(http.url.find("secret-key"), std::string::npos);
    EXPECT_FALSE(http.follow_redirects);
    EXPECT_EQ(http.headers.at(wire == Wire::kOpenai ? "Authorization" : "x-api-key"),
              wire == Wire::kOpenai ? "Bearer secret-key" : "secret-key");
  }
  EXPECT_FALSE(to_http(request(), endpoint(Wire::kOpenai, Structured::kNone), m, "")
                   .headers.contains("Authorization"));
}

// Servers that enforce a schema write the fields in its order, so that the idea comes before fields that
// follow from it.
TEST(Wire, SchemasKeepTheirOrder) {
  const std::string fields = R"("properties":{"title":{"type":"string"},"idea":{"type":"string"}})";
  const std::string schema =
      R"({"type":"object",)" + fields + R"(,"required":["title","idea"],"additionalProperties":false})";
  const ChatModel m;
  for (const auto& e :
       {endpoint(Wire::kOpenai, Structured::kSchema), endpoint(Wire::kAnthropic, Structured::kTool),
        endpoint(Wire::kAnthropic, Structured::kSchema)}) {
    const std::string sent = to_http(request(schema), e, m, "").body;
    EXPECT_NE(sent.find(fields), std::string::npos) << sent;
  }
}

// Limits on texts and lists are only sent to llama.cpp's server, since other strict decoders refuse them.
TEST(Wire, SchemaLimitsAreSentToServersThatAcceptThem) {
  const std::string limits =
      R"({"type":"object","properties":{"pattern":{"type":"array","maxItems":2,"items":{"type":"string","pattern":"^a$"}}}})";
  const json bare =
      json::parse(R"({"type":"object","properties":{"pattern":{"type":"array","items":{"type":"string"}}}})");
  EXPECT_EQ(
      body(request(limits), Wire::kOpenai, Structured::kGrammar)["response_format"]["json_schema"]["schema"],
      json::parse(limits));
  EXPECT_EQ(
      body(request(limits), Wire::kOpenai, Structured::kSchema)["response_format"]["json_schema"]["schema"],
      bare);
  EXPECT_EQ(body(request(limits), Wire::kAnthropic, Structured::kTool)["tools"][0]["input_schema"], bare);
  EXPECT_EQ(body(request(limits), Wire::kAnthropic, Structured::kSchema)["output_config"]["format"]["schema"],
            bare);
}

TEST(Wire, OpenaiRequests) {
  const json plain = body(request(), Wire::kOpenai, Structured::kSchema);
  EXPECT_EQ(plain["messages"][0], (json{{"role", "system"}, {"content", "You write."}}));
  EXPECT_EQ(plain["messages"][1]["content"], "Write \xEF\xBF\xBD.");
  EXPECT_EQ(plain["max_tokens"], 100);
  EXPECT_FALSE(plain.contains("response_format"));

  const json schema = body(request(kSchema), Wire::kOpenai, Structured::kSchema);
  EXPECT_EQ(schema["response_format"]["json_schema"]["schema"], json::parse(kSchema));
  EXPECT_EQ(schema["response_format"]["json_schema"]["strict"], true);
  EXPECT_EQ(schema["messages"], plain["messages"]);
  const json open =
      body(request(R"({"type":"object","properties":{"a":{}}})"), Wire::kOpenai, Structured::kSchema);
  EXPECT_EQ(open["response_format"]["json_schema"]["strict"], false);

  const json object = body(request(kSchema), Wire::kOpenai, Structured::kObject);
  EXPECT_EQ(object["response_format"], (json{{"type", "json_object"}}));
  EXPECT_NE(object["messages"][1]["content"].get<std::string>().find(kSchema), std::string::npos);
  const json none = body(request(kSchema), Wire::kOpenai, Structured::kNone);
  EXPECT_FALSE(none.contains("response_format"));
  EXPECT_NE(none["messages"][1]["content"].get<std::string>().find(kSchema), std::string::npos);

  // llama.cpp refuses a schema together with a grammar. Servers without grammars do not receive one.
  const json grammar = body(request(kSchema, "root ::= \"x\""), Wire::kOpenai, Structured::kGrammar);
  EXPECT_EQ(grammar["grammar"], "root ::= \"x\"");
  EXPECT_FALSE(grammar.contains("response_format"));
  EXPECT_TRUE(body(request(kSchema), Wire::kOpenai, Structured::kGrammar).contains("response_format"));
  EXPECT_FALSE(body(request("", "root ::= \"x\""), Wire::kOpenai, Structured::kSchema).contains("grammar"));

  const json thinking = body(request(), Wire::kOpenai, Structured::kSchema, 4000);
  EXPECT_EQ(thinking["max_completion_tokens"], 4100);
  EXPECT_FALSE(thinking.contains("max_tokens") || thinking.contains("temperature"));
}

TEST(Wire, AnthropicRequests) {
  const json tool = body(request(kSchema), Wire::kAnthropic, Structured::kTool);
  EXPECT_EQ(tool["system"][0]["text"], "You write.");
  EXPECT_EQ(tool["system"][0]["cache_control"]["type"], "ephemeral");
  EXPECT_EQ(tool["messages"].size(), 1u);
  // There is no second turn, so the conversation need not be cached.
  EXPECT_FALSE(tool["messages"][0]["content"][0].contains("cache_control"));
  EXPECT_EQ(tool["tools"][0]["input_schema"], json::parse(kSchema));
  EXPECT_EQ(tool["tool_choice"], (json{{"type", "tool"}, {"name", "reply"}}));
  EXPECT_EQ(tool["max_tokens"], 100);
  const json schema = body(request(kSchema), Wire::kAnthropic, Structured::kSchema);
  EXPECT_EQ(schema["output_config"]["format"]["schema"], json::parse(kSchema));
  EXPECT_FALSE(schema.contains("tools"));
  EXPECT_FALSE(body(request("", "root ::= \"x\""), Wire::kAnthropic, Structured::kTool).contains("grammar"));

  ChatRequest more = request();
  more.messages.push_back({MessageRole::kAssistant, "unit"});
  more.messages.push_back({MessageRole::kUser, ""});
  more.messages.push_back({MessageRole::kSystem, "Line 2 is wrong."});
  const json turns = body(more, Wire::kAnthropic, Structured::kTool);
  ASSERT_EQ(turns["messages"].size(), 3u);
  EXPECT_EQ(turns["messages"][1]["role"], "assistant");
  EXPECT_EQ(turns["messages"][2]["role"], "user");
  EXPECT_TRUE(turns["messages"][2]["content"][0].contains("cache_control"));
  ChatRequest none;
  EXPECT_EQ(body(none, Wire::kAnthropic, Structured::kTool)["messages"][0]["role"], "user");
}

TEST(Wire, OpenaiReplies) {
  const auto a =
      openai(R"({"choices":[{"message":{"role":"assistant","content":"hello"},"finish_reason":"length"}],
    "usage":{"prompt_tokens":50,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":30}}})");
  ASSERT_TRUE(a.reply.has_value()) << a.reply.error().message;
  EXPECT_EQ(a.reply->text, "hello");
  EXPECT_TRUE(a.reply->cut);
  EXPECT_EQ(a.reply->usage.input, 50);
  EXPECT_EQ(a.reply->usage.cached, 30);
  EXPECT_EQ(a.reply->usage.output, 7);
  const auto thought = openai(R"({"choices":[{"message":{"content":"<think>hm</think>\n\nyes"}}]})");
  EXPECT_EQ(thought.reply->text, "yes");
  EXPECT_FALSE(thought.usage.has_value());
  const auto parts =
      openai(R"({"choices":[{"message":{"content":[{"type":"text","text":"a"},{"text":"b"}]}}]})");
  EXPECT_EQ(parts.reply->text, "ab");
}

TEST(Wire, AnthropicReplies) {
  const auto tool = anthropic(
      R"({"content":[{"type":"text","text":"Here:"},{"type":"tool_use","name":"reply","input":{"a":"x"}}],
    "stop_reason":"tool_use","usage":{"input_tokens":10,"cache_read_input_tokens":100,"cache_creation_input_tokens":5,"output_tokens":3}})");
  ASSERT_TRUE(tool.reply.has_value());
  EXPECT_EQ(tool.reply->text, R"({"a":"x"})");
  EXPECT_EQ(tool.usage->input, 115);
  EXPECT_EQ(tool.usage->cached, 100);
  EXPECT_EQ(tool.usage->written, 5);
  const auto text = anthropic(
      R"({"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"stop_reason":"max_tokens"})");
  EXPECT_EQ(text.reply->text, "ab");
  EXPECT_TRUE(text.reply->cut);
}

TEST(Wire, UnusableResponsesAreErrorsWithTheirBeginning) {
  const std::string page = "<html>\n<body>" + std::string(2000, 'x');
  // The nesting is so deep that copying the parsed value would overflow the stack.
  const std::string deep = R"({"choices":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  const struct {
    std::string body;
    int status;
    const char *code, *says;
    bool may_retry;
  } rows[] = {
      {"", 200, "chat reply", "not valid JSON: nothing", false},
      {page, 200, "chat reply", "not valid JSON: <html> <body>xxx", false},
      {deep, 200, "chat reply", "not valid JSON: {\"choices\":[[[", false},
      {R"({"choices":[{"mess)", 200, "chat reply", "not valid JSON: {\"choices\"", false},
      {"[1]", 200, "chat reply", "not a JSON object: [1]", false},
      {"{}", 200, "chat reply", "no completion: {}", false},
      {R"({"choices":[]})", 200, "chat reply", "no completion", false},
      {R"({"choices":[7]})", 200, "chat reply", "no completion", false},
      {R"({"choices":[{"message":null}]})", 200, "chat reply", "no completion", false},
      {R"({"choices":[{"message":{"content":null,"refusal":"no"}}]})", 200, "chat reply", "refused: no",
       false},
      {R"({"choices":[{"message":{"content":""},"finish_reason":"stop"}]})", 200, "chat reply",
       "the reply is empty", false},
      {R"({"choices":[{"message":{"content":"<think>hm"},"finish_reason":"length"}]})", 200, "chat reply",
       "cut off before any text", false},
      {R"({"error":{"message":"behind","code":502}})", 200, "chat down", "status 502: behind", true},
      {R"({"error":{"message":"wrong key"}})", 401, "chat key", "wrong key", false},
      {R"({"error":{"message":"You exceeded","code":"insufficient_quota"}})", 429, "chat key", "You exceeded",
       false},
      {R"({"error":{"message":"slow down"}})", 429, "chat down", "slow down", true},
      {R"({"error":"model overloaded"})", 503, "chat down", "model overloaded", true},
      {page, 502, "chat down", "status 502: <html>", true},
      {R"({"error":{"code":400,"message":"exceeds the available context size","type":"exceed_context_size_error"}})",
       400, "chat context", "exceeds", false},
      {R"({"error":{"code":500,"message":"the request exceeds","type":"exceed_context_size_error"}})", 500,
       "chat context", "exceeds", false},
      {R"({"error":{"message":"This model's maximum context length is 8192 tokens","code":"context_length_exceeded"}})",
       400, "chat context", "8192", false},
      {R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens"}})",
       400, "chat context", "210000", false},
      {R"({"detail":"Not Found"})", 404, "chat reply", "Not Found", false},
      {"", 301, "chat reply", "status 301: nothing", false},
  };
  for (const auto& row : rows) {
    const ParsedResponse a = openai(row.body, row.status);
    ASSERT_FALSE(a.reply.has_value()) << row.body;
    EXPECT_EQ(a.reply.error().code, row.code) << row.body;
    EXPECT_NE(a.reply.error().message.find(row.says), std::string::npos) << a.reply.error().message;
    EXPECT_TRUE(a.reply.error().message.starts_with("there: ")) << a.reply.error().message;
    EXPECT_EQ(a.may_retry, row.may_retry) << row.body;
    EXPECT_LT(a.reply.error().message.size(), 300u);
    EXPECT_EQ(a.reply.error().message.find('\n'), std::string::npos);
  }
  for (const char* body :
       {"{}", R"({"content":7})", R"({"content":[]})", R"({"content":[{"type":"thinking"}]})",
        R"({"content":[],"stop_reason":"refusal"})"})
    EXPECT_EQ(anthropic(body).reply.error().code, "chat reply") << body;
}

TEST(Wire, InvalidUsageIsIgnored) {
  for (const char* usage :
       {R"({"prompt_tokens":-5,"completion_tokens":1})", R"({"prompt_tokens":"5","completion_tokens":1})",
        R"({"prompt_tokens":1e300,"completion_tokens":1})", R"({"prompt_tokens":5})", "7", "null"})
    EXPECT_FALSE(openai(std::string(R"({"choices":[{"message":{"content":"x"}}],"usage":)") + usage + "}")
                     .usage.has_value())
        << usage;
}

TEST(Wire, MaximumTokensAreAtLeastTheBytes) {
  ChatRequest r = request(kSchema);
  r.messages.push_back({MessageRole::kUser, std::string(30000, 'x')});
  EXPECT_GE(estimate_tokens(r).maximum, 30000);
  EXPECT_GE(estimate_tokens(r).likely, 10000);
  EXPECT_LT(estimate_tokens(r).likely, 11000);
}

}  // namespace
}  // namespace gabbro::chat
