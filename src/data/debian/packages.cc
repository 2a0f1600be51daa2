#include "data/debian/packages.h"

#include <array>

#include "data/debian/clean.h"

namespace gabbro::data::debian {

namespace {

constexpr std::string_view kNoProse = "index toc license licence gpl fdl copyright changelog sitemap";

// Package, path prefix, path suffix, strings in paths that are left out, cleaner.
constexpr std::array kParts{
    Part{"anarchism", "usr/share/doc/anarchism/html/", ".html", "links changelog", clean_html},
    Part{"dict-gcide", "usr/share/dictd/", "", "", clean_webster},
    Part{"wordnet-base", "usr/share/wordnet/data.", "", "", clean_wordnet},
    Part{"dict-foldoc", "usr/share/dictd/", "", "", clean_dictionary},
    Part{"dict-jargon", "usr/share/dictd/", "", "", clean_dictionary},
    Part{"dict-devil", "usr/share/dictd/", "", "", clean_dictionary},
    Part{"sword-text-web", "usr/share/sword/modules/", "", "", clean_sword},
    Part{"sword-comm-mhcc", "usr/share/sword/modules/", "", "", clean_sword},
    Part{"sword-comm-tdavid", "usr/share/sword/modules/", "", "", clean_sword},
    Part{"fortunes", "usr/share/games/fortunes/", "", ".dat .u8 ascii-art translate-me zippy",
         clean_fortunes},
    Part{"debian-handbook", "usr/share/doc/debian-handbook/html/en-US/", ".html", kNoProse, clean_html},
    Part{"debian-reference-en", "usr/share/debian-reference/", ".en.html", kNoProse, clean_html},
    Part{"debian-faq", "usr/share/doc/debian/FAQ/", ".en.html", kNoProse, clean_html},
    Part{"debian-policy", "usr/share/doc/debian-policy/policy.html/", ".html",
         "index search ap-license upgrading-checklist ap-flowcharts genindex", clean_html},
    Part{"developers-reference", "usr/share/developers-reference/", ".html", "index search genindex",
         clean_html},
    Part{"maint-guide", "usr/share/doc/maint-guide/html/", ".en.html", kNoProse, clean_html},
    Part{"doc-debian", "usr/share/doc/debian/", "", "constitution.1 social-contract.1 refcard FAQ",
         clean_text},
    Part{"postgresql-doc-15", "usr/share/doc/postgresql-doc-15/html/", ".html",
         "release keywords features unsupported biblio bookindex errcodes catalog- view-pg infoschema",
         clean_html},
    Part{"git-doc", "usr/share/doc/git-doc/", ".html", kNoProse, clean_html},
    Part{"apache2-doc", "usr/share/doc/apache2-doc/manual/en/", ".html", kNoProse, clean_html},
    Part{"exim4-doc-html", "usr/share/doc/exim4-doc-html/spec_html/", ".html", kNoProse, clean_html},
    Part{"aptitude-doc-en", "usr/share/doc/aptitude/html/en/", ".html", kNoProse, clean_html},
    Part{"r-doc-html", "usr/share/R/doc/manual/", ".html", "", clean_html},
    Part{"rust-doc", "usr/share/doc/rust-doc/html/book/", ".html", "print. index toc -edition/", clean_html},
    Part{"rust-doc", "usr/share/doc/rust-doc/html/nomicon/", ".html", "print. index toc", clean_html},
    Part{"rust-doc", "usr/share/doc/rust-doc/html/reference/", ".html", "print. index toc", clean_html},
};

}  // namespace

std::span<const Part> parts() { return kParts; }

bool takes(const Part& part, std::string_view path) {
  if (!path.starts_with(part.prefix) || !path.ends_with(part.suffix)) return false;
  const std::string_view name = path.substr(part.prefix.size());
  for (std::size_t from = 0; from < part.without.size();) {
    const std::size_t end = std::min(part.without.find(' ', from), part.without.size());
    if (name.find(part.without.substr(from, end - from)) != std::string_view::npos) return false;
    from = end + 1;
  }
  return true;
}

}  // namespace gabbro::data::debian
