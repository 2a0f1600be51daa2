#include "cli/data.h"

#include <fmt/core.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "record/trial.h"

namespace gabbro::cli {

namespace {

// Shows the progress of a build. A call returns false after a signal, which stops the build.
class BuildProgressLine {
 public:
  bool operator()(const data::BuildProgress& p) {
    if (!p.notice.empty()) {
      end_line();
      print(stderr, "{}\n", printable_line(p.notice));
      return Signals::seen() == 0;
    }
    const bool is_new_stage = p.stage != stage_;
    if (is_new_stage) {
      end_line();
      stage_ = p.stage;
      began_ = seconds_now();
    }
    const double seconds = seconds_now() - began_;
    if (!terminal_ && !is_new_stage && seconds_now() - last_ < kLineSeconds) return Signals::seen() == 0;
    last_ = seconds_now();
    std::string line = fmt::format("{:<22}{:4.0f} %", p.stage, 100 * p.share);
    if (p.documents > 0)
      line += fmt::format("  {} documents, {}B", human(static_cast<double>(p.documents)),
                          human(static_cast<double>(p.bytes)));
    if (p.tokens > 0) line += fmt::format(", {} tokens", human(static_cast<double>(p.tokens)));
    if (seconds > 0.5 && p.bytes > 0)
      line += fmt::format(", {:.1f} MB/s", static_cast<double>(p.bytes) / seconds / 1e6);
    if (seconds > 2 && p.share > 0.01)
      line += fmt::format(", {:.0f} s left", seconds * (1 - p.share) / p.share);
    if (terminal_) rewind_line();
    print(stderr, "{}{}", line, terminal_ ? "" : "\n");
    std::fflush(stderr);
    open_ = terminal_;
    return Signals::seen() == 0;
  }
  void end_line() {
    if (open_) print(stderr, "\n");
    open_ = false;
  }

 private:
  static constexpr double kLineSeconds = 10;  // between lines if output is not a terminal
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  std::string stage_;
  double began_ = 0, last_ = 0;  // seconds_now() at the start of the stage and at the last line
  bool open_ = false;            // The terminal shows a line without a line end.
};

void print_manifest(const std::string& folder, const data::Manifest& m) {
  print("{}: vocabulary of {} tokens\n", printable_line(folder), m.vocab);
  for (const data::SplitInfo& s : m.splits)
    print("  {:<8}{:>8} documents, {}B of text, {} tokens ({:.2f} bytes per token), {} shard{}\n", s.name,
          s.documents, human(static_cast<double>(s.bytes)), human(static_cast<double>(s.tokens)),
          static_cast<double>(s.bytes) / static_cast<double>(s.tokens), s.shards.size(),
          s.shards.size() == 1 ? "" : "s");
  for (const data::SplitInfo& s : m.splits)
    if (s.changed_documents > 0)
      print("  {} documents of {} are not reproduced by the tokenizer; their bytes are those that it keeps\n",
            s.changed_documents, s.name);
}

}  // namespace

int run_data_build(const DataOptions& o) {
  const Signals signals;
  BuildProgressLine line;
  const double began = seconds_now();
  const auto manifest = data::build_corpus(o.build, std::ref(line));
  line.end_line();
  if (!manifest) return failed("data", manifest.error());
  print_manifest(o.build.out, *manifest);
  std::uint64_t bytes = 0;
  for (const data::SplitInfo& s : manifest->splits) bytes += s.bytes;
  print("  built in {:.1f} s, {:.1f} MB of text per second\n", seconds_now() - began,
        static_cast<double>(bytes) / (seconds_now() - began) / 1e6);
  return kValid;
}

int run_data_info(const DataOptions& o) {
  const auto corpus = data::Corpus::open(o.folder);
  if (!corpus) return failed("data", corpus.error());
  if (o.verify)
    if (const auto ok = corpus->verify(); !ok) return failed("data", ok.error());
  if (o.json)
    print("{}", data::to_json(corpus->manifest()));
  else
    print_manifest(o.folder, corpus->manifest());
  if (o.verify && !o.json)
    print(
        "  every file matches its recorded hash, and held-out documents the recorded sizes of their text\n");
  return kValid;
}

void warn_of_corpus(const data::Manifest& corpus, std::int64_t tokens) {
  constexpr double kMaxReadings = 2;
  constexpr std::uint64_t kMinBytes = 100'000, kMinDocuments = 8;
  for (const data::SplitInfo& split : corpus.splits) {
    if (split.name == "train" &&
        static_cast<double>(tokens) > kMaxReadings * static_cast<double>(split.tokens))
      print(stderr, "the corpus has {} training tokens; a run of {} tokens reads them {:.1f} times\n",
            human(static_cast<double>(split.tokens)), human(static_cast<double>(tokens)),
            static_cast<double>(tokens) / static_cast<double>(split.tokens));
    if (split.name == "valid" && (split.bytes < kMinBytes || split.documents < kMinDocuments))
      print(stderr, "only {} in {} documents are held out: on so little text, scores differ by chance\n",
            human(static_cast<double>(split.bytes)) + "B", split.documents);
  }
  if (const std::string note = record::changed_text_note(corpus.changed_share()); !note.empty())
    print(stderr, "{}\n", note);
}

}  // namespace gabbro::cli
