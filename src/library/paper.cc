#include "library/paper.h"

#include <fmt/format.h>

#include <array>
#include <cctype>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "library/text.h"

namespace gabbro::library {

namespace {

// Joins lines: texts in the TOML files may be broken anywhere, so each run of white space becomes one space.
std::string joined_lines(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool space = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (space && (out.empty() || out.back() == ' ')) continue;
    out += space ? ' ' : c;
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

// Returns the parts between commas; empty ones are left out.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    if (std::string word = joined_lines(text.substr(0, comma)); !word.empty()) out.push_back(std::move(word));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return out;
}

enum class Presence { kRequired, kOptional };

// Reads the fields of a [[paper]]. The first error is stored in `error`.
class PaperReader {
 public:
  PaperReader(const toml::table& table, Error& error) : table_(table), error_(error) {}

  void text(const char* key, std::string& value, Presence presence) {
    const toml::node* node = table_.get(key);
    if (node == nullptr) {
      if (presence == Presence::kRequired) refuse(table_, fmt::format("a paper has no {}", key));
      return;
    }
    const auto found = node->value_exact<std::string>();
    value = joined_lines(found.value_or(""));
    if (value.empty()) refuse(*node, fmt::format("{} must be a non-empty string", key));
  }
  void year(int& value) {
    const auto found = table_["year"].value_exact<std::int64_t>();
    if (!found || *found < 1900 || *found > 2100)
      refuse(table_, "a paper has no year, or one outside 1900 to 2100");
    else
      value = static_cast<int>(*found);
  }
  void zoo(std::vector<std::string>& files) {
    const toml::node* node = table_.get("zoo");
    if (node == nullptr) return;
    if (const auto one = node->value_exact<std::string>())
      files = {*one};
    else if (const toml::array* list = node->as_array())
      for (const toml::node& item : *list) files.push_back(item.value_or(std::string()));
    else
      refuse(*node, "zoo must be a string or a list of strings");
  }
  void check_keys(std::span<const std::string_view> keys) {
    for (const auto& [key, node] : table_)
      if (std::find(keys.begin(), keys.end(), key.str()) == keys.end())
        refuse(node, fmt::format("unknown key '{}'", key.str()));
  }

 private:
  void refuse(const toml::node& node, std::string message) {
    if (!error_.code.empty()) return;
    const auto begin = node.source().begin;
    error_ = {"library",
              std::move(message),
              "see docs/library.md for the keys of a paper",
              {static_cast<int>(begin.line), static_cast<int>(begin.column)}};
  }

  const toml::table& table_;
  Error& error_;
};

constexpr std::array<std::string_view, 12> kKeys{"key",      "title", "authors",   "year",
                                                 "arxiv",    "venue", "mechanism", "formula",
                                                 "improves", "tags",  "zoo",       "outside"};

Paper read_paper(const toml::table& table, const std::string& family, Error& error) {
  Paper p;
  PaperReader r(table, error);
  std::string tags;
  r.check_keys(kKeys);
  r.text("key", p.id, Presence::kRequired);
  r.text("title", p.title, Presence::kRequired);
  r.text("authors", p.authors, Presence::kRequired);
  r.year(p.year);
  r.text("arxiv", p.arxiv, Presence::kOptional);
  r.text("venue", p.venue, p.arxiv.empty() ? Presence::kRequired : Presence::kOptional);
  r.text("mechanism", p.mechanism, Presence::kRequired);
  r.text("formula", p.formula, Presence::kOptional);
  r.text("improves", p.improves, Presence::kRequired);
  r.text("tags", tags, Presence::kRequired);
  r.zoo(p.zoo);
  r.text("outside", p.outside, Presence::kOptional);
  p.tags = split(tags);
  std::string family_tag = family;
  std::replace(family_tag.begin(), family_tag.end(), '_', ' ');
  if (std::find(p.tags.begin(), p.tags.end(), family_tag) == p.tags.end())
    p.tags.insert(p.tags.begin(), family_tag);
  p.source = kBuiltIn;
  return p;
}

}  // namespace

std::string Paper::body() const {
  std::string out = mechanism;
  const auto add = [&](const std::string& part) {
    if (!part.empty()) out += (out.empty() ? "" : "\n") + part;
  };
  add(formula);
  add(improves);
  add(text);
  return out;
}

Result<std::vector<Paper>> parse_papers(std::string_view text, const std::string& family) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const auto at = parsed.error().source().begin;
    return fail("library", std::string(parsed.error().description()), {},
                {static_cast<int>(at.line), static_cast<int>(at.column)});
  }
  const toml::array* list = parsed.table()["paper"].as_array();
  if (list == nullptr || parsed.table().size() != 1 || !list->is_array_of_tables())
    return fail("library", "expected only [[paper]] tables");
  std::vector<Paper> out;
  Error error;
  for (const toml::node& node : *list) out.push_back(read_paper(*node.as_table(), family, error));
  if (!error.code.empty()) return tl::unexpected(error);
  return out;
}

const std::vector<Paper>& built_in() {
  static const std::vector<Paper> papers = [] {
    std::vector<Paper> out;
    for (const Shelf& shelf : shelves()) {
      auto read = parse_papers(shelf.text, std::string(shelf.family));
      GABBRO_CHECK(read.has_value());
      out.insert(out.end(), std::make_move_iterator(read->begin()), std::make_move_iterator(read->end()));
    }
    return out;
  }();
  return papers;
}

std::string_view outside_by_title(std::string_view title) {
  // Phrases as in texts without hyphens and punctuation; each ends at the end of a word unless a * follows.
  struct Family {
    std::string_view name, phrases;
  };
  static constexpr std::array kFamilies{
      Family{"diffusion", "diffusion*, denois*, flow matching"},
      Family{"bidirectional models",
             "bidirectional, masked language, bert, encoder only, sentence embedding*"},
      Family{"external stores", "retrieval augmented, nearest neighbo*, rag, vector database*"},
      Family{"inference", "speculative, serving, decoding strateg*, kv cache compression, kv cache quanti*"},
      Family{"tokenisers", "tokeniz*, tokenis*, byte pair, subword*"},
      Family{"optimisers", "optimizer*, optimiser*, adam*, learning rate*"},
      Family{"quantisation", "quantiz*, quantis*, 1 bit, 4 bit, 8 bit, low bit, fp8"},
      Family{"images", "multimodal, vision, image*, video*, speech, audio, visual"},
      Family{"training",
             "fine tun*, finetun*, reinforcement learning, instruction*, alignment, prompt*, "
             "distill*, pruning"},
      Family{"benchmarks", "benchmark*, dataset*, corpus, survey"},
      Family{"choices among positions", "expert choice, expert capacity"},
  };
  const std::vector<std::string> words = words_of(title);
  for (const Family& family : kFamilies)
    if (Phrases(family.phrases).any_in(words)) return family.name;
  return {};
}

std::string arxiv_id(std::string_view text) {
  const auto is_digit = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  constexpr std::size_t kShortest = 9;  // YYMM.NNNN
  for (std::size_t i = 0; i + kShortest <= text.size(); ++i) {
    // An id does not begin within a longer number.
    if ((i > 0 && (is_digit(i - 1) || text[i - 1] == '.')) || !is_digit(i)) continue;
    std::size_t n = 0;  // digits read
    while (n < 4 && is_digit(i + n)) ++n;
    if (n != 4 || is_digit(i + 4) || text[i + 4] != '.') continue;
    while (n < 9 && is_digit(i + n + 1)) ++n;
    const int month = 10 * (text[i + 2] - '0') + text[i + 3] - '0';
    if (n >= 8 && !is_digit(i + n + 1) && month >= 1 && month <= 12)
      return std::string(text.substr(i, n + 1));
  }
  return {};
}

}  // namespace gabbro::library
