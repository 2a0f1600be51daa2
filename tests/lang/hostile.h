// Programs that would use unbounded time or memory; each represents a kind.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

namespace gabbro {

struct Hostile {
  std::string kind, text;
};

inline std::string nested(int depth, const std::string& open, const std::string& inside,
                          const std::string& close) {
  std::string out;
  for (int i = 0; i < depth; ++i) out += open;
  out += inside;
  for (int i = 0; i < depth; ++i) out += close;
  return out;
}

/// Returns texts that make reading or checking expensive. The checker rejects each of them.
inline std::vector<Hostile> hostile_texts() {
  const std::string unit = "unit A(x: [t, D]) -> [t, D]:\n";
  std::vector<Hostile> out;
  const auto add = [&](const std::string& kind, const std::string& text) { out.push_back({kind, text}); };

  std::string loops = unit + "    a = 1\n";
  for (int i = 0; i < 8; ++i)
    loops += std::string(4 + 4 * i, ' ') + fmt::format("for i{} in 1024 with y{} = 0:\n", i, i);
  loops += std::string(36, ' ') + "y7 = y7 + a\n";
  add("loops that make nothing", loops + "    return x\n");

  std::string calls = "fn f0(n):\n    return n + 1\n\n";
  for (int i = 1; i < 60; ++i)
    calls += fmt::format("fn f{0}(n):\n    return f{1}(n) + f{1}(n + 1)\n\n", i, i - 1);
  add("functions that call twice", calls + unit + "    return f59(1) * x\n");

  std::string tensors = "fn f0(n):\n    return tanh(n)\n\n";
  for (int i = 1; i < 60; ++i)
    tensors += fmt::format("fn f{0}(n):\n    return f{1}(n) + f{1}(n)\n\n", i, i - 1);
  add("operations that double", tensors + unit + "    return f59(x)\n");

  std::string units = "unit U0(x: [t, D]) -> [t, D]:\n    return x + linear(x, D)\n\n";
  for (int i = 1; i < 40; ++i)
    units += fmt::format("unit U{0}(x: [t, D]) -> [t, D]:\n    return U{1}(U{1}(x))\n\n", i, i - 1);
  add("units that double, with parameters",
      units + "design X:\n    width = 64\n    vocab = 512\n    stack = [U39]\n");
  add("repetitions of repetitions",
      "unit A(x: [t, D]) -> [t, D]:\n    return x + linear(x, D)\n\ndesign X:\n    width = 64\n    vocab = "
      "512\n    stack = [1000 * "
      "[1000 * [1000 * [1000 * [A]]]]]\n");

  for (const char* step :
       {"y = (y / 2 + 1) * (y // 3 + 1) / D", "y = y // 3 + y // 2", "y = maximum(y + 1, y // 2)",
        "y = (y + y // 3) / 1.5 + y // 7", "y = y % (y // 2 + 1)"})
    add(fmt::format("formulas that grow: {}", step),
        unit + fmt::format("    for i in 1024 with y = D + 1:\n        {}\n    return y * x\n", step));
  std::string sizes = unit;
  for (int a = 0; a < 6; ++a) {
    std::string size;
    for (int k = 0; k < 60; ++k)
      size += fmt::format("{}(D + {}) // {}", k == 0 ? "" : " + ", a, 7 * k + a + 3);
    sizes += fmt::format("    axis a{} = {}\n", a, size);
  }
  add("products of long sizes",
      sizes +
          "    w = param([a0, a1, a2, a3, a4, a5])\n    return x * sum(w, over=[a0, a1, a2, a3, a4, a5])\n");

  add("deep expressions", unit + "    return " + nested(100'000, "(", "x", ")") + "\n");
  add("deep operators", unit + "    return " + std::string(100'000, '-') + "x\n");
  add("deep lists",
      "design X:\n    width = 64\n    vocab = 512\n    stack = " + nested(100'000, "[", "A", "]") + "\n");
  std::string blocks = unit;
  for (int i = 0; i < 500; ++i)
    blocks += std::string(4 + static_cast<std::size_t>(i), ' ') + "for i in 2 with y = 0:\n";
  add("deep blocks", blocks);
  add(
      "a long chain", unit + "    return x" + [] {
        std::string s;
        for (int i = 0; i < 200'000; ++i) s += " + x";
        return s;
      }() + "\n");

  add("long numbers", unit + "    return x * " + std::string(500'000, '9') + "\n");
  add("large numbers", unit + "    return x * (1e300 * 1e300)\n");
  add("a giant axis", unit + "    axis a = 99999999999\n    return x * sum(param([a]), over=a)\n");
  add("giant parameters", unit +
                              "    axis a = 16777216, b = 16777216, c = 16777216\n    return x * "
                              "sum(param([a, b, c]), over=[a, b, c])\n");
  const std::string name(400'000, 'n');
  add("long names", "unit " + name + "(x: [t, D]) -> [t, D]:\n    return x\n");
  std::string many;
  for (int i = 0; i < 6000; ++i)
    many += fmt::format(
        "unit U{0}(x: [t, D]) -> [t, D]:\n    for i in 1024 with y = 0:\n        for j in 1024 with z = 0:\n "
        "           z = z + i\n    return x\n\n",
        i);
  add("many units", many);
  add("families", unit +
                      "    for i in 1024:\n        y[i] = i\n    for i in 1024 with z = 0:\n        for j in "
                      "1024 with u = 0:\n            for k in 1024 with v = 0:\n"
                      "                v = v + y[i] * y[j] + y[k]\n    return x\n");
  std::string same = unit;
  for (int i = 0; i < 60; ++i)
    same += fmt::format("    y{} = linear({}, D)\n", i, i == 0 ? "x" : fmt::format("y{}", i - 1));
  add("many labels", same +
                         "    for i in 1024 with z = y59:\n        for j in 1024 with u = z:\n            u "
                         "= u * param([D])\n        z = z + u\n    return z\n");
  return out;
}

/// Returns designs that a checker may accept, but that are far too expensive to evaluate: products of large
/// axes, and as many pairs of positions, states, parameters or layers.
inline std::vector<Hostile> hostile_designs() {
  const auto design = [](const std::string& body) {
    return "unit M(x: [t, D]) -> [t, D]:\n" + body +
           "\ndesign X:\n    width = 64\n    vocab = 512\n    stack = [M, RMSNorm]\n";
  };
  std::string chain;
  for (int i = 1; i < 12; ++i) chain += fmt::format("    z{} = sin(z{} + {})\n", i, i - 1, i);
  std::string sums;
  for (int i = 0; i < 12; ++i) sums += fmt::format("{}sum(z{}, over=b)", i == 0 ? "" : " + ", i);
  std::string sizes, names;
  for (int a = 0; a < 6; ++a) {
    names += fmt::format("{}a{}", a == 0 ? "" : ", ", a);
    sizes += fmt::format("    axis a{} = 1", a);
    for (int k = 0; k < 9; ++k) sizes += fmt::format(" + (D + {}) // {}", a, 1000 * k + 97 * a + 300);
    sizes += "\n";
  }
  return {
      {"products of long sizes",
       design(sizes + "    return x * sum(param([" + names + "]), over=[" + names + "]) + shift(x, 1)\n")},
      {"products of axes", design("    axis a = 4096, b = 4096\n    p = linear(x, a)\n    q = "
                                  "linear(shift(x, 1), b)\n    z0 = tanh(p * q)\n" +
                                  chain + "    return linear(" + sums + ", D)\n")},
      {"pairs with large values", design("    axis a = 65536\n    q = linear(x, a)\n    k = past(linear(x, "
                                         "a))\n    return linear(sum(tanh(q * k), over=s), D)\n")},
      {"a large state", design("    axis a = 8192, b = 8192\n    p = linear(x, a)\n    q = linear(x, b)\n    "
                               "scan S: [a, b] = 0:\n        S = tanh(S + p * q)\n        y = sum(S, "
                               "over=b)\n    return linear(y, D)\n")},
      {"many parameters",
       design("    axis a = 1048576\n    h = tanh(linear(shift(x, 1), a))\n    return linear(h, D)\n")},
      {"products of products",
       design("    axis a = 2048, b = 2048, c = 2048\n    p = linear(x, a)\n    q = linear(shift(x, 1), b)\n "
              "   r = linear(x, c)\n    return linear(sum(tanh(p "
              "* q * r), over=[b, c]), D)\n")},
  };
}

}  // namespace gabbro
