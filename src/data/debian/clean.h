// Converts the file formats of packages to plain text. Documents come in the order of the files.
#pragma once

#include "data/debian/packages.h"

namespace gabbro::data::debian {

/// Makes one document per HTML page: paragraphs and headings, without navigation, tables, program listings
/// and footnotes. Pages with less than 400 bytes of text are left out.
Result<bool> clean_html(const Files& files, const Emit& emit);

/// Reads dictionaries of dictd (NAME.dict.dz with NAME.index); neighbouring entries form documents of about
/// 8 kB. Format: dictfmt(1).
Result<bool> clean_dictionary(const Files& files, const Emit& emit);

/// Does the same for GCIDE (Webster 1913). Also removes pronunciations, etymologies, names of sources, and
/// the entries taken from WordNet.
Result<bool> clean_webster(const Files& files, const Emit& emit);

/// Writes synsets of WordNet as "words: gloss"; neighbours form documents of about 8 kB. Format: wndb(5WN).
Result<bool> clean_wordnet(const Files& files, const Emit& emit);

/// Reads SWORD modules of the drivers zText and zCom, one document per chapter. Format: zverse.cpp of the
/// SWORD project.
Result<bool> clean_sword(const Files& files, const Emit& emit);

/// Reads fortune files, which are split at lines of %; neighbours form documents of about 4 kB.
Result<bool> clean_fortunes(const Files& files, const Emit& emit);

/// Reads plain text, one document per file; compressed files are decompressed.
Result<bool> clean_text(const Files& files, const Emit& emit);

/// The language in which a page is marked up; kOsis is XML for texts of the Bible.
enum class Markup { kHtml, kOsis };

/// Returns the text of a page, or "" if the page is marked as not English.
std::string text_of_markup(const std::string& page, Markup markup);

/// Returns an entry of a dictionary without markup, with its lines joined to paragraphs; "" if nothing is
/// left. `is_webster`: the entry has the markup of GCIDE.
std::string clean_entry(std::string_view entry, bool is_webster);

}  // namespace gabbro::data::debian
