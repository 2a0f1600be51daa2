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

bool is_element(const xmlNode* node, std::string_view name) {
  return node->type == XML_ELEMENT_NODE && reinterpret_cast<const char*>(node->name) == name;
}

// Returns the text of an element; runs of white space become one space.
std::string content_of(xmlNode* node) {
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

// Returns the surname in an element <author>.
std::string surname_of(xmlNode* author) {
  for (xmlNode* node = author->children; node != nullptr; node = node->next)
    if (is_element(node, "name")) {
      const std::string name = content_of(node);
      const auto space = name.rfind(' ');
      return space == std::string::npos ? name : name.substr(space + 1);
    }
  return {};
}

struct Entry {
  Paper paper;
  std::string id;  // a URL: of the abstract, or of an error
};

Entry read_entry(xmlNode* entry) {
  Entry e;
  std::size_t authors = 0;
  for (xmlNode* node = entry->children; node != nullptr; node = node->next) {
    if (is_element(node, "id")) e.id = content_of(node);
    if (is_element(node, "title")) e.paper.title = content_of(node);
    if (is_element(node, "summary")) e.paper.text = content_of(node);
    if (is_element(node, "published")) {
      const std::string date = content_of(node);
      if (date.size() >= 4 && date.find_first_not_of("0123456789") >= 4)
        e.paper.year = std::stoi(date.substr(0, 4));
    }
    if (!is_element(node, "author")) continue;
    const std::string name = surname_of(node);
    if (!name.empty() && ++authors <= kMaxAuthors)
      e.paper.authors += (e.paper.authors.empty() ? "" : ", ") + name;
    if (authors == kMaxAuthors + 1) {
      e.paper.authors += " et al.";
      ++authors;  // It is added once, even if the next author has no name.
    }
  }
  e.paper.arxiv = arxiv_id(e.id);
  e.paper.id = e.paper.arxiv;
  e.paper.source = "arXiv";
  return e;
}

// Replaces libxml2's handlers, which write errors and warnings to standard error.
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
  if (!is_element(root, "feed")) return fail("library", "the response is XML, but not an Atom feed");
  std::vector<Paper> out;
  for (xmlNode* node = root->children; node != nullptr; node = node->next) {
    if (!is_element(node, "entry")) continue;
    Entry e = read_entry(node);
    if (e.id.find("/api/errors") != std::string::npos)
      return fail("library", excerpt(e.paper.text, kMaxMessageBytes));
    if (!e.paper.title.empty() && !e.paper.arxiv.empty()) out.push_back(std::move(e.paper));
  }
  return out;
}

}  // namespace gabbro::library
