// Tests the structural hash: which differences it ignores, and which it must distinguish.
#include <gtest/gtest.h>

#include "lang/check.h"
#include "zoo/library.h"

namespace gabbro::lang {
namespace {

Hash128 hash_of(const std::string& program, std::int64_t width = 0) {
  ElaborateOptions options;
  options.width = width;
  const CheckReport report = check(program, zoo::library(), options);
  for (const Error& e : report.errors) ADD_FAILURE() << format_error("program", e) << "\n" << program;
  return report.subjects.empty() ? Hash128{} : report.subjects.back().hash;
}

std::string unit(const std::string& body) { return "unit A(x: [t, D]) -> [t, D]:\n" + body; }

struct Pair {
  const char* difference;
  std::string a, b;
};

TEST(Hash, IgnoresDifferencesWithoutEffect) {
  const std::string base = unit(
      "    axis h = 4, k = D / 4\n    q = linear(x, [h, k])\n    key = linear(x, [h, k])\n    gate = "
      "sigmoid(linear(x, D))\n"
      "    w = softmax(dot(q, past(key), over=k) * k ** -0.5, over=s)\n    return linear(sum(w * past(key), "
      "over=s), D) * gate\n");
  const Pair pairs[] = {
      {"names", base,
       unit("    axis a = 4, b = D / 4\n    one = linear(x, [a, b])\n    two = linear(x, [a, b])\n    g = "
            "sigmoid(linear(x, D))\n"
            "    p = softmax(dot(one, past(two), over=b) * b ** -0.5, over=s)\n    return linear(sum(p * "
            "past(two), over=s), D) * g\n")},
      {"order of independent statements and of axes", base,
       unit("    axis k = D / 4, h = 4\n    gate = sigmoid(linear(x, D))\n    key = linear(x, [k, h])\n    q "
            "= linear(x, [h, k])\n"
            "    w = softmax(dot(q, past(key), over=k) * k ** -0.5, over=s)\n    return linear(sum(w * "
            "past(key), over=s), D) * gate\n")},
      {"commuted factors", base,
       unit("    axis h = 4, k = D / 4\n    q = linear(x, [h, k])\n    key = linear(x, [h, k])\n    gate = "
            "sigmoid(linear(x, D))\n"
            "    w = softmax(k ** -0.5 * dot(past(key), q, over=k), over=s)\n    return gate * "
            "linear(sum(past(key) * w, over=s), D)\n")},
      {"inlined units",
       unit("    return x + B(x)\n") +
           "\nunit B(x: [t, D]) -> [t, D]:\n    return silu(linear(x, D))\n\ndesign M:\n    stack = A\n",
       unit("    y = linear(x, D)\n    return y * sigmoid(y) + x\n") + "\ndesign M:\n    stack = A\n"},
      {"associativity",
       unit("    a = linear(x, D)\n    b = linear(shift(x, 1), D)\n    return (x + a) + b\n"),
       unit("    a = linear(x, D)\n    b = linear(shift(x, 1), D)\n    return x + (b + a)\n")},
      {"subtraction as addition of the negative", unit("    a = linear(x, D)\n    return x - a\n"),
       unit("    a = linear(x, D)\n    return -a + x\n")},
      {"neutral operations", unit("    return linear(x, D)\n"),
       unit("    return (linear(x * 1, D) + 0) / 1\n")},
      {"an initialisation at zero", unit("    return linear(x, D, init=0)\n"),
       unit("    return linear(x, D, init=normal(0))\n")},
      {"constants folded", unit("    return 6 * linear(x, D)\n"), unit("    return 2 * linear(3 * x, D)\n")},
      {"order of states",
       unit("    a = linear(x, D)\n    scan S: [D] = 0, R: [D] = 1:\n        S = 0.5 * S + a\n        R = "
            "0.9 * R + x\n    return S * S + R\n"),
       unit("    a = linear(x, D)\n    scan R: [D] = 1, S: [D] = 0:\n        R = 0.9 * R + x\n        S = "
            "0.5 * S + a\n    return R + S * S\n")},
      {"a shared unit without parameters",
       "design M:\n    share act = SiLU\n    stack = 2 * Block(mlp=SwiGLU(act=act))\n",
       "design M:\n    stack = 2 * Block\n"},
      {"a shared unit with axes and without parameters",
       "unit H(x: [t, D]) -> [t, D]:\n    axis h = 4, k = D / 4\n    y = split(x, D, [h, k])\n    return "
       "merge(y * max(y, over=k), [h, k], D)\n\ndesign M:\n    share h = H\n    stack = [h, Block, h, "
       "Block]\n",
       "unit H(x: [t, D]) -> [t, D]:\n    axis h = 4, k = D / 4\n    y = split(x, D, [h, k])\n    return "
       "merge(y * max(y, over=k), [h, k], D)\n\ndesign M:\n    stack = [H, Block, H, Block]\n"},
      {"a shared value written twice", unit("    y = tanh(x)\n    return y * y + y\n"),
       unit("    return tanh(x) * tanh(x) + tanh(x)\n")},
  };
  for (const Pair& p : pairs) EXPECT_EQ(hash_of(p.a), hash_of(p.b)) << p.difference;
}

TEST(Hash, DistinguishesFunctions) {
  const Pair pairs[] = {
      {"factors whose product underflows in float32",
       unit("    y = 2 ** -100 * shift(2 ** -100 * linear(x, D), 1)\n"
            "    return 2 ** 100 * shift(2 ** 100 * shift(y, 1), 1)\n"),
       unit("    return shift(linear(x, D), 3)\n")},
      {"another function", unit("    return tanh(linear(x, D))\n"),
       unit("    return sigmoid(linear(x, D))\n")},
      {"another constant", unit("    return 2 * linear(x, D)\n"), unit("    return 2.001 * linear(x, D)\n")},
      {"a constant that equals a size at one width only", unit("    return D * linear(x, D)\n"),
       unit("    return 256 * linear(x, D)\n")},
      {"another window", unit("    return sum(past(x, 4), over=s)\n"),
       unit("    return sum(past(x, 5), over=s)\n")},
      {"another distance", unit("    return shift(x, 1) + x\n"), unit("    return shift(x, 2) + x\n")},
      {"one weight or two", unit("    w = param([D], init=1)\n    return tanh(x * w) + sin(x * w)\n"),
       unit("    return tanh(x * param([D], init=1)) + sin(x * param([D], init=1))\n")},
      {"which weights are tied",
       unit("    a = param([D], init=1)\n    b = param([D], init=1)\n    return tanh(x * a) * sin(x * a) + "
            "tanh(x * b) * sin(x * b)\n"),
       unit("    a = param([D], init=1)\n    b = param([D], init=1)\n    return tanh(x * a) * sin(x * b) + "
            "tanh(x * b) * sin(x * a)\n")},
      {"initial value", unit("    return x * param([D], init=1)\n"),
       unit("    return x * param([D], init=0.5)\n")},
      {"operands that do not commute", unit("    a = linear(x, D)\n    return where(x < a, x, a)\n"),
       unit("    a = linear(x, D)\n    return where(a < x, x, a)\n")},
      {"a factor inside a state", unit("    scan S: [D] = 0:\n        S = 0.5 * (S + x)\n    return S\n"),
       unit("    scan S: [D] = 0:\n        S = 0.25 * (S + x)\n    return S\n")},
      {"before or after the update",
       unit("    scan S: [D] = 0:\n        S = 0.5 * S + x\n        y = tanh(S)\n    return y\n"),
       unit("    scan S: [D] = 0:\n        y = tanh(S)\n        S = 0.5 * S + x\n    return y\n")},
      {"number of heads", "design M:\n    stack = Block(mixer=Attention(heads=2))\n",
       "design M:\n    stack = Block(mixer=Attention(heads=4))\n"},
      {"order of blocks", "design M:\n    stack = [Block(mixer=GLA), Block]\n",
       "design M:\n    stack = [Block, Block(mixer=GLA)]\n"},
      {"tied blocks", "design M:\n    share b = Block\n    stack = [b, b]\n",
       "design M:\n    stack = [Block, Block]\n"},
      {"tied blocks, the third too", "design M:\n    share b = Block\n    stack = [b, b, b]\n",
       "design M:\n    share b = Block\n    stack = [b, b, Block]\n"},
      {"tied embedding", "design M:\n    tied = true\n    stack = Block\n", "design M:\n    stack = Block\n"},
      {"detached", unit("    return x * tanh(x)\n"), unit("    return x * detach(tanh(x))\n")},
  };
  for (const Pair& p : pairs) EXPECT_NE(hash_of(p.a), hash_of(p.b)) << p.difference;
}

TEST(Hash, DoesNotDependOnTheWidth) {
  const std::string program = "design M:\n    stack = [2 * Block(mixer=GLA), Block]\n";
  EXPECT_EQ(hash_of(program, 64), hash_of(program, 256));
}

// At the default width, D = 256, these are shift(x, 4), two iterations and the first branch. At another width
// each can be something else. A constant expression that does not use the width makes no difference.
TEST(Hash, DistinguishesStructureDerivedFromTheWidth) {
  EXPECT_NE(hash_of(unit("    return x + shift(x, D / 64)\n")),
            hash_of(unit("    return x + shift(x, 4)\n")));
  EXPECT_NE(hash_of(unit("    for i in D / 128 with y = x:\n        y = silu(y)\n    return y\n")),
            hash_of(unit("    for i in 2 with y = x:\n        y = silu(y)\n    return y\n")));
  EXPECT_NE(hash_of(unit("    return silu(x) if D > 100 else x\n")), hash_of(unit("    return silu(x)\n")));
  EXPECT_EQ(hash_of(unit("    return x + shift(x, 16 / 4)\n")),
            hash_of(unit("    return x + shift(x, 4)\n")));
}

}  // namespace
}  // namespace gabbro::lang
