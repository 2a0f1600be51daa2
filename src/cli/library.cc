#include "cli/library.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/checks.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "lang/library.h"

namespace gabbro::cli {

namespace {

using library::Library;
using nlohmann::ordered_json;

std::atomic<bool> g_interrupted{false};

void interrupt(int) { g_interrupted = true; }

int report(const Error& error) {
  print(stderr, "gabbro library: {}\n", error.message);
  if (!error.hint.empty()) print(stderr, "  hint: {}\n", error.hint);
  return kUsage;
}

// Opens the library. From here on Ctrl-C interrupts its network requests.
Result<std::unique_ptr<Library>> open_library(const LibraryCommand& c) {
  std::signal(SIGINT, interrupt);
  library::LibraryOptions options = c.options;
  if (options.file.empty()) options.file = library::default_file();
  return Library::open(std::move(options));
}

// Computes the embeddings that are missing, if --embed names a server.
void compute_embeddings(Library& library, const LibraryCommand& c) {
  if (c.options.embedding.url.empty()) return;
  const auto count = library.embed_missing(&g_interrupted);
  if (!count)
    print(stderr, "gabbro library: embeddings: {}\n", count.error().message);
  else if (*count > 0)
    print(stderr, "{} embeddings computed\n", *count);
}

// Prints JSON. Invalid UTF-8 is replaced rather than refused.
void print_json(const ordered_json& json) {
  print("{}\n", json.dump(2, ' ', false, ordered_json::error_handler_t::replace));
}

void print_fact(const char* name, const std::string& value) {
  if (!value.empty()) print("  {} {}\n", paint(Ink::kDim, fmt::format("{:<10}", name)), value);
}

std::string listed(const std::vector<std::string>& list, const char* prefix = "") {
  std::string out;
  for (const std::string& item : list) out += (out.empty() ? "" : ", ") + (prefix + item);
  return out;
}

// Prints text in lines of at most 100 characters, each after `margin`.
void print_wrapped(const std::string& text, const char* margin) {
  std::string line;
  const auto flush = [&] {
    if (!line.empty()) print("{}{}\n", margin, line);
    line.clear();
  };
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find_first_of(" \n", begin), text.size());
    if (!line.empty() && line.size() + 1 + end - begin > 100) flush();
    line += (line.empty() ? "" : " ") + text.substr(begin, end - begin);
    if (end < text.size() && text[end] == '\n') flush();
    begin = end + 1;
  }
  flush();
}

ordered_json to_json(const library::Paper& p) {
  return {{"id", p.id},
          {"title", p.title},
          {"authors", p.authors},
          {"year", p.year},
          {"arxiv", p.arxiv},
          {"venue", p.venue},
          {"mechanism", p.mechanism},
          {"formula", p.formula},
          {"improves", p.improves},
          {"tags", p.tags},
          {"zoo", p.zoo},
          {"outside", p.outside},
          {"text", p.text},
          {"source", p.source}};
}

void print_paper(const library::Paper& p) {
  print("{}\n", paint(Ink::kBold, p.title));
  print_fact("id", p.id);
  print_fact("authors", p.authors);
  if (p.year > 0) print_fact("year", std::to_string(p.year));
  if (!p.arxiv.empty()) print_fact("arXiv", fmt::format("{}  https://arxiv.org/abs/{}", p.arxiv, p.arxiv));
  print_fact("venue", p.venue);
  print_fact("tags", listed(p.tags));
  print_fact("zoo", listed(p.zoo, "zoo/"));
  if (!p.outside.empty()) print_fact("outside Gab", p.outside);
  print_fact("source", p.source);
  for (const std::string& part : {p.mechanism, p.formula, p.improves, p.text})
    if (!part.empty()) {
      print("\n");
      print_wrapped(part, "  ");
    }
}

}  // namespace

int run_library_search(const LibraryCommand& c) {
  auto library = open_library(c);
  if (!library) return report(library.error());
  compute_embeddings(**library, c);
  const library::SearchResult found = (*library)->look_up(c.query, c.count, c.online, &g_interrupted);
  for (const std::string& notice : found.notices)
    print(stderr, "gabbro library: {}; showing the other results\n", notice);
  if (c.json) {
    ordered_json list = ordered_json::array();
    for (const library::Hit& h : found.hits)
      list.push_back({{"id", h.id},
                      {"title", h.title},
                      {"authors", h.authors},
                      {"year", h.year},
                      {"text", h.text},
                      {"score", h.score},
                      {"source", h.source}});
    print_json(list);
  } else if (c.quoted) {
    for (const library::Hit& h : found.hits) print("{}\n", library::quoted(h));
  } else {
    std::size_t width = 2;
    for (const library::Hit& h : found.hits) width = std::max(width, h.id.size());
    for (const library::Hit& h : found.hits)
      print("{}  {}  {}\n", paint(Ink::kCyan, fmt::format("{:<{}}", h.id, width)),
            h.year > 0 ? std::to_string(h.year) : "    ", h.title);
  }
  if (!found.hits.empty()) return kValid;
  if (!c.json) print(stderr, "gabbro library: nothing found for '{}'\n", c.query);
  return kUsage;
}

int run_library_show(const LibraryCommand& c) {
  auto library = open_library(c);
  if (!library) return report(library.error());
  const auto paper = (*library)->find(c.id);
  if (!paper) {
    std::string near = lang::closest(c.id, (*library)->ids());
    if (near.empty())
      for (const library::Hit& h : (*library)->search(c.id, 1)) near = h.id;
    print(stderr, "gabbro library: unknown paper '{}'{}\n", c.id,
          near.empty() ? "" : "; did you mean '" + near + "'?");
    return kUsage;
  }
  if (c.json)
    print_json(to_json(*paper));
  else
    print_paper(*paper);
  return kValid;
}

int run_library_add(const LibraryCommand& c) {
  auto library = open_library(c);
  if (!library) return report(library.error());
  const auto added = (*library)->add(c.paths, [](const std::string&) { return !g_interrupted; });
  if (!added) return report(added.error());
  for (const std::string& note : added->notes) print(stderr, "gabbro library: {}\n", note);
  print("{} papers added, {} updated from changed files, {} already known{}\n", added->added, added->replaced,
        added->known, g_interrupted ? "; stopped" : "");
  compute_embeddings(**library, c);
  return added->added + added->replaced + added->known > 0 ? kValid : kUsage;
}

void add_library_commands(CLI::App& app, std::vector<std::string>& names,
                          std::vector<std::string>& subcommand_names, std::function<int()>& chosen) {
  const auto c = std::make_shared<LibraryCommand>();
  CLI::App* library =
      app.add_subcommand("library", "Search the literature: known papers, your own documents, arXiv");
  library->fallthrough()->require_subcommand(1);
  names.emplace_back("library");
  const auto add_command = [&](const char* name, const char* help, int (*run)(const LibraryCommand&)) {
    CLI::App* sub = library->add_subcommand(name, help);
    sub->fallthrough();
    subcommand_names.emplace_back(name);
    sub->add_option("--library", c->options.file,
                    "file of your own documents (default ~/.local/share/gabbro/library.db)");
    sub->callback([&chosen, c, run] { chosen = [c, run] { return run(*c); }; });
    return sub;
  };
  const auto add_embedding_options = [&](CLI::App* sub) {
    library::EmbeddingEndpoint& e = c->options.embedding;
    CLI::Option* url = sub->add_option(
        "--embed", e.url, "URL of an OpenAI-compatible server, up to /v1, for semantic search as well");
    sub->add_option("--embed-model", e.model, "name of its embedding model")->needs(url);
    sub->add_option("--embed-key", e.key_env, "environment variable that holds its key")->needs(url);
  };
  CLI::App* search = add_command("search", "Search papers by words", run_library_search);
  search->add_option("QUERY", c->query, "text to search for")->required();
  search->add_option("-n,--count", c->count, "maximum number of papers (default 10)")
      ->check(CLI::Range(1, 1000));
  search->add_flag("--online", c->online,
                   "query arXiv and Semantic Scholar as well, and keep the papers they find");
  search->add_option("--arxiv", c->options.arxiv, "alternative URL for arXiv; empty: do not query it");
  search->add_option("--semantic-scholar", c->options.semantic_scholar,
                     "alternative URL for Semantic Scholar; empty: do not query it");
  search->add_option("--days", c->options.days, "number of days for which responses are cached (default 7)")
      ->check(not_negative);
  search->add_flag("--json", c->json, "print a JSON array of objects, with texts");
  search->add_flag("--quoted", c->quoted, "print results as quoted blocks for a prompt");
  add_embedding_options(search);
  CLI::App* show = add_command("show", "Show everything known about a paper", run_library_show);
  show->add_option("ID", c->id, "id of the paper, or its arXiv id")->required();
  show->add_flag("--json", c->json, "print one JSON object");
  CLI::App* add = add_command("add", "Add documents of your own: .bib, .md, .txt, .pdf", run_library_add);
  add->add_option("PATH", c->paths, "files and folders to add")->required();
  add_embedding_options(add);
}

}  // namespace gabbro::cli
