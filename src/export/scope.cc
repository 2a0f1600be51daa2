#include "export/scope.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "export/helpers.h"

namespace gabbro::pytorch {

namespace {

// Names that a program cannot have in a module, with a space on both sides: keywords and functions of Python,
// attributes of nn.Module, and names that this writer uses.
constexpr std::string_view kReserved =
    " "
    "abs add_module aiter all and anext any apply as ascii assert async await bfloat16 bin bool break "
    "breakpoint buffers bytearray bytes Cache cache call_super_init callable children chr class "
    "classmethod compile complex continue copyright cpu credits cuda def del delattr dict dir divmod "
    "documents double dump_patches elif else enumerate eval except exec exit extra_repr F False filter "
    "finally float for format forward from frozenset get_buffer get_extra_state get_parameter "
    "get_submodule getattr global globals half hasattr hash help hex id if import in input int ipu is "
    "isinstance issubclass iter lambda len license list load load_state_dict locals map match max "
    "memoryview min modules mtia named_buffers named_children named_modules named_parameters next nn None "
    "nonlocal not object oct open or ord parameters pass pow print property quit raise range "
    "register_backward_hook register_buffer register_forward_hook register_forward_pre_hook "
    "register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook "
    "register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook "
    "register_state_dict_pre_hook repr requires_grad_ return reversed round self set set_extra_state "
    "set_submodule setattr share_memory slice sorted state_dict staticmethod step str sum super "
    "T_destination to to_empty torch train training True try tuple type vars while with xpu yield "
    "zero_grad zip ";

bool is_word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

}  // namespace

std::string python_name(const std::string& name) {
  // A class changes names that begin with two underscores, and nn.Module has some that begin with one.
  if (name.starts_with('_')) return python_name("u" + name);
  const bool taken = kReserved.find(" " + name + " ") != std::string_view::npos || is_helper(name);
  return taken ? name + "_" : name;
}

std::string function_mark(std::string_view name) { return fmt::format("\x0e{}\x0f", name); }

std::set<std::string> identifiers(std::string_view text) {
  std::set<std::string> out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '"' || text[i] == '\x0e') {  // the equation of an einsum, or a mark
      i = text.find(text[i] == '"' ? '"' : '\x0f', i + 1);
      if (i == std::string_view::npos) break;
      ++i;
      continue;
    }
    if (!is_word_char(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && is_word_char(text[end])) ++end;
    const bool is_attribute = i > 0 && text[i - 1] == '.';
    if (!is_attribute && !std::isdigit(static_cast<unsigned char>(text[i])))
      out.emplace(text.substr(i, end - i));
    i = end;
  }
  return out;
}

namespace {

// The end of the bracket that opens at `open`, and the commas directly inside of it.
struct Bracket {
  std::size_t open = 0, close = 0;
  std::vector<std::size_t> commas;
};

// Returns the outermost brackets of a line that are calls, lists or tuples, not indices.
std::vector<Bracket> brackets_of(const std::string& line) {
  std::vector<Bracket> out, stack;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') {
      i = line.find('"', i + 1);
      if (i == std::string::npos) break;
    } else if (c == '(' || c == '[') {
      stack.push_back({i, 0, {}});
    } else if (c == ',' && !stack.empty()) {
      stack.back().commas.push_back(i);
    } else if ((c == ')' || c == ']') && !stack.empty()) {
      stack.back().close = i;
      const char before = stack.back().open > 0 ? line[stack.back().open - 1] : ' ';
      const bool is_index = c == ']' && (is_word_char(before) || before == ')' || before == ']');
      if (stack.size() == 1 && !is_index) out.push_back(stack.back());
      stack.pop_back();
    }
  }
  return out;
}

}  // namespace

std::string wrapped(const std::string& line) {
  constexpr std::size_t kColumns = 110;
  const auto marks =
      std::count_if(line.begin(), line.end(), [](char c) { return c == '\x0e' || c == '\x0f'; });
  if (line.size() - static_cast<std::size_t>(marks) <= kColumns) return line;
  const Bracket* longest = nullptr;
  const std::vector<Bracket> brackets = brackets_of(line);
  for (const Bracket& b : brackets)
    if (b.close > b.open + 1 && (!longest || b.close - b.open > longest->close - longest->open)) longest = &b;
  if (!longest) return line;
  const std::size_t indent = line.find_first_not_of(' ');
  const std::string space(indent + 4, ' ');
  std::string out = line.substr(0, longest->open + 1) + "\n";
  std::size_t begin = longest->open + 1;
  std::vector<std::size_t> ends = longest->commas;
  const bool trailing = !ends.empty();
  ends.push_back(longest->close);
  for (const std::size_t end : ends) {
    std::string part = line.substr(begin, end - begin);
    part.erase(0, part.find_first_not_of(' '));
    begin = end + 1;
    if (!part.empty()) out += wrapped(space + part + (trailing ? "," : "")) + "\n";
  }
  return out + std::string(indent, ' ') + line.substr(longest->close);
}

std::string Scope::fresh(const std::string& base) {
  const auto taken = [&](const std::string& name) {
    const Scope* s = this;
    while (s && !s->names.contains(name)) s = s->outer;
    return s != nullptr;
  };
  std::string name = python_name(base);
  for (int i = 2; taken(name); ++i) name = fmt::format("{}_{}", python_name(base), i);
  for (Scope* s = this; s; s = s->outer) s->names.insert(name);
  return name;
}

void Scope::assign(std::vector<std::string> targets, std::string text) {
  for (const std::string& t : targets) names.insert(t);
  Line line;
  line.targets = std::move(targets);
  line.text = std::move(text);
  lines.push_back(std::move(line));
}

std::vector<std::string> render(const std::vector<Line>& lines, std::set<std::string>& read, int indent) {
  std::vector<std::vector<std::string>> out;
  const std::string space(static_cast<std::size_t>(indent), ' ');
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const bool wanted = line->is_return || std::any_of(line->targets.begin(), line->targets.end(),
                                                       [&](const auto& t) { return read.contains(t); });
    if (!wanted) continue;
    std::vector<std::string> text;
    if (line->scan) {
      for (const std::string& t : line->scan(read)) text.push_back(t.empty() ? t : space + t);
      for (const std::string& t : text)
        for (const std::string& name : identifiers(t)) read.insert(name);
    } else if (!line->body.empty()) {
      for (const std::string& name : identifiers(line->text)) read.insert(name);
      for (bool grown = true; grown;) {  // an iteration may read what a later line of an earlier one assigns
        const std::size_t before = read.size();
        text = render(line->body, read, indent + 4);
        grown = read.size() > before;
      }
      text.insert(text.begin(), space + line->text);
    } else {
      for (const std::string& t : line->targets) read.erase(t);
      for (const std::string& name : identifiers(line->text)) read.insert(name);
      text.push_back(line->is_return
                         ? fmt::format("{}return {}", space, line->text)
                         : fmt::format("{}{} = {}", space, fmt::join(line->targets, ", "), line->text));
    }
    out.push_back(std::move(text));
  }
  std::vector<std::string> flat;
  for (auto block = out.rbegin(); block != out.rend(); ++block)
    flat.insert(flat.end(), block->begin(), block->end());
  return flat;
}

}  // namespace gabbro::pytorch
