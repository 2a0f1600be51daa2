// The dashboard: an HTTP server for pages that show campaigns while they run, and steer them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace gabbro::web {

/// Names a held-out document of a campaign's corpus.
struct HeldOutDocument {
  std::string corpus, corpus_hash;  // folder and hash of the corpus in the record
  std::size_t index = 0;
};
/// Returns the beginning of a document. Errors: "corpus" if the corpus is not there, or is another one.
using DocumentText = std::function<Result<std::string>(const HeldOutDocument&)>;

struct ServerOptions {
  std::vector<std::string> folders{"."};  // campaigns in them and below are shown
  std::string host = "127.0.0.1";         // address to listen on
  int port = 8100;                        // 0: any free one
  std::string token;                      // secret that allows steering
  DocumentText document_text;             // may be null: the pages show no texts of documents
};

/// Reads campaigns, and documents by `document_text`, and writes nothing, so that it may run beside them,
/// after them, or on copies that cannot be written. Steering is delivered as `gabbro steer` does it
/// (campaign/agents.h). It starts no process.
class Server {
 public:
  /// Begins to listen and to follow the campaigns. Errors: "usage" if a folder does not exist; "io" if the
  /// address cannot be used.
  static Result<Server> start(const ServerOptions& options);
  Server(Server&&) noexcept;
  ~Server();  // as stop

  [[nodiscard]] int port() const;
  /// Returns the number of campaigns that were found so far.
  [[nodiscard]] std::size_t campaigns() const;
  /// Ends all connections, and waits for requests in progress.
  void stop();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace gabbro::web
