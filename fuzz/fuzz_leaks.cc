// fuzz_leaks COUNT SEED [all | CASE]: runs COUNT designs in the torch backend, with extreme values wherever a
// position does not look.
//
// Each case is a unit or a design (written to leak, random, or from the zoo), a way to lower it, and a batch
// of rows with documents. Everything that the watched positions do not see is changed: what follows in their
// document, the documents around it, and the other rows. Some of it becomes infinite, NaN, overflowing or
// denormal. Outputs of the watched positions must stay bit-identical, and so must the gradients at positions
// that the changed adjoints do not reach. Some cases are also decoded. A finding prints its seed, case and
// program, and ends with status 1. With `all` the run continues after a finding; with a number only that case
// is run.
//
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

struct Subject {
  std::string kind, text;
  lang::Elaboration elaboration;
};

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

std::map<std::string, int> refusals;

std::optional<Subject> hostile(Random& random) {
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
  if (!out.elaboration.ok() || out.elaboration.graph.bodies[0].nodes.size() > 600) return std::nullopt;
  return out;
}

std::optional<Subject> draw(Random& random, edit::UnitCatalogue& catalogue) {
  const double kind = random.uniform();
  if (kind < 0.6) return hostile(random);
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

int run(std::uint64_t count, std::uint64_t seed, std::uint64_t first, bool all) {
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
    const testing::Lowering how = testing::random_lowering(random);
    std::string what, description;
    try {
      testing::LeakCase one(subject->elaboration, how, kLength, random);
      description = one.describe();
      what = one.forward();
      if (what.empty()) what = one.backward();
      if (what.empty() && random.chance(0.15))
        what = one.decoded(subject->elaboration, subject->kind != "hostile");
    } catch (const c10::Error& error) {
      what = "throws " + std::string(error.what_without_backtrace());
    }
    if (what.empty()) continue;
    fmt::print("fuzz_leaks: seed {} case {} ({}): {}\n  {}\n{}\n", seed, i, subject->kind, what, description,
               subject->text);
    std::fflush(stdout);
    if (!all) return 1;
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
  const std::string more = argc > 3 ? argv[3] : "";
  const bool one = !more.empty() && more != "all";
  return run(one ? 1 : count, std::strtoull(argv[2], nullptr, 10),
             one ? std::strtoull(more.c_str(), nullptr, 10) : 0, more == "all");
}
