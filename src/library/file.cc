#include "library/file.h"

#include <fmt/format.h>

#include <cstring>
#include <filesystem>

#include "base/hash.h"
#include "library/text.h"

namespace gabbro::library {

namespace {

constexpr std::size_t kMaxPassageBytes = 1600;

// `application_id` distinguishes a library from other SQLite files; `user_version` is the version of its
// schema.
constexpr std::int64_t kApplicationId = 0x67626c62;  // "gblb" in ASCII
constexpr std::int64_t kSchemaVersion = 1;

constexpr const char* kTables = R"sql(
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS document(number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, source TEXT NOT NULL, hash TEXT NOT NULL,
  title TEXT, authors TEXT, year INTEGER, arxiv TEXT, venue TEXT, text TEXT, origin TEXT);
CREATE INDEX IF NOT EXISTS document_source ON document(source);
CREATE INDEX IF NOT EXISTS document_hash ON document(hash);
CREATE VIRTUAL TABLE IF NOT EXISTS passage USING fts5(title, body, document UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2');
CREATE TABLE IF NOT EXISTS vector(model TEXT, hash TEXT, numbers TEXT, PRIMARY KEY(model, hash)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answer(url TEXT PRIMARY KEY, at REAL, body TEXT);
CREATE TABLE IF NOT EXISTS asked(connector TEXT PRIMARY KEY, at REAL);
PRAGMA application_id = 1734503522;
PRAGMA user_version = 1;
COMMIT;
)sql";
static_assert(kApplicationId == 1734503522);

// Returns the bits of each number as 8 hex digits, so that they are stored exactly.
std::string to_text(const std::vector<float>& vector) {
  std::string out;
  for (const float x : vector) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &x, sizeof bits);
    out += fmt::format("{:08x}", bits);
  }
  return out;
}

std::vector<float> from_text(const std::string& text) {
  constexpr std::size_t kDigits = 8;
  std::vector<float> out;
  for (std::size_t begin = 0; begin + kDigits <= text.size(); begin += kDigits) {
    const auto bits =
        static_cast<std::uint32_t>(std::strtoul(text.substr(begin, kDigits).c_str(), nullptr, 16));
    float x = 0;
    std::memcpy(&x, &bits, sizeof x);
    out.push_back(x);
  }
  return out;
}

std::string hash_of(const Paper& p) {
  return to_hex(
      hash128(fmt::format("{}\n{}\n{}\n{}\n{}\n{}", p.title, p.authors, p.year, p.arxiv, p.venue, p.text)));
}

// Reads a paper from the columns id, title, authors, year, arxiv, venue, text, origin.
Paper paper_at(const sqlite::Rows& row) {
  Paper p;
  p.id = row.text(0);
  p.title = row.text(1);
  p.authors = row.text(2);
  p.year = static_cast<int>(row.integer(3));
  p.arxiv = row.text(4);
  p.venue = row.text(5);
  p.text = row.text(6);
  p.source = row.text(7);
  return p;
}

}  // namespace

Result<std::unique_ptr<LibraryFile>> LibraryFile::open(const std::string& path, bool create) {
  std::error_code code;
  const bool exists = std::filesystem::exists(path, code);
  if (!exists && !create) return std::unique_ptr<LibraryFile>();
  const auto folder = std::filesystem::path(path).parent_path();
  if (!exists && !folder.empty()) std::filesystem::create_directories(folder, code);
  if (code) return fail("io", fmt::format("{}: {}", folder.string(), code.message()));
  using Mode = sqlite::Connection::Mode;
  // The file is opened for writing even for a search, so that an unfinished transaction of a killed process
  // is rolled back. A file without write permission is opened for reading.
  GABBRO_TRY(db, sqlite::Connection::open(path, Mode::kWrite));
  std::unique_ptr<LibraryFile> out(new LibraryFile(std::move(db)));
  if (exists) {
    // A damaged file is reported here; a later read of it would throw Damaged.
    if (auto ok = out->db_->script("PRAGMA quick_check(1)"); !ok)
      return fail("library", fmt::format("{}: {}", path, ok.error().message),
                  "move the file away, and add your documents again");
    sqlite::Rows check = out->db_->rows("PRAGMA quick_check(1)");
    if (check.next() && check.text(0) != "ok")
      return fail("library", fmt::format("{} is damaged: {}", path, check.text(0)),
                  "move the file away, and add your documents again");
  }
  if (auto ok = out->check_or_create_schema(path); !ok) return tl::unexpected(ok.error());
  return out;
}

Result<bool> LibraryFile::check_or_create_schema(const std::string& path) {
  std::int64_t application = 0, version = 0, tables = 0;
  {
    sqlite::Rows a = db_->rows("PRAGMA application_id");
    if (a.next()) application = a.integer(0);
    sqlite::Rows v = db_->rows("PRAGMA user_version");
    if (v.next()) version = v.integer(0);
    sqlite::Rows t = db_->rows("SELECT count(*) FROM sqlite_master");
    if (t.next()) tables = t.integer(0);
  }
  if (application == kApplicationId && version == kSchemaVersion) return true;
  if (application == kApplicationId)
    return fail(
        "library",
        fmt::format("{}: unknown version {}; this program reads version {}", path, version, kSchemaVersion),
        "use the version of gabbro that wrote it");
  if (tables != 0 || application != 0)
    return fail("library", fmt::format("{} is a database, but not a library", path),
                "choose another --library FILE");
  return db_->script(kTables);
}

std::string LibraryFile::free_id(const std::string& preferred) {
  std::string id = preferred;
  for (int n = 2;; ++n) {
    sqlite::Rows taken = db_->rows("SELECT 1 FROM document WHERE id = ?", id);
    if (!taken.next()) return id;
    id = fmt::format("{}-{}", preferred, n);
  }
}

Result<bool> LibraryFile::put_document(const std::string& source, const std::string& hash, const Paper& p) {
  const std::string id = free_id(p.id);
  if (auto ok = db_->run(
          "INSERT INTO document(id, source, hash, title, authors, year, arxiv, venue, text, origin) VALUES "
          "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          id, source, hash, p.title, p.authors, p.year, p.arxiv, p.venue, p.text,
          p.source.empty() ? source : p.source);
      !ok)
    return ok;
  const std::int64_t number = db_->last_id();
  std::vector<std::string> pieces = passages(p.text, kMaxPassageBytes);
  if (pieces.empty()) pieces.emplace_back();  // A document without text is found by its title.
  const std::string title = p.title + " " + p.authors + " " + id;
  for (const std::string& piece : pieces)
    if (auto ok =
            db_->run("INSERT INTO passage(title, body, document) VALUES (?, ?, ?)", title, piece, number);
        !ok)
      return ok;
  return true;
}

Result<LibraryFile::Outcome> LibraryFile::put(const std::string& source, const std::vector<Paper>& papers) {
  std::string hashes;
  for (const Paper& p : papers) hashes += hash_of(p);
  const std::string hash = to_hex(hash128(hashes));
  Outcome outcome = Outcome::kAdded;
  auto done = sqlite::in_transaction(*db_, [&]() -> Result<bool> {
    bool known = false;  // Another source may have the same content.
    {
      sqlite::Rows same = db_->rows("SELECT source FROM document WHERE hash = ?", hash);
      while (same.next()) {
        known = true;
        if (same.text(0) != source) continue;
        outcome = Outcome::kKnown;
        return true;
      }
    }
    if (auto ok = db_->run(
            "DELETE FROM passage WHERE document IN (SELECT number FROM document WHERE source = ?)", source);
        !ok)
      return ok;
    auto removed = db_->run("DELETE FROM document WHERE source = ?", source);
    if (!removed) return removed;
    if (*removed)
      outcome = Outcome::kReplaced;
    else if (known)
      outcome = Outcome::kKnown;
    if (known) return true;
    for (const Paper& p : papers)
      if (auto ok = put_document(source, hash, p); !ok) return ok;
    return true;
  });
  if (!done) return tl::unexpected(done.error());
  return outcome;
}

std::vector<Passage> LibraryFile::match(const std::string& expression, std::size_t limit) {
  std::vector<Passage> out;
  std::set<std::int64_t> seen;
  sqlite::Rows rows = db_->rows(
      "SELECT document, body FROM passage WHERE passage MATCH ? ORDER BY bm25(passage, 6.0, 1.0), rowid",
      expression);
  while (out.size() < limit && rows.next())
    if (seen.insert(rows.integer(0)).second) out.push_back({rows.integer(0), rows.text(1)});
  return out;
}

std::optional<Paper> LibraryFile::document(std::int64_t number) {
  sqlite::Rows row = db_->rows(
      "SELECT id, title, authors, year, arxiv, venue, text, origin FROM document WHERE number = ?", number);
  if (!row.next()) return std::nullopt;
  return paper_at(row);
}

std::optional<Paper> LibraryFile::find(const std::string& id) {
  sqlite::Rows row = db_->rows(
      "SELECT id, title, authors, year, arxiv, venue, text, origin FROM document WHERE id = ?1 OR (arxiv != "
      "'' AND arxiv = ?2) "
      "ORDER BY id != ?1, number",
      id, arxiv_id(id));
  if (!row.next()) return std::nullopt;
  return paper_at(row);
}

std::vector<std::string> LibraryFile::ids() {
  std::vector<std::string> out;
  sqlite::Rows rows = db_->rows("SELECT id FROM document ORDER BY number");
  while (rows.next()) out.push_back(rows.text(0));
  return out;
}

std::int64_t LibraryFile::size() {
  sqlite::Rows row = db_->rows("SELECT count(*) FROM document");
  return row.next() ? row.integer(0) : 0;
}

Result<bool> LibraryFile::put_vectors(const std::string& model,
                                      const std::map<std::string, std::vector<float>>& vectors) {
  return sqlite::in_transaction(*db_, [&]() -> Result<bool> {
    for (const auto& [hash, vector] : vectors)
      if (auto ok = db_->run("INSERT OR REPLACE INTO vector VALUES (?, ?, ?)", model, hash, to_text(vector));
          !ok)
        return ok;
    return true;
  });
}

std::vector<std::pair<std::string, std::vector<float>>> LibraryFile::vectors(const std::string& model) {
  std::vector<std::pair<std::string, std::vector<float>>> out;
  sqlite::Rows rows = db_->rows("SELECT hash, numbers FROM vector WHERE model = ?", model);
  while (rows.next()) out.emplace_back(rows.text(0), from_text(rows.text(1)));
  return out;
}

std::set<std::string> LibraryFile::vector_hashes(const std::string& model) {
  std::set<std::string> out;
  sqlite::Rows rows = db_->rows("SELECT hash FROM vector WHERE model = ?", model);
  while (rows.next()) out.insert(rows.text(0));
  return out;
}

std::vector<Passage> LibraryFile::all_passages() {
  std::vector<Passage> out;
  sqlite::Rows rows = db_->rows("SELECT document, body FROM passage ORDER BY rowid");
  while (rows.next()) out.push_back({rows.integer(0), rows.text(1)});
  return out;
}

std::string LibraryFile::response(const std::string& url, double now, double max_age) {
  sqlite::Rows row =
      db_->rows("SELECT body FROM answer WHERE url = ? AND at > ? AND at <= ?", url, now - max_age, now);
  return row.next() ? row.text(0) : "";
}

Result<bool> LibraryFile::put_response(const std::string& url, const std::string& body, double now) {
  return db_->run("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", url, now, body);
}

double LibraryFile::last_request(const std::string& connector) {
  sqlite::Rows row = db_->rows("SELECT at FROM asked WHERE connector = ?", connector);
  return row.next() ? row.real(0) : 0;
}

Result<bool> LibraryFile::set_last_request(const std::string& connector, double now) {
  return db_->run("INSERT OR REPLACE INTO asked VALUES (?, ?)", connector, now);
}

}  // namespace gabbro::library
