// The literature: searches built-in papers, the user's own documents and two public indexes together.
//
// Words are ranked by SQLite's bm25. If an endpoint for embeddings is set, a second list is ranked by
// similarity of vectors. The lists are combined by reciprocal rank fusion (Cormack, Clarke and Buettcher
// 2009): the score of a hit is the sum of 1 / (60 + rank) over the lists that contain it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "library/embed.h"
#include "library/paper.h"

namespace gabbro::library {

struct LibraryOptions {
  std::string file;             // path of the user's file; empty: nothing is stored
  EmbeddingEndpoint embedding;  // optional
  /// Base URLs of the connectors; empty: the connector is not used.
  std::string arxiv = "https://export.arxiv.org";
  std::string semantic_scholar = "https://api.semanticscholar.org";
  double days = 7;      // days for which a connector's response is cached
  double seconds = 20;  // time-out of one request to a connector in seconds
  int attempts = 3;     // attempts if a connector responds with status 429 or from 500 on
  // longest pause between attempts, in seconds; if a server asks for more, there are no further attempts
  double longest_pause = 60;
  std::function<double()> now;        // seconds since 1970; default: the system clock
  std::function<void(double)> sleep;  // sleeps for seconds; default: in this thread
};

/// Returns $XDG_DATA_HOME/gabbro/library.db; XDG_DATA_HOME defaults to ~/.local/share.
std::string default_file();

struct Hit {
  std::string id, title, authors;
  int year = 0;
  std::string text;       // all facts of a built-in paper, or the best passage of another document
  double score = 0;       // of the fusion, above 0; larger is better
  std::string source;     // as Paper::source: "built-in", "arXiv", "Semantic Scholar", or a path
  std::string outside{};  // as Paper::outside; of other papers, judged by their titles
};

struct SearchResult {
  std::vector<Hit> hits;             // best first
  std::vector<std::string> notices;  // failures, one per line: "arXiv: no answer within 20 s"
};

/// The outcome of Library::add.
struct AddReport {
  // Numbers of papers from new files, from changed files, and from files whose content exists already.
  int added = 0, replaced = 0, known = 0;
  std::vector<std::string> notes;  // files and entries that could not be used, with the reason
};

/// All members are thread-safe. Texts of hits come from third parties; use `quoted` to put them into a
/// prompt.
class Library {
 public:
  /// Indexes the built-in papers (about 20 ms, without network). A file that does not exist is created when
  /// something has to be stored. Errors: those of LibraryFile::open.
  static Result<std::unique_ptr<Library>> open(LibraryOptions options);
  ~Library();

  /// Returns at most `limit` hits for any text; common words are enough. Never fails: if the endpoint for
  /// embeddings does not answer, only words count.
  [[nodiscard]] std::vector<Hit> search(const std::string& query, std::size_t limit);
  /// Does the same as `search`, without papers about what Gab cannot express (Paper::outside).
  [[nodiscard]] std::vector<Hit> ideas(const std::string& query, std::size_t limit);
  /// Does the same as `search`, but also returns what went wrong. With `online` it also queries the
  /// connectors and stores what they find in the file, so that later searches find it. The same query within
  /// `days` is answered from the file. Blocks for the pauses that servers ask for, unless `stop` is true.
  [[nodiscard]] SearchResult look_up(const std::string& query, std::size_t limit, bool online,
                                     const std::atomic<bool>* stop = nullptr);

  /// Finds a paper or document by its id or arXiv id ("gla", "2312.06635", "arXiv:2312.06635v2").
  [[nodiscard]] std::optional<Paper> find(const std::string& id);
  [[nodiscard]] std::vector<std::string> ids();

  /// Adds files and folders (reader.h) to the user's file. Each file is one transaction, so an interruption
  /// leaves no file half added. `on_file` is called with each path before it is read and returns false to
  /// stop. Errors: "library" (the options name no file), "io" (no such path), "store".
  Result<AddReport> add(const std::vector<std::string>& paths,
                        const std::function<bool(const std::string&)>& on_file = {});

  /// Computes the missing embeddings of papers and documents, 64 texts per request, and stores them in the
  /// file. Returns their number. Errors: "library" (the options have no endpoint or file), those of embed,
  /// "store".
  Result<std::int64_t> embed_missing(const std::atomic<bool>* stop = nullptr);

 private:
  struct Impl;
  explicit Library(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Formats a hit as text: title, authors and year, then the text found. It is not quoted for a prompt.
std::string described(const Hit& hit);

/// Formats `described` for a prompt: as a fenced block that is labelled as data and that its text cannot
/// close.
std::string quoted(const Hit& hit);

}  // namespace gabbro::library
