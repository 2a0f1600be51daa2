// Matches text against GBNF grammars by following sets of stacks, as servers for constrained decoding do.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace gabbro::lang::testing {

struct Symbol {
  int rule = -1;                                      // index of a rule, or -1 for a character class
  std::vector<std::pair<unsigned, unsigned>> ranges;  // first and last characters
  bool inverted = false;                              // matches characters outside of the ranges
  [[nodiscard]] bool accepts(unsigned c) const {
    bool in = false;
    for (const auto& [low, high] : ranges) in = in || (c >= low && c <= high);
    return in != inverted;
  }
};
using Sequence = std::vector<Symbol>;

struct Grammar {
  std::vector<std::vector<Sequence>> rules;  // the alternatives of each
  std::map<std::string, int> names;          // the index of each named rule

  explicit Grammar(const std::string& source) : text(source) {
    while (skip(), at < text.size()) {
      const int rule = rule_of(word());
      skip();
      EXPECT_EQ(text.substr(at, 3), "::=");
      at += 3;
      rules[rule] = alternatives();
    }
    for (const auto& [name, rule] : names)
      EXPECT_FALSE(rules[rule].empty()) << "rule " << name << " is not defined";
  }

 private:
  const std::string& text;
  std::size_t at = 0;

  int rule_of(const std::string& name) {
    const auto [it, fresh] = names.try_emplace(name, static_cast<int>(rules.size()));
    if (fresh) rules.emplace_back();
    return it->second;
  }
  int new_rule(std::vector<Sequence> body) {
    rules.push_back(std::move(body));
    return static_cast<int>(rules.size()) - 1;
  }
  // Skips spaces, and line ends if `lines`.
  void skip(bool lines = true) {
    while (at < text.size() && (text[at] == ' ' || (lines && text[at] == '\n'))) ++at;
  }
  std::string word() {
    const std::size_t from = at;
    while (at < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '-' || text[at] == '_'))
      ++at;
    EXPECT_GT(at, from) << text.substr(from, 20);
    if (at == from) ++at;
    return text.substr(from, at - from);
  }
  // Reads one character of a literal or a class, which may be escaped.
  unsigned character() {
    if (text[at] != '\\') return static_cast<unsigned char>(text[at++]);
    const char kind = text[at + 1];
    at += 2;
    const int digits = kind == 'x' ? 2 : kind == 'U' ? 8 : 0;
    if (digits > 0) {
      const unsigned value = static_cast<unsigned>(std::stoul(text.substr(at, digits), nullptr, 16));
      at += digits;
      return value;
    }
    return kind == 'n' ? '\n' : kind == 'r' ? '\r' : static_cast<unsigned char>(kind);
  }
  std::vector<Sequence> alternatives() {
    std::vector<Sequence> out{{}};
    for (;;) {
      skip(/*lines=*/false);
      if (at >= text.size() || text[at] == '\n' || text[at] == ')') return out;
      if (text[at] == '|') {
        ++at;
        out.emplace_back();
        continue;
      }
      Sequence item;
      if (text[at] == '"') {
        for (++at; text[at] != '"';) {
          const unsigned c = character();
          item.push_back({-1, {{c, c}}, false});
        }
        ++at;
      } else if (text[at] == '[') {
        Symbol s;
        if (text[++at] == '^') s.inverted = true, ++at;
        while (text[at] != ']') {
          const unsigned low = character();
          unsigned high = low;
          if (text[at] == '-' && text[at + 1] != ']') ++at, high = character();
          s.ranges.emplace_back(low, high);
        }
        ++at;
        item.push_back(s);
      } else if (text[at] == '(') {
        ++at;
        item.push_back({new_rule(alternatives()), {}, false});
        ++at;
      } else {
        item.push_back({rule_of(word()), {}, false});
      }
      if (at < text.size() && (text[at] == '*' || text[at] == '+' || text[at] == '?')) {
        const char repeat = text[at++];
        const int body = item.size() == 1 && item[0].rule >= 0 ? item[0].rule : new_rule({item});
        const int loop = new_rule({});
        rules[loop] = repeat == '?' ? std::vector<Sequence>{{{body, {}, false}}, {}}
                                    : std::vector<Sequence>{{{body, {}, false}, {loop, {}, false}}, {}};
        item = repeat == '+' ? Sequence{{body, {}, false}, {loop, {}, false}} : Sequence{{loop, {}, false}};
      }
      out.back().insert(out.back().end(), item.begin(), item.end());
    }
  }
};

// The symbols that the rest of a text has to match; the next one is at the back.
using Stack = std::vector<const Symbol*>;

// Replaces the rule at the back of `stack` by each of its alternatives, until a character class is at the
// back. Adds the results to `out`.
inline void expand(const Grammar& g, const Stack& stack, std::set<Stack>& out, std::set<Stack>& seen) {
  if (stack.empty() || stack.back()->rule < 0) {
    out.insert(stack);
    return;
  }
  if (!seen.insert(stack).second) return;
  const int rule = stack.back()->rule;
  for (const Sequence& s : g.rules[rule]) {
    Stack next(stack.begin(), stack.end() - 1);
    for (auto it = s.rbegin(); it != s.rend(); ++it) next.push_back(&*it);
    expand(g, next, out, seen);
  }
}

// Returns the position of the first character that the grammar rejects, or npos if it accepts all of `text`.
inline std::size_t refused_at(const Grammar& g, const std::string& text) {
  const Symbol root{g.names.at("root"), {}, false};
  std::set<Stack> stacks, seen;
  expand(g, {&root}, stacks, seen);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::set<Stack> next;
    seen.clear();
    for (const Stack& s : stacks) {
      if (s.empty() || !s.back()->accepts(static_cast<unsigned char>(text[i]))) continue;
      expand(g, Stack(s.begin(), s.end() - 1), next, seen);
    }
    if (next.empty()) return i;
    stacks = std::move(next);
  }
  return stacks.contains(Stack{}) ? std::string::npos : text.size();
}

}  // namespace gabbro::lang::testing
