// What a Library holds, for its own files.
#pragma once

#include <map>
#include <mutex>
#include <unordered_map>

#include "library/file.h"
#include "library/library.h"
#include "library/online.h"

namespace gabbro::library {

/// A vector and what it stands for: a built-in paper, or a passage of a document.
struct Placed {
  std::vector<float> vector;
  std::size_t paper = 0;
  std::int64_t document = 0;  // 0: the built-in paper
  std::string passage;
};

/// A list of hits, best first, of one way to search.
using List = std::vector<Hit>;

/// `mutex` guards the connections and the vectors; nobody waits for the network under it. `asking` lets one
/// question at a time out to a connector.
struct Library::Inside {
  Options options;
  std::mutex mutex, asking;
  std::unique_ptr<sqlite::Connection> words;  // of the built-in papers, in memory
  std::unordered_map<std::string, std::size_t> by_id, by_arxiv;
  std::unique_ptr<File> file;
  std::optional<std::vector<Placed>> placed;  // read when first needed
  std::map<std::string, double> asked;        // connectors, when last

  Result<bool> index();
  /// The file, made where it is not there. Under the mutex.
  Result<File*> keep();
  [[nodiscard]] const Paper* built_in_of(const std::string& id) const;

  /// Papers and documents in one list. Under the mutex.
  Result<List> by_words(const std::string& expression, std::size_t limit);
  Result<List> by_vectors(const std::string& query, std::size_t limit, const std::atomic<bool>* stop);
  const std::vector<Placed>& place();  // under the mutex
  /// Texts without a vector, by hash. Under the mutex.
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
