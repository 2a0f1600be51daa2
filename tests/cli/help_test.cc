// Checks docs/commands.md against `gabbro COMMAND --help`: the page documents every command and option, and
// names no other option.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/files.h"
#include "cli/run.h"
#include "paths.h"

namespace gabbro {
namespace {

using Names = std::set<std::string>;

// Options by command. An option is all its names, such as --count and -n.
using Commands = std::map<std::string, std::vector<Names>>;

const Names kOfEveryCommand{"--help", "--version", "--color"};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

bool is_part_of_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
}

// Returns true if `line` contains `word` as a whole word.
bool has_word(const std::string& line, const std::string& word) {
  for (std::size_t at = line.find(word); at != std::string::npos; at = line.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_part_of_word(line[at - 1])) && (end == line.size() || !is_part_of_word(line[end])))
      return true;
  }
  return false;
}

// Returns all words of the line that begin with two hyphens.
Names options_in(const std::string& line) {
  Names out;
  for (std::size_t at = line.find("--"); at != std::string::npos;) {
    std::size_t end = at;
    while (end < line.size() && is_part_of_word(line[end])) ++end;
    if ((at == 0 || !is_part_of_word(line[at - 1])) && end > at + 2 && line[at + 2] != '-')
      out.insert(line.substr(at, end - at));
    at = line.find("--", std::max(end, at + 1));
  }
  return out;
}

// Returns the line without `./dev ...`, which is another program.
std::string without_dev(std::string line) {
  for (std::size_t at; (at = line.find("`./dev")) != std::string::npos;)
    line.erase(at, line.find('`', at + 1) - at + 1);
  return line;
}

// Adds the command, or its subcommands if it has any, with the options that its help lists.
void add_commands(const std::string& command, Commands& out) {
  const Output help = gabbro(command + " --help");
  ASSERT_EQ(help.code, 0) << help.text;
  std::vector<Names> options;
  std::vector<std::string> subcommands;
  std::string section;
  for (const std::string& line : lines_of(help.text)) {
    if (!line.empty() && line[0] != ' ') section = line;
    if (line.size() < 3 || line.substr(0, 2) != "  " || line[2] == ' ') continue;
    std::string names = line.substr(2, line.find(' ', 2) - 2);
    if (section == "Subcommands:") subcommands.push_back(names);
    if (section != "Options:") continue;
    std::replace(names.begin(), names.end(), ',', '\n');
    const auto all = lines_of(names);
    if (!std::any_of(all.begin(), all.end(), [](const auto& n) { return kOfEveryCommand.contains(n); }))
      options.emplace_back(all.begin(), all.end());
  }
  if (subcommands.empty()) out[command] = options;
  for (const std::string& sub : subcommands) add_commands(command.empty() ? sub : command + " " + sub, out);
}

struct Section {
  std::string heading;
  std::vector<std::string> lines;  // without lines of examples that do not run gabbro
};

std::vector<Section> sections_of(const std::string& page) {
  std::vector<Section> out(1);
  bool is_example = false;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with("```")) is_example = !is_example;
    if (!is_example && line.starts_with("## ")) out.push_back({line.substr(3), {}});
    if (!is_example || line.find("gabbro ") != std::string::npos) out.back().lines.push_back(line);
  }
  return out;
}

// Returns the commands that a heading such as "evolve, resume" or "data build --out FOLDER" names.
Names commands_of(const std::string& heading, const Commands& commands) {
  Names out;
  std::string parts = heading;
  std::replace(parts.begin(), parts.end(), ',', '\n');
  for (std::string part : lines_of(parts)) {
    part.erase(0, part.find_first_not_of(' '));
    const auto end =
        std::find_if(part.begin(), part.end(), [](char c) { return c != ' ' && (c < 'a' || c > 'z'); });
    part.erase(end, part.end());
    while (part.ends_with(' ')) part.pop_back();
    for (const auto& [command, options] : commands)
      if (!part.empty() && (command == part || command.starts_with(part + " "))) out.insert(command);
  }
  return out;
}

bool names_command(const std::string& line, const std::string& command) {
  return has_word(line, command.substr(command.rfind(' ') + 1));
}

TEST(Help, CommandsPageHasTheSameOptions) {
  Commands commands;
  add_commands("", commands);
  ASSERT_GT(commands.size(), 30U);
  const auto page = read_file(source_path("/docs/commands.md"));
  ASSERT_TRUE(page);
  const std::vector<Section> sections = sections_of(*page);
  for (const auto& [command, options] : commands) {
    const auto own = [&](const Section& s) { return commands_of(s.heading, commands).contains(command); };
    EXPECT_EQ(std::count_if(sections.begin(), sections.end(), own), 1)
        << command << " needs one section of docs/commands.md";
    for (const Names& names : options) {
      const bool is_documented = std::any_of(sections.begin(), sections.end(), [&](const Section& s) {
        return std::any_of(s.lines.begin(), s.lines.end(), [&](const std::string& line) {
          return (own(s) || names_command(line, command)) &&
                 std::any_of(names.begin(), names.end(), [&](const auto& n) { return has_word(line, n); });
        });
      });
      EXPECT_TRUE(is_documented) << "docs/commands.md does not document " << *names.rbegin() << " of `gabbro "
                                 << command << "`";
    }
  }
  for (const Section& s : sections)
    for (const std::string& line : s.lines)
      for (const std::string& option : options_in(without_dev(line))) {
        if (kOfEveryCommand.contains(option)) continue;
        const bool exists = std::any_of(commands.begin(), commands.end(), [&](const auto& entry) {
          const auto& [command, options] = entry;
          return (s.heading.empty() || names_command(line, command) ||
                  commands_of(s.heading, commands).contains(command)) &&
                 std::any_of(options.begin(), options.end(),
                             [&](const Names& names) { return names.contains(option); });
        });
        EXPECT_TRUE(exists) << "docs/commands.md: " << option << " is an option of no command of: " << line;
      }
}

}  // namespace
}  // namespace gabbro
