// Tests of the user's own documents: formats, repetition, interruption, damage.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "library/file.h"
#include "library/library.h"
#include "library/pdf.h"
#include "library/reader.h"

namespace gabbro::library {
namespace {

namespace fs = std::filesystem;

class Add : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("library-" + std::to_string(getpid()) + "-" +
                                              testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "docs");
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  std::unique_ptr<Library> open() {
    LibraryOptions options;
    options.file = (folder_ / "own" / "library.db").string();
    auto library = Library::open(options);
    if (!library) ADD_FAILURE() << library.error().message;
    return library ? std::move(*library) : nullptr;
  }
  std::string docs() { return (folder_ / "docs").string(); }
  fs::path folder_;
};

const char* const kBib = R"(% refs
@string{pub = "X"}
@comment{ @article{no, title={no}} }
@inproceedings{yang2099zebra, title = {{Zebra} Attention: Striped {\"U}ber Mixers}, author = "Yang, Songlin and Bailin Wang and others",
  year = 2099, booktitle = {Proc. of } # pub, abstract = {Alternating stripes of quagga kernels \& more.}, eprint={2901.01234}, archivePrefix={arXiv}}
@article{broken, title = {never closed,
)";

TEST_F(Add, NoFileIsCreatedBeforeSomethingIsStored) {
  const auto library = open();
  (void)library->search("attention", 3);
  EXPECT_FALSE(fs::exists(folder_ / "own"));
}

TEST_F(Add, FolderOfSeveralFormats) {
  write("docs/refs.bib", kBib);
  write("docs/my notes.md", "intro\n# Quokka recurrences\n\nThe quokka gate forgets by halves.\n");
  write("docs/plain.txt",
        std::string("arXiv:2801.00042v1 [cs.CL]\nWombat Scaling\n\nwombat laws hold \xff\n"));
  write("docs/ignored.xyz", "kangaroo");
  write("docs/.hidden.txt", "kangaroo");
  const auto library = open();
  const auto added = library->add({docs()});
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_EQ(added->added, 3);
  ASSERT_EQ(added->notes.size(), 1u);
  EXPECT_EQ(added->notes[0], "refs.bib:6: skipped an invalid entry");

  const auto zebra = library->find("yang2099zebra");
  ASSERT_TRUE(zebra);
  EXPECT_EQ(zebra->title, "Zebra Attention: Striped Uber Mixers");
  EXPECT_EQ(zebra->authors, "Yang, Wang et al.");
  EXPECT_EQ(zebra->year, 2099);
  EXPECT_EQ(zebra->arxiv, "2901.01234");
  EXPECT_EQ(zebra->text, "Alternating stripes of quagga kernels & more.");
  EXPECT_EQ(library->find("2901.01234")->id, "yang2099zebra");
  const auto hits = library->search("quokka gate", 1);
  ASSERT_EQ(hits.size(), 1u);
  EXPECT_EQ(hits[0].id, "my-notes");
  EXPECT_EQ(hits[0].title, "Quokka recurrences");
  EXPECT_NE(hits[0].source.find("my notes.md"), std::string::npos);
  EXPECT_EQ(library->search("wombat", 1).at(0).title, "Wombat Scaling");
  EXPECT_TRUE(library->search("kangaroo", 1).empty());
}

TEST_F(Add, RepeatedFilesAreSkippedAndChangedOnesReplaced) {
  const std::string path = write("docs/a.md", "# Numbat\n\nold words here\n");
  EXPECT_EQ(open()->add({path})->added, 1);
  const auto again = open()->add({path, docs()});
  EXPECT_EQ(again->added, 0);
  EXPECT_EQ(again->known, 2) << "by its path, and in its folder";
  write("docs/copy.md", "# Numbat\n\nold words here\n");  // equal content under another name
  EXPECT_EQ(open()->add({docs()})->known, 2);
  fs::remove(folder_ / "docs" / "copy.md");
  write("docs/a.md", "# Numbat\n\nfresh words instead\n");
  EXPECT_EQ(open()->add({docs()})->replaced, 1);
  const auto library = open();
  ASSERT_EQ(library->search("numbat", 5).size(), 1u);
  EXPECT_EQ(library->search("numbat", 5)[0].text, "# Numbat\n\nfresh words instead");
  EXPECT_EQ(library->find("a")->id, "a");
}

TEST_F(Add, AFileThatBecomesACopyLosesItsOldText) {
  const std::string path = write("docs/a.md", "# Numbat\n\nold words here\n");
  write("docs/b.md", "# Quoll\n\nother words\n");
  ASSERT_EQ(open()->add({docs()})->added, 2);
  write("docs/a.md", "# Quoll\n\nother words\n");
  EXPECT_EQ(open()->add({path})->replaced, 1);
  EXPECT_TRUE(open()->search("numbat", 5).empty());
  EXPECT_EQ(open()->search("quoll", 5).size(), 1u);
  EXPECT_EQ(open()->add({docs()})->known, 2);
}

TEST_F(Add, TakenIdsGetASuffix) {
  write("docs/gla.txt", "Bilby notes\n");
  fs::create_directories(folder_ / "docs" / "sub");
  write("docs/sub/gla.txt", "Bilby again\n");
  const auto library = open();
  ASSERT_EQ(library->add({docs()})->added, 2);
  EXPECT_EQ(library->find("gla")->source, "built-in");
  EXPECT_EQ(library->find("gla-own")->title, "Bilby notes");
  EXPECT_EQ(library->find("gla-own-2")->title, "Bilby again");
}

TEST_F(Add, TheBestPassageOfALongDocumentIsTheHit) {
  std::string text = "Long echidna catalogue\n\n";
  for (int i = 0; i < 200; ++i)
    text += "Filler about nothing in particular, number " + std::to_string(i) + ".\n\n";
  text += "The spiny platypus theorem is proved here.\n\n";
  for (int i = 0; i < 200; ++i) text += "More filler, number " + std::to_string(i) + ".\n\n";
  const auto library = open();
  ASSERT_TRUE(library->add({write("docs/catalogue.txt", text)}));
  const auto hits = library->search("spiny platypus theorem", 3);
  ASSERT_FALSE(hits.empty());
  EXPECT_EQ(hits[0].id, "catalogue");
  EXPECT_NE(hits[0].text.find("spiny platypus"), std::string::npos);
  EXPECT_LE(hits[0].text.size(), 1700u);
}

TEST_F(Add, UnreadableFilesAreReported) {
  const auto library = open();
  const auto none = library->add({(folder_ / "nowhere").string()});
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("not found"), std::string::npos);
  EXPECT_EQ(library->add({write("x.docx", "?")})->notes.size(), 1u);
  const auto without_file = Library::open({});
  ASSERT_TRUE(without_file);
  const auto added = (*without_file)->add({write("y.txt", "?")});
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, "library");
}

TEST_F(Add, AnInterruptedAddLeavesWholeFiles) {
  std::string bib;
  constexpr int kEntries = 3000;
  for (int i = 0; i < kEntries; ++i)
    bib += "@misc{key" + std::to_string(i) + ", title={Dingo number " + std::to_string(i) + "}, year=2000}\n";
  const std::string path = write("docs/big.bib", bib);
  bool done = false;
  int killed = 0;
  for (int milliseconds = 1; !done && milliseconds < 60'000; milliseconds = milliseconds * 3 / 2 + 1) {
    const pid_t child = fork();
    if (child == 0) {
      const auto library = open();
      _exit(library->add({path}).has_value() ? 0 : 1);
    }
    usleep(static_cast<useconds_t>(1000 * milliseconds));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
      EXPECT_EQ(WTERMSIG(status), SIGKILL);
      ++killed;
    } else {
      EXPECT_EQ(WEXITSTATUS(status), 0);
    }
    const auto file = LibraryFile::open((folder_ / "own" / "library.db").string(), /*create=*/false);
    ASSERT_TRUE(file) << file.error().message;
    const auto size = *file ? (*file)->size() : 0;
    EXPECT_TRUE(size == 0 || size == kEntries) << size;
    done = size == kEntries;
  }
  EXPECT_TRUE(done);
  EXPECT_GT(killed, 0);
}

TEST_F(Add, OtherFilesAreRefused) {
  LibraryOptions options;
  options.file = write(
      "not.db",
      "this is no database, only text that is long enough to have a header of its own.....................");
  auto library = Library::open(options);
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().code, "library");
  options.file = (folder_ / "other.db").string();
  {
    auto db = sqlite::Connection::open(options.file, sqlite::Connection::Mode::kWrite);
    ASSERT_TRUE((*db)->script("CREATE TABLE t(x)"));
  }
  library = Library::open(options);
  ASSERT_FALSE(library);
  EXPECT_NE(library.error().message.find("not a library"), std::string::npos);
}

TEST_F(Add, ADamagedFileIsReported) {
  std::string text;
  for (int i = 0; i < 3000; ++i)
    text += "Words number " + std::to_string(i * 7919) + " of a long document.\n\n";
  ASSERT_TRUE(open()->add({write("docs/long.txt", text)}));
  const fs::path file = folder_ / "own" / "library.db";
  std::fstream raw(file, std::ios::in | std::ios::out | std::ios::binary);
  for (std::uintmax_t at = 8192; at + 4096 < fs::file_size(file); at += 4096) {
    raw.seekp(static_cast<std::streamoff>(at));
    raw << std::string(2000, '\xa5');
  }
  raw.close();
  LibraryOptions options;
  options.file = file.string();
  const auto library = Library::open(options);
  ASSERT_FALSE(library);
  EXPECT_EQ(library.error().code, "library");
}

// Returns a PDF with one page and one line of text, without a cross-reference table; readers find the objects
// anyway.
std::string small_pdf(const std::string& line) {
  const std::string stream = "BT /F1 12 Tf 72 720 Td (" + line + ") Tj ET";
  return "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count "
         "1>>endobj\n"
         "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 "
         "R>>>>>>endobj\n"
         "4 0 obj<</Length " +
         std::to_string(stream.size()) + ">>stream\n" + stream +
         "\nendstream endobj\n5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 "
         "0 R>>\n%%EOF\n";
}

TEST_F(Add, PdfThroughPdftotext) {
  if (find_program("pdftotext").empty()) GTEST_SKIP() << "pdftotext (poppler-utils) is not on the PATH";
  write("docs/-enc.pdf", small_pdf("Thylacine networks never sleep"));  // a name that looks like an option
  write("docs/bad.pdf", "no pdf at all");
  const auto library = open();
  const auto added = library->add({docs()});
  ASSERT_TRUE(added);
  EXPECT_EQ(added->added, 1);
  ASSERT_EQ(added->notes.size(), 1u);
  EXPECT_NE(added->notes[0].find("bad.pdf: pdftotext cannot read it"), std::string::npos) << added->notes[0];
  EXPECT_EQ(library->search("thylacine", 1).at(0).title, "Thylacine networks never sleep");
}

TEST_F(Add, WithoutPdftotextTheMessageSaysWhatToDo) {
  const std::string before = std::getenv("PATH");
  setenv("PATH", "/nowhere", 1);
  const auto text = pdf_text(write("docs/a.pdf", small_pdf("x")));
  setenv("PATH", before.c_str(), 1);
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().message.find("not on the PATH"), std::string::npos);
  EXPECT_NE(text.error().hint.find("poppler-utils"), std::string::npos);
}

TEST(Bibtex, FormsOfEntries) {
  const auto read = [](const std::string& text) { return read_bibtex(text, "x.bib"); };
  EXPECT_EQ(read("@a(k, title = \"A {B} c\")").papers.at(0).title, "A B c");
  EXPECT_EQ(read("@a{k, title = {A}, month = jan, year = {2019},}").papers.at(0).year, 2019);
  EXPECT_EQ(read("@a{k, title={X}, author={{DeepSeek-AI}}}").papers.at(0).authors, "DeepSeek-AI");
  EXPECT_EQ(read("@a{k, title={X}, journal={arXiv preprint arXiv:2101.00027}}").papers.at(0).arxiv,
            "2101.00027");
  EXPECT_EQ(read("text @ home, a@b.c").papers.size(), 0u);
  EXPECT_EQ(read("@a{one, title={1}} junk @a{two title={2}} @a{three, title={3}}").papers.size(), 2u);
  EXPECT_EQ(read("@a{k, year=2000}").notes.at(0), "x.bib:1: skipped an entry without key or title");
  EXPECT_EQ(read(std::string(100000, '{')).papers.size(), 0u);
  EXPECT_EQ(read("@a{k, title=" + std::string(100000, '{')).notes.size(), 1u);
}

}  // namespace
}  // namespace gabbro::library
