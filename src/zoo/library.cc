#include "zoo/library.h"

#include <cstdio>
#include <map>
#include <string>

#include "lang/parser.h"
#include "zoo/embedded.h"

namespace gabbro::zoo {

namespace {

struct Zoo {
  std::map<std::string, lang::Program, std::less<>> programs;
  lang::Library library;

  Zoo() {
    for (const EmbeddedFile& entry : embedded_files()) {
      lang::ParseResult parsed = lang::parse(entry.text);
      report(entry.file, parsed.errors);
      const auto at = programs.emplace(std::string(entry.file), std::move(parsed.program)).first;
      report(entry.file, library.add(at->second));
    }
    // Turns the programs into library items: the program added last is the one being checked.
    library.add(lang::Program{});
  }

  static void report(std::string_view file, const std::vector<Error>& errors) {
    for (const Error& e : errors) std::fprintf(stderr, "%s\n", format_error(std::string(file), e).c_str());
    GABBRO_CHECK(errors.empty());
  }
};

const Zoo& zoo() {
  static const Zoo kZoo;
  return kZoo;
}

}  // namespace

const lang::Library& library() { return zoo().library; }

const lang::Program* program(std::string_view file) {
  const auto at = zoo().programs.find(file);
  return at == zoo().programs.end() ? nullptr : &at->second;
}

}  // namespace gabbro::zoo
