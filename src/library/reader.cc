#include "library/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "library/pdf.h"
#include "library/text.h"

namespace gabbro::library {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxTitleBytes = 200;
constexpr std::size_t kHeadBytes = 4000;  // in which a document's title and arXiv id are searched

// Returns the extension of a file in lower case, with its dot.
std::string extension_of(const fs::path& path) {
  std::string out = path.extension().string();
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

Result<std::string> contents_of(const fs::path& path) {
  std::error_code code;
  const auto size = fs::file_size(path, code);
  if (code) return fail("io", fmt::format("{}: {}", path.string(), code.message()));
  if (size > kMaxFileBytes)
    return fail("io", fmt::format("{}: {} MiB exceeds the limit of {}", path.string(), size >> 20,
                                  kMaxFileBytes >> 20));
  std::ifstream in(path, std::ios::binary);
  std::string text(size, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(size)))
    return fail("io", fmt::format("{}: cannot read the file", path.string()));
  return text;
}

// Returns the first Markdown heading, or else the first line that is not the stamp of a server or a
// conference, or else the name of the file.
std::string title_of(std::string_view text, const fs::path& path) {
  std::string first;
  for (std::size_t begin = 0; begin < std::min(text.size(), kHeadBytes);) {
    const auto end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    const bool heading = line.starts_with("#");
    while (!line.empty() && (line.front() == '#' || line.front() == ' ')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    if (line.size() < 3) continue;  // too short for a title
    if (heading) return excerpt(line, kMaxTitleBytes);
    const bool stamp = line.starts_with("arXiv:") || line.starts_with("Published") ||
                       line.starts_with("Preprint") || line.starts_with("Under review");
    if (first.empty() && !stamp) first = excerpt(line, kMaxTitleBytes);
  }
  return first.empty() ? path.stem().string() : first;
}

// Returns a document with title, arXiv id and year as far as they can be found.
Paper document_of(std::string text, const fs::path& path) {
  Paper p;
  p.id = path.stem().string();
  p.title = title_of(text, path);
  p.arxiv = arxiv_id(p.id);
  if (p.arxiv.empty()) {
    constexpr std::size_t kStampBytes = 24;  // "arXiv:2312.06635v2" and a little more
    const std::string head = text.substr(0, kHeadBytes);
    if (const auto stamp = head.find("arXiv:"); stamp != std::string::npos)
      p.arxiv = arxiv_id(head.substr(stamp, kStampBytes));
  }
  // An arXiv id begins with the last two digits of its year.
  if (!p.arxiv.empty()) p.year = 2000 + std::stoi(p.arxiv.substr(0, 2));
  p.text = std::move(text);
  return p;
}

}  // namespace

bool is_readable(const fs::path& path) {
  const std::string end = extension_of(path);
  return end == ".bib" || end == ".md" || end == ".txt" || end == ".pdf";
}

Result<FilePapers> read_file(const fs::path& path) {
  const std::string end = extension_of(path);
  if (!is_readable(path))
    return fail("library", fmt::format("{}: unknown format; use .bib, .md, .txt or .pdf", path.string()));
  if (end == ".pdf") {
    GABBRO_TRY(text, pdf_text(path.string()));
    return FilePapers{{document_of(clean(text), path)}, {}};
  }
  GABBRO_TRY(text, contents_of(path));
  text = clean(text);
  if (end == ".bib") return read_bibtex(text, path.filename().string());
  return FilePapers{{document_of(std::move(text), path)}, {}};
}

Result<std::vector<fs::path>> files_of(const fs::path& path) {
  std::error_code code;
  const auto status = fs::status(path, code);
  if (!fs::exists(status)) return fail("io", fmt::format("{} not found", path.string()));
  if (!fs::is_directory(status) && !fs::is_regular_file(status))
    return fail("io", fmt::format("{}: neither a regular file nor a folder", path.string()));
  if (!fs::is_directory(status)) return std::vector<fs::path>{path};
  std::vector<fs::path> out;
  auto entry = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, code);
  if (code) return fail("io", fmt::format("{}: {}", path.string(), code.message()));
  for (; entry != fs::recursive_directory_iterator(); entry.increment(code)) {
    if (code) return fail("io", fmt::format("{}: {}", path.string(), code.message()));
    const bool hidden = entry->path().filename().string().starts_with(".");
    if (hidden && entry->is_directory(code)) entry.disable_recursion_pending();
    if (!hidden && entry->is_regular_file(code) && is_readable(entry->path())) out.push_back(entry->path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace gabbro::library
