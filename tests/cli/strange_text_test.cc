// Tests that no command writes invisible characters or terminal commands to the terminal, whatever their
// source.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "base/text.h"
#include "campaign/record_builder.h"
#include "cli/run.h"
#include "folder.h"
#include "lang/check.h"
#include "lang/printer.h"
#include "paths.h"
#include "zoo/library.h"

namespace gabbro {
namespace {

namespace fs = std::filesystem;

// kText clears the screen and sets its title, in 7 and 8 bits, changes the direction of writing, and contains
// invisible characters. kStrange also contains invalid UTF-8.
const std::string kText =
    "x\x1b[2J\x1b]0;title\x07\x08\r\x7f\xc2\x9b"
    "31m\u202e\u2066\u200b\u00ad\ufeff\U000e0041y";
const std::string kStrange = kText + "\x9b" + "2J";

class StrangeText : public FolderTest {
 protected:
  StrangeText() : FolderTest("strange_text") {}
  // Returns both outputs of `gabbro arguments`. The test fails if they contain anything that should be
  // escaped.
  std::string gabbro(const std::string& arguments, int code = 0) {
    const auto [ended, out] = run_command("timeout 60 " + gabbro_path() + " " + arguments + " 2>&1");
    EXPECT_EQ(ended, code) << arguments << "\n" << out;
    EXPECT_EQ(printable(out), out) << arguments;
    EXPECT_FALSE(out.empty()) << arguments;
    return out;
  }
};

std::string quoted(const std::string& path) { return "'" + path + "'"; }

const std::string kUnit = "unit A(x: [t, D]) -> [t, D]:\n    return x + shift(x, 1)  # ";
const std::string kDesign = "\n\ndesign M:\n    stack = [A, RMSNorm]\n";

TEST_F(StrangeText, OfProgramsIsEscapedByEveryCommand) {
  const std::string& comment = kText;  // Programs with invalid UTF-8 are refused.
  const std::string good = quoted(file("good.gab", "# " + comment + "\n" + kUnit + comment + kDesign)),
                    other = quoted(file("other.gab", "# " + comment + "\n" + kUnit + "twice" + kDesign)),
                    bad = quoted(file(
                        "bad.gab",
                        "# " + comment + "\nunit A(x: [t, D]) -> [t, D]:\n    return " + kStrange + "\n"));
  for (const char* command : {"check", "check --json", "show", "hash", "fmt --check"})
    gabbro(fmt::format("{} {}", command, bad), 1);
  for (const char* command : {"check", "check --json", "show", "hash"})
    gabbro(fmt::format("{} {}", command, good));
  EXPECT_EQ(gabbro("fmt --check " + good, 1).find("\x1b"), std::string::npos);
  gabbro("diff " + good + " " + other);
  gabbro("diff --json " + good + " " + other);
  // The output is still a program, of the same function.
  const std::string shown = gabbro("fmt - < " + good);
  const auto hash_of = [](const std::string& text) {
    const lang::CheckReport report = lang::check(text, zoo::library());
    EXPECT_TRUE(report.valid()) << text;
    return report.valid() ? to_hex(report.subjects.back().hash) : "";
  };
  EXPECT_NE(shown.find("\\u202e"), std::string::npos) << shown;
  EXPECT_EQ(hash_of(shown), hash_of("# " + comment + "\n" + kUnit + comment + kDesign));
}

TEST_F(StrangeText, OfNamesOfFilesIsEscaped) {
  const std::string name = "a\nb" + kStrange + ".gab";
  const std::string good = quoted(file(name, kUnit + kDesign)), gone = quoted(dir + "/none" + name);
  for (const char* command : {"check", "check --json", "show", "hash"}) {
    const std::string out = gabbro(fmt::format("{} {}", command, good));
    EXPECT_EQ(out.find("a\nb"), std::string::npos) << command;
  }
  for (const char* command :
       {"check", "show", "hash", "fmt", "evolve --design", "evolve --preset", "data info", "eval", "generate",
        "status", "top", "tree", "export", "report", "resume", "cost", "library add", "data build --out x"})
    gabbro(fmt::format("{} {}", command, gone), 2);
  gabbro("check --" + quoted(kStrange), 2);
  gabbro(quoted(kStrange), 2);
}

TEST_F(StrangeText, OfARecordIsEscaped) {
  using namespace campaign;
  RecordBuilder m;
  const std::string text = "x\x1b[2J\r\u202e\u200b\xc2\x9b", comment = "# x\x1b[2J\u202e\n";
  m.plan.corpus = "data/" + text;
  m.plan.settings.rungs[0].name = "rung" + std::string("\u202e");
  std::get<record::CampaignBegun>(m.events[0]).config = to_toml(m.plan);
  m.session(true);
  const std::int64_t base = m.baseline("llama");
  m.run(base, 0, 7, 2.5, record::Purpose::kBaseline);
  const std::int64_t id =
      m.design(text, {.description = text}, base, comment + "design Made:\n    stack = [Block]\n", text);
  m.last_design().species = text;
  m.run(id, 0, 7, 2.4);
  m.crash(id, 0, 8, "the worker said " + text);
  m.refuse(text, record::Cause::kEdit, text);
  m.promote(id, 1, text);
  m.session(false);
  const TemporaryFolder folder;
  { const store::Store store = m.store(folder); }
  const std::string run = folder.file("");
  for (const std::string& command :
       {"status " + run, "status --json " + run, "top " + run, "top --json " + run, "tree " + run,
        "show " + run + "#2", "show " + run + "#1"})
    gabbro(command);
  const std::string shown = gabbro("show " + run + "#2");
  EXPECT_NE(shown.find("\\u202e"), std::string::npos) << shown;
  gabbro("report " + run + " --out " + dir + "/report.html");
  std::ifstream in(dir + "/report.html", std::ios::binary);
  const std::string html{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(html.find("</html>"), std::string::npos);
  EXPECT_EQ(printable(html), html);
}

// A folder that is there is that folder; only another name is RUN#ID.
TEST_F(StrangeText, FoldersMayHaveNamesWithHashes) {
  campaign::RecordBuilder m;
  m.session(true);
  m.run(m.baseline("llama"), 0, 7, 2.5, record::Purpose::kBaseline);
  m.session(false);
  for (const char* name : {"exp#1", "a#2/run", "a#2/run#x"}) {
    const std::string run = dir + "/" + name;
    fs::create_directories(run);
    {
      const campaign::TemporaryFolder folder;
      { const store::Store store = m.store(folder); }
      fs::copy_file(folder.file("campaign.db"), run + "/campaign.db");
    }
    for (const char* command :
         {"status", "status --csv designs", "status --csv runs", "top", "tree", "report"})
      gabbro(fmt::format("{} '{}'", command, run));
    for (const char* command : {"show", "check", "hash", "fmt"})
      gabbro(fmt::format("{} '{}#1'", command, run));
    gabbro(fmt::format("diff '{}#1' '{}#1'", run, run));
    // Its run was done, but nothing of it is here.
    EXPECT_NE(gabbro(fmt::format("eval '{}#1'", run), 2).find("trials/1"), std::string::npos);
    EXPECT_NE(gabbro(fmt::format("eval '{}'", run), 2).find("is a campaign, not a run"), std::string::npos);
    EXPECT_NE(gabbro(fmt::format("generate '{}'", run), 2).find("is a campaign"), std::string::npos);
    gabbro(fmt::format("status '{}#1'", run), 2);
  }
}

TEST_F(StrangeText, OfACorpusIsEscaped) {
  std::string text;
  for (int i = 0; i < 40; ++i)
    text += fmt::format("the stone of number {} lies under the old bridge\n<|endoftext|>\n", i);
  const std::string name = "t" + kStrange + ".txt", odd = "odd" + kStrange + ".bin";
  file("f", "");
  fs::create_directories(dir + "/texts");
  file("texts/" + name, text);
  file("texts/" + odd, "x");
  const std::string corpus = dir + "/corpus" + "\u202e";
  gabbro("data build --vocab 300 --valid 0.2 --out " + quoted(corpus) + " " + dir + "/texts");
  gabbro("data info " + quoted(corpus));
  EXPECT_TRUE(nlohmann::json::accept(gabbro("data info --json " + quoted(corpus))));
}

// All output of src/cli goes through cli/terminal.h; no other code writes to the terminal.
TEST(Terminal, IsWrittenToInOnePlace) {
  int files = 0;
  for (const auto& entry : fs::directory_iterator(source_path("/src/cli"))) {
    if (entry.path().extension() != ".cc" || entry.path().filename() == "terminal.cc") continue;
    ++files;
    std::ifstream in(entry.path());
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (const char* other :
         {"fmt::print", "std::cout", "std::cerr", "std::puts", "fwrite(", "std::printf", "\\x1b"})
      EXPECT_EQ(text.find(other), std::string::npos)
          << entry.path() << ": " << other << "; cli/terminal.h prints";
  }
  EXPECT_GT(files, 10);
}

// ---- Files that are not regular ----

TEST_F(StrangeText, ProgramsAreReadFromRegularFiles) {
  const std::string pipe = dir + "/pipe", program = file("good.gab", kUnit + kDesign);
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink(program, dir + "/link.gab");
  {
    std::ofstream(dir + "/huge.gab") << "# ";
    fs::resize_file(dir + "/huge.gab", std::uintmax_t{64} << 30);  // a sparse file without blocks
  }
  gabbro("check " + dir + "/link.gab");
  for (const std::string& path :
       {pipe, std::string("/dev/zero"), std::string("/dev/full"), dir, dir + "/huge.gab"}) {
    const bool huge = path.ends_with("huge.gab");
    for (const char* command : {"check", "show", "hash", "fmt", "diff "}) {
      const bool two = std::string(command) == "diff ";
      const std::string out = gabbro(fmt::format("{} {} {}", command, two ? program : "", path), 2);
      EXPECT_NE(out.find(huge          ? "larger than"
                         : path == dir ? "folder"
                                       : "not a regular file"),
                std::string::npos)
          << out;
    }
    for (const char* command :
         {"evolve --dir none --design", "propose --agents", "evolve --dir none --preset"})
      gabbro(fmt::format("{} {}", command, path), 2);
    if (huge) continue;
    const std::string run = dir + "/run";
    fs::remove_all(run);
    fs::create_directories(run);
    for (const char* name : {"/campaign.db", "/calls.db"}) fs::create_symlink(fs::absolute(path), run + name);
    for (const char* command : {"status", "top", "tree", "report", "resume", "cost"}) {
      const std::string out = gabbro(fmt::format("{} {}", command, run), 2);
      EXPECT_NE(out.find(path == dir ? "folder" : "not a regular file"), std::string::npos) << out;
    }
    for (const char* command : {"show", "export"}) gabbro(fmt::format("{} {}#1", command, run), 2);
  }
  EXPECT_NE(gabbro("check - < " + program).find("is valid"), std::string::npos);
  EXPECT_NE(gabbro("check " + pipe, 2).find("check -"), std::string::npos);
}

}  // namespace
}  // namespace gabbro
