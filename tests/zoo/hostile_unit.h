// Generates units that try to read values that they must not see: random programs with extreme values, ways
// to access other positions, and operations that turn NaN into bits.
//
// A backend computes pairs of positions and windows in arrays that also contain values that a position does
// not see. If such a value is multiplied by 0 instead of being skipped, it leaks when it is infinite, NaN, or
// overflows. These units compute such values from the text, at some positions only, and pass them through
// every construct of the language that looks back.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/random.h"

namespace gabbro::testing {

/// Writes a unit `Hostile` with the interface of a mixer, over axes c and k of size 4. edit::tidy later
/// removes what is not read.
class HostileUnit {
 public:
  explicit HostileUnit(Random& random) : random_(random) {}

  std::string write() {
    add_line("bit", "slice(x, D, 0, c) > " + pick({"0.25", "0", "1"}));
    add_line("hit", hit());
    for (std::int64_t i = 0, n = 1 + random_.below(2); i < n; ++i) add("c", add_line("bad", extreme("hit")));
    for (std::int64_t i = 0, n = 1 + random_.below(3); i < n; ++i) add_route();
    std::string sum = "linear(" + result() + ", D)";
    if (random_.chance(0.3)) sum += " + linear(" + result() + ", D)";
    std::string out = "unit Hostile(x: [t, D]) -> [t, D]:\n    axis c = 4, k = 4, e = 6\n";
    for (const std::string& l : lines_) out += "    " + l + "\n";
    return out + "    return " + sum + "\n";
  }

 private:
  struct Value {
    std::string name, axes;  // "" for [t], "c", or "k"
  };

  std::string pick(std::vector<std::string> choices) {
    return choices[static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(choices.size())))];
  }
  // Adds an assignment to a name that starts with `stem`, and returns the name. `bit` and `hit` are assigned
  // once and keep their names, which other lines mention.
  std::string add_line(const std::string& stem, const std::string& value) {
    const std::string name = stem + std::to_string(++count_);
    const bool keeps_name = stem == "bit" || stem == "hit";
    lines_.push_back((keeps_name ? stem : name) + " = " + value);
    return keeps_name ? stem : name;
  }
  void add(const std::string& axes, const std::string& name) { values_.push_back({name, axes}); }

  // Returns an indicator (0 or 1) of where extreme values occur: by the text, the position, or both.
  std::string hit() {
    const auto number = [&](std::int64_t n) { return std::to_string(random_.below(n)); };
    switch (random_.below(6)) {
      case 0:
        return "bit * (position() % 7 == " + number(7) + ")";
      case 1:
        return "bit * (" + number(120) + " < position())";
      case 2:
        return "bit * (position() == " + number(160) + ")";
      case 3:
        return "bit * (position() % 2 == " + number(2) + ")";
      case 4:
        return "bit * bit + 0";
      default:
        return "bit * (position() % 16 == " + number(16) + ")";
    }
  }

  // Returns a function of `h` (0 or 1) that is moderate where h is 0.
  std::string extreme(const std::string& h) {
    static const std::vector<std::string> kKinds{"1 / (1 - {})",
                                                 "0 - 1 / (1 - {})",
                                                 "exp(1000 * {})",
                                                 "exp(100 * {} - 5)",
                                                 "log(1 - {})",
                                                 "sqrt(0 - {})",
                                                 "{0} / (1 - {0})",
                                                 "(1 + 1e30 * {}) ** 2",
                                                 "1 + 3e38 * {}",
                                                 "1 + 1e20 * {}",
                                                 "1e-42 * (1 + {})",
                                                 "1e-30 * {} + 1e-20",
                                                 "sin(1 / (1 - {}))",
                                                 "(1 - {}) ** -0.5",
                                                 "where({} < 0.5, 1, 1 / 0)",
                                                 "where({} < 0.5, 1, log(0))",
                                                 "log({})",
                                                 "tanh(1 / (1 - {})) * 1e38",
                                                 "softplus(1 / (1 - {}))",
                                                 "1 - 2e38 * {}",
                                                 "1e19 * (1 + 1e19 * {})",
                                                 "maximum(1 / (1 - {}), 0)",
                                                 "(1 / (1 - {})) * 0 + 1",
                                                 "floor(1 / (1 - {}))"};
    const std::string form = random_.pick(kKinds);
    std::string out;
    for (std::size_t i = 0; i < form.size(); ++i) {
      if (form[i] != '{') {
        out += form[i];
        continue;
      }
      out += h;
      i = form.find('}', i);
    }
    return out;
  }

  // Returns a value with axes `axes` at position t: a name or a short expression.
  std::string read(const std::string& axes) {
    std::vector<std::string> known;
    for (const Value& v : values_)
      if (v.axes == axes) known.push_back(v.name);
    if (!known.empty() && random_.chance(0.6)) return random_.chance(0.6) ? known.back() : pick(known);
    if (axes.empty())
      return pick({"mean(x)", "take(x, D, 1)", "sum(slice(x, D, 2, c))", "position()", "sum(hit)"});
    if (random_.chance(0.4)) return "linear(x, " + axes + ")";
    if (axes == "k") return "slice(x, D, 3, k)";
    return pick({"slice(x, D, 5, c)", extreme("hit"), "hit", extreme("hit"), "param([c], init=1)"});
  }

  // Returns an expression with axes `axes` at position t, nested up to `depth` deep.
  std::string at_t(const std::string& axes, int depth) {
    if (depth <= 0) return read(axes);
    switch (random_.below(8)) {
      case 0:
        return unary(at_t(axes, depth - 1));
      case 1:
        return "(" + at_t(axes, depth - 1) + pick({" + ", " * ", " - "}) + at_t(axes, depth - 1) + ")";
      case 2:
        return "where(" + at_t(axes, 0) + " < " + pick({"0.5", "1e30", at_t(axes, 0)}) + ", " +
               at_t(axes, depth - 1) + ", " + at_t(axes, 0) + ")";
      case 3:
        return "shift(" + at_t(axes, depth - 1) + ", " + pick({"1", "2", "5", "31", "64", "100"}) + ")";
      case 4:
        return "cumsum(" + at_t(axes, depth - 1) + ")";
      case 5:
        if (axes.empty())
          return pick({"max", "sum", "mean", "logsumexp"}) + "(" + at_t("c", depth - 1) + ", over=c)";
        return normalised(at_t(axes, depth - 1), axes);
      case 6:
        if (axes.empty()) return "dot(" + at_t("k", depth - 1) + ", " + at_t("k", 0) + ", over=k)";
        return "top_k(" + at_t(axes, depth - 1) + ", 2, over=" + axes + ")";
      default:
        return read(axes);
    }
  }

  std::string unary(const std::string& x) {
    static const std::vector<std::string> kForms{
        "exp(0.1 * {})", "tanh({})",  "sigmoid({})",  "log({})",  "sqrt({})",   "1 / (1e-3 + {})",
        "sin({})",       "floor({})", "softplus({})", "relu({})", "({}) ** 2",  "({}) ** -1",
        "0.01 * {}",     "erf({})",   "detach({})",   "(0 - {})", "exp(0 - {})"};
    if (random_.chance(0.2)) return scaled(x);
    const std::string form = random_.pick(kForms);
    const std::size_t at = form.find("{}");
    return form.substr(0, at) + x + form.substr(at + 2);
  }

  // Returns a constant that is large, tiny, negative, infinite or not a number, in float32 or in any
  // precision, by itself or when a few of them are multiplied.
  std::string constant() {
    return pick({"1e30", "1e-30", "1e19", "1e38 * 10", "1e38 * 1e38", "1e-38 * 1e-10", "1e300",
                 "1e300 * 1e300", "1e30 * 1e-30", "1e38 * 10 * 0", "1 / 0", "0", "-1", "-1e30", "-1e38 * 10",
                 "1e5", "0.001"});
  }

  // Returns x with a temperature, a scale or a soft cap.
  std::string scaled(const std::string& x) {
    const std::string c = constant();
    switch (random_.below(8)) {
      case 0:
      case 1:
        return c + " * (" + x + ")";
      case 2:
        return "(" + x + ") / (" + c + ")";
      case 3:
        return c + " * (" + x + ") * " + pick({"1e30", "1e-30", "1e38 * 10"});
      case 4:
        return "softcap(" + x + ", " + pick({c, "50", "1e30", "1e-30"}) + ")";
      case 5:
        return "(" + x + ") / (" + pick({"0", "1e-30", "1"}) + " + " + at_t("", 0) + ")";
      case 6:
        return "(" + x + ") * " +
               pick({"exp(100 * param([], init=1))", "param([], init=1)", "softplus(mean(x))"});
      default:
        return c + " * (" + x + ") + " + pick({"1", "1e30", "1e38 * 10"});
    }
  }

  std::string normalised(const std::string& x, const std::string& axes) {
    const std::string to = pick({"softmax", "rms_normalize", "l2_normalize"});
    const bool has_eps = to != "softmax" && random_.chance(0.4);
    return to + "(" + (random_.chance(0.3) ? scaled(x) : x) + ", over=" + axes +
           (has_eps ? ", eps=" + pick({"0", "1e-30", "1e30", "1e38 * 10", "-1"}) : "") + ")";
  }

  std::string window_argument() const { return window_.empty() ? "" : ", " + window_; }
  std::string lag() const { return "lag(" + window_ + ")"; }

  // Returns a function of the distance alone. In the unseen half of the pairs, the lag is negative.
  std::string by_lag() {
    const std::string l = lag();
    switch (random_.below(11)) {
      case 0:
        return "exp(-0.01 * " + l + ")";
      case 1:
        return "exp(-20 * " + l + ")";
      case 2:
        return "1 / (1 + " + l + ")";
      case 3:
        return "log(0.5 + " + l + ")";
      case 4:
        return "sqrt(" + l + ")";
      case 5:
        return "where(" + l + " < 3, 1, 2)";
      case 6:
        return "lookup(param([e], init=normal(1)), " + l + ", over=e)";
      case 7:
        return "(" + l + " % 2 == 1)";
      case 8:
        return "exp(-" + l + " * softplus(param([c], init=1)))";
      case 9:
        return "(1 + " + l + ") ** -0.5";
      default:
        return "sin(" + l + ")";
    }
  }

  // Returns a value over pairs. Its axes are those of its parts, at most c.
  std::string pair(int depth) {
    if (depth <= 0) switch (random_.below(5)) {
        case 0:
          return by_lag();
        case 1:
          return "past(" + read("") + window_argument() + ")";
        default:
          return "past(" + read("c") + window_argument() + ")";
      }
    switch (random_.below(14)) {
      case 0:
        return unary(pair(depth - 1));
      case 1:
      case 2:
        return "(" + pair(depth - 1) + pick({" * ", " + ", " - ", " * "}) + pair(depth - 1) + ")";
      case 3:
        return "(" + pair(depth - 1) + pick({" * ", " + "}) + at_t(pick({"", "c"}), 1) + ")";
      case 4:
        return "where(" + pair(0) + " < " + pick({"0.5", at_t("c", 0), "1e30"}) + ", " + pair(depth - 1) +
               ", " + pick({"1", pair(0)}) + ")";
      case 5:
      case 6:
        return score();
      case 7:
      case 8:
        return "softmax(" + pair(depth - 1) + ", over=s)";
      case 9:
        return "exp(" + pick({"0.01 * ", "100 * ", ""}) + score() + ")";
      case 10:
        return "maximum(" + pair(depth - 1) + ", " + pick({"0", pair(0)}) + ")";
      case 11:
        return "past(" + at_t("c", 1) + window_argument() + ")";
      case 12:
        return "top_k(past(" + at_t("c", 1) + window_argument() + ") * " + by_lag() + ", 2, over=c)";
      default:
        return "softmax(past(" + at_t("c", 1) + window_argument() + ") + " + pair(depth - 1) + ", over=c)";
    }
  }

  // Returns a score of attention: a product of a query and past keys.
  std::string score() {
    const std::string product =
        "dot(" + at_t("k", 0) + ", past(" + read("k") + window_argument() + "), over=k)";
    if (random_.chance(0.4)) return scaled(product);
    return pick({"", "0.01 * ", "0.0001 * ", "1e30 * ", "1e-30 * "}) + product;
  }

  // Adds a value that reads other positions: by a scan, a sum over pairs, or a shift.
  void add_route() {
    if (random_.chance(0.3)) return scan();
    window_ = random_.chance(0.3) ? pick({"32", "1", "5", "64", "17", "100"}) : "";
    const int depth = 1 + static_cast<int>(random_.below(2));
    const std::string bad = random_.chance(0.5) ? "past(" + read("c") + window_argument() + ")" : pair(1);
    std::string y;
    switch (random_.below(12)) {
      case 10:
      case 11:  // in the form in which exported modules recognise attention
        y = "sum(softmax(" + score() + ", over=s) * past(" + at_t("c", 1) + window_argument() + "), over=s)";
        break;
      case 0:
      case 1:
        y = "sum(" + pair(depth) + " * " + bad + ", over=s)";
        break;
      case 2:
        y = "max(" + pair(depth) + " * " + bad + ", over=s)";
        break;
      case 3:
        y = "mean(" + pair(depth) + " + " + bad + ", over=s)";
        break;
      case 4:
        y = "logsumexp(" + pair(depth) + " + " + bad + ", over=s)";
        break;
      case 5:
      case 6:
        y = "dot(" + pair(depth) + ", " + bad + ", over=s)";
        break;
      case 7:
        y = "sum(softmax(" + pair(depth) + ", over=s) * " + bad + ", over=s)";
        break;
      case 8:
        y = "sum(" + by_lag() + " * " + bad + ", over=s)";
        break;
      default:
        y = at_t("c", 2);
        break;
    }
    // A value over pairs may lack axis c; this sum adds it.
    const std::string name = add_line("y", y + " + 0 * slice(x, D, 1, c)");
    add("c", detected(name));
  }

  // Turns NaN and infinity into finite bits.
  std::string detected(const std::string& y) {
    if (random_.chance(0.4)) return y;
    static const std::vector<std::string> kForms{"(1 - ({0} < 1e30)) * (1 - (1e30 < {0}))",
                                                 "maximum(0, {0})",
                                                 "maximum({0}, 0)",
                                                 "where({0} < 1, 1, 2)",
                                                 "1 * ({0} < 0)",
                                                 "minimum({0}, 5)",
                                                 "sin({0})",
                                                 "tanh({0})",
                                                 "where(0 < {0} * {0}, {0}, 3)",
                                                 "1 / {0}"};
    const std::string form = random_.pick(kForms);
    std::string out;
    for (std::size_t i = 0; i < form.size(); ++i) {
      if (form.compare(i, 3, "{0}") != 0) {
        out += form[i];
        continue;
      }
      out += y;
      i += 2;
    }
    return add_line("code", out);
  }

  // Returns a factor on the state of a scan.
  std::string decay() {
    return pick({"0.9",
                 "sigmoid(linear(x, k))",
                 "exp(-softplus(linear(x, k)))",
                 "sigmoid(linear(x, c))",
                 "exp(-softplus(linear(x, c)))",
                 "(1 - sigmoid(linear(x, k)))",
                 "tanh(linear(x, c))",
                 "exp(-softplus(mean(x)))",
                 "sigmoid(param([k], init=2))",
                 "1",
                 "exp(-50 * sigmoid(linear(x, k)))",
                 "exp(-softplus(linear(x, c)) * softplus(linear(x, k)))",
                 "(" + read("c") + ")",
                 "sigmoid(" + read("c") + ")",
                 "exp(0 - " + read("c") + ")",
                 "(1.5 * sigmoid(linear(x, c)))",
                 "exp(" + read("c") + ")",
                 "exp(where(0.5 < hit, 90, -0.1))",
                 constant(),
                 "1.5",
                 "-1.5",
                 "(1 + softplus(linear(x, c)))",
                 "exp(3 * sigmoid(linear(x, k)))",
                 "exp(30 * linear(x, k))",
                 "(1 + 1e30 * hit)",
                 "(1e38 * 10 * sigmoid(linear(x, k)))"});
  }

  // Adds a scan with a state [k, c] or [c].
  void scan() {
    const std::string n = std::to_string(++count_), s = "S" + n, y = "z" + n, q = "q" + n, kk = "kk" + n,
                      v = "v" + n, a = "a" + n;
    lines_.push_back(a + " = " + decay() + " + 0 * mean(x)");
    lines_.push_back(q + " = " + at_t("k", 1));
    lines_.push_back(kk + " = " + at_t("k", 1));
    lines_.push_back(v + " = " + at_t("c", 1));
    const std::string get = "dot(" + kk + ", " + s + ", over=k)";
    const bool wide = random_.chance(0.7);
    const std::string start = pick({"0", "0", "0", "1", "-1e30"});
    lines_.push_back("scan " + s + ": " + (wide ? "[k, c]" : "[c]") + " = " + start + ":");
    std::vector<std::string> body;
    if (wide) {
      switch (random_.below(6)) {
        case 0:
        case 1:
          body = {s + " = " + a + " * " + s + " + " + kk + " * " + v};
          break;
        case 2:
          body = {s + " = " + s + " + 0.2 * " + kk + " * (" + v + " - " + get + ")"};
          break;
        case 3:
          body = {s + " = " + a + " * " + s,
                  s + " = " + s + " + 0.1 * " + kk + " * (" + v + " - " + get + ")"};
          break;
        case 4:
          body = {"loss" + n + " = sum((" + get + " - " + v + ") ** 2)",
                  s + " = " + s + " - 0.1 * grad(loss" + n + ", " + s + ")"};
          break;
        default:
          body = {s + " = tanh(" + a + " * " + s + ") + " + kk + " * " + v};
          break;
      }
      body.push_back(y + " = dot(" + q + ", " + s + ", over=k)");
    } else {
      const std::string ac = "(sum(" + q + ") * 0 + 0.9)";
      switch (random_.below(5)) {
        case 0:
          body = {s + " = 0.9 * " + s + " + " + v + " * mean(" + kk + ")"};
          break;
        case 1:
          body = {s + " = maximum(" + s + ", " + v + ")"};
          break;
        case 2:
          body = {s + " = " + ac + " * " + s + " + " + v};
          break;
        case 3:
          body = {s + " = where(" + v + " < " + s + ", " + s + " * 0.5, " + v + ")"};
          break;
        default:
          body = {s + " = sigmoid(" + v + ") * " + s + " + " + v};
          break;
      }
      body.push_back(y + " = " + s + " + 0 * " + v);
    }
    for (const std::string& l : body) lines_.push_back("    " + l);
    add("c", detected(y));
  }

  // Returns what the unit computes from the last values.
  std::string result() {
    std::string y = values_.back().name;
    if (values_.size() > 2 && random_.chance(0.5))
      y = "(" + y + " + " + values_[values_.size() - 2].name + ")";
    if (random_.chance(0.25))
      return "where(" + std::to_string(random_.below(100)) + " < position(), " + y + ", slice(x, D, 0, c))";
    return y;
  }

  Random& random_;
  std::vector<std::string> lines_;
  std::vector<Value> values_;
  std::string window_;  // of the route that is being written; "": unbounded
  int count_ = 0;       // makes names unique
};

}  // namespace gabbro::testing
