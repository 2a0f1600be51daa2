#include "cli/generate.h"

#include <fmt/core.h>

#include <cstdio>
#include <filesystem>

#include "base/files.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/scratch.h"
#include "cli/terminal.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

int run_generate(const GenerateCommand& c) {
  record::GenerateSpec spec = c.spec;
  const auto run = run_folder(spec.run);
  if (!run) return failed("generate", run.error());
  spec.run = *run;
  std::error_code error;
  if (!spec.corpus.empty()) spec.corpus = fs::absolute(spec.corpus, error);
  const auto scratch = Scratch::make();
  if (!scratch) return failed("generate", scratch.error());
  const std::string spec_file = scratch->file("spec.json"), result_file = scratch->file("result.json");
  if (const auto ok = replace_file(spec_file, to_json(spec)); !ok) return failed("generate", ok.error());
  bool begun = false;
  Needs needs = needs_of_run(spec.run);
  if (!spec.corpus.empty()) needs.reads.push_back(spec.corpus);
  const auto end = run_worker(spec_file, result_file, c.limits, needs, [&](const record::Progress& p) {
    if (c.json || p.text.empty()) return true;
    if (!begun) put(stdout, spec.prompt);
    begun = true;
    put(stdout, p.text);
    return std::fflush(stdout) == 0;
  });
  if (begun) std::fputs("\n", stdout);
  if (!end) return failed("generate", end.error());
  if (end->kind != jobs::JobEnd::Kind::kResult) return failed("generate", {"worker", end->cause, "", {}});
  const auto result = record::parse_generate_result(end->result);
  if (!result) return failed("generate", result.error());
  if (c.json) print("{}", end->result);
  if (result->status == record::Status::kFailed)
    print(stderr, "gabbro {}\n", result->cause);
  else if (!c.json)
    print(stderr, "[{} tokens after a prompt of {}, {:.0f} tokens/s{}]\n", result->tokens,
          result->prompt_tokens, result->tokens_per_second,
          result->ended                                ? ", the text ended"
          : result->status == record::Status::kStopped ? ", stopped"
                                                       : "");
  return result->status == record::Status::kDone ? kValid : kInvalid;
}

}  // namespace gabbro::cli
