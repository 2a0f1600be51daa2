// The internal state of a Library, shared by the files that implement it.
#pragma once

#include <map>
#include <mutex>
#include <unordered_map>

#include "library/file.h"
#include "library/library.h"
#include "library/online.h"

namespace gabbro::library {

/// An embedding and the text that it is of: a built-in paper, or a passage of a document.
struct EmbeddedText {
  std::vector<float> vector;  // of length one
  std::size_t paper = 0;      // index into built_in(), if `document` is 0
  std::int64_t document = 0;  // number of the user's document (LibraryFile); 0: a built-in paper
  std::string passage;        // text of the document; empty for a built-in paper
};

/// The hits of one search method, best first.
using HitList = std::vector<Hit>;

/// `mutex` guards the connections and the vectors; it is not held during network requests. `connector_mutex`
/// serialises the requests to connectors.
struct Library::Impl {
  LibraryOptions options;
  std::mutex mutex, connector_mutex;
  std::unique_ptr<sqlite::Connection> paper_index;               // index of the built-in papers, in memory
  std::unordered_map<std::string, std::size_t> by_id, by_arxiv;  // indices into built_in()
  std::unique_ptr<LibraryFile> file;                             // null while the user has none
  std::optional<std::vector<EmbeddedText>> embedded_texts;       // loaded when first needed
  std::map<std::string, double> last_requests;                   // times in seconds since 1970, by connector

  Result<bool> build_index();
  /// Returns the file and creates it if it does not exist. The caller holds the mutex. Errors: "library" if
  /// the options name no file; those of LibraryFile::open.
  Result<LibraryFile*> open_or_create_file();
  /// Returns the built-in paper with this id or arXiv id; null if there is none.
  [[nodiscard]] const Paper* find_built_in(const std::string& id) const;

  /// Searches built-in papers and documents by words and by mechanisms (mechanisms.h). The query has
  /// words. The caller holds the mutex.
  Result<HitList> search_words(const std::string& query, std::size_t limit);
  /// Searches by similarity of vectors. The caller does not hold the mutex. Errors: "library" if there are no
  /// vectors; those of embed.
  Result<HitList> search_vectors(const std::string& query, std::size_t limit, const std::atomic<bool>* stop);
  /// Fills `embedded_texts` if it is empty, and returns it. The caller holds the mutex.
  const std::vector<EmbeddedText>& load_embedded_texts();
  /// Returns the texts without a vector, by hash. The caller holds the mutex.
  std::map<std::string, std::string> texts_without_vector();

  /// Returns the results of a query from the cache, or else from the connector at the URL `base`; then they
  /// are stored.
  Result<HitList> query_connector(const Connector& connector, const std::string& base,
                                  const std::string& query, std::size_t limit, const std::atomic<bool>* stop);
  /// Requests a URL, with the pauses that connector and server ask for. Returns the body of the response.
  Result<std::string> fetch(const Connector& connector, const std::string& url,
                            const std::atomic<bool>* stop);
  /// Sleeps, but ends soon after `stop` becomes true.
  void wait(double seconds, const std::atomic<bool>* stop) const;
  /// Caches a response and adds its papers to the file. The caller holds the mutex.
  Result<bool> store_papers(const std::vector<Paper>& papers, const std::string& url,
                            const std::string& body);
};

Hit hit_of(const Paper& paper, std::string text);
/// Returns the text of a built-in paper of which the embedding is computed.
std::string embedded_text(const Paper& paper);

}  // namespace gabbro::library
