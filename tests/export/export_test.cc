// Exports the zoo and random designs, and compares the modules with the reference in Python (compare.py).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "edit/edit.h"
#include "edit/generate.h"
#include "evolve/depth.h"
#include "export/case.h"
#include "export/export.h"
#include "export/sized.h"
#include "ir/op.h"
#include "lang/check.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "paths.h"
#include "zoo/embedded.h"
#include "zoo/hostile_unit.h"
#include "zoo/library.h"
#include "zoo/sized.h"

namespace gabbro::testing {
namespace {

namespace fs = std::filesystem;

const std::string kSource = source_path();
const std::string kPython = kSource + "/.venv/bin/python";

#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitized = true;  // Only the export itself runs: Python and the reference cost many minutes.
#else
constexpr bool kSanitized = false;
#endif

bool has_torch() {
  if (kSanitized) return true;
  return fs::exists(kPython) &&
         std::system((kPython + " -W ignore -c 'import torch' 2>/dev/null").c_str()) == 0;
}

// Runs Python with these arguments. Returns its exit status.
int python(const std::string& arguments) {
  return kSanitized ? 0 : std::system((kPython + " -W ignore " + arguments).c_str());
}

// A folder of cases, which compare() checks in Python; it is removed if the test passes.
class Cases {
 public:
  explicit Cases(const std::string& name)
      : folder_((fs::temp_directory_path() / ("gabbro-export-" + name + "-" + std::to_string(getpid())))
                    .string()) {
    fs::create_directories(folder_);
  }
  ~Cases() {
    if (!::testing::Test::HasFailure()) fs::remove_all(folder_);
  }

  void add(const lang::Program& program, const std::string& name,
           const std::vector<int>& widths = {16, 32, 48, 64, 96, 128},
           const Rows& rows = {{3, 5}, {1, 4, 3}}) {
    SCOPED_TRACE(name + "\n" + lang::print(program));
    const std::string wrong = write_case(program, folder_ + "/" + name, 5, widths, rows, kSanitized);
    if (wrong.starts_with("skip: ")) return;
    EXPECT_EQ(wrong, "");
    if (wrong.empty()) ++count_;
  }

  // Expects that all cases agree.
  void compare() const {
    if (kSanitized) return;
    const std::string out = folder_ + "/results.txt";
    const int status = python(kSource + "/tests/export/compare.py " + folder_ + "/*/ > " + out + " 2>&1");
    std::ifstream file(out);
    int agreed = 0;
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("ok ")) ++agreed;
      if (line.starts_with("FAIL")) ADD_FAILURE() << line << "\nThe case is kept in " << folder_;
    }
    EXPECT_EQ(agreed, count_);
    EXPECT_EQ(status, 0);
  }
  [[nodiscard]] int count() const { return count_; }

 private:
  std::string folder_;
  int count_ = 0;
};

void compare_random(std::uint64_t first, std::uint64_t count) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  Cases cases("random" + std::to_string(first));
  edit::UnitCatalogue catalogue(zoo::library());
  for (std::uint64_t i = first; i < first + count; ++i) {
    Random random = Random(77).split(i);
    cases.add(edit::random_program(random, catalogue, {.unit_size = 8, .most_layers = 3}),
              "random" + std::to_string(i));
  }
  EXPECT_GE(cases.count(), static_cast<int>(count * 9 / 10));
  cases.compare();
}

TEST(ExportAgrees, OnTheZoo) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  Cases cases("zoo");
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) {
    const lang::Program* program = zoo::program(entry.file);
    // Two blocks, the second of which reads what the first one wrote.
    if (lang::last_design(*program))
      cases.add(evolve::with_blocks(*program, 2), fs::path(entry.file).stem().string());
  }
  EXPECT_GE(cases.count(), 38);
  cases.compare();
}

// Rows of several chunks, in which documents begin and end inside chunks, at their borders, and beyond them.
const Rows kLongRows = {{3, 64, 7, 1, 5}, {80}};

// Returns the units of a file of the zoo, with a design of this stack.
lang::Program with_stack(const std::string& file, const std::string& stack) {
  lang::Program program = *zoo::program(file);
  std::erase_if(program.items,
                [](const lang::Item& item) { return std::holds_alternative<lang::Design>(item.value); });
  const lang::ParseResult parsed = lang::parse("design Long:\n    stack = [" + stack + "]\n");
  program.items.push_back(parsed.program.items[0]);
  return program;
}

TEST(ExportAgrees, OnRowsOfSeveralChunks) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  Cases cases("long");
  for (const auto& [file, unit] :
       std::vector<std::pair<std::string, std::string>>{{"mamba2", "Mamba2"},
                                                        {"gated_deltanet", "GatedDeltaNet"},
                                                        {"rwkv6", "RWKV6"},
                                                        {"rwkv7", "RWKV7"},
                                                        {"deltaproduct", "DeltaProduct"},
                                                        {"kda", "KDA"},
                                                        {"mlstm", "MLSTM"},
                                                        {"mamba", "Mamba"},
                                                        {"gsa", "GSA"},
                                                        {"rwkv4", "RWKV4"},
                                                        {"sliding", "Attention(window=16)"}})
    cases.add(with_stack(file + ".gab", "LayerNorm, " + unit), file, {16}, kLongRows);
  EXPECT_EQ(cases.count(), 11);
  cases.compare();
}

// Adds designs of up to four of some units, one after the other.
void add_units(Cases& cases, const std::string& name, const std::vector<std::string>& units, int width,
               const Rows& rows) {
  for (std::size_t first = 0; first < units.size(); first += 4) {
    std::string text, stack;
    for (std::size_t i = first; i < std::min(units.size(), first + 4); ++i) {
      text += fmt::format("unit M{}(x: [t, D]) -> [t, D]:\n{}\n", i, units[i]);
      stack += fmt::format("M{}, RMSNorm, ", i);
    }
    const lang::ParseResult parsed = lang::parse(text + "design T:\n    stack = [" + stack + "RMSNorm]\n");
    ASSERT_TRUE(parsed.errors.empty()) << parsed.errors[0].message;
    cases.add(parsed.program, fmt::format("{}-{}", name, first), {width}, rows);
  }
}

// Compares a design of each unit with the reference, on short rows and packed ones. All of them are valid.
void compare_units(const std::string& name, const std::vector<std::string>& units) {
  Cases cases(name);
  for (std::size_t i = 0; i < units.size(); ++i)
    add_units(cases, std::to_string(i), {units[i]}, 8, {{3, 5}, {1, 4, 3}});
  EXPECT_EQ(cases.count(), static_cast<int>(units.size()));
  cases.compare();
}

// Recurrences in chunks whose decays are products of numbers, parameters, gates, powers and what positions
// alone tell, and whose operands may be the same at all positions.
void compare_decays(const std::vector<std::string>& lists_of_heads) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  Cases cases("decays");
  for (const std::string& heads : lists_of_heads) {
    const std::string comma = heads.empty() ? "" : ", ";
    const std::string with_k = "[" + heads + comma + "k]", only = "[" + heads + "]";
    std::vector<std::string> decays = {
        "sigmoid(linear(x, " + only + ") + 3) * S",
        "0.95 * sigmoid(linear(x, " + only + ") + 3) * S",
        "0.95 * sigmoid(linear(x, " + with_k + ") + 3) * S",
        "0.95 * sigmoid(linear(x, []) + 3) * S",
        "(0.95 * sigmoid(linear(x, [k]))) ** 0.5 * S",
        "0.9 * (0.95 * S)",
        "0.95 * (sigmoid(param(" + only + ", init=2)) * S)",
        "0.95 * sigmoid(param(" + with_k + ", init=2)) * S",
        "sigmoid(param([], init=2)) * sqrt(0.9 * sigmoid(param([k], init=2))) * S",
        "0.9 ** softplus(linear(x, " + only + ")) * (0.9 * S)",
        "sqrt(broadcast(0.9, [k])) * (broadcast(0.8, [k]) ** 2 * S)",
        "0.95 * exp(-0.1 * sin(position()) ** 2) * S"};
    std::vector<std::string> linear, delta;
    for (const std::string& decay : decays) {
      const std::string begin = fmt::format(
          "    axis g = 2, h = 3, k = 4, v = 5\n    q = linear(x, {0})\n    key = tanh(linear(x, {0}))\n"
          "    val = linear(x, [{1}{2}v])\n    scan S: [{1}{2}k, v] = 0:\n        S = {3}",
          with_k, heads, comma, decay);
      const std::string end =
          "        y = dot(q, S, over=k)\n    return x + 0.1 * linear(y, D) + 0 * size([g, h])\n";
      linear.push_back(begin + " + key * val\n" + end);
      delta.push_back(begin + "\n        S = S + 0.1 * key * (val - dot(key, S, over=k))\n" + end);
    }
    add_units(cases, "linear" + std::to_string(heads.size()), linear, 8, kLongRows);
    add_units(cases, "delta" + std::to_string(heads.size()), delta, 8, kLongRows);
  }
  std::vector<std::string> operands;
  const std::string all[] = {"linear(x, k)", "param([k], init=normal(1))", "sin(position() * (1 + iota(k)))"};
  for (const std::string& key : all)
    for (const std::string& q : all)
      for (const std::string value : {"linear(x, v)", "param([v], init=normal(1))"})
        operands.push_back(fmt::format(
            "    axis k = 4, v = 5\n    q = {}\n    key = {}\n    val = {}\n    scan S: [k, v] = 0:\n"
            "        S = 0.9 * S + key * val\n        y = dot(q, S, over=k)\n    return x + 0.1 * linear(y, "
            "D)\n",
            q, key, value));
  add_units(cases, "operands", operands, 8, kLongRows);
  EXPECT_EQ(cases.count(), 5 + 6 * static_cast<int>(lists_of_heads.size()));
  cases.compare();
}

TEST(ExportAgrees, OnDecaysOfEveryKind) { compare_decays({"h"}); }
TEST(ExportAgrees, OnDecaysOfEveryKindSlow) { compare_decays({"", "g, h"}); }

// Values that depend on the position alone have a batch of one when a scan begins.
TEST(ExportAgrees, OnStatesOfPositions) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  Cases cases("positions");
  add_units(cases, "scan",
            {"    y = linear(x, D)\n    p = sin(position())\n    scan a: [] = 0, b: [D] = 301:\n"
             "        a = tanh(0.5 * a + p + 0.1 * mean(b))\n        b = tanh(b + a + y)\n"
             "    return x + linear(b, D) * a\n",
             "    y = linear(x, D)\n    p = position()\n    scan a: [] = 1, b: [] = 0:\n"
             "        b = tanh(a + 0.1 * sum(y, over=D) + b * a)\n        a = cos(a + p)\n"
             "    return x + linear(x, D) * a * b\n"},
            8, {{3, 5}, {1, 4, 3}});
  EXPECT_EQ(cases.count(), 1);
  cases.compare();
}

// Scans whose decays and readings hold numbers, and operands of other types than those around them.
TEST(ExportAgrees, OnNumbersAndConditionsInScans) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  std::vector<std::string> units;
  for (const char* next : {"where(g > 0.5, u, S)", "2 * S / 3 + u", "-S / 3 + u", "maximum(S - 0.1, u)",
                           "maximum(2 * (S + 0.1) / 3, u)", "S + (u - S) * 0.5", "(u - S) * 0.5",
                           "S * (1 - 0.25) * 0.5 + u", "where(even, u, 0.5 * S)"})
    units.push_back(
        fmt::format("    u = linear(x, D)\n    g = sigmoid(linear(x, D))\n    even = position() % 2 == 0\n"
                    "    scan S: [D] = 0:\n        S = {}\n    return x + S * g * (1 + even)\n",
                    next));
  for (const char* read :
       {"sum(q * (S + key * val), over=k)", "sum(q * S, over=k) + val * sum(q * key, over=k)",
        "sum(0.5 * q * (S - key * val), over=k)", "sum(S + key * val, over=k) * sum(q, over=k)"})
    for (const bool before : {true, false}) {
      const std::string y = fmt::format("        y = {}\n", read), s = "        S = 0.9 * S + key * val\n";
      units.push_back(
          "    axis k = 4, v = 5\n    q = linear(x, k)\n    key = linear(x, k)\n    val = linear(x, v)\n"
          "    scan S: [k, v] = 0:\n" +
          (before ? y + s : s + y) + "    return x + linear(y, D)\n");
    }
  for (const char* value :
       {"concat(x, D, broadcast(sin(position()), [e]), e, c)",
        "concat(broadcast(sin(position()), [e]), e, x, D, c)",
        "concat(x // 0.7, D, broadcast(position() % 3, [e]), e, c)",
        "concat(floor(x * 40) // 7, D, broadcast(position() // 3 % (2 + position()), [e]), e, c)",
        "concat(x % -0.3, D, param([e], init=normal(1)), e, c)"})
    units.push_back(fmt::format("    axis e = 2, c = D + 2\n    return x + linear({}, D)\n", value));
  compare_units("forms", units);
}

// In the language, a >= b is not (a < b), which is true where one of them is NaN; 0 times NaN is 0.
TEST(ExportAgrees, OnComparisonsOfNaN) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  std::vector<std::string> units;
  const std::string nan = "    zero = x - x\n    n = where(x > 0, zero / zero, x)\n";
  for (const char* op : {"<", "<=", ">", ">=", "=="}) {
    for (const char* operands :
         {"n {} 0.2", "0.2 {} n", "n {} x", "x {} n", "n {} n", "n {} position()", "n * position() {} 1",
          "0 * n {} 0", "n * 0 {} 0 / n", "position() * n {} position() % 3",
          "0 * n + position() - 2 {} 2 * position()", "-n {} maximum(n, x)", "(n > 0) {} (x > n)",
          "1 - (n < x) {} n"}) {
      const std::string compared = fmt::format(fmt::runtime(operands), op);
      units.push_back(nan + fmt::format("    return where({}, x, linear(x, D))\n", compared));
    }
    units.push_back(nan + fmt::format("    w = where(past(n) {} x, 1, 0.5) * (past(n) {} 0.1)\n"
                                      "    return x + linear(sum(w * past(x), over=s), D)\n",
                                      op, op));
    units.push_back(nan + fmt::format("    scan S: [D] = 0:\n        bad = where(S > 0.1, zero / zero, S)\n"
                                      "        S = where(bad {} 0.2 * n, 0.5 * S + x, x - S)\n"
                                      "    return x + linear(S, D)\n",
                                      op));
  }
  compare_units("nan", units);
}

// The sign of a zero decides nothing: 1 divided by it is plus infinity. 0 times anything is 0, however it is
// written.
TEST(ExportAgrees, OnSignsOfZeros) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  std::vector<std::string> units;
  const std::string zeros = "    pz = position() // 100000\n    z = where(position() % 2 == 0, pz, -pz)\n";
  for (const char* zero : {"maximum(z, 0)", "minimum(z, 0)", "max(past(z), over=s)",
                           "sum(past(z, 3), over=s)", "z + 0", "abs(z)", "relu(z)", "z", "-z"})
    for (const char* inverse :
         {"1 / zero", "zero ** -1", "zero ** -3", "zero ** (0 - position())", "(1 + x * x) // zero"})
      units.push_back(zeros +
                      fmt::format("    zero = {}\n    m = {}\n    return where(m < 0, x, linear(x, D))\n",
                                  zero, inverse));
  for (const char* value : {"gain * bad", "bad * gain", "gain / bad", "(2 - 2) * bad", "(D - D) * bad",
                            "-0 * bad", "0 // bad", "gain // bad"})
    units.push_back(fmt::format(
        "    gain = 1 - 1\n    bad = log(position())\n    return linear(x, D) + {} + gain\n", value));
  // A negative number may underflow to a zero with a sign.
  for (const char* e :
       {"-exp(-1000 * (1 + x * x))", "-softplus(-1000 * (1 + x * x))", "-(2 ** (-2000 - x * x))"})
    for (const char* inverse : {"1 / e", "e ** -1"})
      units.push_back(
          fmt::format("    e = {}\n    m = {}\n    return where(m < 0, x, linear(x, D))\n", e, inverse));
  compare_units("zeros", units);
}

TEST(ExportAgrees, OnResultsThatUnderflow) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  std::vector<std::string> units;
  for (const char* small : {"sigmoid(-720 * late)", "sigmoid(-700 * late)", "-silu(-720 * late)",
                            "exp(368 * late) ** -2", "exp(300 * late) ** -2", "exp(-350 * late) ** -2"})
    units.push_back(
        fmt::format("    late = where(position() >= 5, 1, 0)\n    m = {}\n    return linear(x, D) * "
                    "where(m > 0, 1, 2)\n",
                    small));
  compare_units("underflow", units);
}

// A step may give a state its axes in another order than declared. Axes of one size show it as another
// function, others as an error.
TEST(ExportAgrees, OnStatesInAnotherOrder) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  std::vector<std::string> units;
  for (const int k : {3, 4})
    for (const char* next :
         {"sigmoid(linear(x, [k, h])) * S + linear(x, [k, h])",
          "sigmoid(linear(x, [k, h])) * S + linear(x, [h, k])", "linear(x, [k, h]) + 0.9 * S",
          "maximum(linear(x, [k, h]), S)", "linear(x, k) * linear(x, h) + sigmoid(linear(x, [k, h])) * S"})
      for (const char* read :
           {"sum(S * linear(x, [h, k]), over=k)", "dot(linear(x, k), S, over=k)", "S * linear(x, [h, k])"})
        for (const bool before : {true, false}) {
          const std::string y = fmt::format("        y = {}\n", read),
                            s = fmt::format("        S = {}\n", next);
          units.push_back(
              fmt::format("    axis h = 3, k = {}\n    scan S: [h, k] = 1:\n{}    return x + 0.1 * "
                          "linear(y, D) + 0.1 * linear(S, D)\n",
                          k, before ? y + s : s + y));
        }
  compare_units("order", units);
}

// Comparisons are numbers wherever they are used, and numbers stay numbers when they are reduced. What does
// not depend on a state is computed before its scan.
TEST(ExportAgrees, OnTypesOfOperands) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  std::vector<std::string> units;
  for (const char* value :
       {"(detach(x > 0) + detach(shift(x, 1) > 0)) * linear(x, D)", "(detach(x > 0) - x) * linear(x, D)",
        "linear(detach(x > 0) * 3, D)", "exp(sum(2)) * linear(x, D)", "mean(2) ** 0.5 * linear(x, D)",
        "maximum(sum(2), x) * linear(x, D)", "(max(3) // 2) * linear(x, D)"})
    units.push_back(fmt::format("    return {}\n", value));
  for (const char* next :
       {"tanh(linear(x, D) + (position() % 4 > 0) * S)", "tanh(x % 0.3 + S)",
        "tanh(S % (1 + position() % 3) + linear(x, D))", "tanh(S + x + (position() // 3) % 2)"})
    units.push_back(fmt::format("    scan S: [D] = 0:\n        S = {}\n    return linear(S, D)\n", next));
  // Comparisons over pairs, of pasts alone and of both positions.
  for (const char* value :
       {"take(past(z) > 0, k, 0) + take(past(z) > 0, k, 1)", "sum(past(z) > 0.3, over=k)",
        "take(z > past(z), k, 0) + take(past(z) > 0, k, 1)", "take((z > past(z)) * (past(z) > 0.3), k, 2)",
        "take((past(z) > 0.3) * softmax(past(z), over=s), k, 1)"})
    units.push_back(
        fmt::format("    axis k = 8\n    z = linear(x, k)\n"
                    "    return x + linear(sum(({}) * past(linear(x, D)), over=s) / 9, D)\n",
                    value));
  compare_units("types", units);
}

// Functions of a distance that have no derivative where a position does not see another.
TEST(ExportAgrees, OnFunctionsOfDistance) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  std::vector<std::string> units;
  for (const char* weight :
       {"(1 - lag(4) / 4) ** softplus(linear(x, h))", "(1 - lag(4) / 4) ** softplus(param([h], init=1))",
        "softmax(linear(x, h) / (4 - lag(4)), over=s)",
        "softmax(linear(x, h) / (position() + 1 - lag()), over=s)",
        "param([h], init=0.5) * log(position() + 1 - lag())", "sqrt(position() + 1 - lag()) * linear(x, h)"})
    units.push_back(
        fmt::format("    axis h = 2, k = 4\n    w = {}\n"
                    "    return x + linear(sum(w * past(linear(x, [h, k]){}), over=s), D)\n",
                    weight, std::string_view(weight).find("lag(4)") == std::string_view::npos ? "" : ", 4"));
  compare_units("distance", units);
}

// A decay may have some of the axes over which a state is read, and not others.
TEST(ExportAgrees, OnDecaysOfSomeContractedAxes) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  std::vector<std::string> units;
  for (const char* axis : {"h", "j", "[h, j]"})
    units.push_back(fmt::format(
        "    axis v = 8, h = 2, j = 4\n    key = linear(x, [h, j])\n    q = linear(x, [j, h])\n"
        "    a = sigmoid(linear(x, {}))\n    scan S: [v, h, j] = 0:\n        S = linear(x, v) * key + S * a\n"
        "        y = dot(S, q, over=[h, j])\n    return x + 0.1 * linear(y, D)\n",
        axis));
  compare_units("part", units);
}

// Functions of pairs of positions have no value, or overflow, where t does not see s. Their gradient is not
// NaN, also in single precision at training length.
TEST(ExportAgrees, OnFunctionsOfPairs) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  Cases cases("pairs");
  std::vector<std::string> units;
  for (const char* weight :
       {"score * exp(c - past(c))", "softmax(score - sqrt(past(c) - c + 0.01), over=s)",
        "softmax(score - log(past(c) - c + 1), over=s)", "score / (past(c) - c + 1)",
        "score * (past(c) - c + 1) ** -0.5", "score * 2 ** (c - past(c))", "score * (past(c) - c + 1) ** 1.5",
        "score * decay(c - past(c))", "(score + c) * exp(-0.1 * lag()) / (1 + lag())"})
    units.push_back(
        fmt::format("    axis h = 2, k = 4\n    q = linear(x, [h, k])\n    key = linear(x, [h, k])\n"
                    "    c = cumsum(log_sigmoid(linear(x, h)))\n"
                    "    score = dot(q, past(key), over=k)\n    w = {}\n"
                    "    return x + linear(sum(w * past(key), over=s), D)\n",
                    weight));
  int number = 0;
  for (const std::string& unit : units) {
    const lang::ParseResult parsed =
        lang::parse("fn decay(x):\n    return exp(x)\nunit M(x: [t, D]) -> [t, D]:\n" + unit +
                    "design T:\n    stack = [M, RMSNorm]\n");
    ASSERT_TRUE(parsed.errors.empty()) << parsed.errors[0].message;
    cases.add(parsed.program, std::to_string(number++), {8}, {{260}, {100, 160}});
  }
  EXPECT_EQ(cases.count(), number);
  cases.compare();
}

// PyTorch has some functions in some cases only: whichever way one is written, its arguments make their
// parameters once.
TEST(ExportAgrees, OnArgumentsThatMakeParameters) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  Cases cases("arguments");
  std::vector<std::string> units;
  for (const char* value :
       {"softmax(linear(x, [h, k]), over=[h, k]) * z",
        "softmax(param([h, k], init=normal(1)), over=[h, k]) * z",
        "sum(softmax(dot(rope(z, k), rope(past(linear(x, [h, k])), k), over=k), over=s) * past(z), over=s)",
        "rope(param([h, k], init=normal(1)), k) * z", "rope(linear(x, [h, k]), k, base=100) * z",
        "sum(l2_normalize(past(linear(x, [h, k])), over=s) * past(z), over=s)",
        "sum(softmax(past(linear(x, [h, k])), over=[s, h]) * past(z), over=s)",
        "logsumexp(past(linear(x, [h, k])), over=[s, h]) + z", "relu(param([h, k], init=normal(1))) * z",
        "rms_normalize(x=linear(x, [h, k]), over=[h, k]) * z",
        "softmax(over=[h, k], x=linear(x, [h, k])) * z"})
    units.push_back(
        fmt::format("    axis h = 2, k = 4\n    z = linear(shift(x, 1), [h, k])\n    y = {}\n"
                    "    return x + linear(y, D)\n",
                    value));
  for (std::size_t i = 0; i < units.size(); ++i)
    add_units(cases, std::to_string(i), {units[i]}, 8, {{3, 5}, {1, 4, 3}});
  EXPECT_EQ(cases.count(), 11);
  cases.compare();
}

// Names of a program, and names that the module derives from them, hide no function and no class of the
// module.
TEST(ExportAgrees, OnNamesThatMeet) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  Cases cases("names");
  std::vector<std::string> programs = {
      "fn g(x):\n    return tanh(x) + 0.3 * x\nfn f(x):\n    a = g(x)\n    g = linear(a, D)\n    return g\n"
      "unit M(x: [t, D]) -> [t, D]:\n    return linear(f(shift(x, 1)), D)\n",
      "fn g(x):\n    return tanh(x) + 0.3 * x\nfn f(x):\n    a = g(x)\n    g = a * param([D], init=1.5)\n"
      "    return g\nunit M(x: [t, D]) -> [t, D]:\n    return linear(f(shift(x, 1)), D)\n",
      "fn f(x, n):\n    return tanh(x * n) if n > 1 else x * 0.5\nunit M(x: [t, D]) -> [t, D]:\n"
      "    f_1 = f(shift(x, 1), 1)\n    f_2 = f(x, 2)\n    return linear(f_1 + f_2, D)\n",
      "unit Inner(x: [t, D], n: int in {1 .. 9} = 2) -> [t, D]:\n"
      "    return linear(tanh(x) * n, D) if n > 2 else linear(x, D)\nunit M(x: [t, D]) -> [t, D]:\n"
      "    axis Inner2 = 16\n    a = Inner(x, n=2)\n    b = Inner(shift(x, 1), n=3)\n"
      "    return linear(linear(a + b, Inner2), D)\n",
      "unit M(x: [t, D], _a: Unit = RMSNorm, u_a: Unit = SwiGLU, u_a_: int in {1 .. 9} = 3) -> [t, D]:\n"
      "    axis u_a__ = u_a_ * 2\n    return linear(linear(_a(x) + u_a(shift(x, 1)), u_a__), D)\n",
      "unit M(x: [t, D], lambda_: Unit = SwiGLU, lambda: Unit = RMSNorm) -> [t, D]:\n"
      "    return linear(lambda(x) + lambda_(shift(x, 1)), D)\n"};
  for (const char* name : {"seen", "now", "like", "read", "past_y", "y_before", "step_", "h_2", "x_", "x_2",
                           "M2", "model", "weights", "y_2", "o_s", "at"})
    programs.push_back(fmt::format(
        "fn {0}(z):\n    return tanh(z) + 0.3 * z\nunit M(x: [t, D]) -> [t, D]:\n    axis h = 4, k = D / 4\n"
        "    y = {0}(linear(x, [h, k]))\n    q = linear({0}(x), [h, k])\n"
        "    w = softmax(dot(q, past(y), over=k) * lag() / (1 + lag()), over=s)\n    o = sum(w * past(y), "
        "over=s)\n"
        "    scan y_s: [h, k] = 0:\n        y_s = tanh((2 + y_s + {0}(o)) % 1.5)\n"
        "    return linear({0}(y_s), D)\n",
        name));
  for (std::size_t i = 0; i < programs.size(); ++i) {
    const lang::ParseResult parsed = lang::parse(programs[i] + "design " + (i % 2 ? "T" : "model") +
                                                 ":\n    stack = [2 * Block(mixer=M), RMSNorm]\n");
    ASSERT_TRUE(parsed.errors.empty()) << programs[i] << parsed.errors[0].message;
    cases.add(parsed.program, std::to_string(i), {16});
  }
  EXPECT_EQ(cases.count(), 22);
  cases.compare();
}

// Numbers of a program have the values that the engine gives them, although ints of Python are not rounded.
TEST(ExportAgrees, OnLargeWholeNumbers) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  Cases cases("ints");
  for (const char* number : {"1 + a * a - b * b - 2 * b", "(b * 30000000 - 1) // b - 29999999 + 0 * a",
                             "1 + (b * 30000000 - 1) % b + 0 * a", "(3 * a) // 2 - (3 * b) // 2",
                             "3 + a % 7 - b % 5", "1 + (a * 90000000 + 1) - a * 90000000 + 0 * b"}) {
    const lang::ParseResult parsed =
        lang::parse(fmt::format("unit M(x: [t, D], a: int in {{1 .. 200000000}} = 134217729, b: int in {{1 "
                                ".. 200000000}} = 134217728) -> "
                                "[t, D]:\n    c = {}\n    return linear(x * c + shift(x, 1), D)\ndesign T:\n "
                                "   stack = [M, RMSNorm]\n",
                                number));
    ASSERT_TRUE(parsed.errors.empty()) << parsed.errors[0].message;
    cases.add(parsed.program, std::to_string(cases.count()), {16});
  }
  EXPECT_EQ(cases.count(), 6);
  cases.compare();
}

// Formulas over x, y: [t, D], z: [t, h, k] and p: [D], beside the samples of the op table.
constexpr const char* kFormulas =
    "mean(past(x), over=s); mean(past(x, 3) * y, over=s); mean(past(z), over=[s, h]); cumsum(x); "
    "logsumexp(past(x) * y, over=s); rms_normalize(sum(past(x), over=s), over=D); max(past(x, 4), over=s) * "
    "x; "
    "sum(softcap(dot(z, past(z), over=k)) * past(x), over=s); x % 2 + y // 0.5; (1 + x * x) ** y; 2 ** x; "
    "sum(where(lag() < 2, past(x), 0.5 * past(y)), over=s); (x < y) + (y < x); linear(2 * (x < y), D); "
    "minimum(x, 0.3) + minimum(x, "
    "y); "
    "linear(z, D, over=k, per=h); linear(z, k, over=k, per=h, bias=true); linear(z, j, over=h, bias=true); "
    "linear(x, D, init=normal(0.1)) + linear(x, D, bias=true) + linear(y, D, bias=true); "
    "sum(lookup(param([h, k], init=normal(1)), lag(), over=h) * past(z), over=s); abs(x) + log_sigmoid(y); "
    "sum(softmax(dot(z, past(take(z, h, 0)), over=k) * k ** -0.5, over=s) * past(take(z, h, 1)), over=s); "
    "sum(softmax(dot(past(z), z, over=[h, k]) / 3, over=s) * past(sum(z, over=[h, k])), over=s); "
    "sum(softmax(softmax(past(x), over=s), over=s) * past(y), over=s); maximum(x, 0) ** 0.5; maximum(y, 0) "
    "** 0.3; "
    "sum(exp(past(x)) * past(y), over=s) / sum(exp(past(x)), over=s); "
    "sum(softmax(past(x, 5) + x, over=s) * softmax(past(y, 5), over=s), over=s); "
    "where(1 > 0, shift(x, 1), y); x + where(1 > 2, x, 0.5); where(1 > 0, 2, 3) * x; where(x < y, 2, 3); "
    "broadcast(2, [h]) * x";

TEST(ExportAgrees, OnEveryOp) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  Cases cases("ops");
  std::vector<std::string> lists{kFormulas};
  for (const ir::OpInfo& op : ir::all_ops()) lists.emplace_back(op.samples);
  int samples = 0;
  for (const std::string& formulas : lists) {
    std::stringstream list(formulas);
    for (std::string sample; std::getline(list, sample, ';'); ++samples) {
      const lang::ParseResult parsed = lang::parse(
          "unit Sample(x: [t, D], y: [t, D]) -> [t, D]:\n    axis h = 2, k = 3, j = 3, w = h * k * j\n"
          "    z = linear(x, [h, k])\n    p = param([D], init=0.5)\n    value = " +
          sample +
          "\n    total = sum(value * value)\n    return x + y + p + sum(z) + total * param([D], init=1) + 0 "
          "* w * h * k * j\n\nunit Two(x: [t, D]) -> [t, D], second: [t, D]:\n    return x, tanh(linear(x, "
          "D))\n\n"
          "unit Wrap(x: [t, D]) -> [t, D]:\n    a, b = Two(x)\n    return Sample(a, b)\n\n"
          "design M:\n    stack = [Wrap, RMSNorm]\n");
      ASSERT_TRUE(parsed.errors.empty()) << sample << parsed.errors[0].message;
      cases.add(parsed.program, "op" + std::to_string(samples), {6});
    }
  }
  EXPECT_GT(cases.count(), 70);
  cases.compare();
}

TEST(ExportAgrees, OnRandomDesigns) { compare_random(0, 4); }
TEST(ExportAgrees, OnRandomDesignsSlow) { compare_random(4, 396); }

// Units that read unseen values through products that overflow: with a scale of attention, with decays that
// are infinite or grow within a chunk, and with wide keys.
constexpr const char* kOverflows[] = {
    "    key = where(50 < slice(x, D, 0, c), 3e18, 0) + 0.01 * tanh(slice(x, D, 4, k))\n"
    "    q = 1 + 0.01 * tanh(slice(x, D, 0, k)) + 0 * tanh(slice(x, D, 0, c))\n"
    "    y = sum(softmax(dot(q, past(key), over=k) * 1e30, over=s) * past(slice(x, D, 0, c)), over=s)\n",
    "    g = where(50 < slice(x, D, 0, c), exp(1000 * slice(x, D, 0, c)), -0.1)\n"
    "    scan S: [c, k] = 0:\n"
    "        S = exp(g) * S + linear(x, [c, k]) * slice(x, D, 1, c)\n"
    "        y = dot(linear(x, [c, k]), S, over=k)\n",
    "    g = where(50 < slice(x, D, 0, k), 90, -0.1)\n"
    "    scan S: [k, c] = 0:\n"
    "        S = exp(g) * S + linear(x, k) * linear(x, c)\n"
    "        y = dot(slice(x, D, 1, k), S, over=k)\n",
    "    g = where(50 < slice(x, D, 0, k), 90, -0.1)\n    key = linear(x, k)\n"
    "    v = linear(x, c) * where(50 < slice(x, D, 0, c), 1e17, 1)\n"
    "    scan S: [k, c] = 0:\n"
    "        S = exp(g) * S\n"
    "        S = S + 0.1 * key * (v - dot(key, S, over=k))\n"
    "        y = dot(slice(x, D, 1, k), S, over=k)\n",
    "    g = where(50 < slice(x, D, 0, c), exp(1000 * slice(x, D, 0, c)), -0.1)\n    key = linear(x, k)\n"
    "    scan S: [k, c] = 0:\n"
    "        S = exp(g) * S\n"
    "        S = S + 0.1 * key * (linear(x, c) - dot(key, S, over=k))\n"
    "        y = dot(slice(x, D, 1, k), S, over=k)\n",
    // Decays with a number in them, which have neither heads nor channels.
    "    axis one = 1\n    key = linear(x, one)\n    a = sigmoid(linear(x, []) + 3 + 0 * size(k))\n"
    "    scan S: [one, c] = 0:\n"
    "        S = 0.95 * a * S + key * linear(x, c)\n"
    "        y = dot(linear(x, one), S, over=one)\n",
    "    a = 0.95 * sigmoid(linear(x, c) + 3)\n"
    "    scan S: [c, k] = 0:\n"
    "        S = a * S + linear(x, [c, k]) * slice(x, D, 1, k)\n"
    "        y = dot(linear(x, k), S, over=k)\n",
    "    v = linear(x, c)\n"
    "    w = where(v > 20, 3.4028234e38, v)\n"
    "    y = sum(softmax(dot(linear(x, k), past(linear(x, k)), over=k), over=s) * past(w), over=s)\n",
};

// Expects that no position of a module reads what it does not see (leaks.py): of the units above, and of
// random units that are written to leak.
void find_no_leaks(std::uint64_t first, std::uint64_t count) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  const fs::path folder = fs::temp_directory_path() / ("gabbro-export-leaks-" + std::to_string(getpid()));
  fs::create_directories(folder);
  std::ofstream file(folder / "modules.jsonl");
  std::size_t written = 0;
  const auto add = [&](const std::string& name, const std::string& unit) {
    const std::string text = unit + "\ndesign H:\n    width = 16\n    vocab = 32\n    stack = [Hostile]\n";
    const auto sized = zoo::sized_design(text, 0, 32);
    if (!sized) return;  // A random unit need not check.
    const auto module = pytorch::module_of(text, *sized);
    if (!module) return;
    file << nlohmann::json{{"name", name}, {"class", module->name}, {"source", module->source}, {"vocab", 32}}
         << "\n";
    ++written;
  };
  for (const char* body : kOverflows)
    add("overflow" + std::to_string(written),
        std::string("unit Hostile(x: [t, D]) -> [t, D]:\n    axis c = 4, k = 4\n") + body +
            "    code = where(y < 0, 1, 0) + where(0 <= y, 1, 0)\n"
            "    return x + linear(code, D) + linear(y, D)\n");
  EXPECT_EQ(written, std::size(kOverflows));
  for (std::uint64_t i = first; i < first + count; ++i) {
    Random random = Random(5).split(i);
    lang::ParseResult parsed = lang::parse(HostileUnit(random).write());
    if (!parsed.errors.empty()) continue;
    edit::tidy(parsed.program);
    add("hostile" + std::to_string(i), lang::print(parsed.program));
  }
  EXPECT_GE(written, std::size(kOverflows) + count / 3);
  file.close();
  const std::string out = folder / "results.txt";
  EXPECT_EQ(python(kSource + "/tests/export/leaks.py " + (folder / "modules.jsonl").string() + " > " + out +
                   " 2>&1"),
            0);
  std::ifstream results(out);
  std::size_t passed = 0;
  for (std::string line; std::getline(results, line);) {
    if (line.starts_with("ok ")) ++passed;
    if (line.starts_with("FAIL")) ADD_FAILURE() << line << "\nThe modules are kept in " << folder;
  }
  if (!kSanitized) {
    EXPECT_EQ(passed, written);
  }
  if (!::testing::Test::HasFailure()) fs::remove_all(folder);
}

TEST(ExportLeaks, OfHostileUnits) { find_no_leaks(0, 6); }
TEST(ExportLeaks, OfHostileUnitsSlow) { find_no_leaks(6, 300); }

pytorch::Module exported(const std::string& text) {
  const lang::CheckReport report = lang::check(text, zoo::library());
  for (const Error& e : report.errors) ADD_FAILURE() << format_error("text", e);
  if (!report.valid()) return {};
  lang::Library library = zoo::library();
  library.add(report.program);
  auto module =
      pytorch::write_module(library, *lang::last_design(report.program), report.subjects.back().elaboration);
  if (!module) {
    ADD_FAILURE() << module.error().message;
    return {};
  }
  return *module;
}

// Compiled code may keep numbers unrounded until they are stored, so that a value which only bf16 makes
// infinite passes a test of the rounded number.
TEST(ExportLeaks, OfCompiledAttentionSlow) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  const fs::path file =
      fs::temp_directory_path() / ("gabbro-export-compiled-" + std::to_string(getpid()) + ".py");
  std::ofstream(file)
      << exported("design H:\n    width = 16\n    vocab = 32\n    stack = [Attention]\n").source;
  EXPECT_EQ(python(kSource + "/tests/export/compiled_leaks.py " + file.string()), 0);
  fs::remove(file);
}

// The text of a program is data: nothing that a comment contains changes the code of its module.
TEST(Export, CommentsAreNoCode) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  const std::vector<std::string> comments = {"ends in a backslash \\",
                                             "two \\\\",
                                             "\"\"\"; raise SystemExit(3); \"\"\"",
                                             "\"\x05\"\x05\"; raise SystemExit(3); \"\x05\"\x05\"",
                                             "\"\x03\x04\"\x03\x04\"; raise SystemExit(3)",
                                             "\x03 9999999\x04 \x03\x01 D \x02 \x06 \x7f = \x7f",
                                             "one \" quote",
                                             "' \" \"\" \"\"\"\"",
                                             "\\N{BULLET} \\x \\u12 \\777",
                                             "# \r raise SystemExit(3) \f \v \t",
                                             "\xe2\x80\xa8raise SystemExit(3)",
                                             "ends in a quote\""};
  const fs::path folder = fs::temp_directory_path() / ("gabbro-export-comments-" + std::to_string(getpid()));
  fs::create_directories(folder);
  const auto source = [&](const std::string& comment) {
    const std::string line = comment.empty() ? "" : "# " + comment + "\n";
    const std::string text = line + "fn double_of(x):\n    " + line + "    return x + x\n" + line +
                             "unit Mine(x: [t, D]) -> [t, D]:\n" + (line.empty() ? "" : "    " + line) +
                             "    return double_of(linear(x, D))\n" + line +
                             "design H:\n    width = 16\n    vocab = 32\n    stack = [Mine, Attention]\n";
    const auto sized = zoo::sized_design(text, 0, 32);
    EXPECT_TRUE(sized) << comment;
    const auto module = pytorch::module_of(text, *sized);
    EXPECT_TRUE(module) << comment;
    return module ? module->source : "";
  };
  const std::string plain = source("");
  std::ofstream(folder / "plain.py") << plain;
  std::ofstream(folder / "compare.py") << R"(import ast, sys
def code(file):
    tree = ast.parse(open(file, newline="").read())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            del body[0]
    return ast.dump(tree)
sys.exit(code(sys.argv[1]) != code(sys.argv[2]))
)";
  for (const std::string& comment : comments) {
    std::ofstream(folder / "commented.py") << source(comment);
    EXPECT_EQ(python(fmt::format("{0}/compare.py {0}/plain.py {0}/commented.py", folder.string())), 0)
        << comment;
  }
  fs::remove_all(folder);
}

// Names of Gab that mean something in Python, or to nn.Module, are changed.
TEST(Export, NamesOfPythonAreNotTaken) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  const fs::path file =
      fs::temp_directory_path() / ("gabbro-export-names-" + std::to_string(getpid()) + ".py");
  std::string all;
  int count = 0;
  for (const char* name : {"min",
                           "enumerate",
                           "load",
                           "step",
                           "T_destination",
                           "dump_patches",
                           "get_buffer",
                           "load_state_dict",
                           "register_buffer",
                           "mtia",
                           "__debug__",
                           "__class__",
                           "_modules",
                           "__x",
                           "match",
                           "lambda",
                           "rounded",
                           "forward",
                           "training",
                           "type",
                           "id"}) {
    const std::string text = fmt::format(
        "fn {0}(x):\n    return x + x\nunit Mine(x: [t, D]) -> [t, D]:\n    y = linear({0}(x), D)\n"
        "    return y * param([D], init=1)\n"
        "unit Other(x: [t, D]) -> [t, D]:\n    {0} = linear(x, D)\n    return {0}\n"
        "design H:\n    width = 16\n    vocab = 32\n    stack = [Mine, Other, Attention]\n",
        name);
    const lang::CheckReport report = lang::check(text, zoo::library());
    if (!report.valid()) continue;  // a name that Gab does not allow
    ++count;
    all += exported(text).source + "\n\nassert H()(torch.arange(9).view(3, 3)).shape == (3, 3, 32)\n\n\n";
  }
  EXPECT_GT(count, 10);
  all += exported(
             "fn f(x):\n    return x + x\nunit Mine(x: [t, D]) -> [t, D]:\n    f = f(x)\n"
             "    return linear(f, D)\n"
             "design H:\n    width = 16\n    vocab = 32\n    stack = [Mine]\n")
             .source +
         "\n\nassert H()(torch.arange(9).view(3, 3)).shape == (3, 3, 32)\n";
  std::ofstream(file) << all;
  EXPECT_EQ(python(file.string()), 0) << file;
  if (!::testing::Test::HasFailure()) fs::remove(file);
}

// Numbers that the module makes itself, such as 301, are exact also under bf16.
TEST(Export, CountsInBf16) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  const fs::path file =
      fs::temp_directory_path() / ("gabbro-export-bf16-" + std::to_string(getpid()) + ".py");
  std::string all = "import torch\n";
  for (const std::string& number : std::vector<std::string>{
           "iota(a)", "where(y < 1000000, 301, 0)", "sum(y < 1000000, over=a)", "broadcast(301, [a])",
           "cumsum(0 * y + 1)", "cumsum(where(y < 1000000, 1, 0))", "position()",
           "sum((y < 1000000) + (-1000000 < y) + (y < 2000000), over=a)"}) {
    const bool reads_axis = number.find("=a)") != std::string::npos ||
                            number.find("(a)") != std::string::npos ||
                            number.find("[a]") != std::string::npos;
    all += exported(fmt::format("fn code(y{}):\n    return y * (1 - 2 * ({} % 2))\n"
                                "unit M(x: [t, D]) -> [t, D]:\n    axis k = 301\n"
                                "    return shift(x, 1) + linear(code(linear(x, k){}), D)\n"
                                "design H:\n    width = 16\n    vocab = 32\n    stack = [M]\n",
                                reads_axis ? ", a" : "", number, reads_axis ? ", k" : ""))
               .source +
           fmt::format(R"(
torch.manual_seed(1)
model, tokens = H(), torch.randint(0, 32, (2, 310))
with torch.no_grad():
    single = model(tokens)
    with torch.autocast("cpu", torch.bfloat16):
        half = model(tokens)
assert (single - half).abs().max() < 0.05 * single.abs().max(), "{}"
)",
                       number);
  }
  std::ofstream(file) << all;
  EXPECT_EQ(python(file.string()), 0) << file;
  if (!::testing::Test::HasFailure()) fs::remove(file);
}

// bf16 has no 299, so that an index that is rounded to 300 has to be kept within a table of 300 rows.
TEST(Export, RowsAreKeptWithinTheirTableInBf16) {
  if (!has_torch()) GTEST_SKIP() << kPython << " cannot import torch; run ./dev setup";
  const fs::path file =
      fs::temp_directory_path() / ("gabbro-export-rows-" + std::to_string(getpid()) + ".py");
  std::ofstream(file) << exported(
                             "unit M(x: [t, D]) -> [t, D]:\n    axis n = 300\n    level = "
                             "1000000 * linear(x, [])\n    return linear(level * x, D) + "
                             "lookup(param([n, D], init=normal(1)), level, over=n)\n"
                             "design H:\n    width = 16\n    vocab = 32\n    stack = [M]\n")
                             .source
                      << R"(
model, tokens = H(), torch.randint(0, 32, (2, 310))
with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
    model(tokens)
)";
  EXPECT_EQ(python(file.string()), 0) << file;
  if (!::testing::Test::HasFailure()) fs::remove(file);
}

TEST(Export, ReadsLikeTheUnit) {
  const std::string source =
      exported("design Small:\n    stack = [2 * Block(mixer=Attention(heads=2)), RMSNorm]\n").source;
  for (const char* line :
       {"class Attention(nn.Module):", "    def __init__(self, D, heads=4, groups=1):",
        "        k = self.k = D // (heads * groups)", "        self.q = Linear(D, h * g * k)",
        "        q = rope(self.q(x).unflatten(-1, (self.h, self.g, self.k)), documents, cache)",
        "        y = x + self.mixer(self.norm(x), documents, cache)", "        self.norm_2 = norm(D)"})
    EXPECT_NE(source.find(std::string(line) + "\n"), std::string::npos) << line << "\n" << source;
  for (const char* word : {"def shift", "def scan", "score"})
    EXPECT_EQ(source.find(std::string(word) + "("), std::string::npos) << word;
}

TEST(Export, MakesOneClassOfEqualUnits) {
  const std::string source =
      exported("design M:\n    stack = [Block(mixer=GLA(heads=2)), Block(mixer=GLA), Block, RMSNorm]\n")
          .source;
  for (const char* name : {"Block", "GLA", "Attention", "RMSNorm"}) {
    const std::string line = std::string("\nclass ") + name + "(";
    const std::size_t first = source.find(line);
    EXPECT_NE(first, std::string::npos) << name;
    EXPECT_EQ(source.find(line, first + 1), std::string::npos) << name;
    EXPECT_EQ(source.find(std::string("\nclass ") + name + "2("), std::string::npos) << name;
  }
}

TEST(Export, MovesElementsThereAndBack) {
  const pytorch::Weight weight{"w", "w.weight", {2, 3, 4}, {2, 0, 1}, {4, 6}};
  std::vector<double> elements(24);
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<double>(i);
  const std::vector<double> there = pytorch::to_module(weight, std::span<const double>(elements));
  EXPECT_EQ(there[1], 4);  // [k=0][h=0, g=1]
  EXPECT_EQ(there[6], 1);  // [k=1][h=0, g=0]
  EXPECT_EQ(pytorch::from_module(weight, std::span<const double>(there)), elements);
}

// Runs the command line; returns its exit status and what it printed.
std::pair<int, std::string> gabbro(const std::string& arguments) {
  const std::string out =
      (fs::temp_directory_path() / ("gabbro-export-out-" + std::to_string(getpid()))).string();
  const int status = std::system((gabbro_path() + " " + arguments + " > " + out + " 2>&1").c_str());
  std::stringstream text;
  text << std::ifstream(out).rdbuf();
  fs::remove(out);
  return {WEXITSTATUS(status), text.str()};
}

TEST(Export, OfTheCommandLine) {
  const fs::path folder = fs::temp_directory_path() / ("gabbro-export-cli-" + std::to_string(getpid()));
  const std::string to = " --format torch --out " + folder.string(), zoo = kSource + "/zoo/";
  const auto [status, text] = gabbro("export " + zoo + "llama.gab --params 300k --vocab 512" + to);
  EXPECT_EQ(status, 0) << text;
  EXPECT_TRUE(fs::exists(folder / "model.py"));
  EXPECT_TRUE(fs::exists(folder / "config.json"));
  EXPECT_FALSE(fs::exists(folder / "weights.safetensors"));
  const auto again = gabbro("export " + zoo + "llama.gab" + to);
  EXPECT_EQ(again.first, 2);
  EXPECT_NE(again.second.find("already exists"), std::string::npos) << again.second;
  fs::remove_all(folder);
  for (const auto& [arguments, message] : std::vector<std::pair<std::string, std::string>>{
           {"export " + zoo + "llama.gab", "does not name a design of a campaign"},
           {"export " + zoo + "prelude.gab" + to, "contains no design"},
           {"export " + zoo + "llama.gab --params many" + to, "invalid number 'many'"},
           {"export " + zoo + "llama.gab --params 10" + to, "error[budget]"},
           {"export " + zoo + to, "spec.json is missing"},
           {"export nowhere#1" + to, "no campaign in nowhere"}}) {
    const auto [code, printed] = gabbro(arguments);
    EXPECT_EQ(code, 2) << arguments;
    EXPECT_NE(printed.find(message), std::string::npos) << arguments << "\n" << printed;
    EXPECT_FALSE(fs::exists(folder / "model.py")) << arguments;
    fs::remove_all(folder);
  }
}

// The text of a repetition does not grow with its length.
TEST(Export, WritesARepetitionOnce) {
  std::vector<std::size_t> sizes;
  for (const int blocks : {2, 24}) {
    const std::string program = "design M:\n    stack = [" + std::to_string(blocks) + " * Block, RMSNorm]\n";
    const auto subject = zoo::sized_design(program, 0, 4096);
    ASSERT_TRUE(subject.has_value());
    lang::CheckReport report = lang::check(program, zoo::library());
    lang::Library library = zoo::library();
    library.add(report.program);
    const auto module =
        pytorch::write_module(library, *lang::last_design(report.program), subject->elaboration);
    ASSERT_TRUE(module.has_value()) << module.error().message;
    sizes.push_back(module->source.size());
  }
  EXPECT_LT(sizes[1], sizes[0] + 10);
}

}  // namespace
}  // namespace gabbro::testing
