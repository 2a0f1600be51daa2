#include "agents/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "agents/prompts.h"
#include "agents/replies.h"
#include "chat/client.h"
#include "chat/wire.h"
#include "record/fields.h"
#include "zoo/embedded.h"

namespace gabbro::agents {

using chat::ChatClient;
using chat::ChatModel;
using chat::ChatRequest;
using chat::Endpoint;
using chat::MessageAuthor;
using chat::Reply;

namespace {

constexpr const char* kSchema =
    R"({"type":"object","properties":{"colour":{"type":"string"},"count":{"type":"integer"}},)"
    R"("required":["colour","count"],"additionalProperties":false})";
constexpr const char* kGrammar = "root ::= \"yes\" | \"no\"";
constexpr const char* kWord = "Say the word: basalt";
constexpr int kMaxReplyTokens = 200;
constexpr int kMaxRetries = 1;
constexpr std::size_t kLongestShown = 200;  // bytes of a reply

ChatRequest question(const std::string& text) {
  ChatRequest r;
  r.role = std::string(chat::roles().front());  // any role: the model that is asked plays all
  r.messages = {{MessageAuthor::kSystem, "You are being tested. Answer briefly."},
                {MessageAuthor::kUser, text}};
  r.max_tokens = kMaxReplyTokens;
  r.temperature = 0;
  return r;
}

// Returns a question as long as those to the coder, which are the longest: the language, and a parent.
ChatRequest long_question() {
  constexpr std::string_view kParent = "llama.gab";
  std::string parent;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    if (entry.file == kParent) parent = entry.text;
  ChatRequest r = question(fmt::format("{}. The rest shows that long prompts are read.\n\n{}\n{}", kWord,
                                       prompt_file("coder.md"), quoted("parent", parent)));
  r.messages[0].text = system_prompt(Knowledge::kCode);
  return r;
}

// Returns the reply, or an error if it does not have the form that was requested.
Result<Reply> require_form(Result<Reply> reply, const char* form, const char* hint,
                           const std::function<bool(const std::string&)>& fits) {
  if (!reply || fits(reply->text)) return reply;
  return fail(
      "chat reply",
      fmt::format(
          "the reply {}is not {}: {}",
          reply->was_cut ? fmt::format("was cut at its limit of {} tokens and ", kMaxReplyTokens) : "", form,
          shortened(reply->text, kLongestShown)),
      reply->was_cut ? "the model writes more than an answer: switch its thinking off, or allow for it "
                       "with `thinking`"
                     : hint);
}

bool is_structured(const std::string& text) {
  const auto object = find_object(text, kSchema);
  if (!object) return false;
  auto io = record::Reader::parse(*object, "reply");
  std::string colour;
  int count = 0;
  if (!io) return false;
  (*io)("colour", colour);
  (*io)("count", count);
  return io->error().code.empty() && !colour.empty();
}

bool is_yes_or_no(const std::string& text) {
  std::string_view answer = answer_of(text);
  constexpr std::string_view kBlank = " \r\n\t";
  answer.remove_prefix(std::min(answer.find_first_not_of(kBlank), answer.size()));
  answer = answer.substr(0, answer.find_last_not_of(kBlank) + 1);
  return answer == "yes" || answer == "no";
}

ModelCheck check(ChatClient& client, const ChatModel& model, const Endpoint& endpoint) {
  ModelCheck out;
  out.model = model.name;
  out.endpoint = endpoint.name;
  const auto ask = [&](const ChatRequest& r) {
    ++out.calls;
    return client.ask(r);
  };
  out.text = ask(question(kWord));
  if (!out.text) return out;
  out.seconds = out.text->seconds;
  ChatRequest structured = question("Three red apples. Give their colour and count as JSON.");
  structured.schema = kSchema;
  out.structured =
      require_form(ask(structured), "valid under the schema",
                   "set `structured` of the endpoint to what the server supports", is_structured);
  if (endpoint.structured == chat::Structured::kGrammar) {
    ChatRequest grammar = question("Is basalt a rock? Explain in a sentence.");
    grammar.grammar = kGrammar;
    out.grammar =
        require_form(ask(grammar), "valid under the grammar",
                     "if the server does not accept grammars, set structured = \"schema\"", is_yes_or_no);
  }
  const ChatRequest longest = long_question();
  out.prompt = ask(longest);
  if (*out.prompt)
    if (const std::string cut = chat::cut_prompt((*out.prompt)->usage, longest, model); !cut.empty())
      out.prompt = fail("chat context", cut);
  return out;
}

}  // namespace

bool ModelCheck::passed() const {
  const auto is_good = [](const auto& reply) { return !reply || reply->has_value(); };
  return text.has_value() && structured && prompt && is_good(structured) && is_good(grammar) &&
         is_good(prompt);
}

Result<bool> check_models(const chat::Config& config,
                          const std::function<void(const ModelCheck&)>& on_model) {
  GABBRO_TRY(log, chat::CallLog::open(":memory:"));
  for (const ChatModel& model : config.models) {
    chat::Config single = config;
    single.models = {model};
    single.models[0].roles.clear();  // It plays every role.
    for (Endpoint& e : single.endpoints) e.retries = std::min(e.retries, kMaxRetries);
    GABBRO_TRY(client, ChatClient::open(single, *log));
    const chat::Amount before = log->spent();
    ModelCheck done = check(*client, model, config.endpoints[model.endpoint]);
    const chat::Amount after = log->spent();
    done.money = static_cast<double>(after.money - before.money) / 1e6;
    done.tokens = after.tokens - before.tokens;
    if (const auto doubts = client->doubts(); !doubts.empty() && (!done.prompt || *done.prompt))
      done.doubt = doubts.front();
    on_model(done);
  }
  return true;
}

}  // namespace gabbro::agents
