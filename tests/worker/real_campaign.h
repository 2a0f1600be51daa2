// Campaigns with real workers, which run the program as a user does.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "data/made_corpus.h"
#include "evolve/population.h"
#include "paths.h"
#include "store/store.h"

namespace gabbro::testing {

/// Returns documents in which every sentence repeats its noun some words later, which a bigram model cannot
/// predict.
inline std::string noun_text() {
  Random random(3);
  const std::vector<std::string> nouns{"stone", "river", "bridge", "tower", "garden", "road"};
  std::ostringstream text;
  for (int i = 0; i < 800; ++i) {
    for (std::int64_t n = 1 + random.below(6); n >= 0; --n) {
      const std::string& noun = random.pick(nouns);
      text << "the " << noun << " is called " << noun << " by all\n";
    }
    text << "<|endoftext|>\n";
  }
  return text.str();
}

/// Starts `gabbro ARGUMENTS` with its output appended to the file `log`.
inline pid_t start_gabbro(const std::string& arguments, const std::filesystem::path& log) {
  const pid_t child = fork();
  if (child == 0) {
    const std::string command =
        std::string("exec ") + gabbro_path() + " " + arguments + " >>" + log.string() + " 2>&1";
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  return child;
}

/// Returns the exit code of a process, or minus the number of the signal that ended it.
inline int finish(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// Returns the arguments of a new campaign in `root`/`dir` with one worker, the corpus `root`/corpus and the
/// preset `root`/`preset`.
inline std::string evolve_arguments(const std::filesystem::path& root, const std::string& dir, int trials,
                                    const std::string& preset) {
  return fmt::format("evolve --dir {} --preset {} --data {} --trials {} --workers 1 --secret 7",
                     (root / dir).string(), (root / preset).string(), (root / "corpus").string(), trials);
}

/// Returns designs, scores and hashes of weights and texts of a campaign, without times.
inline std::string story_of(const std::filesystem::path& campaign) {
  const auto store = store::Store::read((campaign / "campaign.db").string());
  EXPECT_TRUE(store) << store.error().message;
  if (!store) return "";
  std::string out;
  for (const store::DesignRow& d : store->designs())
    out += fmt::format("{} {} {}\n", d.created.id, evolve::maker_of(d.created), d.created.hash);
  for (const store::TrialRow& t : store->trials()) {
    const auto r = store->result(t.begun.id);
    EXPECT_TRUE(r) << t.begun.id;
    if (r)
      out += fmt::format("{} {} {} {} {} {} {}\n", t.begun.design, t.begun.rung,
                         t.status ? record::word_of(*t.status) : "running", r->last_loss, r->weights_hash,
                         r->text_hash, r->bits_per_byte);
  }
  return out;
}

}  // namespace gabbro::testing
