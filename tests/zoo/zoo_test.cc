// Tests every unit and every design of the zoo: proofs, step form, gradients, canonical text.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "ir/quotients.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "zoo/embedded.h"
#include "zoo/library.h"
#include "zoo/properties.h"

namespace gabbro::testing {
namespace {

// Elaborates a unit at the smallest width that it allows.
lang::Elaboration small_unit(const std::string& name) {
  const auto instance = lang::parse_expression(name);
  for (int width : {16, 32, 64}) {
    lang::ElaborateOptions options;
    options.width = width;
    lang::Elaboration e = lang::elaborate(zoo::library(), *instance, options);
    if (e.ok()) return e;
  }
  ADD_FAILURE() << name << " does not elaborate at width 16, 32 or 64";
  return {};
}

// Calls f for every unit until one fails, and returns the number of units.
template <class F>
int for_each_unit(const F& f) {
  int count = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items)
      if (const auto* unit = std::get_if<lang::Unit>(&item.value)) {
        SCOPED_TRACE(unit->name);
        f(small_unit(unit->name));
        ++count;
        if (::testing::Test::HasFatalFailure()) return count;
      }
  return count;
}

constexpr int kLength = 7;
constexpr int kFewest = 50;  // units; fewer means that the zoo was not found

TEST(ZooUnits, StepEqualsParallel) {
  EXPECT_GE(for_each_unit([](const lang::Elaboration& e) { expect_step_equals_parallel(e, kLength); }),
            kFewest);
}

TEST(ZooUnits, AreCausal) {
  EXPECT_GE(for_each_unit([](const lang::Elaboration& e) { expect_causal(e, kLength); }), kFewest);
}

TEST(ZooUnits, GradientsMatchDifferences) {
  EXPECT_GE(for_each_unit([](const lang::Elaboration& e) { expect_gradient(e, 5); }), kFewest);
}

// Calls f with every design and its name, from tokens to logits, including those with shared and tied
// parameters, and returns the number of designs.
template <class F>
int for_each_design(const F& f) {
  int count = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items)
      if (const auto* design = std::get_if<lang::Design>(&item.value)) {
        SCOPED_TRACE(design->name);
        lang::Elaboration e;
        for (int width : {16, 32, 64}) {
          lang::ElaborateOptions options;
          options.width = width;
          options.vocab = 7;
          e = lang::elaborate(zoo::library(), *design, options);
          if (e.ok()) break;
        }
        if (!e.ok()) ADD_FAILURE() << format_error(std::string(entry.file), e.errors[0]);
        if (!e.ok()) continue;
        f(e, design->name);
        ++count;
        if (::testing::Test::HasFatalFailure()) return count;
      }
  return count;
}

constexpr int kFewestDesigns = 35;

// Quotients on which no jump depends become products, for which there are faster patterns. In four designs a
// jump depends on activations: top_k of experts, a root of 1 - a^2, and denominators that scans carry.
TEST(ZooDesigns, HaveFewQuotientsThatDecide) {
  int before = 0;
  std::set<std::string> with_quotients;
  for_each_design([&](const lang::Elaboration& e, const std::string& name) {
    const auto count = [](const ir::Graph& graph) {
      int divisions = 0;
      for (const ir::Body& body : graph.bodies)
        for (const ir::Node& n : body.nodes) divisions += n.op == ir::Op::kDiv ? 1 : 0;
      return divisions;
    };
    before += count(e.graph);
    if (count(ir::with_reciprocals(e.graph)) > 0) with_quotients.insert(name);
  });
  EXPECT_GT(before, 300);
  EXPECT_EQ(with_quotients,
            (std::set<std::string>{"Griffin", "LinearTransformer", "MixtureOfExperts", "RWKVFour"}));
}

TEST(ZooDesigns, StepEqualsParallel) {
  EXPECT_GE(for_each_design(
                [](const lang::Elaboration& e, const std::string&) { expect_step_equals_parallel(e, 5); }),
            kFewestDesigns);
}

TEST(ZooDesigns, AreCausal) {
  EXPECT_GE(for_each_design([](const lang::Elaboration& e, const std::string&) { expect_causal(e, 4); }),
            kFewestDesigns);
}

TEST(ZooDesigns, GradientsMatchDifferencesSlow) {
  EXPECT_GE(for_each_design([](const lang::Elaboration& e, const std::string&) { expect_gradient(e, 3); }),
            kFewestDesigns);
}

// The comment above the first item must give an arXiv id, a year and a recurrence.
TEST(ZooFiles, NameSourceAndRecurrence) {
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) {
    // A control comes from no paper.
    if (entry.file == "prelude.gab" || entry.text.starts_with("# A control")) continue;
    SCOPED_TRACE(entry.file);
    std::string header(entry.text.substr(0, entry.text.find("\n\n")));
    header.resize(std::min(header.find("\nunit "), std::min(header.find("\nfn "), header.size())));
    EXPECT_NE(header.find("arXiv "), std::string::npos) << "no arXiv id";
    EXPECT_TRUE(header.find(" 20") != std::string::npos || header.find(" 19") != std::string::npos)
        << "no year";
    const std::size_t formula = header.find("\n#   ");
    ASSERT_NE(formula, std::string::npos) << "no recurrence";
    EXPECT_NE(header.find(" = ", formula), std::string::npos) << "no recurrence";
  }
}

TEST(ZooFiles, AreValidCanonicalAndDistinct) {
  std::set<std::string> names;
  std::set<std::string> hashes;
  int designs = 0;
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) {
    SCOPED_TRACE(entry.file);
    const lang::CheckReport report = lang::check(entry.text, zoo::library());
    for (const Error& e : report.errors) ADD_FAILURE() << format_error(std::string(entry.file), e);
    EXPECT_EQ(lang::print(report.program), entry.text) << "run `gabbro fmt`";
    for (const lang::Item& item : report.program.items)
      EXPECT_TRUE(names.insert(lang::item_name(item)).second) << lang::item_name(item);
    for (const lang::Subject& s : report.subjects) {
      if (!s.is_design) continue;
      ++designs;
      EXPECT_TRUE(s.facts.mixes_tokens) << s.name;
      EXPECT_TRUE(hashes.insert(to_hex(s.hash)).second)
          << s.name << " is the same function as another design";
    }
  }
  EXPECT_GE(designs, 2);
}

}  // namespace
}  // namespace gabbro::testing
