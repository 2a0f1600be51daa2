#include "data/tokenizer_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace gabbro::data {

namespace {

using Json = nlohmann::ordered_json;

// Wire types of Protocol Buffers.
enum WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// A field of a message of Protocol Buffers: `value` if its wire type is kVarint, otherwise `bytes`.
struct Field {
  int number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

// Reads the fields of a message one after the other. `next` returns nothing at its end or where it is
// damaged.
class Message {
 public:
  explicit Message(std::string_view data) : data_(data) {}

  std::optional<Field> next() {
    const auto key = varint();
    if (!key) return {};
    Field out;
    out.number = static_cast<int>(*key >> 3);
    const auto wire = *key & 7;
    if (wire == kVarint) {
      const auto value = varint();
      if (!value) return {};
      out.value = *value;
      return out;
    }
    const auto size = wire == kFixed64   ? std::optional<std::uint64_t>(8)
                      : wire == kFixed32 ? std::optional<std::uint64_t>(4)
                      : wire == kBytes   ? varint()
                                         : std::nullopt;
    if (!size || *size > data_.size()) return {};
    out.bytes = data_.substr(0, *size);
    data_.remove_prefix(*size);
    return out;
  }

 private:
  std::optional<std::uint64_t> varint() {
    std::uint64_t out = 0;
    for (int shift = 0; shift < 64 && !data_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(data_[0]);
      data_.remove_prefix(1);
      out |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return out;
    }
    return {};
  }
  std::string_view data_;
};

struct Piece {
  enum Type { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
  std::string text;
  float score = 0;
  std::uint64_t type = kNormal;
};

// The fields of sentencepiece_model.proto that change ids, with their defaults.
struct Vocabulary {
  std::vector<Piece> pieces;
  std::uint64_t model_type = 1;  // 1: unigram, 2: byte pairs, 3: words, 4: characters
  std::string normalization;     // name of the rule
  bool has_table = false;        // a compiled table of replacements
  bool adds_prefix = true;       // puts a space before a text
  bool removes_spaces = true;    // removes repeated spaces
  bool escapes_spaces = true;    // writes a space as U+2581
  bool space_is_suffix = false;  // a space belongs to the word before it
};

// Field numbers: piece 1, score 2, type 3.
Piece parse_piece(std::string_view bytes) {
  Piece out;
  Message message(bytes);
  while (const auto field = message.next()) {
    if (field->number == 1) out.text = field->bytes;
    if (field->number == 2 && field->bytes.size() == 4) std::memcpy(&out.score, field->bytes.data(), 4);
    if (field->number == 3) out.type = field->value;
  }
  return out;
}

// Field numbers of the model: pieces 1, trainer_spec 2, normalizer_spec 3. Of the trainer: model_type 3,
// treat_whitespace_as_suffix 24. Of the normalizer: name 1, precompiled_charsmap 2, add_dummy_prefix 3,
// remove_extra_whitespaces 4, escape_whitespaces 5.
Vocabulary parse(std::string_view bytes) {
  Vocabulary out;
  Message message(bytes);
  while (const auto field = message.next()) {
    if (field->number == 1) out.pieces.push_back(parse_piece(field->bytes));
    Message inner(field->bytes);
    while (field->number == 2 || field->number == 3) {
      const auto f = inner.next();
      if (!f) break;
      const bool trainer = field->number == 2;
      if (trainer && f->number == 3) out.model_type = f->value;
      if (trainer && f->number == 24) out.space_is_suffix = f->value != 0;
      if (!trainer && f->number == 1) out.normalization = f->bytes;
      if (!trainer && f->number == 2) out.has_table = !f->bytes.empty();
      if (!trainer && f->number == 3) out.adds_prefix = f->value != 0;
      if (!trainer && f->number == 4) out.removes_spaces = f->value != 0;
      if (!trainer && f->number == 5) out.escapes_spaces = f->value != 0;
    }
  }
  return out;
}

Result<bool> check(const Vocabulary& v) {
  const auto refuse = [](const std::string& what) {
    return fail("tokenizer", "the vocabulary cannot be written as tokenizer.json: " + what,
                "export with --format torch, and read text with the tokenizer.model of the corpus");
  };
  constexpr std::uint64_t kBpe = 2;
  if (v.model_type != kBpe) return refuse("it is not a BPE vocabulary");
  if (v.has_table || v.removes_spaces || !v.escapes_spaces || v.space_is_suffix)
    return refuse(fmt::format("it changes text before it is split (normalisation '{}')", v.normalization));
  const auto bytes =
      std::count_if(v.pieces.begin(), v.pieces.end(), [](const Piece& p) { return p.type == Piece::kByte; });
  if (bytes != 256) return refuse(fmt::format("it has only {} of the 256 byte tokens", bytes));
  for (const Piece& p : v.pieces)
    if (p.type == Piece::kUserDefined || p.type == Piece::kUnused)
      return refuse(fmt::format("the token '{}' is user-defined or unused", p.text));
  return true;
}

// Returns all pairs of tokens that join to a token, best token first. SentencePiece joins any two neighbours
// whose text is a token, in the order of the tokens' scores.
Result<Json> merges(const Vocabulary& v) {
  std::unordered_map<std::string_view, std::size_t> known;
  for (std::size_t i = 0; i < v.pieces.size(); ++i)
    if (v.pieces[i].type == Piece::kNormal) known.emplace(v.pieces[i].text, i);
  std::vector<std::size_t> order(v.pieces.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return v.pieces[a].score > v.pieces[b].score; });
  Json out = Json::array();
  for (const std::size_t i : order) {
    const std::string_view text = v.pieces[i].text;
    if (v.pieces[i].type != Piece::kNormal) continue;
    for (std::size_t cut = 0, next; cut < text.size(); cut = next) {
      next = cut + 1;
      while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0) == 0x80) ++next;
      if (!known.contains(text.substr(cut, next - cut)))
        return fail("tokenizer",
                    fmt::format("the vocabulary cannot be written as tokenizer.json: the token '{}' contains "
                                "a character that is not a token",
                                text),
                    "export with --format torch, and read text with the tokenizer.model of the corpus");
      if (cut > 0 && known.contains(text.substr(0, cut)) && known.contains(text.substr(cut)))
        out.push_back({text.substr(0, cut), text.substr(cut)});
    }
  }
  return out;
}

Result<Vocabulary> read(const Tokenizer& tokenizer) {
  Vocabulary out = parse(tokenizer.bytes());
  if (static_cast<int>(out.pieces.size()) != tokenizer.vocab())
    return fail("tokenizer",
                fmt::format("tokenizer.model lists {} of {} tokens", out.pieces.size(), tokenizer.vocab()));
  if (const auto ok = check(out); !ok) return tl::unexpected(ok.error());
  return out;
}

// Returns the text of the token for unknown characters, or "".
std::string unknown_token(const Vocabulary& v) {
  const auto at = std::find_if(v.pieces.begin(), v.pieces.end(),
                               [](const Piece& p) { return p.type == Piece::kUnknown; });
  return at == v.pieces.end() ? "" : at->text;
}

}  // namespace

Result<std::string> tokenizer_json(const Tokenizer& tokenizer) {
  GABBRO_TRY(v, read(tokenizer));
  GABBRO_TRY(pairs, merges(v));
  constexpr const char* kSpace = "\u2581";
  const std::string end = v.pieces[static_cast<std::size_t>(tokenizer.end())].text;
  Json vocab, added = Json::array();
  for (std::size_t i = 0; i < v.pieces.size(); ++i) {
    vocab[v.pieces[i].text] = i;
    if (v.pieces[i].type == Piece::kControl || v.pieces[i].type == Piece::kUnknown)
      added.push_back({{"id", i},
                       {"content", v.pieces[i].text},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", true}});
  }
  Json normalizers = Json::array(), decoders = Json::array();
  if (v.adds_prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", kSpace}});
  normalizers.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}});
  decoders.push_back({{"type", "Replace"}, {"pattern", {{"String", kSpace}}}, {"content", " "}});
  decoders.push_back({{"type", "ByteFallback"}});
  decoders.push_back({{"type", "Fuse"}});
  if (v.adds_prefix) decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  const auto special = [&](int type) { return Json{{"SpecialToken", {{"id", end}, {"type_id", type}}}}; };
  const auto sequence = [](const char* name, int type) {
    return Json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  const Json json = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
      {"pre_tokenizer", nullptr},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", Json::array({special(0), sequence("A", 0)})},
        {"pair", Json::array({special(0), sequence("A", 0), special(1), sequence("B", 1)})},
        {"special_tokens", {{end, {{"id", end}, {"ids", {tokenizer.end()}}, {"tokens", {end}}}}}}}},
      {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", unknown_token(v)},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", true},
        {"byte_fallback", true},
        {"ignore_merges", false},
        {"vocab", vocab},
        {"merges", pairs}}}};
  return json.dump(1) + "\n";
}

Result<std::string> tokenizer_config_json(const Tokenizer& tokenizer, std::int64_t length) {
  GABBRO_TRY(v, read(tokenizer));
  const std::string end = v.pieces[static_cast<std::size_t>(tokenizer.end())].text;
  const Json json = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                     {"bos_token", end},
                     {"eos_token", end},
                     {"pad_token", end},
                     {"unk_token", unknown_token(v)},
                     {"split_special_tokens", true},
                     {"clean_up_tokenization_spaces", false},
                     {"padding_side", "left"},
                     {"model_input_names", {"input_ids", "attention_mask"}},
                     {"model_max_length", length}};
  return json.dump(2) + "\n";
}

}  // namespace gabbro::data
