#include "library/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "library/pdf.h"
#include "library/text.h"

namespace gabbro::library {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 20;
constexpr std::size_t kTitleBytes = 200;

std::string ending(const fs::path& path) {
  std::string out = path.extension().string();
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

Result<std::string> bytes_of(const fs::path& path) {
  std::error_code code;
  const auto size = fs::file_size(path, code);
  if (code) return fail("io", fmt::format("{}: {}", path.string(), code.message()));
  if (size > kMostBytes)
    return fail(
        "io", fmt::format("{}: {} MiB exceeds the limit of {}", path.string(), size >> 20, kMostBytes >> 20));
  std::ifstream in(path, std::ios::binary);
  std::string text(size, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(size)))
    return fail("io", fmt::format("{}: cannot read the file", path.string()));
  return text;
}

// Returns the first Markdown heading, or else the first line that is not the stamp of a server or a
// conference.
std::string title_of(std::string_view text, const fs::path& path) {
  std::string first;
  for (std::size_t at = 0; at < std::min<std::size_t>(text.size(), 4000);) {
    const auto end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    const bool heading = line.starts_with("#");
    while (!line.empty() && (line.front() == '#' || line.front() == ' ')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    if (line.size() < 3) continue;
    if (heading) return excerpt(line, kTitleBytes);
    const bool stamp = line.starts_with("arXiv:") || line.starts_with("Published") ||
                       line.starts_with("Preprint") || line.starts_with("Under review");
    if (first.empty() && !stamp) first = excerpt(line, kTitleBytes);
  }
  return first.empty() ? path.stem().string() : first;
}

Paper document(std::string text, const fs::path& path) {
  Paper p;
  p.id = path.stem().string();
  p.title = title_of(text, path);
  p.arxiv = arxiv_id(p.id);
  if (p.arxiv.empty()) {
    const std::string head = text.substr(0, 4000);
    if (const auto at = head.find("arXiv:"); at != std::string::npos) p.arxiv = arxiv_id(head.substr(at, 24));
  }
  if (!p.arxiv.empty()) p.year = 2000 + std::stoi(p.arxiv.substr(0, 2));
  p.text = std::move(text);
  return p;
}

}  // namespace

bool is_readable(const fs::path& path) {
  const std::string end = ending(path);
  return end == ".bib" || end == ".md" || end == ".txt" || end == ".pdf";
}

Result<ReadPaper> read_file(const fs::path& path) {
  const std::string end = ending(path);
  if (!is_readable(path))
    return fail("library", fmt::format("{}: unknown format; use .bib, .md, .txt or .pdf", path.string()));
  if (end == ".pdf") {
    GABBRO_TRY(text, pdf_text(path.string()));
    return ReadPaper{{document(clean(text), path)}, {}};
  }
  GABBRO_TRY(text, bytes_of(path));
  text = clean(text);
  if (end == ".bib") return read_bibtex(text, path.filename().string());
  return ReadPaper{{document(std::move(text), path)}, {}};
}

Result<std::vector<fs::path>> files_of(const fs::path& path) {
  std::error_code code;
  const auto status = fs::status(path, code);
  if (!fs::exists(status)) return fail("io", fmt::format("{} not found", path.string()));
  if (!fs::is_directory(status) && !fs::is_regular_file(status))
    return fail("io", fmt::format("{}: neither a regular file nor a folder", path.string()));
  if (!fs::is_directory(status)) return std::vector<fs::path>{path};
  std::vector<fs::path> out;
  auto at = fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied, code);
  if (code) return fail("io", fmt::format("{}: {}", path.string(), code.message()));
  for (; at != fs::recursive_directory_iterator(); at.increment(code)) {
    if (code) return fail("io", fmt::format("{}: {}", path.string(), code.message()));
    const bool hidden = at->path().filename().string().starts_with(".");
    if (hidden && at->is_directory(code)) at.disable_recursion_pending();
    if (!hidden && at->is_regular_file(code) && is_readable(at->path())) out.push_back(at->path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace gabbro::library
