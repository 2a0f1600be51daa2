#include "lang/gbnf.h"

#include <fmt/core.h>

#include <map>
#include <memory>
#include <vector>

#include "lang/lexer.h"

namespace gabbro::lang {

namespace {

// Characters of a name: its first, and all others.
constexpr std::string_view kFirst = "a-zA-Z_";
constexpr std::string_view kRest = "a-zA-Z0-9_";

struct Trie {
  std::map<char, std::unique_ptr<Trie>> next;
  bool ends_word = false;
};

// Returns the members of a character class such as "a-z_" except those in `without`, spelled out.
std::string class_without(std::string_view members, const Trie& without) {
  std::string out;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const char low = members[i];
    char high = low;
    if (i + 2 < members.size() && members[i + 1] == '-') {
      high = members[i + 2];
      i += 2;
    }
    for (char c = low; c <= high; ++c)
      if (!without.next.contains(c)) out += c;
  }
  return out;
}

// Writes rules for every name that is not a word of the trie. They follow the trie and
// leave it as soon as a letter differs.
void name_rules(const Trie& node, const std::string& rule, bool root, std::string& out) {
  std::string alternatives = fmt::format("[{}] [{}]*", class_without(root ? kFirst : kRest, node), kRest);
  std::string children;
  for (const auto& [letter, child] : node.next) {
    const std::string name = fmt::format("{}-{}", rule, letter);
    alternatives += fmt::format(" | \"{}\" {}", letter, name);
    name_rules(*child, name, false, children);
  }
  if (!root && !node.ends_word) alternatives += " | \"\"";
  out += fmt::format("{} ::= {}\n", rule, alternatives) + children;
}

// Writes the rules for expressions. `p` prefixes the rule names, and `space` separates words; inside
// brackets, a line may break there.
std::string expression_rules(const std::string& p, const std::string& space) {
  std::string r;
  const auto rule = [&](std::string_view name, std::string_view body) {
    std::string text = fmt::format("{}{} ::= {}\n", p, name, body);
    for (const auto& [from, to] : {std::pair<std::string, std::string>{"@", p}, {"~", space}})
      for (std::size_t at; (at = text.find(from)) != std::string::npos;) text.replace(at, 1, to);
    r += text;
  };
  rule("expr", "@cmp (~ \"if\" ~ @cmp ~ \"else\" ~ @expr)?");
  rule("cmp", "@sum (~ (\"<\" | \">\" | \"<=\" | \">=\" | \"==\") ~ @sum)?");
  rule("sum", "@product (~ (\"+\" | \"-\") ~ @product)*");
  rule("product", "@unary (~ (\"*\" | \"/\" | \"//\" | \"%\") ~ @unary)*");
  rule("unary", "\"-\" @unary | @power");
  rule("power", "@atom (~ \"**\" ~ @unary)?");
  rule("atom",
       "number | \"true\" | \"false\" | name | name \"(\" open args? close \")\" | name \"[\" open i-expr "
       "close \"]\" | \"(\" open i-expr close \")\" | list");
  return r;
}

// Writes the rules for statements at nesting depth `level`; each line starts with its indentation.
std::string statement_rules(int level, int deepest) {
  const std::string indent(static_cast<std::size_t>(level) * 4, ' ');
  const std::string n = std::to_string(level);
  std::string r = fmt::format("stmt{0} ::= comment{0}* \"{1}\" (axis | share | assign{2}) \n", n, indent,
                              level < deepest ? " | scan" + n + " | for" + n : "");
  r += fmt::format("comment{} ::= \"{}#\" text \"\\n\"\n", n, indent);
  if (level >= deepest) return r;
  const std::string inner = std::to_string(level + 1);
  r += fmt::format("scan{} ::= \"scan \" state (\", \" state)* \":\" eol stmt{}+\n", n, inner);
  r += fmt::format(
      "for{} ::= \"for \" own \" in \" expr (\" with \" binding (\", \" binding)*)? \":\" eol stmt{}+\n", n,
      inner);
  return r;
}

void add_word(Trie& words, std::string_view word) {
  Trie* at = &words;
  for (char c : word) {
    auto& next = at->next[c];
    if (!next) next = std::make_unique<Trie>();
    at = next.get();
  }
  at->ends_word = true;
}

std::string grammar(const std::string& root) {
  // `refused` are words that no name may be; `taken` are words that no new name may be.
  Trie refused, taken;
  for (Trie* words : {&refused, &taken}) {
    for (const std::string_view word : reserved_words()) add_word(*words, word);
    // The parser rejects these words and suggests what was meant.
    for (const char* habit : {"True", "False", "None", "null", "range"}) add_word(*words, habit);
  }
  for (const std::string_view name : builtin_names()) add_word(taken, name);
  constexpr int kDeepest = 3;
  std::string g = "root ::= " + root + R"gbnf(
item ::= comment0* (fn | interface | unit | design)
comment0 ::= "#" text "\n"
text ::= [^\n\r\x00-\x1f\x7f-\U0010FFFF]*
eol ::= ("  #" text)? "\n"
fn ::= "fn " own "(" open (fnparam ("," comma fnparam)*)? close "):" eol body
fnparam ::= own ("=" i-expr)?
interface ::= "interface " own "(" open port ("," comma port)* close ")" results eol
unit ::= "unit " own "(" open port ("," comma port)* ("," comma hyper)* close ")" results ":" eol body
port ::= own ": " axes
axes ::= "[" (name (", " name)*)? "]"
results ::= " -> " axes (", " own ": " axes)*
hyper ::= own ": " (("free "? ("int" | "real") | "bool") (" in {" open entry ("," comma entry)* close "}")? | name) (" = " i-expr)?
entry ::= i-expr (" .. " i-expr)?
design ::= "design " own ":" eol setting-width? setting-vocab? setting-tied? setting-share* "    stack = " expr eol
setting-width ::= "    width = " expr eol
setting-vocab ::= "    vocab = " expr eol
setting-tied ::= "    tied = " expr eol
setting-share ::= "    share " own " = " expr eol
body ::= stmt1* comment1* "    return " expr (", " expr)* eol
axis ::= "axis " binding (", " binding)* eol
share ::= "share " binding eol
assign ::= target (", " target)* " = " expr eol
target ::= own ("[" open i-expr close "]")?
binding ::= own " = " expr
state ::= own ": " axes " = " expr
args ::= i-expr ("," comma i-expr)* ("," comma keyword)* | keyword ("," comma keyword)*
keyword ::= name "=" i-expr
list ::= "[" open (i-expr ("," comma i-expr)*)? close "]"
number ::= digits ("." digits)? ("e" "-"? [0-9] [0-9]?)?
digits ::= [0-9] [0-9]? [0-9]? [0-9]? [0-9]? [0-9]? [0-9]? [0-9]? [0-9]?
open ::= break?
close ::= break?
comma ::= " " | break
gap ::= " " | break
break ::= "\n" " "*
)gbnf";
  for (int level = 1; level <= kDeepest; ++level) g += statement_rules(level, kDeepest);
  g += expression_rules("", "\" \"") + expression_rules("i-", "gap");
  name_rules(refused, "name", true, g);
  name_rules(taken, "own", true, g);
  return g;
}

}  // namespace

std::string gbnf() { return grammar(R"(item ("\n" item)*)"); }

std::string gbnf_unit(const std::string& name, const std::vector<std::string>& inputs,
                      const std::vector<std::string>& results) {
  std::string ports, named;
  for (const std::string& input : inputs) ports += (ports.empty() ? "" : ", ") + input + ": [t, D]";
  for (const std::string& result : results) named += ", " + result + ": [t, D]";
  return grammar(fmt::format(R"g(comment0* "unit {}({}" ("," comma hyper)* ")" " -> [t, D]{}:" eol body)g",
                             name, ports, named));
}

std::string gbnf_expression() { return grammar(R"(expr "\n"?)"); }

}  // namespace gabbro::lang
