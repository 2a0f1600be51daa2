#include "data/notices.h"

#include <fmt/format.h>

#include <algorithm>

namespace gabbro::data {

namespace {

// Returns a number with its noun: "1 document", "2 documents".
std::string counted(std::uint64_t count, const std::string& what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

// Returns "2 of 3 documents".
std::string part_of(std::uint64_t part, std::uint64_t whole, const std::string& what) {
  return fmt::format("{} of {}", part, counted(whole, what));
}

std::string percent(double share) {
  return share >= 0.1 ? fmt::format("{:.0f} %", 100 * share) : fmt::format("{:.2g} %", 100 * share);
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return percent(static_cast<double>(part) / static_cast<double>(std::max<std::uint64_t>(1, whole)));
}

}  // namespace

std::vector<std::string> notices_of(const Findings& f, const std::string& separator) {
  constexpr std::uint64_t kOftenInvalid = 200;  // More than one invalid byte in so many is hardly damage.
  std::vector<std::string> out;
  if (f.mended > 0)
    out.push_back(fmt::format(
        "{} ({}) contained invalid UTF-8; each invalid byte, {} ({}), became U+FFFD, which counts as text{}",
        part_of(f.mended, f.documents, "document"), percent(f.mended, f.documents),
        part_of(f.mended_bytes, f.bytes, "byte"), percent(f.mended_bytes, f.bytes),
        f.mended_bytes * kOftenInvalid > f.bytes
            ? ". Is the text in another encoding? Convert it, for example with `iconv -f LATIN1 -t UTF-8`"
            : ""));
  if (f.empty_rows > 0)
    out.push_back(
        fmt::format("left out {} without text in the field that is read (--field); the first is in {}",
                    part_of(f.empty_rows, f.rows, "row"), f.empty_row));
  if (f.nul > 0)
    out.push_back(fmt::format("left out {} with NUL characters, which {} no text; the first is in {}",
                              counted(f.nul, "document"), f.nul == 1 ? "is" : "are", f.nul_file));
  if (f.separators > 0)
    out.push_back(
        fmt::format("the separator {} occurs {} inside of {}, where it separates nothing, since it is not on "
                    "a line of its own in a text file; the first is in {}",
                    separator, counted(f.separators, "time"), counted(f.separator_documents, "document"),
                    f.separator_file));
  if (!f.undivided.empty())
    out.push_back(fmt::format(
        "{} of more than 1 MB {} one document: {}{}. If it holds several, separate them by lines {}, or name "
        "the line that does with --separator",
        counted(f.undivided.size(), "source"), f.undivided.size() == 1 ? "is" : "are each",
        f.undivided.front(), f.undivided.size() == 1 ? "" : ", ...", separator));
  return out;
}

std::vector<std::string> notices_of(const Sources& sources) {
  std::vector<std::string> out;
  for (const auto& [reason, files] : sources.skipped)
    out.push_back(fmt::format("left out {} {}: {}{}", counted(files.size(), "path"), reason, files.front(),
                              files.size() == 1 ? "" : ", ..."));
  return out;
}

std::vector<std::string> training_notices(const Division::Counts& c, bool by_name, std::uint64_t train) {
  constexpr double kWorthSaying = 0.01;  // share of the held-out text
  std::vector<std::string> out;
  if (c.same > 0)
    out.push_back(fmt::format(
        "{} document{} of the training text appear{} verbatim in --valid-source and {} left out of training",
        c.same, c.same == 1 ? "" : "s", c.same == 1 ? "s" : "", c.same == 1 ? "is" : "are"));
  if (c.inside > 0)
    out.push_back(fmt::format("{} of the training text contain{} a held-out document or part of one, and {}",
                              counted(c.inside, "document"), c.inside == 1 ? "s" : "",
                              by_name ? c.inside == 1 ? "is left out of training" : "are left out of training"
                              : c.inside == 1 ? "is kept; with --valid-source it would be left out"
                                              : "are kept; with --valid-source they would be left out"));
  if (const auto [documents, all, share] = c.held_out_trained; documents > 0 || share >= kWorthSaying)
    out.push_back(fmt::format(
        "{} of the held-out text also stands in training documents that are kept; {} {} there for the most "
        "part. For scores on new text alone, hold out other documents",
        percent(share), part_of(documents, all, "held-out document"), documents == 1 ? "stands" : "stand"));
  if (const std::uint64_t again = c.trained_again; again > 0)
    out.push_back(fmt::format("{} ({}) repeat{} an earlier one; {} kept",
                              part_of(again, train, "training document"), percent(again, train),
                              again == 1 ? "s" : "", again == 1 ? "it is" : "they are"));
  return out;
}

std::vector<std::string> held_out_notices(const Division::Counts& c) {
  std::vector<std::string> out;
  if (c.repeated > 0)
    out.push_back(fmt::format("{} held-out document{} repeated and left out: each text counts once",
                              c.repeated, c.repeated == 1 ? " was" : "s were"));
  if (c.nearly_repeated > 0)
    out.push_back(fmt::format(
        "{} held-out document{} for the most part in earlier ones and left out: they would not count as "
        "independent",
        c.nearly_repeated, c.nearly_repeated == 1 ? " stood" : "s stood"));
  if (c.boilerplate > 0)
    out.push_back(
        fmt::format("{} held-out document{} for the most part of text that more than eight training "
                    "documents share, such "
                    "as a licence, and {} left out: it would not be new text",
                    c.boilerplate, c.boilerplate == 1 ? " consisted" : "s consisted",
                    c.boilerplate == 1 ? "was" : "were"));
  return out;
}

tl::unexpected<Error> mostly_boilerplate(double share) {
  return fail(
      "corpus",
      fmt::format("{} of the held-out text is in documents that consist for the most part of text that "
                  "more than eight training documents share, such as a licence",
                  percent(share)),
      "hold out other documents, or take the shared text out of them");
}

std::string vocabulary_notice(const SplitInfo& train, const SplitInfo& valid) {
  constexpr double kSuspiciousRatio = 1.25;
  const auto bytes_a_token = [](const SplitInfo& s) {
    return static_cast<double>(s.bytes) / static_cast<double>(std::max<std::uint64_t>(1, s.tokens));
  };
  if (bytes_a_token(valid) <= kSuspiciousRatio * bytes_a_token(train)) return "";
  return fmt::format(
      "the tokenizer fits the held-out text better than the training text ({:.2f} bytes per token, {:.2f} in "
      "training): was it trained on it? Scores would then not only reflect what the model learned",
      bytes_a_token(valid), bytes_a_token(train));
}

std::string lost_notice(std::uint64_t documents) {
  if (documents == 0) return "";
  return fmt::format("left out {} of which the tokenizer keeps nothing", counted(documents, "document"));
}

std::string changed_notice(const SplitInfo& train, const SplitInfo& valid) {
  if (train.changed_documents + valid.changed_documents == 0) return "";
  return fmt::format(
      "the tokenizer does not reproduce {} ({}) and {} ({}): scores count the bytes of the text that it "
      "keeps, "
      "and say so",
      part_of(train.changed_documents, train.documents, "training document"), percent(train.changed_share()),
      part_of(valid.changed_documents, valid.documents, "held-out document"), percent(valid.changed_share()));
}

tl::unexpected<Error> one_sided(const Division::Counts& c, bool by_name, std::uint64_t train,
                                std::uint64_t valid) {
  if (train == 0 && by_name)
    return fail(
        "corpus",
        fmt::format("each of {} is, contains or is part of a held-out document: nothing is left to train on",
                    counted(c.same + c.inside, "document")),
        "hold out other documents; if one source holds many documents, separate them (see --separator)");
  if (!by_name && train + valid == 1)
    return fail("corpus", "the sources are one document, which cannot be both trained on and held out",
                "separate its documents (see --separator), or name held-out files with --valid-source");
  const char* const hint = "name held-out files with --valid-source, give more documents, or change --valid";
  if (train == 0) return fail("corpus", fmt::format("all {} documents were held out by chance", valid), hint);
  return fail("corpus", fmt::format("none of the {} documents was held out", train), hint);
}

}  // namespace gabbro::data
