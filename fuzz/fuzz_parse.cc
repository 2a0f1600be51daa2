// fuzz_parse COUNT SEED [FILE...]: parses COUNT mutated programs and checks the contract between parser and printer on each.
//
// Case i depends on SEED and i alone; a violation prints both and the text, and ends with status 1.
//
// slice: 20000
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "lang/mutate.h"
#include "lang/round_trip.h"
#include "lang/samples.h"

namespace {

using namespace gabbro;
using namespace gabbro::lang;

std::vector<std::string> seeds(int argc, char** argv) {
  std::vector<std::string> out(testing::kSamples.begin(), testing::kSamples.end());
  for (int i = 3; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    if (!file) fmt::print(stderr, "fuzz_parse: cannot read {}\n", argv[i]), std::exit(2);
  }
  return out;
}

// Every tenth case is a soup; the others are mutants.
std::string make_case(Random random, const std::vector<std::string>& sources) {
  if (random.chance(0.1)) return testing::soup(random);
  return testing::mutate(random, random.pick(sources));
}

int run(std::uint64_t count, std::uint64_t seed, const std::vector<std::string>& sources) {
  const Random root(seed);
  std::uint64_t valid_cases = 0;
  std::uint64_t bytes = 0;
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string text = make_case(root.split(i), sources);
    bool valid = false;
    const std::string violation = testing::round_trip_violation(text, valid);
    if (!violation.empty()) {
      fmt::print("fuzz_parse: seed {} case {}: {}\n--- text\n{}\n", seed, i, violation, text);
      return 1;
    }
    valid_cases += valid ? 1 : 0;
    bytes += text.size();
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("fuzz_parse: seed {}: {} cases, {} valid, {} rejected; {:.0f} cases/s, {:.1f} MB/s\n", seed,
             count, valid_cases, count - valid_cases, static_cast<double>(count) / seconds,
             static_cast<double>(bytes) / seconds / 1e6);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t count = argc < 3 ? 0 : std::strtoull(argv[1], nullptr, 10);
  if (count == 0) {
    fmt::print(stderr, "usage: fuzz_parse COUNT SEED [FILE...]\n");
    return 2;
  }
  return run(count, std::strtoull(argv[2], nullptr, 10), seeds(argc, argv));
}
