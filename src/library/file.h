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

/// A piece of a document's text.
struct Passage {
  std::int64_t document = 0;  // number of the document
  std::string text;
};

/// The user's library file. Not thread-safe; Library guards it. Members that return a Result return the error
/// "store" for an error of SQLite, such as a full disk. All members throw Damaged (base/damaged.h) if the
/// file cannot be read any more. Times are in seconds since 1970.
class LibraryFile {
 public:
  /// Opens the file. A file that does not exist is created, with its folder, if `create` is true; otherwise
  /// the result is null. Errors: "library" (not a library file, damaged, or of another version), "store",
  /// "io".
  static Result<std::unique_ptr<LibraryFile>> open(const std::string& path, bool create);

  enum class Outcome : std::uint8_t { kAdded, kKnown, kReplaced };
  /// Stores all papers of a source, such as a path, in one transaction. Content that any source has (by hash)
  /// is stored once. The outcome is kReplaced if this source had other content, which is removed, and kKnown
  /// if it had this content, or had none and another source has this. An id that is
  /// taken gets a suffix "-2", "-3", ...
  Result<Outcome> put(const std::string& source, const std::vector<Paper>& papers);

  /// Returns the best passage of each document for an expression of `match_expression`, best first; at most
  /// `limit`.
  std::vector<Passage> match(const std::string& expression, std::size_t limit);
  /// Returns the document with this number (Passage::document).
  std::optional<Paper> document(std::int64_t number);
  /// Returns the document with this id, or else with the arXiv id in it.
  std::optional<Paper> find(const std::string& id);
  /// Returns the ids of all documents, in the order in which they were added.
  std::vector<std::string> ids();
  std::int64_t size();

  /// Stores vectors by the hash of their text; `model` is the name of the embedding model.
  Result<bool> put_vectors(const std::string& model,
                           const std::map<std::string, std::vector<float>>& vectors);
  /// Returns all vectors of a model with the hash of their text.
  std::vector<std::pair<std::string, std::vector<float>>> vectors(const std::string& model);
  /// Returns the hashes of the texts that have a vector of the model.
  std::set<std::string> vector_hashes(const std::string& model);
  /// Returns all passages with the numbers of their documents; reads the whole file.
  std::vector<Passage> all_passages();

  /// Returns the cached response of an address if it is less than `max_age` seconds old at the time `now`;
  /// otherwise "".
  std::string response(const std::string& url, double now, double max_age);
  Result<bool> put_response(const std::string& url, const std::string& body, double now);
  /// Returns the time of a connector's last request; 0 if there was none.
  double last_request(const std::string& connector);
  Result<bool> set_last_request(const std::string& connector, double now);

 private:
  explicit LibraryFile(std::unique_ptr<sqlite::Connection> db) : db_(std::move(db)) {}
  /// Creates the tables of a new file. Errors: "library" for another program's file or another version.
  Result<bool> check_or_create_schema(const std::string& path);
  Result<bool> put_document(const std::string& source, const std::string& hash, const Paper& paper);
  /// Returns `preferred`, with a number if a document has it.
  std::string free_id(const std::string& preferred);
  std::unique_ptr<sqlite::Connection> db_;
};

}  // namespace gabbro::library
