#include "campaign/literature.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace gabbro::campaign {

using nlohmann::json;

namespace {

constexpr std::string_view kRole = "library";

std::string text_at(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

}  // namespace

chat::ChatRequest literature_request(const std::string& query, int limit, std::int64_t task) {
  chat::ChatRequest out;
  out.role = kRole;
  out.task = task;
  out.messages = {{chat::MessageAuthor::kUser, query}};
  out.max_tokens = limit;
  return out;
}

std::string literature_text(const std::vector<agents::Excerpt>& found) {
  json list = json::array();
  for (const agents::Excerpt& e : found) list.push_back({{"id", e.id}, {"title", e.title}, {"text", e.text}});
  return list.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

std::vector<agents::Excerpt> parse_literature(std::string_view text) {
  std::vector<agents::Excerpt> out;
  if (nesting_depth(text) > kMaxNesting) return out;
  const json found = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!found.is_array()) return out;
  for (const json& item : found) {
    if (item.is_object()) {
      out.push_back({text_at(item, "id"), text_at(item, "title"), text_at(item, "text")});
    } else if (item.is_string()) {
      auto whole = item.get<std::string>();
      std::string title = whole.substr(0, whole.find('\n'));
      out.push_back({"", std::move(title), std::move(whole)});
    }
  }
  return out;
}

std::vector<LiteratureSearch> literature_searches(const std::vector<chat::Exchange>& calls) {
  std::vector<LiteratureSearch> out;
  // The librarian's queries follow its reply; later searches are for a proposal.
  bool is_librarian = false;
  for (const chat::Exchange& e : calls) {
    if (e.call.role != kRole) {
      is_librarian = e.call.role == "librarian";
      continue;
    }
    const bool has_query = is_librarian && !e.request.messages.empty();
    out.push_back({has_query ? e.request.messages.back().text : "", parse_literature(e.reply)});
  }
  return out;
}

}  // namespace gabbro::campaign
