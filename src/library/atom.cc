// Parses arXiv's Atom feed with libxml2. Nothing outside the text is loaded, and entities are not expanded.
#include <fmt/format.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include <limits>
#include <memory>

#include "library/online.h"
#include "library/text.h"

namespace gabbro::library {

namespace {

bool is(const xmlNode* node, std::string_view name) {
  return node->type == XML_ELEMENT_NODE && reinterpret_cast<const char*>(node->name) == name;
}

// Returns the text of an element; runs of white space become one space.
std::string content(xmlNode* node) {
  const std::unique_ptr<xmlChar, void (*)(void*)> text(xmlNodeGetContent(node), xmlFree);
  if (text == nullptr) return {};
  std::string out;
  for (const char c : clean(reinterpret_cast<const char*>(text.get()))) {
    const bool space = c == ' ' || c == '\n' || c == '\t';
    if (!space) out += c;
    if (space && !out.empty() && out.back() != ' ') out += ' ';
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string author_of(xmlNode* author) {
  for (xmlNode* node = author->children; node != nullptr; node = node->next)
    if (is(node, "name")) {
      const std::string name = content(node);
      const auto space = name.rfind(' ');
      return space == std::string::npos ? name : name.substr(space + 1);
    }
  return {};
}

struct Entry {
  Paper paper;
  std::string id;
};

Entry read_entry(xmlNode* entry) {
  Entry e;
  std::size_t authors = 0;
  for (xmlNode* node = entry->children; node != nullptr; node = node->next) {
    if (is(node, "id")) e.id = content(node);
    if (is(node, "title")) e.paper.title = content(node);
    if (is(node, "summary")) e.paper.text = content(node);
    if (is(node, "published")) {
      const std::string date = content(node);
      if (date.size() >= 4 && date.find_first_not_of("0123456789") >= 4)
        e.paper.year = std::stoi(date.substr(0, 4));
    }
    if (!is(node, "author")) continue;
    const std::string name = author_of(node);
    if (!name.empty() && ++authors <= 6) e.paper.authors += (e.paper.authors.empty() ? "" : ", ") + name;
    if (authors == 7) e.paper.authors += " et al.";
    if (authors == 7) ++authors;
  }
  e.paper.arxiv = arxiv_id(e.id);
  e.paper.id = e.paper.arxiv;
  e.paper.source = "arXiv";
  return e;
}

void ignore(void*, const char*, ...) {}

}  // namespace

Result<std::vector<Paper>> parse_atom(std::string_view body) {
  if (body.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    return fail("library", "the response is too large");
  const std::unique_ptr<xmlParserCtxt, void (*)(xmlParserCtxt*)> parser(xmlNewParserCtxt(),
                                                                        xmlFreeParserCtxt);
  if (parser == nullptr) return fail("library", "cannot initialise libxml2");
  parser->sax->error = ignore;
  parser->sax->warning = ignore;
  const std::unique_ptr<xmlDoc, void (*)(xmlDoc*)> doc(
      xmlCtxtReadMemory(parser.get(), body.data(), static_cast<int>(body.size()), "answer", nullptr,
                        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING),
      xmlFreeDoc);
  xmlNode* root = doc == nullptr ? nullptr : xmlDocGetRootElement(doc.get());
  if (root == nullptr) return fail("library", "the response is not well-formed XML");
  if (!is(root, "feed")) return fail("library", "the response is XML, but not an Atom feed");
  std::vector<Paper> out;
  for (xmlNode* node = root->children; node != nullptr; node = node->next) {
    if (!is(node, "entry")) continue;
    Entry e = read_entry(node);
    if (e.id.find("/api/errors") != std::string::npos) return fail("library", excerpt(e.paper.text, 200));
    if (!e.paper.title.empty() && !e.paper.arxiv.empty()) out.push_back(std::move(e.paper));
  }
  return out;
}

}  // namespace gabbro::library
