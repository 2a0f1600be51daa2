// Words for what a mechanism does: two texts that describe one mechanism in different words share its terms.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gabbro::library {

/// Returns the terms of the mechanisms that a text names, in the order of the table (mechanisms.cc):
/// "mechanismforget" for "a leaky state that fades". Those that the table lists for the built-in paper
/// `paper` come several times, since they count more than words.
std::vector<std::string> mechanism_terms(std::string_view text, std::string_view paper = {});

/// Returns an expression of SQLite's FTS5 that finds texts which name one of the mechanisms of `query`, in
/// any of the words of the table; "" if the query names none.
std::string mechanism_expression(std::string_view query);

/// Returns the ids of the built-in papers that the table lists, once for each mechanism.
std::vector<std::string> papers_of_mechanisms();

}  // namespace gabbro::library
