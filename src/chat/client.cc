#include "chat/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/hash.h"
#include "chat/choice.h"
#include "chat/wire.h"
#include "net/http.h"
#include "record/cause.h"

namespace gabbro::chat {

using record::Cause;

namespace {

// Longest time in seconds for which a call waits in all if the server asks for it, or loads its model. If it
// asks for more at once, the endpoint is paused.
constexpr double kLongestWait = 120;

double system_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Says what to do about a proxy that is asked for an address of this machine; empty if none is.
std::string proxy_hint(const Endpoint& endpoint) {
  const std::string variable = net::proxy_of_loopback(endpoint.url);
  if (variable.empty()) return {};
  return fmt::format("{} is set, so that a proxy is asked for {}: export no_proxy=localhost,127.0.0.1",
                     variable, endpoint.url);
}

// Returns true if the server will answer later: it says when, or loads its model.
bool will_answer(CallFailure failure, double pause) {
  return failure == CallFailure::kLoading ||
         (failure == CallFailure::kDown && pause > 0 && pause <= kLongestWait);
}

bool may_come_from_proxy(CallFailure failure) {
  return failure == CallFailure::kDown || failure == CallFailure::kKey || failure == CallFailure::kUnreadable;
}

}  // namespace

// The outcome of one attempt.
struct ChatClient::Attempt {
  Result<Reply> reply;
  CallFailure failure = CallFailure::kNone;
  TokenUsage usage;
  Amount cost;       // cost of this attempt, as far as it may be billed
  double pause = 0;  // seconds of delay that the server asked for
};

// The outcome of a call to one model.
struct ChatClient::CallOutcome {
  Result<Reply> reply;
  bool recorded = false;  // the call log has it
  NextAsked next = NextAsked::kNobody;
};

Result<std::unique_ptr<ChatClient>> ChatClient::open(Config config, CallLog& log, ChatClientOptions options) {
  GABBRO_TRY(keys, ApiKeys::from_environment(config));
  if (auto ok = log.set_cap(config.cap); !ok) return tl::unexpected(ok.error());
  if (!options.now) options.now = system_time;
  return std::unique_ptr<ChatClient>(
      new ChatClient(std::move(config), std::move(keys), log, std::move(options)));
}

ChatClient::ChatClient(Config config, ApiKeys keys, CallLog& log, ChatClientOptions options)
    : config_(std::move(config)),
      keys_(std::move(keys)),
      log_(log),
      options_(std::move(options)),
      largest_outputs_(log.largest_outputs()) {
  for (const Endpoint& e : config_.endpoints)
    breakers_.push_back(std::make_unique<CircuitBreaker>(e, options_.now));
}

ChatClient::~ChatClient() = default;

Result<Reply> ChatClient::ask(const ChatRequest& original) {
  const ChatRequest request = redacted(original);
  const std::string key = request_key(request);
  const int nth = next_index(request, key);
  if (request.task != 0)
    if (auto known = log_.recorded_reply(key, nth); known && *known) return std::move(**known);
  const auto models = model_order(request, key, nth);
  CallOutcome end{fail("stopped", "stopped")};
  if (!models) end.reply = tl::unexpected(models.error());
  std::string model;
  std::vector<std::size_t> failed;  // endpoints of which no model is asked
  for (const std::size_t i : models.value_or(std::vector<std::size_t>{})) {
    const std::size_t endpoint = config_.models[i].endpoint;
    if (std::find(failed.begin(), failed.end(), endpoint) != failed.end()) continue;
    model = config_.models[i].name;
    end = call(i, request, key, nth);
    if (end.reply || end.next == NextAsked::kNobody) break;
    if (end.next == NextAsked::kOtherEndpoint) failed.push_back(endpoint);
    // Only later choices of models depend on this, so an error is ignored.
    if (end.next == NextAsked::kOtherModel) (void)log_.record_worth(request.role, model, 0);
  }
  if (end.reply) return end.reply;
  const Error error = keys_.redacted(end.reply.error());
  // A stop is not a failure, and an error of the call log cannot be recorded in it.
  if (!end.recorded && !is(error, Cause::kStopped) && !is(error, Cause::kStore))
    if (auto ok = log_.refuse(request, nth, model, error, options_.now()); !ok)
      return tl::unexpected(ok.error());
  return tl::unexpected(error);
}

ChatRequest ChatClient::redacted(ChatRequest request) const {
  for (Message& m : request.messages) m.text = keys_.redacted(std::move(m.text));
  return request;
}

// Returns the index of this question among equal questions, from 0. A question of a task is counted within
// this process, so that a repeated task finds its earlier answers. A question without a task is counted over
// the whole call log.
int ChatClient::next_index(const ChatRequest& request, const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto [entry, added] = times_asked_.emplace(key, 0);
  if (added && request.task == 0) entry->second = log_.count(key);
  return entry->second++;
}

Result<std::vector<std::size_t>> ChatClient::model_order(const ChatRequest& request, const std::string& key,
                                                         int nth) const {
  const std::uint64_t seed = mix(mix(options_.seed, hash64(key)), static_cast<std::uint64_t>(nth));
  std::vector<std::size_t> out = config_.bandit ? learned_order(config_, request.role, seed, log_.worths())
                                                : drawn_order(config_, request.role, seed);
  if (out.empty()) return fail("chat down", fmt::format("no model has the role of {}", request.role));
  const std::int64_t likely = estimate_tokens(request).likely;
  const ChatModel* widest = &config_.models[out[0]];
  for (const std::size_t i : out)
    if (config_.models[i].context > widest->context) widest = &config_.models[i];
  std::erase_if(out, [&](std::size_t i) {
    return likely + max_output_tokens(request, config_.models[i]) > config_.models[i].context;
  });
  if (out.empty())
    return fail(
        "chat context",
        fmt::format(
            "a prompt of about {} tokens plus a reply of up to {} exceed the context of {} tokens of {}",
            likely, max_output_tokens(request, *widest), widest->context, widest->name),
        "use a model with a larger `context` for this role, or fewer parents and neighbours in the prompt");
  return out;
}

ChatClient::CallOutcome ChatClient::call(std::size_t index, const ChatRequest& request,
                                         const std::string& key, int nth) {
  const ChatModel& model = config_.models[index];
  CircuitBreaker& breaker = *breakers_[model.endpoint];
  if (auto ok = breaker.enter(); !ok)
    return {.reply = tl::unexpected(ok.error()),
            .next = is(ok.error(), Cause::kStopped) ? NextAsked::kNobody : NextAsked::kOtherEndpoint};
  const auto reserved = reserve(request, nth, model);
  CallOutcome end{.reply = fail("stopped", "stopped")};
  if (reserved)
    end = send(reserved->id, model, request, key, reserved->max_cost);
  else
    end.reply = tl::unexpected(reserved.error());
  breaker.leave();
  return end;
}

// Returns the largest cost that a call can have, with every token of input at the highest input price. A
// model whose longest reply was longer than asked for, as it was billed for its thoughts, may do so again.
Amount ChatClient::max_cost_of(const ChatRequest& request, const ChatModel& model) const {
  const std::int64_t input = estimate_tokens(request).maximum;
  std::int64_t output = max_output_tokens(request, model);
  if (const auto known = largest_outputs_.find(model.name); known != largest_outputs_.end())
    output = std::max(output, known->second);
  Price price = model.price;
  price.input = price.max_input();
  return {cost_of(price, {.input = input, .output = output}), input + output};
}

// Returns true if the most that a reply of the model is billed for can be foreseen: its thinking is limited,
// or a reply was counted.
bool ChatClient::is_known(const ChatModel& model) const {
  const auto largest = largest_outputs_.find(model.name);
  return model.thinking > 0 || (largest != largest_outputs_.end() && largest->second > 0);
}

// Waits while the call might exceed the cap, and while the first call of an unknown model is in progress:
// that one may be billed for thoughts, which the others then reserve.
Result<ChatClient::Reserved> ChatClient::reserve(const ChatRequest& request, int nth,
                                                 const ChatModel& model) {
  std::unique_lock lock(mutex_);
  for (;; changed_.wait(lock)) {
    if (stopped_) return fail("stopped", "stopped before asking a model");
    const bool is_first = (config_.cap.money > 0 || config_.cap.tokens > 0) && !is_known(model);
    if (is_first && first_calls_.contains(model.name)) continue;
    const Amount max_cost = max_cost_of(request, model);
    const auto id = log_.begin(request, nth, model.name, max_cost, options_.now());
    if (!id && is(id.error(), Cause::kCap) && calls_in_progress_ > 0) continue;
    if (!id) return tl::unexpected(id.error());
    ++calls_in_progress_;
    if (is_first) first_calls_.insert(model.name);
    return Reserved{*id, max_cost};
  }
}

// Makes attempts until one succeeds or no retry is allowed. The call is open in the call log and is settled
// on return.
ChatClient::CallOutcome ChatClient::send(std::int64_t id, const ChatModel& model, const ChatRequest& request,
                                         const std::string& key, Amount max_cost) {
  const Endpoint& endpoint = config_.endpoints[model.endpoint];
  CircuitBreaker& breaker = *breakers_[model.endpoint];
  const double start = options_.now();
  Amount spent, held = max_cost;
  double waited = 0;  // seconds
  for (int tries = 1;; ++tries) {
    Attempt a = attempt(model, request, max_cost);
    spent = {spent.money + a.cost.money, spent.tokens + a.cost.tokens};
    const FailureRule& rule = rule_of(a.failure);
    const auto end = [&](Result<Reply> reply, NextAsked next) {
      return CallOutcome{settle(id, std::move(reply), model, spent, a.usage, start), true, next};
    };
    if (rule.state == EndpointState::kWorks) breaker.report_success();
    // There are fewer than 100 tries (config.cc), so each try of each call has a seed of its own.
    const std::uint64_t seed = mix(hash64(key), static_cast<std::uint64_t>(id * 100 + tries));
    const double delay = std::max(a.pause, backoff(tries, seed));
    // Waiting as the server asks uses up no retries and is no failure of the endpoint.
    const bool waits =
        endpoint.retries > 0 && will_answer(a.failure, a.pause) && waited + delay <= kLongestWait;
    if (rule.state == EndpointState::kFailed && !waits)
      breaker.report_failure(a.reply.error().message, a.pause > kLongestWait ? a.pause : 0);
    if (rule.state == EndpointState::kUnusable)
      breaker.report_failure(a.reply.error().message, CircuitBreaker::kFirstPause);
    const bool has_retries = tries <= std::min(endpoint.retries, rule.max_retries);
    const bool is_last = (!waits && !has_retries) || breaker.pause_reason();
    if (is_last && !a.reply && rule.max_retries > 0)
      a.reply.error().message += fmt::format(" (tried {} time{})", tries, tries == 1 ? "" : "s");
    if (is_last) return end(std::move(a.reply), rule.next);
    wait(delay);
    waited += delay;
    if (stopped_)
      return end(fail("stopped", "stopped while waiting for " + endpoint.name), NextAsked::kNobody);
    const Amount needed{spent.money + max_cost.money, spent.tokens + max_cost.tokens};
    const Amount more{std::max<Micro>(0, needed.money - held.money),
                      std::max<std::int64_t>(0, needed.tokens - held.tokens)};
    if (more.money > 0 || more.tokens > 0)
      if (auto ok = log_.raise(id, more); !ok) return end(tl::unexpected(ok.error()), NextAsked::kNobody);
    held = {held.money + more.money, held.tokens + more.tokens};
  }
}

ChatClient::Attempt ChatClient::attempt(const ChatModel& model, const ChatRequest& request, Amount max_cost) {
  const Endpoint& endpoint = config_.endpoints[model.endpoint];
  auto response = net::exchange(to_http(request, endpoint, model, keys_.key_of(endpoint)),
                                [this] { return seconds_now() >= cut_at_; });
  if (!response) {
    const Error e = keys_.redacted(response.error());
    const bool unsent = is(e, Cause::kNetConnect), stopped = is(e, Cause::kStopped);
    const std::string hint = e.hint.empty() ? proxy_hint(endpoint) : e.hint;
    return {.reply = fail(stopped ? "stopped" : "chat down", endpoint.name + ": " + e.message, hint),
            .failure = stopped ? CallFailure::kStopped : CallFailure::kDown,
            .usage = {},
            .cost = unsent ? Amount{} : max_cost};
  }
  response->body = keys_.redacted(std::move(response->body));
  ParsedResponse parsed = parse_response(*response, request, endpoint);
  Attempt out{.reply = std::move(parsed.reply),
              .failure = parsed.failure,
              .usage = parsed.usage.value_or(TokenUsage{}),
              .cost = {},
              .pause = retry_after(response->headers, response->body, options_.now()).value_or(0)};
  // Decoding JSON may have revealed a key that was spelt differently in the body.
  if (out.reply)
    out.reply->text = keys_.redacted(std::move(out.reply->text));
  else
    out.reply = tl::unexpected(keys_.redacted(out.reply.error()));
  if (!out.reply && may_come_from_proxy(out.failure))
    if (std::string hint = proxy_hint(endpoint); !hint.empty()) out.reply.error().hint = std::move(hint);
  // A reply that is said to have taken no tokens was not counted.
  const bool is_counted = out.usage.input + out.usage.output > 0;
  if (is_counted) {
    TokenUsage billed = out.usage;
    billed.input += parsed.uncounted_input;
    out.cost = {cost_of(model.price, billed), billed.input + billed.output};
  }
  if (parsed.is_usage_doubtful || (parsed.is_generated && !is_counted))
    out.cost = {std::max(out.cost.money, max_cost.money), std::max(out.cost.tokens, max_cost.tokens)};
  if (is_counted && !parsed.is_usage_doubtful) note_usage(model, request, out.usage);
  return out;
}

void ChatClient::note_usage(const ChatModel& model, const ChatRequest& request, const TokenUsage& usage) {
  std::string doubt = cut_prompt(usage, request, model);
  if (doubt.empty()) doubt = uncapped_thoughts(usage, request, model);
  const std::lock_guard lock(mutex_);
  std::int64_t& largest = largest_outputs_[model.name];
  largest = std::max(largest, usage.output);
  if (!doubt.empty()) doubts_[model.name] = std::move(doubt);
}

std::vector<std::string> ChatClient::doubts() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [model, doubt] : doubts_) out.push_back(doubt);
  return out;
}

Result<Reply> ChatClient::settle(std::int64_t id, Result<Reply> reply, const ChatModel& model, Amount cost,
                                 const TokenUsage& usage, double start) {
  const double seconds = std::max(0.0, options_.now() - start);
  if (reply) {
    reply->model = model.name;
    reply->cost = static_cast<double>(cost.money) / 1e6;
    reply->seconds = seconds;
  }
  const auto ok = log_.settle(id, reply, cost, usage, seconds);
  {
    const std::lock_guard lock(mutex_);
    --calls_in_progress_;
    if (const auto first = first_calls_.find(model.name); first != first_calls_.end())
      first_calls_.erase(first);
  }
  changed_.notify_all();
  if (!ok) return tl::unexpected(ok.error());
  return reply;
}

void ChatClient::wait(double seconds) {
  if (options_.wait) return options_.wait(seconds);
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return stopped_.load(); });
}

void ChatClient::report_worth(const std::string& role, const Reply& reply, double worth) {
  // Only later choices of models depend on this, so an error is ignored.
  if (!reply.model.empty()) (void)log_.record_worth(role, reply.model, worth);
}

void ChatClient::stop(double seconds) {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    cut_at_ = std::min(cut_at_.load(), seconds_now() + seconds);
  }
  changed_.notify_all();
  for (const auto& breaker : breakers_) breaker->stop();
}

std::optional<std::string> ChatClient::pause_reason() const {
  std::string why;
  for (std::size_t i = 0; i < breakers_.size(); ++i) {
    const bool used = std::any_of(config_.models.begin(), config_.models.end(),
                                  [&](const ChatModel& m) { return m.endpoint == i; });
    if (!used) continue;
    const auto reason = breakers_[i]->pause_reason();
    if (!reason) return std::nullopt;
    why += (why.empty() ? "" : "; ") + *reason;
  }
  return why;
}

}  // namespace gabbro::chat
