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
  r.messages = {{MessageAuthor::kSystem, "You write."}, {MessageAuthor::kUser, "Write \xff."}};
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

ParsedResponse openai(const std::string& text, int status = 200, const ChatRequest& asked = request()) {
  return parse_response({status, {}, text}, asked, endpoint(Wire::kOpenai, Structured::kSchema));
}
ParsedResponse anthropic(const std::string& text, int status = 200) {
  return parse_response({status, {}, text}, request(), endpoint(Wire::kAnthropic, Structured::kTool));
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
  more.messages.push_back({MessageAuthor::kAssistant, "unit"});
  more.messages.push_back({MessageAuthor::kUser, ""});
  more.messages.push_back({MessageAuthor::kSystem, "Line 2 is wrong."});
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
  EXPECT_TRUE(a.reply->was_cut);
  EXPECT_EQ(a.reply->usage.input, 50);
  EXPECT_EQ(a.reply->usage.cache_read, 30);
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
  EXPECT_EQ(tool.usage->cache_read, 100);
  EXPECT_EQ(tool.usage->cache_written, 5);
  const auto text = anthropic(
      R"({"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"stop_reason":"max_tokens"})");
  EXPECT_EQ(text.reply->text, "ab");
  EXPECT_TRUE(text.reply->was_cut);
  // A tool call that was cut has no arguments, whole or streamed.
  for (const char* body :
       {R"({"content":[{"type":"tool_use","name":"reply","input":{}}],"stop_reason":"max_tokens"})",
        "data: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\",\"input\":{}}}\n"
        "data: {\"type\":\"content_block_delta\",\"delta\":{\"partial_json\":\"{\\\"a\\\":\"}}\n"
        "data: {\"type\":\"content_block_stop\"}\n"
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}}\n"}) {
    const auto cut = anthropic(body);
    ASSERT_TRUE(cut.reply.has_value()) << body << cut.reply.error().message;
    EXPECT_EQ(cut.reply->text, "{}");
    EXPECT_TRUE(cut.reply->was_cut);
  }
}

TEST(Wire, UnusableResponsesAreErrorsWithTheirBeginning) {
  const std::string page = "<html>\n<body>" + std::string(2000, 'x');
  // The nesting is so deep that copying the parsed value would overflow the stack.
  const std::string deep = R"({"choices":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  using enum CallFailure;
  const struct {
    std::string body;
    int status;
    CallFailure failure;
    const char* says;
  } rows[] = {
      {"", 200, kEmpty, "empty: nothing"},
      {" \n ", 200, kEmpty, "the response is empty"},
      {page, 200, kUnreadable, "not valid JSON: <html> <body>xxx"},
      {deep, 200, kUnreadable, "not valid JSON: {\"choices\":[[["},
      {R"({"choices":[{"mess)", 200, kUnreadable, "not valid JSON: {\"choices\""},
      {"[1]", 200, kUnreadable, "not a JSON object: [1]"},
      {"{}", 200, kEmpty, "no completion: {}"},
      {R"({"choices":[]})", 200, kEmpty, "no completion"},
      {R"({"choices":[7]})", 200, kEmpty, "no completion"},
      {R"({"choices":[{"message":null}]})", 200, kEmpty, "no completion"},
      {R"({"choices":[{"message":{"content":null,"refusal":"no"}}]})", 200, kDeclined, "refused: no"},
      {R"({"choices":[{"message":{"content":""},"finish_reason":"stop"}]})", 200, kEmpty,
       "the reply is empty"},
      {R"({"choices":[{"message":{"content":"<think>hm"},"finish_reason":"length"}]})", 200, kOnlyThought,
       "cut off before any text"},
      {R"({"choices":[{"message":{"content":null,"reasoning_content":"Let me see"}}]})", 200, kOnlyThought,
       "`reasoning_content` has: Let me see"},
      {R"({"choices":[{"message":{"content":"half"},"finish_reason":"content_filter"}]})", 200, kFiltered,
       "content filter refused the reply"},
      {R"({"choices":[{"message":{"content":""},"finish_reason":"error","error":{"code":502,"message":"up"}}]})",
       200, kDown, "status 502: up"},
      {R"({"choices":[{"message":{"content":"ha"},"finish_reason":"error"}]})", 200, kDown, "broke off"},
      // The status is in the body, as a number or as a word.
      {R"({"error":{"message":"behind","code":502}})", 200, kDown, "status 502: behind"},
      {R"({"error":{"message":"slow down","code":"429"}})", 200, kDown, "status 429: slow down"},
      {R"({"error":{"message":"slow down","code":"rate_limit_exceeded"}})", 200, kDown,
       "status 429: slow down"},
      {R"({"error":{"message":"Overloaded","type":"overloaded_error"}})", 200, kDown,
       "status 503: Overloaded"},
      {R"({"error":{"message":"later","status":"RESOURCE_EXHAUSTED"}})", 200, kDown, "later"},
      {R"({"error":"the model is unavailable"})", 200, kDown, "unavailable"},
      {R"({"error":{"message":"no such field","code":"invalid_request"}})", 200, kRequest, "no such field"},
      // Keys, money and filters have several statuses.
      {R"({"error":{"message":"wrong key"}})", 401, kKey, "wrong key"},
      {R"([{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}])", 400, kKey,
       "status 400: API key not valid."},
      {R"({"error":{"message":"Bad","details":[{"reason":"API_KEY_INVALID"}]}})", 400, kKey, "Bad"},
      {R"({"error":{"message":"You exceeded","code":"insufficient_quota"}})", 429, kMoney, "You exceeded"},
      {R"({"error":{"message":"Insufficient balance. Please recharge.","code":"1113"}})", 429, kMoney,
       "Insufficient"},
      {R"({"error":{"message":"pay"}})", 402, kMoney, "pay"},
      {R"({"error":{"message":"The prompt was rejected.","code":"content_filter"}})", 400, kFiltered,
       "the server's content filter refused the prompt: The prompt was rejected."},
      {R"({"error":{"message":"Your input was flagged","code":403}})", 403, kFiltered, "flagged"},
      {R"({"error":{"message":"slow down"}})", 429, kDown, "slow down"},
      {R"({"error":"model overloaded"})", 503, kDown, "model overloaded"},
      {R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})", 503, kLoading,
       "status 503: Loading model"},
      {R"({"error":"Model a/b is currently loading","estimated_time":20.0})", 503, kLoading, "loading"},
      {R"({"error":"the prompt is loading"})", 400, kRequest, "status 400"},
      {R"({"error":{"message":"Provider returned error","metadata":{"raw":"GPU lost"}}})", 502, kDown,
       "GPU lost"},
      {page, 502, kDown, "status 502: <html>"},
      {R"({"error":{"code":400,"message":"exceeds the available context size","type":"exceed_context_size_error"}})",
       400, kContext, "exceeds"},
      {R"({"error":{"code":500,"message":"the request exceeds","type":"exceed_context_size_error"}})", 500,
       kContext, "exceeds"},
      {R"({"error":{"message":"This model's maximum context length is 8192 tokens","code":"context_length_exceeded"}})",
       400, kContext, "8192"},
      {R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens"}})",
       400, kContext, "210000"},
      {R"({"detail":"Not Found"})", 404, kRequest, "Not Found"},
      {"", 301, kRequest, "status 301: nothing"},
  };
  for (const auto& row : rows) {
    const ParsedResponse a = openai(row.body, row.status);
    ASSERT_FALSE(a.reply.has_value()) << row.body;
    EXPECT_EQ(a.failure, row.failure) << row.body;
    EXPECT_EQ(a.reply.error().code, record::word_of(rule_of(row.failure).code)) << row.body;
    EXPECT_NE(a.reply.error().message.find(row.says), std::string::npos) << a.reply.error().message;
    EXPECT_TRUE(a.reply.error().message.starts_with("there: ")) << a.reply.error().message;
    EXPECT_LT(a.reply.error().message.size(), 350u);
    EXPECT_EQ(a.reply.error().message.find('\n'), std::string::npos);
  }
  const std::pair<const char*, CallFailure> of_anthropic[] = {
      {"{}", kEmpty},
      {R"({"content":7})", kEmpty},
      {R"({"content":[],"stop_reason":"end_turn"})", kEmpty},
      {R"({"content":[{"type":"thinking","thinking":"hm"}]})", kOnlyThought},
      {R"({"content":[],"stop_reason":"max_tokens"})", kOnlyThought},
      {R"({"content":[],"stop_reason":"refusal"})", kDeclined},
      {R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})", kDown}};
  for (const auto& [body, failure] : of_anthropic) {
    const ParsedResponse a = anthropic(body);
    ASSERT_FALSE(a.reply.has_value()) << body;
    EXPECT_EQ(a.failure, failure) << body;
  }
}

// A table that is read by its index must be in the order of the enum, and only what helps is repeated.
TEST(Wire, EveryFailureHasItsRule) {
  for (std::size_t i = 0; i < kFailureRules.size(); ++i) {
    const FailureRule& rule = kFailureRules[i];
    EXPECT_EQ(static_cast<std::size_t>(rule.failure), i);
    EXPECT_EQ(rule.code == record::Cause::kNone, rule.failure == CallFailure::kNone);
    if (rule.max_retries > 0) {
      EXPECT_EQ(rule.state, EndpointState::kFailed) << i;
    }
  }
}

TEST(Wire, RefusalsGenerateNothingAndRepliesDo) {
  EXPECT_FALSE(openai(R"({"error":{"code":429,"message":"slow down"}})").is_generated);
  EXPECT_FALSE(openai("no", 503).is_generated);
  EXPECT_TRUE(openai("").is_generated);
  EXPECT_TRUE(openai("{}").is_generated);
  EXPECT_TRUE(openai(R"({"choices":[{"message":{"content":""},"error":{"code":502}}]})").is_generated);
  // A refusal that was billed says so.
  const auto billed = openai(R"({"error":{"code":502},"usage":{"prompt_tokens":7,"completion_tokens":1}})");
  ASSERT_TRUE(billed.usage.has_value());
  EXPECT_EQ(billed.usage->input, 7);
  // A server that reports "no error" in every response has none.
  for (const char* none : {R"("")", "null", "{}", "false"})
    EXPECT_EQ(openai(std::string(R"({"error":)") + none + R"(,"choices":[{"message":{"content":"x"}}]})")
                  .reply->text,
              "x");
}

TEST(Wire, TextInOtherFieldsIsTheReplyIfItHasItsForm) {
  const auto text_in = [](const std::string& message, const ChatRequest& asked) {
    const auto a = openai(R"({"choices":[{"message":)" + message + "}]}", 200, asked);
    return a.reply ? a.reply->text : "";
  };
  const std::string object = R"({"a":"x"})";
  const std::string call = R"({"content":null,"tool_calls":[{"function":{"arguments":"{\"a\":\"x\"}"}}]})";
  EXPECT_EQ(text_in(R"({"content":null,"reasoning_content":"{\"a\":\"x\"}"})", request(kSchema)), object);
  EXPECT_EQ(text_in(R"({"content":"","reasoning":"{\"a\":\"x\"}"})", request(kSchema)), object);
  EXPECT_EQ(text_in(call, request(kSchema)), object);
  EXPECT_EQ(text_in(R"({"function_call":{"arguments":{"a":"x"}}})", request(kSchema)), object);
  EXPECT_EQ(text_in(R"({"reasoning":"```\nunit A\n```"})", request()), "```\nunit A\n```");
  EXPECT_EQ(text_in(R"({"reasoning":"I think of {\"a\":\"x\"}"})", request(kSchema)), "");
  EXPECT_EQ(text_in(R"({"reasoning":"A unit, perhaps"})", request()), "");
  EXPECT_EQ(text_in(R"({"content":"yes","reasoning":"{\"a\":1}"})", request(kSchema)), "yes");
}

TEST(Wire, StreamsThatNobodyAskedForAreOneReply) {
  const std::string chunks =
      "data: {\"choices\":[{\"delta\":{\"content\":\"ba\"},\"finish_reason\":null}]}\n\n: waiting\n\n"
      "data: {\"choices\":[{\"delta\":{\"content\":\"salt\"},\"finish_reason\":null}]}\r\n\r\n";
  const auto whole = openai(
      chunks +
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n");
  ASSERT_TRUE(whole.reply.has_value()) << whole.reply.error().message;
  EXPECT_EQ(whole.reply->text, "basalt");
  EXPECT_EQ(whole.usage->input, 9);
  const auto broken = openai(chunks);
  EXPECT_EQ(broken.failure, CallFailure::kDown);
  EXPECT_TRUE(broken.is_generated) << "what was written is billed";
  const auto refused = openai("data: {\"error\":{\"code\":429,\"message\":\"slow\"}}\n\n");
  EXPECT_EQ(refused.failure, CallFailure::kDown);
  EXPECT_FALSE(refused.is_generated);

  const std::string events =
      "event: message_start\ndata: "
      "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n"
      "data: {\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\",\"input\":{}}}\n\n"
      "data: {\"type\":\"content_block_delta\",\"delta\":{\"partial_json\":\"{\\\"a\\\":\"}}\n\n"
      "data: {\"type\":\"content_block_delta\",\"delta\":{\"partial_json\":\"\\\"x\\\"}\"}}\n\n"
      "data: {\"type\":\"content_block_stop\"}\n\n";
  const auto tool = anthropic(events +
                              "data: "
                              "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},"
                              "\"usage\":{\"output_tokens\":7}}\n\n");
  ASSERT_TRUE(tool.reply.has_value()) << tool.reply.error().message;
  EXPECT_EQ(tool.reply->text, R"({"a":"x"})");
  EXPECT_EQ(tool.usage->output, 7);
  EXPECT_EQ(anthropic(events).failure, CallFailure::kDown);
  EXPECT_TRUE(anthropic(events).is_usage_doubtful);
}

TEST(Wire, HalvesOfCharactersAreReplaced) {
  const auto text = [](const std::string& content) {
    const auto a = openai(R"({"choices":[{"message":{"content":")" + content + R"("}}]})");
    return a.reply ? a.reply->text : a.reply.error().message;
  };
  EXPECT_EQ(text("cut \\ud83d"), "cut \uFFFD");
  EXPECT_EQ(text("\\ude00 late"), "\uFFFD late");
  EXPECT_EQ(text("\\ud83d\\ude00"), "\U0001F600");
  EXPECT_EQ(text("bad \xff byte"), "bad \uFFFD byte");
  EXPECT_EQ(text("two\nlines"), "two\nlines");
  EXPECT_EQ(text("\\\\ud83d"), "\\ud83d") << "an escaped backslash begins no character";
  EXPECT_EQ(
      openai("\xef\xbb\xbf\n\n " + std::string(R"({"choices":[{"message":{"content":"x"}}]})")).reply->text,
      "x");
}

// The counted output is never less than what is billed.
TEST(Wire, ThoughtsThatAreBilledAreCounted) {
  const struct {
    const char* usage;
    std::int64_t output;
    bool is_doubtful;
  } rows[] = {
      {R"({"prompt_tokens":1000,"completion_tokens":100})", 100, false},
      {R"({"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100})", 100, false},
      {R"({"prompt_tokens":1000,"completion_tokens":100,"total_tokens":9100,"completion_tokens_details":{"reasoning_tokens":8000}})",
       8100, false},
      {R"({"prompt_tokens":1000,"completion_tokens":8100,"total_tokens":9100,"completion_tokens_details":{"reasoning_tokens":8000}})",
       8100, false},
      {R"({"prompt_tokens":1000,"completion_tokens":100,"completion_tokens_details":{"reasoning_tokens":8000}})",
       8100, false},
      {R"({"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"completion_tokens_details":{"reasoning_tokens":8000}})",
       8100, true},
      {R"({"prompt_tokens":1000,"completion_tokens":100,"total_tokens":500})", 100, true},
      {R"({"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":4000}})",
       100, true},
      {R"({"prompt_tokens":0,"completion_tokens":100})", 100, true},
      {R"({"prompt_tokens":1000,"completion_tokens":0,"total_tokens":1000})", 0, true},
      {R"({"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":null,"completion_tokens_details":null})",
       100, false},
  };
  for (const auto& row : rows) {
    const auto a =
        openai(std::string(R"({"choices":[{"message":{"content":"x"}}],"usage":)") + row.usage + "}");
    ASSERT_TRUE(a.usage.has_value()) << row.usage;
    EXPECT_EQ(a.usage->output, row.output) << row.usage;
    EXPECT_EQ(a.is_usage_doubtful, row.is_doubtful) << row.usage;
  }
}

// Ollama counts the part of a prompt that it read, and routers in front of it the whole in the total.
TEST(Wire, TheRestOfACutPromptIsInputAndNotThoughts) {
  ChatRequest request;
  request.messages = {{MessageAuthor::kUser, std::string(16'000, 'x')}};
  const auto read = [&](const std::string& usage) {
    return parse_response({.status = 200,
                           .headers = {},
                           .body = R"({"choices":[{"message":{"content":"x"}}],"usage":)" + usage + "}"},
                          request, Endpoint{});
  };
  const auto cut = read(R"({"prompt_tokens":2048,"completion_tokens":100,"total_tokens":4100})");
  ASSERT_TRUE(cut.usage);
  EXPECT_EQ(cut.usage->input, 2048) << "for the note that the prompt was cut";
  EXPECT_EQ(cut.usage->output, 100);
  EXPECT_EQ(cut.uncounted_input, 1952);
  EXPECT_FALSE(cut.is_usage_doubtful);
  // More than the prompt can have, thoughts that are named, or a prompt that was read: counted as output.
  for (
      const char* usage :
      {R"({"prompt_tokens":2048,"completion_tokens":100,"total_tokens":30000})",
       R"({"prompt_tokens":2048,"completion_tokens":100,"total_tokens":4100,"completion_tokens_details":{"reasoning_tokens":1952}})",
       R"({"prompt_tokens":4000,"completion_tokens":100,"total_tokens":6052})"}) {
    const auto thoughts = read(usage);
    EXPECT_EQ(thoughts.uncounted_input, 0) << usage;
    EXPECT_GE(thoughts.usage->output, 2052) << usage;
  }
}

TEST(Wire, DoubtfulCountsAreSaidInWords) {
  ChatModel m;
  m.name = "m";
  ChatRequest r = request();
  r.messages[1].text.assign(12'000, 'x');
  EXPECT_NE(cut_prompt({.input = 1999}, r, m).find("read 1999 tokens of a prompt of 12010 bytes"),
            std::string::npos);
  EXPECT_EQ(cut_prompt({.input = 2048}, r, m), "");
  EXPECT_EQ(cut_prompt({.input = 2}, request(), m), "") << "a short prompt says nothing";
  EXPECT_NE(uncapped_thoughts({.output = 101}, r, m).find("counts 101 tokens of output where at most 100"),
            std::string::npos);
  EXPECT_EQ(uncapped_thoughts({.output = 100}, r, m), "");
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
  r.messages.push_back({MessageAuthor::kUser, std::string(30000, 'x')});
  EXPECT_GE(estimate_tokens(r).maximum, 30000);
  EXPECT_GE(estimate_tokens(r).likely, 10000);
  EXPECT_LT(estimate_tokens(r).likely, 11000);
}

}  // namespace
}  // namespace gabbro::chat
