// The literature: papers that come with the program, the user's own documents, and two public indexes, behind
// one search.
//
// Ranks come from SQLite's bm25 over words; with an endpoint for embeddings, similarity of vectors is a
// second list. Lists are joined by reciprocal rank fusion (Cormack, Clarke and Buettcher 2009): a hit's score
// is the sum of 1 / (60 + rank) over the lists that hold it.
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

struct Options {
  std::string file;    // of the user's; empty: none
  Endpoint embedding;  // optional
  /// Where connectors are asked; empty: nowhere.
  std::string arxiv = "https://export.arxiv.org";
  std::string semantic_scholar = "https://api.semanticscholar.org";
  double days = 7;                    // for which an answer of a connector is kept
  double seconds = 20;                // for one of its answers
  int attempts = 3;                   // where it says 429, 500 or more
  double longest_pause = 60;          // of waiting between attempts; a server that wants more is left alone
  std::function<double()> now;        // seconds since 1970; default: the clock
  std::function<void(double)> sleep;  // default: of the thread
};

/// $XDG_DATA_HOME/gabbro/library.db, or that of ~/.local/share.
std::string default_file();

struct Hit {
  std::string id, title, authors;
  int year = 0;
  std::string text;  // what was found: all facts of a built-in paper, the best passage of another
  double score = 0;
  std::string source;  // "built-in", "arXiv", "Semantic Scholar", or a path
};

struct Found {
  std::vector<Hit> hits;             // best first
  std::vector<std::string> notices;  // what did not work, a line each: "arXiv: no answer within 20 s"
};

struct Added {
  int added = 0, replaced = 0,
      known = 0;                   // papers of new files; of changed ones; of files whose content is there
  std::vector<std::string> notes;  // files and entries that could not be used, with the reason
};

/// Members may be called from several threads. What is found is text of strangers: into a prompt it goes by
/// `quoted`.
class Library {
 public:
  /// Indexes the built-in papers (about 20 ms, and no network). A file that is not there is made when
  /// something is to be kept. Errors: those of File::open.
  static Result<std::unique_ptr<Library>> open(Options options);
  ~Library();

  /// At most `limit` hits, for any text; words in common are enough. Never fails: where the endpoint for
  /// embeddings does not answer, words alone count.
  [[nodiscard]] std::vector<Hit> search(const std::string& query, std::size_t limit);
  /// The same, with what went wrong; and with `online` also what the connectors find, which is kept in the
  /// file, so that later searches find it too. The same question within `days` is answered from the file.
  /// Blocks for pauses that the servers ask for, unless `stop` is true.
  [[nodiscard]] Found look_up(const std::string& query, std::size_t limit, bool online,
                              const std::atomic<bool>* stop = nullptr);

  /// By id or by arXiv id ("gla", "2312.06635", "arXiv:2312.06635v2").
  [[nodiscard]] std::optional<Paper> find(const std::string& id);
  [[nodiscard]] std::vector<std::string> ids();

  /// Files and folders (reader.h) into the user's file, one transaction for each file of theirs, so that one
  /// that is stopped leaves whole files. `seen` is told each path before it is read and says whether to go
  /// on. Errors: "library" (no file was named in the options), "io" (no such path), "store".
  Result<Added> add(const std::vector<std::string>& paths,
                    const std::function<bool(const std::string&)>& seen = {});

  /// Makes the vectors that are missing for papers and documents, 64 texts a request, and keeps them in the
  /// file. How many were made. Errors: "library" (no endpoint or file in the options), those of embed,
  /// "store".
  Result<std::int64_t> embed_missing(const std::atomic<bool>* stop = nullptr);

 private:
  struct Inside;
  explicit Library(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> in_;
};

/// Title, authors and year, then what was found: a hit as text, for those who quote by themselves.
std::string described(const Hit& hit);

/// `described` for a prompt: a fenced block, labelled as data, that its text cannot end.
std::string quoted(const Hit& hit);

}  // namespace gabbro::library
