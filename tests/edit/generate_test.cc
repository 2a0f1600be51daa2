// Tests the guarantees of the generator: everything that it writes checks, prints, and matches the grammar
// for constrained decoding.
#include "edit/generate.h"

#include <gtest/gtest.h>

#include <set>

#include "edit/build.h"
#include "lang/check.h"
#include "lang/gbnf.h"
#include "lang/gbnf_matcher.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "lang/resize.h"
#include "zoo/library.h"

namespace gabbro::edit {
namespace {

UnitCatalogue& catalogue() {
  static UnitCatalogue shared(zoo::library());
  return shared;
}

// Returns the first error of a program with its text; "" if it is valid.
std::string complaint(const std::string& text) {
  const lang::CheckReport report = lang::check(text, zoo::library());
  if (report.valid()) return "";
  const Error& e = report.errors[0];
  return std::to_string(e.at.line) + ": " + e.code + ": " + e.message + "\n" + text;
}

// Requires every generated design to check.
void expect_designs_check(int first, int count) {
  for (int i = first; i < first + count; ++i) {
    Random random = Random(20261124).split(static_cast<std::uint64_t>(i));
    const std::string text = lang::print(random_program(random, catalogue()));
    ASSERT_EQ(complaint(text), "") << "design " << i;
  }
}

TEST(Generate, DesignsCheck) { expect_designs_check(0, 500); }
TEST(Generate, DesignsCheckSlow) { expect_designs_check(500, 20000); }

TEST(Generate, SameSeedSameDesign) {
  Random a(5), b(5), c(6);
  const std::string first = lang::print(random_program(a, catalogue()));
  EXPECT_EQ(first, lang::print(random_program(b, catalogue())));
  EXPECT_NE(first, lang::print(random_program(c, catalogue())));
}

// Each unit is alone in a design, so that nothing else can be resized. A unit without an axis of its own can
// only be resized by the width.
TEST(Generate, NewUnitsHaveSizes) {
  int sized = 0, tried = 0;
  for (std::uint64_t i = 0; i < 60; ++i)
    for (const UnitKind kind : {UnitKind::kMixer, UnitKind::kChannel}) {
      Random random = Random(11).split(i);
      lang::Program program;
      program.items.push_back({random_unit(random, kind, "New", 10), {}, {}});
      const std::string text =
          lang::print(program) +
          "\ndesign X:\n    vocab = 512\n    stack = [2 * Residual(inner=New), RMSNorm]\n";
      const lang::ParseResult parsed = lang::parse(text);
      lang::Library library = zoo::library();
      library.add(parsed.program);
      for (const std::int64_t params : {150'000, 300'000}) {
        ++tried;
        sized += lang::resize(library, *lang::last_design(parsed.program), params).has_value();
      }
    }
  EXPECT_GE(sized, tried * 85 / 100) << "of " << tried;
}

TEST(Generate, DesignsAreDistinct) {
  std::set<std::string> hashes;
  for (std::uint64_t i = 0; i < 200; ++i) {
    Random random = Random(3).split(i);
    const lang::CheckReport report =
        lang::check(lang::print(random_program(random, catalogue())), zoo::library());
    ASSERT_TRUE(report.valid());
    hashes.insert(to_hex(report.subjects[0].hash));
  }
  EXPECT_GT(hashes.size(), 190U);
}

TEST(Generate, PrintedProgramsReadBackTheSame) {
  for (std::uint64_t i = 0; i < 300; ++i) {
    Random random = Random(4).split(i);
    const std::string text = lang::print(random_program(random, catalogue()));
    const lang::ParseResult parsed = lang::parse(text);
    ASSERT_TRUE(parsed.errors.empty()) << text;
    ASSERT_EQ(lang::print(parsed.program), text);
  }
}

TEST(Generate, TheGrammarAllowsAllDesigns) {
  const std::string rules = lang::gbnf();
  const lang::testing::Grammar grammar(rules);
  for (std::uint64_t i = 0; i < 40; ++i) {
    Random random = Random(6).split(i);
    const std::string text = lang::print(random_program(random, catalogue()));
    const std::size_t at = lang::testing::refused_at(grammar, text);
    ASSERT_EQ(at, std::string::npos) << "refused before: " << text.substr(at, 60);
  }
}

TEST(Generate, MixersMixAndChannelUnitsDoNot) {
  for (std::uint64_t i = 0; i < 200; ++i) {
    for (const UnitKind kind : {UnitKind::kMixer, UnitKind::kChannel}) {
      Random random = Random(8).split(i);
      lang::Program program;
      program.items.push_back({random_unit(random, kind, "Made", 8), {}, {}});
      const lang::CheckReport report = lang::check(lang::print(program), zoo::library());
      ASSERT_TRUE(report.valid()) << complaint(lang::print(program));
      EXPECT_EQ(report.subjects[0].facts.mixes_tokens, kind == UnitKind::kMixer) << lang::print(program);
    }
  }
}

TEST(Generate, UnitsCheckAtEveryValueOfTheirHyperparameters) {
  for (std::uint64_t i = 0; i < 200; ++i) {
    Random random = Random(9).split(i);
    lang::Program program;
    program.items.push_back({random_unit(random, UnitKind::kMixer, "Made", 10), {}, {}});
    lang::Library library = zoo::library();
    ASSERT_TRUE(library.add(program).empty());
    for (const lang::Hyper& hyper : std::get<lang::Unit>(program.items[0].value).hypers) {
      for (const lang::RangeEntry& entry : hyper.range) {
        const auto instance = build::with(build::name("Made"), hyper.name, entry.low);
        EXPECT_TRUE(lang::elaborate(library, instance).ok()) << lang::print(instance) << "\n"
                                                             << lang::print(program);
      }
    }
  }
}

TEST(UnitCatalogue, KnowsWhatUnitsAreAndNeed) {
  const CatalogueEntry* norm = catalogue().find("RMSNorm");
  ASSERT_NE(norm, nullptr);
  EXPECT_TRUE(norm->narrow);
  EXPECT_FALSE(norm->mixes);
  const CatalogueEntry* attention = catalogue().find("Attention");
  ASSERT_NE(attention, nullptr);
  EXPECT_FALSE(attention->narrow);
  EXPECT_TRUE(attention->mixes);
  const CatalogueEntry* block = catalogue().find("Block");
  ASSERT_NE(block, nullptr);
  ASSERT_EQ(block->slots.size(), 3U);
  for (const Slot& slot : block->slots) EXPECT_FALSE(slot.narrow) << slot.name;
  EXPECT_TRUE(catalogue().find("GLA")->slots[0].narrow);     // its norm runs along the values of a head
  EXPECT_TRUE(catalogue().find("SwiGLU")->slots[0].narrow);  // its activation runs along the hidden layer
  EXPECT_EQ(catalogue().find("NoSuchUnit"), nullptr);
}

TEST(UnitCatalogue, SettingsCheck) {
  for (const std::string& name : zoo::library().unit_names()) {
    const CatalogueEntry* entry = catalogue().find(name);
    ASSERT_NE(entry, nullptr) << name;
    for (const auto& setting : entry->settings) {
      lang::Expr instance;
      instance.kind = lang::Expr::Kind::kCall;
      instance.text = name;
      for (const auto& [key, value] : setting) {
        instance.args.push_back(value);
        instance.keywords.push_back(key);
      }
      EXPECT_TRUE(lang::elaborate(zoo::library(), instance).ok()) << lang::print(instance);
    }
  }
}

}  // namespace
}  // namespace gabbro::edit
