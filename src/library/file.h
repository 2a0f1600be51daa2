// The user's library file: documents with their passages, embeddings, and cached responses of the connectors,
// in one SQLite file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "library/paper.h"
#include "sqlite/sqlite.h"

namespace gabbro::library {

/// A passage that a search found.
struct Passage {
  std::int64_t document = 0;
  std::string text;
};

/// The class is not thread-safe; Library guards it. All members return the error "store" for an error of
/// SQLite, such as a full disk.
class File {
 public:
  /// Opens the file. If it does not exist, `create` says whether it is created, with its folder; otherwise
  /// the result is null. Errors: "library" (not a library file, damaged, or of a newer version), "store",
  /// "io".
  static Result<std::unique_ptr<File>> open(const std::string& path, bool create);

  enum class Outcome : std::uint8_t { kAdded, kKnown, kReplaced };
  /// Stores all papers of a source in one transaction. The outcome is kKnown if a source with the same
  /// content (by hash) exists, and kReplaced if this source had other content. An id that is taken gets a
  /// suffix "-2", "-3", ...
  Result<Outcome> put(const std::string& source, const std::vector<Paper>& papers);

  /// Returns the best passage of each document for an expression of `match_expression`, best first; at most
  /// `limit`.
  std::vector<Passage> match(const std::string& expression, std::size_t limit);
  std::optional<Paper> document(std::int64_t number);
  std::optional<Paper> find(const std::string& id);
  std::vector<std::string> ids();
  std::int64_t size();

  /// Stores vectors by the hash of their text; `model` is the name of the embedding model.
  Result<bool> put_vectors(const std::string& model,
                           const std::map<std::string, std::vector<float>>& vectors);
  std::vector<std::pair<std::string, std::vector<float>>> vectors(const std::string& model);
  std::set<std::string> vector_hashes(const std::string& model);
  /// Returns all passages with the numbers of their documents; reads the whole file.
  std::vector<Passage> all_passages();

  /// Returns the cached response of an address if it is at most `seconds` old at the time `now`; otherwise
  /// "".
  std::string answer(const std::string& url, double now, double seconds);
  Result<bool> put_answer(const std::string& url, const std::string& body, double now);
  /// Returns the time of a connector's last request in seconds since 1970; 0 if there was none.
  double last_asked(const std::string& connector);
  Result<bool> put_asked(const std::string& connector, double now);

 private:
  explicit File(std::unique_ptr<sqlite::Connection> db) : db_(std::move(db)) {}
  Result<bool> prepare(const std::string& path);
  Result<bool> put_document(const std::string& source, const std::string& hash, const Paper& paper);
  std::string free_id(const std::string& wish);
  std::unique_ptr<sqlite::Connection> db_;
};

}  // namespace gabbro::library
