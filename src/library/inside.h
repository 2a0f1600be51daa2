// The internal state of a Library, shared by the files that implement it.
#pragma once

#include <map>
#include <mutex>
#include <unordered_map>

#include "library/file.h"
#include "library/library.h"
#include "library/online.h"

namespace gabbro::library {

/// A vector and its origin: a built-in paper, or a passage of a document.
struct Placed {
  std::vector<float> vector;
  std::size_t paper = 0;
  std::int64_t document = 0;  // number of the document; 0: the built-in paper
  std::string passage;
};

/// The hits of one search method, best first.
using List = std::vector<Hit>;

/// `mutex` guards the connections and the vectors; it is not held during network requests. `asking`
/// serialises the requests to connectors.
struct Library::Inside {
  LibraryOptions options;
  std::mutex mutex, asking;
  std::unique_ptr<sqlite::Connection> words;  // index of the built-in papers, in memory
  std::unordered_map<std::string, std::size_t> by_id, by_arxiv;
  std::unique_ptr<File> file;
  std::optional<std::vector<Placed>> placed;  // loaded when first needed
  std::map<std::string, double> asked;        // time of the last request, by connector

  Result<bool> index();
  /// Returns the file and creates it if it does not exist. The caller holds the mutex.
  Result<File*> keep();
  [[nodiscard]] const Paper* built_in_of(const std::string& id) const;

  /// Searches papers and documents by words, in one list. The caller holds the mutex.
  Result<List> by_words(const std::string& expression, std::size_t limit);
  Result<List> by_vectors(const std::string& query, std::size_t limit, const std::atomic<bool>* stop);
  const std::vector<Placed>& place();  // The caller holds the mutex.
  /// Returns the texts without a vector, by hash. The caller holds the mutex.
  std::map<std::string, std::string> without_vector();

  Result<List> ask(const Connector& connector, const std::string& base, const std::string& query,
                   std::size_t limit, const std::atomic<bool>* stop);
  Result<std::string> fetch(const Connector& connector, const std::string& url,
                            const std::atomic<bool>* stop);
  void wait(double seconds, const std::atomic<bool>* stop) const;
  Result<bool> keep_papers(const std::vector<Paper>& papers, const std::string& url, const std::string& body);
};

Hit hit_of(const Paper& paper, std::string text);
std::string embedded_text(const Paper& paper);

}  // namespace gabbro::library
