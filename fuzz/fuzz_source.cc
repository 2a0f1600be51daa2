// fuzz_source COUNT SEED [FILE...]: runs COUNT mutated programs (of the samples, the zoo and FILEs) through
// the parser, the printer and the checker.
//
// Each program must satisfy the contract between parser and printer (lang/round_trip.h). Each one that parses
// is checked, which must take only seconds; every error must have a message and a position in the text.
//
// Case i depends only on SEED and i. A violation prints both with the text, and ends with status 1.
//
// The number of cases in a test run, which cmake/programs.cmake reads:
// slice: 10000
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "lang/check.h"
#include "lang/mutate.h"
#include "lang/round_trip.h"
#include "lang/samples.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace {

using namespace gabbro;
using namespace gabbro::lang;

// Returns the texts that are mutated.
std::vector<std::string> source_texts(int argc, char** argv) {
  std::vector<std::string> out(testing::kSamples.begin(), testing::kSamples.end());
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) out.emplace_back(entry.text);
  for (int i = 3; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    if (!file) fmt::print(stderr, "fuzz_source: cannot read {}\n", argv[i]), std::exit(2);
  }
  return out;
}

// Every tenth case consists of random tokens; the others are mutants.
std::string make_case(Random random, const std::vector<std::string>& sources) {
  if (random.chance(0.1)) return testing::soup(random);
  return testing::mutate(random, random.pick(sources));
}

// Returns a time in seconds, from an arbitrary start.
double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Checks a program that parses. Returns "" or a description of what is wrong with the check. Sets `is_valid`
// if the program passes.
std::string check_violation(const std::string& text, bool& is_valid) {
  constexpr double kLongest = 20;  // in seconds, allowing for sanitizers and a busy machine
  const double start = now();
  const CheckReport report = check(text, zoo::library());
  is_valid = report.valid();
  if (now() - start > kLongest) return fmt::format("the check took {:.1f} s", now() - start);
  const int lines = 1 + static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  for (const Error& e : report.errors) {
    if (e.message.empty() || e.code.empty()) return "an error without a message";
    // These two report a fault of the checker itself.
    if (e.code == "proof" || e.code == "verify") return e.code + ": " + e.message;
    if (e.at.line < 1 || e.at.line > lines)
      return fmt::format("an error at line {} of {}: {}", e.at.line, lines, e.message);
  }
  return "";
}

int run(std::uint64_t count, std::uint64_t seed, const std::vector<std::string>& sources) {
  const Random root(seed);
  std::uint64_t parsed = 0;  // cases that parse
  std::uint64_t valid = 0;   // cases that pass the checker
  std::uint64_t bytes = 0;
  const double start = now();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string text = make_case(root.split(i), sources);
    bool parses = false;
    std::string violation = testing::round_trip_violation(text, parses);
    bool is_valid = false;
    if (parses && violation.empty()) violation = check_violation(text, is_valid);
    if (!violation.empty()) {
      fmt::print("fuzz_source: seed {} case {}: {}\n--- text\n{}\n", seed, i, violation, text);
      return 1;
    }
    parsed += parses ? 1 : 0;
    valid += is_valid ? 1 : 0;
    bytes += text.size();
  }
  const double seconds = now() - start;
  fmt::print("fuzz_source: seed {}: {} cases, {} parse, {} check; {:.0f} cases/s, {:.1f} MB/s\n", seed, count,
             parsed, valid, static_cast<double>(count) / seconds, static_cast<double>(bytes) / seconds / 1e6);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t count = argc < 3 ? 0 : std::strtoull(argv[1], nullptr, 10);
  if (count == 0) {
    fmt::print(stderr, "usage: fuzz_source COUNT SEED [FILE...]\n");
    return 2;
  }
  return run(count, std::strtoull(argv[2], nullptr, 10), source_texts(argc, argv));
}
