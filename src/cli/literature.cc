#include "cli/literature.h"

#include <chrono>
#include <filesystem>

#include "campaign/literature.h"

namespace gabbro::cli {

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
    const chat::ChatRequest request = campaign::literature_request(query, limit, task);
    const std::string key = chat::request_key(request);
    std::vector<agents::Excerpt> found = search(query, limit);
    const double now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto call = log.begin(request, log.count(key), "library", {}, now);
    if (call) {
      chat::Reply reply;
      reply.text = campaign::literature_text(found);
      reply.model = "library";
      // Literature is used even if it cannot be recorded; a replay then reports what is missing.
      (void)log.settle(*call, reply, {}, {}, 0);
    }
    return found;
  };
}

Literature replayed_literature(chat::ReplayedChat& replay, std::int64_t task) {
  return [&replay, task](const std::string& query, int limit) {
    const auto reply = replay.ask(campaign::literature_request(query, limit, task));
    return reply ? campaign::parse_literature(reply->text) : std::vector<agents::Excerpt>();
  };
}

}  // namespace gabbro::cli
