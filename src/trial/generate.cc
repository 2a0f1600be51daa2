#include "trial/generate.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "eval/sample.h"
#include "exec/torch/decoder.h"
#include "trial/run_folder.h"

namespace gabbro::trial {

using record::GenerateResult;
using record::GenerateSpec;
using record::OnProgress;

namespace {

// Returns the number of leading bytes of `text` that form whole UTF-8 characters.
std::size_t whole_characters(const std::string& text) {
  std::size_t back = 0;
  while (back < text.size() && back < 3 && (text[text.size() - 1 - back] & '\xC0') == '\x80') ++back;
  if (back >= text.size()) return text.size();
  const auto lead = static_cast<unsigned char>(text[text.size() - 1 - back]);
  const std::size_t follow = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
  return follow > back ? text.size() - 1 - back : text.size();
}

// Turns tokens into text as they arrive. A character may be spread over tokens of one byte each. While it is
// incomplete, its decoding is not a prefix of the final text, so such text is held back.
class Stream {
 public:
  Stream(const data::Tokenizer& tokenizer, std::vector<int> prompt)
      : tokenizer_(tokenizer),
        ids_(std::move(prompt)),
        returned_(tokenizer.decode(ids_).size()),
        prompt_bytes_(returned_) {}

  /// Appends a token and returns the text that is now complete and was not returned before.
  std::string add(int token) {
    ids_.push_back(token);
    text_ = tokenizer_.decode(ids_);
    constexpr std::string_view kBroken = "\xEF\xBF\xBD";  // An incomplete character decodes to U+FFFD.
    // A character has at most 4 bytes. What is incomplete after 4 tokens is invalid, and returned as U+FFFD.
    if (std::string_view(text_).ends_with(kBroken) && ++waiting_ < 4) return "";
    waiting_ = 0;
    const std::size_t end = whole_characters(text_);
    if (end <= returned_) return "";
    std::string out = text_.substr(returned_, end - returned_);
    returned_ = end;
    return out;
  }
  /// Returns the text that add() has held back.
  [[nodiscard]] std::string rest() const { return text_.size() > returned_ ? text_.substr(returned_) : ""; }
  /// Returns the whole text without the prompt.
  [[nodiscard]] std::string all() const {
    return text_.size() > prompt_bytes_ ? text_.substr(prompt_bytes_) : "";
  }

 private:
  const data::Tokenizer& tokenizer_;
  std::vector<int> ids_;
  std::string text_;
  std::size_t returned_, prompt_bytes_;  // sizes of parts of text_
  int waiting_ = 0;                      // number of tokens since the last complete character
};

Result<GenerateResult> run_checked(const GenerateSpec& spec, const OnProgress& progress) {
  GABBRO_TRY(run, read_run(spec.run, spec.corpus));
  exec::torch::Decoder decoder(run.subject.elaboration.graph, run.weights, spec.threads);
  std::vector<int> prompt;
  run.tokenizer.encode(spec.prompt, prompt);
  GenerateResult out;
  out.weights_hash = run.weights_hash;
  out.prompt_tokens = static_cast<std::int64_t>(prompt.size());
  out.status = record::Status::kStopped;
  const double start = seconds_now();
  const auto report = [&](std::string text) {
    return !progress || progress({.stage = "generating",
                                  .tokens = out.tokens,
                                  .share = static_cast<double>(out.tokens) / static_cast<double>(spec.tokens),
                                  .text = std::move(text)});
  };
  // The end-of-document token precedes any text.
  std::vector<float> logits = decoder.step(run.tokenizer.end());
  for (const int token : prompt) {
    logits = decoder.step(token);
    if (!report("")) return out;
  }
  Stream stream(run.tokenizer, std::move(prompt));
  Random random(spec.seed);
  const eval::SampleOptions options{
      .temperature = spec.temperature, .top_k = spec.top_k, .top_p = spec.top_p};
  bool going = true;
  while (going && out.tokens < spec.tokens) {
    if (!std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); }))
      return fail("generate", "the logits are not finite");
    const std::int64_t token = eval::sample(logits, options, random);
    ++out.tokens;
    if ((out.ended = token == run.tokenizer.end())) break;
    going = report(stream.add(static_cast<int>(token)));
    if (out.tokens < spec.tokens) logits = decoder.step(token);
  }
  report(stream.rest());
  out.text = stream.all();
  out.seconds = seconds_now() - start;
  out.tokens_per_second = static_cast<double>(out.prompt_tokens + out.tokens) / std::max(out.seconds, 1e-9);
  if (going) out.status = record::Status::kDone;
  return out;
}

}  // namespace

GenerateResult run(const GenerateSpec& spec, const OnProgress& progress) {
  auto result = run_checked(spec, progress);
  if (result) return std::move(*result);
  GenerateResult out;
  out.cause = format_error("generate", result.error());
  return out;
}

}  // namespace gabbro::trial
