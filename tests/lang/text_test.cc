// Runs the text tests in tests/lang/cases: each is a program and the exact output of check.
//
// A case starts with `=== name`, and the answer with `---`. GABBRO_UPDATE=1 rewrites the answers; read the
// diff before you commit them.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "lang/check.h"
#include "paths.h"
#include "zoo/library.h"

namespace gabbro::lang {
namespace {

std::string reach_text(const ir::Reach& r) {
  if (r.empty()) return "reads nothing";
  const std::string first = r.first == -ir::Reach::kFar ? "far" : fmt::format("{}", r.first);
  return fmt::format("reach [{}, {}]", first, r.last);
}

std::string answer(const std::string& program) {
  const CheckReport report = check(program, zoo::library());
  std::string out;
  for (const Error& e : report.errors) out += format_error("", e).substr(1) + "\n";
  if (!report.valid()) return out;
  for (const Subject& s : report.subjects)
    out += fmt::format("{}: {}, {}, params {}, state {}, depth {}\n", s.name, reach_text(s.facts.reach),
                       s.facts.complexity, s.facts.params.to_string(), s.facts.state_bytes.to_string(),
                       s.facts.parallel_depth.to_string());
  return out;
}

struct Case {
  std::string name, program, expected;
};

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<Case> cases;
  std::string line;
  bool in_answer = false;
  while (std::getline(in, line)) {
    if (line.starts_with("=== ")) {
      cases.push_back({line.substr(4), "", ""});
      in_answer = false;
    } else if (line == "---") {
      in_answer = true;
    } else if (!cases.empty()) {
      (in_answer ? cases.back().expected : cases.back().program) += line + "\n";
    }
  }
  return cases;
}

TEST(Text, Cases) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(source_path("/tests/lang/cases"))) {
    if (entry.path().extension() != ".test") continue;
    std::vector<Case> cases = read_cases(entry.path());
    std::string rewritten;
    for (Case& c : cases) {
      ++count;
      const std::string got = answer(c.program);
      while (c.expected.ends_with("\n\n")) c.expected.pop_back();
      if (!std::getenv("GABBRO_UPDATE")) {
        EXPECT_EQ(got, c.expected) << entry.path().filename() << ": " << c.name;
      }
      rewritten += "=== " + c.name + "\n" + c.program + "---\n" + got + "\n";
    }
    if (std::getenv("GABBRO_UPDATE")) std::ofstream(entry.path()) << rewritten;
  }
  EXPECT_GT(count, 40) << "the cases were not found";
}

// Blocks add values of size 1 to the stream, which would drown out small embeddings. A tied table starts
// small, as an output, so its rows are scaled.
TEST(Design, TokensEnterAtTheSizeOfTheStream) {
  for (const bool tied : {false, true}) {
    const CheckReport report = check(
        fmt::format("design M:\n    width = 128\n    tied = {}\n    stack = Block\n", tied), zoo::library());
    ASSERT_TRUE(report.valid());
    const ir::Graph& graph = report.subjects.back().elaboration.graph;
    const auto& nodes = graph.bodies[0].nodes;
    const auto lookup =
        std::find_if(nodes.begin(), nodes.end(), [](const ir::Node& n) { return n.op == ir::Op::kLookup; });
    ASSERT_NE(lookup, nodes.end());
    const ir::Param& table = graph.params[static_cast<std::size_t>(nodes[lookup->in[0]].index)];
    double factor = 1;
    for (const ir::Node& n : nodes)
      if (n.op == ir::Op::kMul && nodes[n.in[0]].op == ir::Op::kLookup && nodes[n.in[1]].op == ir::Op::kConst)
        factor = nodes[n.in[1]].value;
    EXPECT_EQ(table.role, tied ? ir::Role::kOutput : ir::Role::kInput);
    const double deviation =
        tied ? 1.0 / static_cast<double>(ir::elements(graph, table.fan_in)) : table.init.a;
    EXPECT_DOUBLE_EQ(deviation * factor, 1) << "tied = " << tied;
  }
}

}  // namespace
}  // namespace gabbro::lang
