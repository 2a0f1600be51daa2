#include "cli/literature.h"

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace gabbro::cli {

using nlohmann::json;

namespace {

// Returns the search as a request to a model, which is how the call log stores it.
chat::ChatRequest question(const std::string& query, int limit, std::int64_t task) {
  chat::ChatRequest out;
  out.role = "library";
  out.task = task;
  out.messages = {{chat::MessageRole::kUser, query}};
  out.max_tokens = limit;
  return out;
}

// Reads an excerpt from the call log. Older records have a text alone, of which the first line is the title.
agents::Excerpt excerpt_of(const json& item) {
  if (item.is_object())
    return {item.value("id", std::string()), item.value("title", std::string()),
            item.value("text", std::string())};
  const std::string text = item.is_string() ? item.get<std::string>() : std::string();
  return {"", text.substr(0, text.find('\n')), text};
}

}  // namespace

Result<std::shared_ptr<library::Library>> open_literature() {
  library::LibraryOptions options;
  std::error_code error;
  if (std::filesystem::exists(library::default_file(), error)) options.file = library::default_file();
  GABBRO_TRY(papers, library::Library::open(options));
  return std::shared_ptr<library::Library>(std::move(papers));
}

Literature literature_of(std::shared_ptr<library::Library> papers) {
  return [papers = std::move(papers)](const std::string& query, int limit) {
    std::vector<agents::Excerpt> out;
    for (const library::Hit& hit : papers->ideas(query, static_cast<std::size_t>(limit)))
      out.push_back({hit.id, hit.title, library::described(hit)});
    return out;
  };
}

Literature recorded_literature(std::shared_ptr<library::Library> papers, chat::CallLog& log,
                               std::int64_t task) {
  return [search = literature_of(std::move(papers)), &log, task](const std::string& query, int limit) {
    const chat::ChatRequest request = question(query, limit, task);
    const std::string key = chat::request_key(request);
    std::vector<agents::Excerpt> found = search(query, limit);
    const double now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto call = log.begin(request, log.count(key), "library", {}, now);
    if (call) {
      chat::Reply reply;
      json list = json::array();
      for (const agents::Excerpt& e : found)
        list.push_back({{"id", e.id}, {"title", e.title}, {"text", e.text}});
      reply.text = list.dump(-1, ' ', false, json::error_handler_t::replace);
      reply.model = "library";
      // Literature is used even if it cannot be recorded; a replay then reports what is missing.
      (void)log.settle(*call, reply, {}, {}, 0);
    }
    return found;
  };
}

Literature replayed_literature(chat::ReplayedChat& replay, std::int64_t task) {
  return [&replay, task](const std::string& query, int limit) {
    std::vector<agents::Excerpt> out;
    const auto reply = replay.ask(question(query, limit, task));
    if (!reply) return out;
    const json found = json::parse(reply->text, nullptr, false);
    if (found.is_array())
      for (const json& item : found) out.push_back(excerpt_of(item));
    return out;
  };
}

}  // namespace gabbro::cli
