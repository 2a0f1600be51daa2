// Tests of the facts that a screen checks at the widths at which a design is trained: mixing, gradients and
// work.
#include <gtest/gtest.h>

#include "evolve/screen.h"
#include "lang/parser.h"
#include "zoo/library.h"

namespace gabbro::evolve {
namespace {

SearchSettings ladder() {
  SearchSettings s;
  s.rungs = {{.name = "150k", .params = 150'000, .length = 128},
             {.name = "300k", .params = 300'000, .length = 128}};
  s.vocab = 512;
  return s;
}

// Returns a design whose mixer has this body.
std::string with_unit(const std::string& body) {
  return "unit M(x: [t, D]) -> [t, D]:\n" + body +
         "\ndesign X:\n    width = 256\n    vocab = 512\n    stack = [2 * Block(mixer=M), RMSNorm]\n";
}

Result<record::DesignCreated> screened(const std::string& text, const SearchSettings& settings = ladder()) {
  lang::ParseResult r = lang::parse(text);
  EXPECT_TRUE(r.errors.empty()) << text;
  return screen({.program = std::move(r.program)}, Population(settings), zoo::library());
}

struct Case {
  const char* what;  // what the mixer is
  const char* body;
  const char* cause;     // code of the error; "" if it passes
  const char* contains;  // a part of the message
};

void expect(const Case& c) {
  const auto r = screened(with_unit(c.body));
  EXPECT_EQ(r ? "" : r.error().code, c.cause) << c.what << (r ? "" : ": " + r.error().message);
  if (!r) {
    EXPECT_NE(r.error().message.find(c.contains), std::string::npos) << c.what << ": " << r.error().message;
  }
}

TEST(Facts, AreMeasuredAtTheTrainedWidth) {
  const Case cases[] = {
      {"an earlier token counts for a hundred-thousandth",
       "    return linear(x + 0.00001 * shift(x, 1), D)\n", "no mixing", "of what its own token does"},
      {"mixing at the written width only",
       "    y = shift(x, 1) if D > 200 else tanh(x)\n    return linear(y, D)\n", "no mixing",
       "at 150k, D = "},
      {"eight ninths of the parameters do nothing",
       "    axis n = 8, o = D\n    z = dot(x, param([n, o, D], init=normal(1)), over=D)\n"
       "    return linear(shift(x, 1), D) + 1e-12 * sum(rename(z, o, D), over=n)\n",
       "no gradient", "stack.0.0.mixer.z"},
      {"a gate that is closed at first",
       "    return linear(x, D) + param([D], init=0) * linear(shift(x, 1), D)\n", "", ""},
      {"a distance beyond the text of the gradient", "    return linear(x + shift(x, 50), D)\n", "", ""},
      {"a distance beyond the texts of training", "    return linear(x + shift(x, 128), D)\n", "no mixing",
       "by 0 of what"},
      {"a bias under a softmax gets no gradient that counts, and is small",
       "    axis r = 8\n    w = dot(linear(x, r), past(linear(x, r, bias=true)), over=r)\n"
       "    return linear(sum(softmax(w, over=s) * past(x), over=s), D)\n",
       "", ""},
  };
  for (const Case& c : cases) expect(c);
}

// A branch that only has an effect with random parameters does not count. Training from the initialisation
// must reach it.
TEST(Facts, CountOnlyWhatTrainingReaches) {
  const Case cases[] = {
      {"a gate that starts at 0", "    return y + param([D], init=0) * cumsum(x)\n", "", ""},
      {"a matrix that starts at 0",
       "    axis r = 8, o = D\n    z = dot(linear(cumsum(x), r), param([r, o], init=0), over=r)\n"
       "    return y + rename(z, o, D)\n",
       "", ""},
      {"a gate behind a gate", "    return y + param([D], init=0) * (x + param([D], init=0) * cumsum(x))\n",
       "", ""},
      {"a gate behind two gates",
       "    return y + param([D], init=0) * (x + param([D], init=0) * (x + param([D], init=0) * "
       "cumsum(x)))\n",
       "", ""},
      {"a gate that starts nearly closed", "    return y + sigmoid(param([D], init=-8)) * cumsum(x)\n", "",
       ""},
      {"a branch that is taken late in a text", "    return y + where(90 < position(), shift(x, 2), 0)\n", "",
       ""},
      {"what is compared has no gradient", "    return y + where(shift(x, 2) < 0, 1, 0)\n", "", ""},
      {"a gate squared", "    g = param([D], init=0)\n    return y + g * g * cumsum(x)\n", "no gradient",
       ".g,"},
      {"a gate squared, before a matrix",
       "    g = param([D], init=0)\n    return y + linear(g * g * cumsum(x), D)\n", "no gradient", ""},
      {"two gates that keep each other closed",
       "    return y + param([D], init=0) * param([D], init=0) * cumsum(x)\n", "no gradient",
       "after 4 updates"},
      {"a gate below its threshold", "    return y + relu(param([D], init=-4)) * cumsum(x)\n", "no gradient",
       "after 4 updates"},
      {"a gate at its minimum", "    return y + (1 - cos(param([D], init=0))) * cumsum(x)\n", "no gradient",
       ""},
      {"a gate at its minimum but for rounding, which updates that do not depend on the gradient's size "
       "leave",
       "    return y + (1 + cos(param([D], init=0) + 3.141592653589793)) * cumsum(x)\n", "", ""},
      {"a branch that no value takes", "    return y + relu(-1 - x * x) * cumsum(x)\n", "no mixing",
       "reads from earlier tokens"},
      {"a recurrence that nothing reads",
       "    scan S: [D] = 0:\n        S = 0.9 * S + x\n    return y + relu(-1 - x * x) * S\n", "no mixing",
       "reads from earlier tokens"},
  };
  for (Case c : cases) {
    const std::string body = std::string("    y = linear(shift(x, 1), D)\n") + c.body;
    c.body = body.c_str();
    expect(c);
  }
}

// A design with few parameters but values of 16 million elements is refused by its predicted work, before
// anything is computed.
TEST(Facts, WorkIsKnownBeforehand) {
  std::string body = "    axis a = 4096, b = 4096\n    z0 = tanh(linear(x, a) * linear(shift(x, 1), b))\n";
  std::string sum = "sum(z0, over=b)";
  for (int i = 1; i < 12; ++i) {
    body += "    z" + std::to_string(i) + " = sin(z" + std::to_string(i - 1) + " + 1)\n";
    sum += " + sum(z" + std::to_string(i) + ", over=b)";
  }
  SearchSettings settings = ladder();
  settings.limits = {0, 0, 0};
  settings.rungs[0].params = 213'000, settings.rungs[1].params = 426'000;  // D = 16 and 32
  const auto r =
      screened("unit M(x: [t, D]) -> [t, D]:\n" + body + "    return linear(" + sum +
                   ", D)\n\ndesign X:\n    width = 64\n    vocab = 512\n    stack = [M, RMSNorm]\n",
               settings);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, "cost") << r.error().message;
  EXPECT_NE(r.error().message.find("the screen allows"), std::string::npos) << r.error().message;
}

}  // namespace
}  // namespace gabbro::evolve
