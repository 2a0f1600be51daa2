// Tests the structural hash on random units: rewritings that keep the function keep the hash, and equal
// hashes mean equal functions.
#include <gtest/gtest.h>

#include "edit/build.h"
#include "edit/edit.h"
#include "edit/generate.h"
#include "edit/values.h"
#include "edit/vary.h"
#include "exec/reference/fingerprint.h"
#include "ir/canonical.h"
#include "lang/check.h"
#include "lang/printer.h"
#include "zoo/library.h"

namespace gabbro::testing {
namespace {

using lang::Expr;
using lang::Program;
using lang::Stmt;
using lang::Unit;

edit::UnitCatalogue& catalogue() {
  static edit::UnitCatalogue shared(zoo::library());
  return shared;
}

// ---- Rewritings ----

void rename(Expr& e, const std::string& from, const std::string& to) {
  if (e.text == from && e.kind != Expr::Kind::kBinary) e.text = to;
  for (Expr& arg : e.args) rename(arg, from, to);
}

void rename(std::vector<Stmt>& block, const std::string& from, const std::string& to) {
  for (Stmt& s : block) {
    for (std::string& name : s.names)
      if (name == from) name = to;
    for (auto* list : {&s.targets, &s.types, &s.values})
      for (Expr& e : *list) rename(e, from, to);
    rename(s.body, from, to);
  }
}

// Renames every local name.
void rename_all(Unit& unit) {
  std::vector<std::string> names;
  for (const Stmt& s : unit.body)
    for (std::string& name : edit::assigned(s)) names.push_back(std::move(name));
  for (std::size_t i = 0; i < names.size(); ++i) rename(unit.body, names[i], "local_" + std::to_string(i));
}

// Rewrites a + b as b + a, and a * b as b * a.
void commute(Expr& e, Random& random) {
  for (Expr& arg : e.args) commute(arg, random);
  if (e.kind == Expr::Kind::kBinary && (e.text == "+" || e.text == "*") && random.chance(0.5))
    std::swap(e.args[0], e.args[1]);
}

void commute(std::vector<Stmt>& block, Random& random) {
  for (Stmt& s : block) {
    for (Expr& e : s.values) commute(e, random);
    commute(s.body, random);
  }
}

// Swaps adjacent statements that do not read each other.
void reorder(std::vector<Stmt>& block, Random& random) {
  const auto reads = [](const Stmt& a, const Stmt& b) {
    for (const std::string& name : edit::assigned(b))
      if (edit::count_mentions(a, name) > 0) return true;
    return false;
  };
  for (int round = 0; round < 20; ++round)
    // The last statement is the return, or assigns a state.
    for (std::size_t i = 0; i + 2 < block.size(); ++i)
      if (!reads(block[i], block[i + 1]) && !reads(block[i + 1], block[i]) && random.chance(0.5))
        std::swap(block[i], block[i + 1]);
}

// Rewrites x as (x + 0) * 1, -(-x), or x - 0 in some places.
void disguise(Expr& e, Random& random) {
  for (Expr& arg : e.args) disguise(arg, random);
  const bool value =
      e.kind == Expr::Kind::kCall && (e.text == "linear" || e.text == "dot" || e.text == "sigmoid");
  if (!value || !random.chance(0.3)) return;
  switch (random.below(3)) {
    case 0:
      e = edit::build::binary("*", edit::build::binary("+", e, edit::build::num(0)), edit::build::num(1));
      break;
    case 1:
      e = edit::build::minus(edit::build::minus(e));
      break;
    default:
      e = edit::build::binary("-", e, edit::build::num(0));
  }
}

void disguise(std::vector<Stmt>& block, Random& random) {
  for (Stmt& s : block) {
    for (Expr& e : s.values) disguise(e, random);
    disguise(s.body, random);
  }
}

Program unit_program(std::uint64_t index) {
  Random random = Random(77).split(index);
  Program program;
  const int size = 3 + static_cast<int>(random.below(12));
  program.items.push_back({edit::random_unit(random, edit::UnitKind::kMixer, "Made", size), {}, {}});
  return program;
}

Hash128 hash_of(const Program& program) {
  const lang::CheckReport report = lang::check(lang::print(program), zoo::library());
  EXPECT_TRUE(report.valid()) << lang::print(program) << report.errors[0].message;
  return report.valid() ? report.subjects[0].hash : Hash128{};
}

template <class F>
void expect_same_hash(const F& rewrite) {
  for (std::uint64_t i = 0; i < 300; ++i) {
    const Program before = unit_program(i);
    Program after = before;
    Random random = Random(78).split(i);
    rewrite(std::get<Unit>(after.items[0].value), random);
    ASSERT_EQ(hash_of(before), hash_of(after)) << "unit " << i << "\n"
                                               << lang::print(before) << "\nand\n"
                                               << lang::print(after);
  }
}

TEST(RandomHash, NamesDoNotMatter) {
  expect_same_hash([](Unit& unit, Random&) { rename_all(unit); });
}
TEST(RandomHash, OrderOfOperandsDoesNotMatter) {
  expect_same_hash([](Unit& unit, Random& random) { commute(unit.body, random); });
}
TEST(RandomHash, OrderOfStatementsDoesNotMatter) {
  expect_same_hash([](Unit& unit, Random& random) { reorder(unit.body, random); });
}
TEST(RandomHash, NeutralOperationsDoNotMatter) {
  expect_same_hash([](Unit& unit, Random& random) { disguise(unit.body, random); });
}
TEST(RandomHash, InliningDoesNotMatter) {
  // Compares a unit in a Residual block with the text of the block written around a call.
  for (std::uint64_t i = 0; i < 200; ++i) {
    Program program = unit_program(i);
    lang::Design design;
    design.name = "M";
    design.stack = edit::build::with(edit::build::name("Residual"), "inner", edit::build::name("Made"));
    program.items.push_back({design, {}, {}});
    const auto adopted = edit::adopt(program, zoo::library(), "stack");
    ASSERT_TRUE(adopted.has_value());
    ASSERT_EQ(hash_of(program), hash_of(*adopted));
  }
}

// ---- Changes ----

struct Measured {
  Hash128 hash;
  exec::Fingerprint function;
};

// Measures a design at a width at which float64 loops are fast; nullopt if it does not exist at that width.
std::optional<Measured> measure(const Program& program) {
  lang::Library library = zoo::library();
  if (!library.add(program).empty()) return {};
  lang::ElaborateOptions options;
  options.width = 32;
  options.vocab = 16;
  for (const lang::Item& item : program.items)
    if (const auto* design = std::get_if<lang::Design>(&item.value)) {
      const lang::Elaboration e = lang::elaborate(library, *design, options);
      if (!e.ok() || ir::count_params(e.graph) > 400'000 || e.graph.bodies[0].nodes.size() > 3000) return {};
      return Measured{ir::structural_hash(e.graph), exec::fingerprint(e.graph, e.outputs)};
    }
  return {};
}

// Compares parents and children of random edits: equal hashes must mean equal functions, and different
// functions different hashes.
void expect_hash_sees_changes(std::uint64_t first, std::uint64_t count, int at_least) {
  int changed = 0, kept = 0;
  for (std::uint64_t i = first; i < first + count; ++i) {
    Random random = Random(79).split(i);
    const Program parent = edit::random_program(
        random, catalogue(), {.unit_size = 6, .most_layers = 1, .most_new_units = 2, .new_unit = 1});
    const edit::Operator op = edit::all_operators()[i % edit::all_operators().size()];
    const auto child = edit::vary(op, parent, nullptr, catalogue(), random);
    if (!child) continue;
    const auto a = measure(parent), b = measure(*child);
    if (!a || !b) continue;
    if (a->hash == b->hash) {
      ++kept;
      ASSERT_TRUE(exec::same_function(a->function, b->function))
          << record::word_of(op) << ": two functions of one hash\n"
          << lang::print(parent) << "\nand\n"
          << lang::print(*child);
    } else if (!exec::same_function(a->function, b->function)) {
      ++changed;
    }
  }
  EXPECT_GE(changed, at_least) << "hardly any edit changed a function: the test shows nothing";
}

TEST(RandomHash, SeesWhatChangesTheFunction) { expect_hash_sees_changes(0, 320, 60); }
TEST(RandomHash, SeesWhatChangesTheFunctionSlow) { expect_hash_sees_changes(320, 10000, 2000); }

TEST(RandomHash, SameFunctionSameFingerprint) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    const Program before = unit_program(i);
    Program after = before;
    Random random = Random(80).split(i);
    Unit& unit = std::get<Unit>(after.items[0].value);
    rename_all(unit);
    commute(unit.body, random);
    disguise(unit.body, random);
    const auto fingerprint_of = [](const Program& program) {
      lang::Library library = zoo::library();
      EXPECT_TRUE(library.add(program).empty());
      lang::ElaborateOptions options;
      options.width = 32;
      const lang::Elaboration e = lang::elaborate(library, edit::build::name("Made"), options);
      return e.ok() ? exec::fingerprint(e.graph, e.outputs) : exec::Fingerprint{};
    };
    EXPECT_TRUE(exec::same_function(fingerprint_of(before), fingerprint_of(after))) << lang::print(before);
  }
}

}  // namespace
}  // namespace gabbro::testing
