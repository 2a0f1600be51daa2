// Extracts text from HTML and OSIS with libxml2, by a walk over the tree that distinguishes blocks, lines,
// and elements without text.
#include <libxml/HTMLparser.h>
#include <libxml/parser.h>
#include <utf8.h>

#include <algorithm>
#include <array>
#include <memory>

#include "data/debian/clean.h"

namespace gabbro::data::debian {

namespace {

constexpr std::size_t kMinPageBytes = 400;  // of text

// The effect of an element: none, a new line, a new paragraph, or that its content is left out.
enum class ElementKind { kInline, kLine, kBlock, kSkip };

struct Element {
  std::string_view name;
  ElementKind kind;
};

// `note`, `lb`, `l` and `lg` are elements of OSIS; `sup` contains numbers of footnotes.
constexpr std::array kElements{
    Element{"address", ElementKind::kBlock},    Element{"article", ElementKind::kBlock},
    Element{"blockquote", ElementKind::kBlock}, Element{"br", ElementKind::kLine},
    Element{"button", ElementKind::kSkip},      Element{"canvas", ElementKind::kSkip},
    Element{"chapter", ElementKind::kBlock},    Element{"dd", ElementKind::kLine},
    Element{"div", ElementKind::kBlock},        Element{"dl", ElementKind::kBlock},
    Element{"dt", ElementKind::kBlock},         Element{"figcaption", ElementKind::kBlock},
    Element{"footer", ElementKind::kSkip},      Element{"form", ElementKind::kSkip},
    Element{"h1", ElementKind::kBlock},         Element{"h2", ElementKind::kBlock},
    Element{"h3", ElementKind::kBlock},         Element{"h4", ElementKind::kBlock},
    Element{"h5", ElementKind::kBlock},         Element{"h6", ElementKind::kBlock},
    Element{"head", ElementKind::kSkip},        Element{"header", ElementKind::kBlock},
    Element{"hr", ElementKind::kBlock},         Element{"iframe", ElementKind::kSkip},
    Element{"img", ElementKind::kSkip},         Element{"l", ElementKind::kLine},
    Element{"lb", ElementKind::kLine},          Element{"lg", ElementKind::kBlock},
    Element{"li", ElementKind::kLine},          Element{"main", ElementKind::kBlock},
    Element{"math", ElementKind::kSkip},        Element{"nav", ElementKind::kSkip},
    Element{"noscript", ElementKind::kSkip},    Element{"note", ElementKind::kSkip},
    Element{"ol", ElementKind::kBlock},         Element{"p", ElementKind::kBlock},
    Element{"pre", ElementKind::kSkip},         Element{"script", ElementKind::kSkip},
    Element{"section", ElementKind::kBlock},    Element{"select", ElementKind::kSkip},
    Element{"style", ElementKind::kSkip},       Element{"sup", ElementKind::kSkip},
    Element{"svg", ElementKind::kSkip},         Element{"table", ElementKind::kSkip},
    Element{"title", ElementKind::kBlock},      Element{"ul", ElementKind::kBlock},
};

// Classes (and ids) of navigation, permanent links, footnotes and listings in the output of DocBook, Sphinx,
// Texinfo, mdBook, AsciiDoc, Publican and the Apache project.
constexpr std::array kSkippedClasses{
    std::string_view{"navheader"},
    std::string_view{"navfooter"},
    std::string_view{"toc"},
    std::string_view{"TOC"},
    std::string_view{"docnav"},
    std::string_view{"sphinxsidebar"},
    std::string_view{"related"},
    std::string_view{"footer"},
    std::string_view{"headerlink"},
    std::string_view{"highlight"},
    std::string_view{"footnotes"},
    std::string_view{"footnote"},
    std::string_view{"header"},
    std::string_view{"nav-panel"},
    std::string_view{"sidebar"},
    std::string_view{"menu-bar"},
    std::string_view{"nav-wrapper"},
    std::string_view{"titlepage-legal"},
    std::string_view{"page-header"},
    std::string_view{"path"},
    std::string_view{"toplang"},
    std::string_view{"bottomlang"},
    std::string_view{"up"},
    std::string_view{"quickview"},
    std::string_view{"index"},
    std::string_view{"wy-nav-side"},
    std::string_view{"rst-footer-buttons"},
    std::string_view{"legalnotice"},
    std::string_view{"producttitle"},
    std::string_view{"synopsis"},
    std::string_view{"indexterm"},
    std::string_view{"contents"},
    std::string_view{"Contents_element"},
    std::string_view{"banner"},
    std::string_view{"title"},
    std::string_view{"nav"},
    std::string_view{"previous_page"},
    std::string_view{"next_page"},
    std::string_view{"toc_page"},
    std::string_view{"longdesc-link"},
    std::string_view{"permalink"},
    std::string_view{"preface-menu"},
    std::string_view{"wy-breadcrumbs"},
};

// Returns true if `words`, separated by spaces, contain `word`.
bool has_word(std::string_view words, std::string_view word) {
  for (std::size_t at = words.find(word); at != std::string_view::npos; at = words.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || words[at - 1] == ' ') && (end == words.size() || words[end] == ' ')) return true;
  }
  return false;
}

bool is_skipped(xmlNode* node) {
  for (const char* attribute : {"class", "id"}) {
    xmlChar* value = xmlGetProp(node, reinterpret_cast<const xmlChar*>(attribute));
    if (!value) continue;
    const std::string words = reinterpret_cast<const char*>(value);
    xmlFree(value);
    for (const std::string_view skipped : kSkippedClasses)
      if (has_word(words, skipped)) return true;
  }
  return false;
}

ElementKind kind_of(xmlNode* node, Markup markup) {
  const std::string_view name = reinterpret_cast<const char*>(node->name);
  const auto* found =
      std::find_if(kElements.begin(), kElements.end(), [&](const Element& e) { return e.name == name; });
  const ElementKind kind = found == kElements.end() ? ElementKind::kInline : found->kind;
  return kind != ElementKind::kSkip && markup == Markup::kHtml && is_skipped(node) ? ElementKind::kSkip
                                                                                   : kind;
}

// Collects text, with runs of blanks joined to one and paragraphs separated by an empty line.
class Writer {
 public:
  void add(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      const bool non_breaking = text.substr(i, 2) == "\xc2\xa0";
      if (non_breaking) ++i;
      if (non_breaking || c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        blank_ = true;
        continue;
      }
      if (!out_.empty() && lines_ > 0)
        out_.append(static_cast<std::size_t>(lines_), '\n');
      else if (!out_.empty() && blank_)
        out_ += ' ';
      lines_ = 0;
      blank_ = false;
      out_ += c;
    }
  }
  /// Ends the line (1) or the paragraph (2), if there is text after it; 0 does nothing.
  void end_lines(int lines) { lines_ = std::max(lines_, lines); }
  std::string take() {
    if (!out_.empty()) out_ += '\n';
    return std::move(out_);
  }

 private:
  std::string out_;
  int lines_ = 0;  // line ends to write before the next character
  bool blank_ = false;
};

// Writes the text of `node`, of the siblings after it, and of all their descendants.
void walk(xmlNode* node, Markup markup, Writer& out) {
  for (; node; node = node->next) {
    if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) {
      if (node->content) out.add(reinterpret_cast<const char*>(node->content));
    } else if (node->type == XML_ELEMENT_NODE) {
      const ElementKind kind = kind_of(node, markup);
      const int lines = kind == ElementKind::kBlock ? 2 : kind == ElementKind::kLine ? 1 : 0;
      out.end_lines(lines);
      if (kind != ElementKind::kSkip) walk(node->children, markup, out);
      out.end_lines(lines);
    }
  }
}

// Returns true if a page is marked as not English. Some manuals contain several languages without showing it
// in their file names.
bool is_foreign(xmlNode* root) {
  xmlChar* value = root ? xmlGetProp(root, reinterpret_cast<const xmlChar*>("lang")) : nullptr;
  if (!value) return false;
  const bool out = *value != 0 && !std::string_view(reinterpret_cast<const char*>(value)).starts_with("en");
  xmlFree(value);
  return out;
}

// Removes copyright notices and licences, which manuals contain as paragraphs of their own.
std::string without_licence(const std::string& text) {
  std::string out;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = text.find('\n', from) + 1;
    const std::string_view line = std::string_view(text).substr(from, end - from);
    from = end;
    if (line == "\n" && (out.empty() || out.ends_with("\n\n"))) continue;
    if (!line.starts_with("Copyright ©") && !line.starts_with("Permission is granted to")) out += line;
  }
  return out;
}

struct FreeDocument {
  void operator()(xmlDoc* d) const { xmlFreeDoc(d); }
};

}  // namespace

std::string text_of_markup(const std::string& page, Markup markup) {
  std::unique_ptr<xmlDoc, FreeDocument> document;
  const int size = static_cast<int>(page.size());
  if (markup == Markup::kOsis) {
    document.reset(xmlReadMemory(
        page.data(), size, nullptr, "UTF-8",
        XML_PARSE_RECOVER | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NONET | XML_PARSE_HUGE));
  } else {
    // UTF-8 pages often do not declare their encoding; pages in other encodings do.
    const char* encoding = utf8::is_valid(page.begin(), page.end()) ? "UTF-8" : nullptr;
    document.reset(
        htmlReadMemory(page.data(), size, nullptr, encoding,
                       HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET));
  }
  Writer out;
  xmlNode* root = document ? xmlDocGetRootElement(document.get()) : nullptr;
  if (!is_foreign(root)) walk(root, markup, out);
  return without_licence(out.take());
}

Result<bool> clean_html(const Files& files, const Emit& emit) {
  for (const auto& [path, page] : files) {
    std::string text = text_of_markup(page, Markup::kHtml);
    if (text.size() >= kMinPageBytes) emit(std::move(text));
  }
  return true;
}

}  // namespace gabbro::data::debian
