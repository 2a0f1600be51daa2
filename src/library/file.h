// The user's library file: documents and their passages, vectors, and answers of the connectors, in one
// SQLite file.
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

/// A passage that a search found, best first.
struct Passage {
  std::int64_t document = 0;
  std::string text;
};

/// Not thread-safe; Library guards it. Errors of all members, "store": SQLite's (the disk is full ...).
class File {
 public:
  /// Opens the file and makes it, with its folder, where `create` says so; null where it is not there and
  /// need not be. Errors: "library" (no library of ours, damaged, of a newer version), "store", "io".
  static Result<std::unique_ptr<File>> open(const std::string& path, bool create);

  enum class Outcome : std::uint8_t { kAdded, kKnown, kReplaced };
  /// All of a source's papers in one transaction: known where the content (by hash) is there already,
  /// replaced where the source had other content. Ids that are taken get "-2", "-3" ...
  Result<Outcome> put(const std::string& source, const std::vector<Paper>& papers);

  /// The best passage of each document for an expression of `match_expression`; at most `limit`.
  std::vector<Passage> match(const std::string& expression, std::size_t limit);
  std::optional<Paper> document(std::int64_t number);
  std::optional<Paper> find(const std::string& id);
  std::vector<std::string> ids();
  std::int64_t size();

  /// Vectors by the hash of their text; `model` is the name of what made them.
  Result<bool> put_vectors(const std::string& model,
                           const std::map<std::string, std::vector<float>>& vectors);
  std::vector<std::pair<std::string, std::vector<float>>> vectors(const std::string& model);
  std::set<std::string> vector_hashes(const std::string& model);
  /// Passages with their numbers of documents; the whole file is read.
  std::vector<Passage> all_passages();

  /// What an address answered at a time since which at most `seconds` went by; "" for none.
  std::string answer(const std::string& url, double now, double seconds);
  Result<bool> put_answer(const std::string& url, const std::string& body, double now);
  /// When a connector was asked last, in seconds since 1970; 0: never.
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
