#include "library/online.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "library/text.h"
#include "net/http.h"

namespace gabbro::library {

namespace {

using nlohmann::json;

constexpr std::size_t kIdDigits = 12;  // of an id of Semantic Scholar, which has 40

// Only words are sent, each searched in all fields, since some words have a meaning in arXiv's query language
// (AND, OR, au:).
std::string arxiv_url(const std::string& base, const std::string& query, std::size_t limit) {
  std::string words, word;
  for (const char c : query + " ") {
    const bool is_word_byte = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                              static_cast<unsigned char>(c) >= 0x80;
    if (is_word_byte) {
      word += c;
    } else if (!word.empty()) {
      if (word.size() > 1) words += (words.empty() ? "all:" : "+AND+all:") + net::escaped(word);
      word.clear();
    }
  }
  return fmt::format("{}/api/query?search_query={}&start=0&max_results={}&sortBy=relevance", base, words,
                     limit);
}

std::string semantic_scholar_url(const std::string& base, const std::string& query, std::size_t limit) {
  return fmt::format(
      "{}/graph/v1/paper/search?query={}&limit={}&fields=title,abstract,year,authors,externalIds,venue", base,
      net::escaped(query), limit);
}

constexpr std::array<Connector, 2> kConnectors{Connector{.name = "arXiv",
                                                         .address = "https://export.arxiv.org",
                                                         .pause = 3,
                                                         .url = arxiv_url,
                                                         .parse = parse_atom},
                                               Connector{.name = "Semantic Scholar",
                                                         .address = "https://api.semanticscholar.org",
                                                         .pause = 1,
                                                         .url = semantic_scholar_url,
                                                         .parse = parse_semantic_scholar}};

// Returns the text of a field; empty if it is missing, null or of another type.
std::string text_at(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? clean(found->get<std::string>()) : "";
}

std::string surname(const std::string& name) {
  const auto space = name.rfind(' ');
  return space == std::string::npos ? name : name.substr(space + 1);
}

Paper paper_of(const json& item) {
  Paper p;
  p.title = text_at(item, "title");
  p.venue = text_at(item, "venue");
  p.text = text_at(item, "abstract");
  if (const auto year = item.find("year"); year != item.end() && year->is_number_integer())
    p.year = year->get<int>();
  if (const auto ids = item.find("externalIds"); ids != item.end())
    p.arxiv = arxiv_id(text_at(*ids, "ArXiv"));
  if (const auto authors = item.find("authors"); authors != item.end() && authors->is_array()) {
    std::size_t count = 0;
    for (const json& author : *authors) {
      const std::string name = surname(text_at(author, "name"));
      if (name.empty()) continue;
      if (++count > kMaxAuthors) {
        p.authors += " et al.";
        break;
      }
      p.authors += (p.authors.empty() ? "" : ", ") + name;
    }
  }
  p.id = p.arxiv.empty() ? "s2-" + text_at(item, "paperId").substr(0, kIdDigits) : p.arxiv;
  p.source = "Semantic Scholar";
  return p;
}

}  // namespace

std::span<const Connector> connectors() { return kConnectors; }

Result<std::vector<Paper>> parse_semantic_scholar(std::string_view body) {
  const json parsed = json::parse(body, nullptr, false);
  if (!parsed.is_object()) return fail("library", "the response is not a JSON object");
  for (const char* key : {"error", "message"})
    if (const std::string message = text_at(parsed, key); !message.empty())
      return fail("library", excerpt(message, kMaxMessageBytes));
  const auto data = parsed.find("data");
  if (data == parsed.end())  // A response without results has no list.
    return parsed.contains("total") ? Result<std::vector<Paper>>(std::vector<Paper>())
                                    : fail("library", "the response has no data");
  if (!data->is_array()) return fail("library", "the data of the response is not a list");
  std::vector<Paper> out;
  for (const json& item : *data)
    if (item.is_object())
      if (Paper p = paper_of(item); !p.title.empty() && p.id != "s2-") out.push_back(std::move(p));
  return out;
}

}  // namespace gabbro::library
