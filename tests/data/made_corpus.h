// Corpora that tests make.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "data/build.h"

namespace gabbro::testing {

/// Writes the text to `folder`/a.txt, where a line <|endoftext|> ends a document, and builds the corpus
/// `folder`/corpus from it. The folder is created.
inline void make_corpus(const std::filesystem::path& folder, const std::string& text, int vocab = 320,
                        double valid_share = 0.1) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "a.txt") << text;
  data::BuildOptions options;
  options.out = folder / "corpus";
  options.sources = {folder / "a.txt"};
  options.vocab = vocab;
  options.valid_share = valid_share;
  const auto built = data::build_corpus(options, {});
  ASSERT_TRUE(built.has_value()) << built.error().message;
}

/// Returns 800 documents of one sentence, in which little but a number is new.
inline std::string stone_text() {
  std::string out;
  for (int i = 0; i < 800; ++i)
    out += "the stone of number " + std::to_string(i * 7919 % 1000) +
           " lies by the river under the bridge\n<|endoftext|>\n";
  return out;
}

}  // namespace gabbro::testing
