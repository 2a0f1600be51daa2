// Chunkwise forms of recurrences: which scans get one, and that torch on the lowered graph gives what the reference gives on the
// graph as it was written, forward and backward.
#include <gtest/gtest.h>

#include <map>

#include "edit/build.h"
#include "edit/generate.h"
#include "ir/chunk.h"
#include "ir/facts.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "torch/agree.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::testing {
namespace {

constexpr double kDouble = 1e-8, kFloat = 1e-4;
constexpr ir::ChunkOptions kSmall{.scalar = 4, .rank = 4, .channel = 4};  // short sequences have many chunks

lang::Elaboration elaborated(const lang::Program& program, const lang::Expr& instance, std::int64_t width) {
  lang::Library library = zoo::library();
  EXPECT_TRUE(library.add(program).empty());
  lang::ElaborateOptions options;
  options.width = width;
  lang::Elaboration e = lang::elaborate(library, instance, options);
  for (const Error& error : e.errors) ADD_FAILURE() << format_error("unit", error);
  return e;
}

lang::Elaboration unit(const std::string& instance, std::int64_t width = 16) {
  return elaborated({}, *lang::parse_expression(instance), width);
}

// One letter per state of the scans of a graph: S step form, D diagonal, C chunks.
std::string forms(const ir::Chunked& chunked) {
  std::string out;
  for (const ir::ChunkedState& state : chunked.states) out += "SDC"[static_cast<int>(state.form)];
  return out;
}

void expect_same(lang::Elaboration e, int sequences, int length, const ir::ChunkOptions& options,
                 bool single = true) {
  ASSERT_TRUE(e.ok());
  ir::Chunked lowered = ir::chunk_scans(e.graph, options);
  const Result<bool> verified = ir::verify(lowered.graph);
  ASSERT_TRUE(verified.has_value()) << verified.error().message;
  std::vector<ir::NodeId> outputs;
  for (const ir::NodeId id : e.outputs) outputs.push_back(lowered.map[id]);
  Sequences s = random_sequences(e, sequences, length, 3);
  const auto inputs = static_cast<int>(s.feeds[0].inputs.size());
  const std::vector<ir::NodeId> wanted = with_gradients(e, s);
  const std::vector<ir::NodeId> lowered_wanted = gradient_nodes(lowered.graph, outputs, inputs);
  const Result<bool> differentiated = ir::verify(lowered.graph);
  ASSERT_TRUE(differentiated.has_value()) << differentiated.error().message;
  EXPECT_EQ(
      lowering_disagreement(e.graph, wanted, lowered.graph, lowered_wanted, s, kDouble, single ? kFloat : 0),
      "");
}

struct Case {
  const char* unit;
  const char* forms;
  const char* why;
};

// Every unit of the zoo with a recurrence.
constexpr Case kZoo[] = {
    {"LinearAttention", "CD", "the normaliser has no value axis"},
    {"Retention", "C", "a fixed decay per head"},
    {"Mamba2", "C", "a decay per head"},
    {"GLA", "C", "a decay per key channel"},
    {"HGRN2", "C", "a decay per key channel, 1 - decay as the key"},
    {"RWKV6", "C", "reads before the update"},
    {"GSA", "CC",
     "decays per value channel, then per key channel; the second is read at what the first gives"},
    {"DeltaNet", "C", "one rank-1 term"},
    {"GatedDeltaNet", "C", "a decay per head before the rank-1 term"},
    {"DeltaProduct", "C", "two rank-1 terms"},
    {"DeltaProduct(steps=3)", "C", "three rank-1 terms"},
    {"Comba", "C", "the removed key differs from the written one"},
    {"KDA", "C", "a decay per key channel before the rank-1 term"},
    {"RWKV7", "C", "a decay per key channel beside the rank-1 term"},
    {"MLSTM", "CDS", "the running maximum is no linear recurrence; given it, the memory is"},
    {"Mamba", "D", "a decay per channel and state: no value axis"},
    {"RGLRU", "D", "the state itself leaves the step"},
    {"RWKV4", "DDS", "as MLSTM"},
    {"SLSTM", "SSSS", "its gates see the previous output through a matrix and a tanh"},
    {"Titans", "SS", "two memories that read each other"},
    {"TTTLinear", "SS", "the inner gradient passes a norm"},
    {"TTTMLP", "SSSS", "the inner model is not linear"},
};

TEST(Chunks, OfTheZoo) {
  for (const Case& c : kZoo) {
    SCOPED_TRACE(c.unit);
    const lang::Elaboration e = unit(c.unit);
    ASSERT_TRUE(e.ok());
    const ir::Chunked lowered = ir::chunk_scans(e.graph);
    std::string reasons;
    for (const ir::ChunkedState& state : lowered.states) reasons += state.reason + "; ";
    EXPECT_EQ(forms(lowered), c.forms) << c.why << "; " << reasons;
  }
}

// The table names every unit of the zoo with a scan of its own.
TEST(Chunks, TableIsComplete) {
  std::map<std::string, bool> named;
  for (const Case& c : kZoo) named[std::string(c.unit).substr(0, std::string(c.unit).find('('))] = true;
  for (const zoo::Entry& entry : zoo::embedded_files())
    for (const lang::Item& item : zoo::program(entry.file)->items) {
      const auto* u = std::get_if<lang::Unit>(&item.value);
      if (!u) continue;
      bool scans = false;
      for (const lang::Stmt& stmt : u->body) scans = scans || stmt.kind == lang::Stmt::Kind::kScan;
      EXPECT_TRUE(!scans || named[u->name]) << u->name << " is not in the table";
    }
}

TEST(Chunks, AgreeOnTheZoo) {
  for (const Case& c : kZoo) {
    if (std::string(c.forms).find_first_not_of('S') == std::string::npos) continue;
    for (const int length : {1, 3, 4, 5, 11}) {
      SCOPED_TRACE(std::string(c.unit) + ", length " + std::to_string(length));
      expect_same(unit(c.unit), 3, length, kSmall);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace gabbro::testing
