// fuzz_leaks COUNT SEED [all | CASE]: runs COUNT designs in the torch backend, with extreme values wherever a
// position does not look.
//
// Each case is a unit or a design (written to leak, random, or from the zoo), a way to lower it, and a batch
// of rows with documents. Everything that the watched positions do not see is changed: what follows in their
// document, the documents around it, and the other rows. Some of it becomes infinite, NaN, overflowing or
// denormal. Outputs of the watched positions must stay bit-identical, and so must the gradients at positions
// that the changed adjoints do not reach. Some cases are also decoded. A finding prints its seed, case and
// program, and ends with status 1. With `all` the run continues after a finding; with a number only that case
// is run. If the environment variable GABBRO_FUZZ_REFUSALS is set, the errors of hostile units that the
// language refused are listed at the end.
//
// The number of cases in a test run, which cmake/programs.cmake reads:
// slice: 150
#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <string>

#include "edit/build.h"
#include "edit/edit.h"
#include "edit/generate.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "torch/leak_case.h"
#include "zoo/embedded.h"
#include "zoo/hostile_unit.h"
#include "zoo/library.h"

namespace {

using namespace gabbro;

constexpr std::int64_t kLength = 160, kWidth = 16, kVocab = 32;
constexpr std::size_t kMostNodes = 600;  // designs with larger graphs are not run

struct Subject {
  std::string kind;  // "hostile", "random unit", "zoo unit" or "design"
  std::string text;  // its program, or the name of a unit of the zoo
  lang::Elaboration elaboration;
};

// Elaborates the unit `name` of `program` or of the zoo. Returns nullopt if the language refuses it.
std::optional<Subject> unit_of(const lang::Program& program, const std::string& name, std::string kind) {
  lang::Library library = zoo::library();
  if (!library.add(program).empty()) return std::nullopt;
  lang::ElaborateOptions options;
  options.width = kWidth;
  Subject out{std::move(kind), lang::print(program),
              lang::elaborate(library, edit::build::name(name), options)};
  if (out.text.empty()) out.text = name;
  if (!out.elaboration.ok()) return std::nullopt;
  return out;
}

std::map<std::string, int> refusals;  // error messages of hostile units, and how often each occurred

std::optional<Subject> hostile_unit(Random& random) {
  const std::string text = testing::HostileUnit(random).write();
  lang::ParseResult parsed = lang::parse(text);
  if (!parsed.errors.empty()) {
    ++refusals[parsed.errors[0].message];
    return std::nullopt;
  }
  edit::tidy(parsed.program);
  auto out = unit_of(parsed.program, "Hostile", "hostile");
  if (!out) {
    lang::Library library = zoo::library();
    (void)library.add(parsed.program);
    lang::ElaborateOptions options;
    options.width = kWidth;
    const auto e = lang::elaborate(library, edit::build::name("Hostile"), options);
    if (!e.errors.empty()) ++refusals[e.errors[0].message];
  }
  return out;
}

std::vector<std::string> zoo_units() {
  std::vector<std::string> out;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items)
      if (const auto* unit = std::get_if<lang::Unit>(&item.value)) out.push_back(unit->name);
  return out;
}

std::optional<Subject> design_of(const lang::Program& program) {
  lang::Library library = zoo::library();
  if (!library.add(program).empty()) return std::nullopt;
  const auto design = edit::design_of(program);
  if (!design) return std::nullopt;
  lang::ElaborateOptions options;
  options.width = kWidth;
  options.vocab = kVocab;
  Subject out{"design", lang::print(program), lang::elaborate(library, **design, options)};
  if (!out.elaboration.ok() || out.elaboration.graph.bodies[0].nodes.size() > kMostNodes) return std::nullopt;
  return out;
}

// Draws the design or unit of a case. Returns nullopt if the draw cannot be run.
std::optional<Subject> draw(Random& random, edit::UnitCatalogue& catalogue) {
  const double kind = random.uniform();
  if (kind < 0.6) return hostile_unit(random);
  if (kind < 0.8) {
    lang::Program program;
    lang::Item item;
    item.value = edit::random_unit(random, edit::UnitKind::kMixer, "Made", 8);
    program.items.push_back(std::move(item));
    return unit_of(program, "Made", "random unit");
  }
  if (kind < 0.92) {
    static const std::vector<std::string> kUnits = zoo_units();
    return unit_of({}, random.pick(kUnits), "zoo unit");
  }
  return design_of(edit::random_program(random, catalogue, {.unit_size = 6, .most_layers = 2}));
}

// Runs `count` cases from number `first` on; draws that cannot be run do not count. Stops at a finding unless
// `continue_after_findings`. Returns the exit status.
int run(std::uint64_t count, std::uint64_t seed, std::uint64_t first, bool continue_after_findings) {
  at::set_num_threads(1);
  const c10::InferenceMode no_autograd;
  edit::UnitCatalogue catalogue(zoo::library());
  std::map<std::string, int> kinds, found_kinds;
  int refused = 0, findings = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t i = first, done = 0; done < count; ++i) {
    Random random = Random(seed).split(i);
    const std::optional<Subject> subject = draw(random, catalogue);
    if (!subject) {
      ++refused;
      continue;
    }
    ++done;
    ++kinds[subject->kind];
    at::manual_seed(mix(seed, i));
    const testing::Lowering lowering = testing::random_lowering(random);
    std::string finding, description;
    try {
      testing::LeakCase leak_case(subject->elaboration, lowering, kLength, random);
      description = leak_case.describe();
      finding = leak_case.forward();
      if (finding.empty()) finding = leak_case.backward();
      if (finding.empty() && random.chance(0.15))
        finding = leak_case.decoded(subject->elaboration, /*moderate=*/subject->kind != "hostile");
    } catch (const c10::Error& error) {
      finding = "throws " + std::string(error.what_without_backtrace());
    }
    if (finding.empty()) continue;
    fmt::print("fuzz_leaks: seed {} case {} ({}): {}\n  {}\n{}\n", seed, i, subject->kind, finding,
               description, subject->text);
    std::fflush(stdout);
    if (!continue_after_findings) return 1;
    ++findings;
    ++found_kinds[subject->kind];
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  fmt::print("fuzz_leaks: seed {}: {} designs (", seed, count);
  for (const auto& [kind, n] : kinds) fmt::print(" {} {}", n, kind);
  fmt::print(" ), {} draws that do not check; {} findings; {:.1f} designs/s\n", refused, findings,
             static_cast<double>(count) / seconds);
  if (std::getenv("GABBRO_FUZZ_REFUSALS"))
    for (const auto& [message, n] : refusals) fmt::print("{} {}\n", n, message);
  return findings > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t count = argc < 3 ? 0 : std::strtoull(argv[1], nullptr, 10);
  if (count == 0) {
    fmt::print(stderr, "usage: fuzz_leaks COUNT SEED [all | CASE]\n");
    return 2;
  }
  const std::string mode = argc > 3 ? argv[3] : "";
  const bool single_case = !mode.empty() && mode != "all";
  return run(single_case ? 1 : count, std::strtoull(argv[2], nullptr, 10),
             single_case ? std::strtoull(mode.c_str(), nullptr, 10) : 0, mode == "all");
}
