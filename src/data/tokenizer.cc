#include "data/tokenizer.h"

#include <fmt/format.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/files.h"

namespace gabbro::data {

namespace {

// U+2581: SentencePiece encodes a space as this, and cannot distinguish it from one in the text.
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

// Replaces space marks by spaces. SentencePiece does so where a piece holds the mark, and not where it is
// written as three bytes, since the vocabulary lacks it.
std::string with_spaces(std::string text) {
  for (std::size_t at = 0; (at = text.find(kSpaceMark, at)) != std::string::npos;)
    text.replace(at, kSpaceMark.size(), " ");
  return text;
}

}  // namespace

struct Tokenizer::Model {
  sentencepiece::SentencePieceProcessor processor;
  std::vector<int> line_end;  // the tokens of a line end

  [[nodiscard]] std::vector<int> encode(std::string_view text) const {
    std::vector<int> out;
    GABBRO_CHECK(processor.Encode(text, &out).ok());
    return out;
  }
};

Tokenizer::Tokenizer(std::unique_ptr<Model> model, std::string bytes)
    : model_(std::move(model)), bytes_(std::move(bytes)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::from_bytes(std::string bytes) {
  auto model = std::make_unique<Model>();
  if (!model->processor.LoadFromSerializedProto(bytes).ok())
    return fail("tokenizer", "not a SentencePiece model", "give a tokenizer.model such as Llama 2's");
  if (model->processor.eos_id() < 0)
    return fail("tokenizer", "the tokenizer has no end-of-text token",
                "use one with </s>, which separates documents");
  model->line_end = model->encode("\n");
  return Tokenizer(std::move(model), std::move(bytes));
}

Result<Tokenizer> Tokenizer::load(const std::string& path) {
  GABBRO_TRY(bytes, read_file(path));
  auto out = from_bytes(std::move(bytes));
  if (!out) out.error().message = path + ": " + out.error().message;
  return out;
}

namespace {

// The trainer of SentencePiece packs positions in a word into 16 bits: it crashes at a word of more than
// 32,767 characters, and ends the process at one of more than 65,535. It skips lines that are longer than its
// option max_sentence_length (see `train`).
constexpr std::size_t kLongestLine = 30'000;  // bytes

// Returns where to cut a long line that begins at `from`: before the last space within kLongestLine, or else
// between characters.
std::size_t cut_of(const std::string& text, std::size_t from) {
  const std::size_t limit = from + kLongestLine;
  if (const std::size_t space = text.rfind(' ', limit); space != std::string::npos && space > from)
    return space;
  std::size_t end = limit;
  while (end > from + 1 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return end;
}

// Iterates over the lines of the sample, since a token never crosses a line end. Long lines are cut.
class Lines : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(const std::vector<std::string>& texts) : texts_(texts) { advance(); }
  [[nodiscard]] bool done() const override { return done_; }
  void Next() override { advance(); }
  [[nodiscard]] const std::string& value() const override { return line_; }
  [[nodiscard]] sentencepiece::util::Status status() const override { return {}; }

 private:
  void advance() {
    while (text_ < texts_.size()) {
      const std::string& text = texts_[text_];
      if (at_ >= text.size()) {
        ++text_;
        at_ = 0;
        continue;
      }
      const std::size_t line = std::min(text.find('\n', at_), text.size());
      const bool is_long = line - at_ > kLongestLine;
      const std::size_t end = is_long ? cut_of(text, at_) : line;
      line_ = text.substr(at_, end - at_);
      at_ = is_long ? end : end + 1;
      if (!line_.empty()) return;
    }
    done_ = true;
  }
  const std::vector<std::string>& texts_;
  std::size_t text_ = 0, at_ = 0;  // index of the text, and the offset in it of the next line
  std::string line_;
  bool done_ = false;
};

constexpr std::size_t kShortestPart = 64 << 10, kLongestPart = 256 << 10;  // bytes

// Returns where to cut a long text: before a space that follows a letter, a digit or punctuation, or after a
// line end that no other follows, or else between characters.
std::size_t end_of_part(std::string_view text) {
  for (std::size_t at = kShortestPart; at < kLongestPart; ++at) {
    const char before = text[at - 1];
    if ((text[at] == ' ' && before > ' ' && before <= '~') || (before == '\n' && text[at] != '\n')) return at;
  }
  std::size_t end = kLongestPart;
  while (end > kShortestPart && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return end;
}

}  // namespace

Result<Tokenizer> Tokenizer::train(const std::vector<std::string>& sample, int vocab) {
  const std::unordered_map<std::string, std::string> arguments{{"model_type", "bpe"},
                                                               {"vocab_size", std::to_string(vocab)},
                                                               {"byte_fallback", "true"},
                                                               {"character_coverage", "0.9999"},
                                                               {"normalization_rule_name", "identity"},
                                                               {"remove_extra_whitespaces", "false"},
                                                               {"add_dummy_prefix", "false"},
                                                               {"allow_whitespace_only_pieces", "true"},
                                                               {"split_digits", "true"},
                                                               {"num_threads", "1"},
                                                               {"max_sentence_length", "1000000"},
                                                               {"unk_id", "0"},
                                                               {"bos_id", "1"},
                                                               {"eos_id", "2"},
                                                               {"minloglevel", "2"}};
  Lines lines(sample);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(arguments, &lines, &model);
  if (!status.ok()) {
    const std::string message =
        status.error_message();  // The format is "source.cc(line) [condition] message".
    const std::size_t end = message.rfind("] ");
    return fail("tokenizer",
                fmt::format("cannot train a vocabulary of {} tokens: {}", vocab,
                            end == std::string::npos ? message : message.substr(end + 2)),
                message.find("required_chars") == std::string::npos
                    ? "give more text, or a smaller --vocab"
                    : "every character of the text needs a token: use a larger --vocab");
  }
  return from_bytes(std::move(model));
}

int Tokenizer::vocab() const { return model_->processor.GetPieceSize(); }
int Tokenizer::end() const { return model_->processor.eos_id(); }

std::vector<std::string_view> Tokenizer::parts_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (text.size() > kLongestPart) {
    const std::size_t end = end_of_part(text);
    out.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  if (!text.empty()) out.push_back(text);
  return out;
}

void Tokenizer::encode(std::string_view text, std::vector<int>& out) const {
  bool first = true;
  for (const std::string_view part : parts_of(text)) encode_part(part, std::exchange(first, false), out);
}

void Tokenizer::encode_part(std::string_view part, bool first, std::vector<int>& out) const {
  std::vector<int> tokens;
  const std::vector<int>& line_end = model_->line_end;
  if (!first) {
    // A vocabulary from elsewhere may put a space before what it encodes. A line end keeps it from the part.
    tokens = model_->encode("\n" + std::string(part));
    const auto common = std::mismatch(line_end.begin(), line_end.end(), tokens.begin(), tokens.end());
    first = common.first != line_end.end();
    if (!first) tokens.erase(tokens.begin(), common.second);
  }
  if (first) tokens = model_->encode(part);
  out.insert(out.end(), tokens.begin(), tokens.end());
}

std::optional<unsigned char> Tokenizer::byte_of(int id) const {
  if (!model_->processor.IsByte(id)) return std::nullopt;
  return static_cast<unsigned char>(
      std::stoi(model_->processor.IdToPiece(id).substr(3), nullptr, 16));  // The piece is written as <0xE2>.
}

std::string Tokenizer::decode(const std::vector<int>& ids) const {
  std::string out;
  const auto status = model_->processor.Decode(ids, &out);
  GABBRO_CHECK(status.ok());
  return with_spaces(std::move(out));
}

std::size_t Tokenizer::decoded_bytes(std::vector<int> ids) const {
  std::erase(ids, model_->processor.unk_id());
  return decode(ids).size();
}

std::size_t Tokenizer::reproduced_bytes(std::string_view text) {
  std::size_t out = text.size();
  for (std::size_t at = 0; (at = text.find(kSpaceMark, at)) != text.npos; at += kSpaceMark.size())
    out -= kSpaceMark.size() - 1;
  return out;
}

bool Tokenizer::reproduces(const std::string& text, const std::vector<int>& ids) const {
  return std::find(ids.begin(), ids.end(), model_->processor.unk_id()) == ids.end() &&
         decode(ids) == with_spaces(text);
}

}  // namespace gabbro::data
