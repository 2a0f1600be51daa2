// fuzz_edits COUNT SEED: applies chains of random edits, COUNT in total, to random designs and designs of the
// zoo. Each resulting program must pass the checker when it is read back from its text.
//
// A chain of 25 edits depends only on SEED and its number. A violation prints both with the two programs, and
// ends with status 1. Every tenth edit is hostile: its paths and arguments come from another program.
//
// The number of cases in a test run, which cmake/programs.cmake reads:
// slice: 600
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <string>

#include "edit/build.h"
#include "edit/generate.h"
#include "edit/vary.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace {

using namespace gabbro;
using lang::Program;

constexpr std::uint64_t kChain = 25;        // edits of a chain
constexpr std::size_t kLongestText = 8000;  // in bytes; the chain does not continue from a longer program

struct Counts {
  std::uint64_t edits = 0, refused = 0;
  std::map<std::string, std::uint64_t> reasons;  // error codes of refused edits, and how often each occurred
};

// Returns a design of the zoo or a random one.
Program start(Random& random, edit::UnitCatalogue& catalogue) {
  if (random.chance(0.3)) {
    const auto files = zoo::embedded_files();
    const auto& file = files[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(files.size())))];
    const Program* program = zoo::program(file.file);
    if (program && edit::design_of(*program)) return *program;
  }
  return edit::random_program(random, catalogue, {.unit_size = 8, .most_layers = 6});
}

// Applies a random edit to `program` with places and instances of `other`.
Result<Program> hostile_edit(const Program& program, const Program& other, edit::UnitCatalogue& catalogue,
                             Random& random) {
  const lang::Library& library = catalogue.library();
  const auto theirs = edit::places(other, library);
  const auto ours = edit::places(program, library);
  if (theirs.empty() || ours.empty()) return fail("edit", "no places");
  const std::string path = random.pick(theirs).path;
  const lang::Expr instance = random.pick(theirs).instance;
  switch (random.below(8)) {
    case 0:
      return edit::replace_subtree(program, library, random.pick(ours).path, instance);
    case 1:
      return edit::wrap(program, library, path, instance, random.chance(0.5) ? "mixer" : "nothing");
    case 2:
      return edit::insert(program, library, path, instance);
    case 3:
      return edit::remove(program, library, path);
    case 4:
      return edit::share(program, library, path, random.pick(ours).path);
    case 5:
      return edit::set_hyper(program, library, random.pick(ours).path, "heads",
                             edit::build::num(static_cast<double>(random.below(70)) - 3));
    case 6:
      return edit::crossover(program, library, random.pick(ours).path, other, path);
    default: {
      for (const lang::Item& item : program.items)
        if (const auto* unit = std::get_if<lang::Unit>(&item.value)) {
          const auto spots = edit::expressions(*unit);
          const auto statements = edit::statements(*unit);
          const lang::Expr* replacement = edit::find(*unit, random.pick(spots));
          return random.chance(0.5)
                     ? edit::replace_expression(program, library, random.pick(spots), *replacement)
                     : edit::delete_statement(program, library, random.pick(statements), {});
        }
      return edit::adopt(program, library, path);
    }
  }
}

// Returns "" if the text of `child` passes the checker and prints to itself again. Otherwise says what is
// wrong.
std::string violation(const Program& child) {
  const std::string text = lang::print(child);
  const lang::CheckReport report = lang::check(text, zoo::library());
  if (!report.valid()) return report.errors[0].code + ": " + report.errors[0].message + "\n" + text;
  if (lang::print(report.program) != text) return "prints differently after reading\n" + text;
  return "";
}

int run(std::uint64_t count, std::uint64_t seed) {
  edit::UnitCatalogue catalogue(zoo::library());
  Counts counts;
  const auto begin = std::chrono::steady_clock::now();
  Program program, second_parent;  // those of the current chain
  for (std::uint64_t i = 0; i < count; ++i) {
    Random random = Random(seed).split(i);
    if (i % kChain == 0) {
      program = start(random, catalogue);
      second_parent = start(random, catalogue);
    }
    const edit::Operator op = random.pick(edit::all_operators());
    auto child = i % 10 == 9 ? hostile_edit(program, second_parent, catalogue, random)
                             : edit::vary(op, program, &second_parent, catalogue, random);
    ++counts.edits;
    if (!child) {
      ++counts.refused;
      ++counts.reasons[child.error().code];
      continue;
    }
    if (const std::string what = violation(*child); !what.empty()) {
      fmt::print("fuzz_edits: seed {} edit {} ({}): {}\n--- parent\n{}\n", seed, i, record::word_of(op), what,
                 lang::print(program));
      return 1;
    }
    if (lang::print(*child).size() < kLongestText) program = std::move(*child);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  fmt::print("fuzz_edits: seed {}: {} edits, {} refused (", seed, counts.edits, counts.refused);
  for (const auto& [code, n] : counts.reasons) fmt::print(" {} {}", code, n);
  fmt::print(" ), 0 violations; {:.0f} edits/s with a second check each\n",
             static_cast<double>(count) / seconds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t count = argc < 3 ? 0 : std::strtoull(argv[1], nullptr, 10);
  if (count == 0) {
    fmt::print(stderr, "usage: fuzz_edits COUNT SEED\n");
    return 2;
  }
  return run(count, std::strtoull(argv[2], nullptr, 10));
}
