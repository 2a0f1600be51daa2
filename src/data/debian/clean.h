// From the formats of packages to plain text. Documents come in the order of the files; none is shorter than
// a few words.
#pragma once

#include "data/debian/packages.h"

namespace gabbro::data::debian {

/// A document a page: paragraphs and headings, without navigation, tables, program listings and footnotes
/// (libxml2). Pages of less than 400 bytes are left out.
Result<bool> clean_html(const Files& files, const Emit& emit);

/// A dictionary of dictd (NAME.dict.dz with NAME.index): neighbouring entries in documents of about 8 kB.
/// Format: dictfmt(1).
Result<bool> clean_dictionary(const Files& files, const Emit& emit);

/// The same for GCIDE: also without pronunciations, etymologies and names of sources, and without what it
/// took from WordNet.
Result<bool> clean_webster(const Files& files, const Emit& emit);

/// Synsets of WordNet as "words: gloss", neighbours in documents of about 8 kB. Format: wndb(5WN).
Result<bool> clean_wordnet(const Files& files, const Emit& emit);

/// SWORD modules of the drivers zText and zCom: a document a chapter. Format: zverse.cpp of the SWORD
/// project.
Result<bool> clean_sword(const Files& files, const Emit& emit);

/// Fortune files, cut at lines of %: neighbours in documents of about 4 kB.
Result<bool> clean_fortunes(const Files& files, const Emit& emit);

/// Plain text, a document a file, unpacked where it is packed.
Result<bool> clean_text(const Files& files, const Emit& emit);

/// Text of a marked-up page: HTML, or a piece of OSIS XML when `osis`; empty when the page says that it is
/// not English.
std::string text_of_markup(const std::string& page, bool osis);

/// An entry of a dictionary without markup, its lines joined to paragraphs; empty when nothing is left.
std::string clean_entry(std::string_view entry, bool webster);

}  // namespace gabbro::data::debian
