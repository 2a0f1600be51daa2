// The subcommands, given their options. Each returns the exit code of the process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gabbro::cli {

/// Exit codes. kValid: valid, equal or finished. kInvalid: an invalid design, a difference, a run without a
/// score, or stopped. kUsage: wrong usage or failed I/O.
constexpr int kValid = 0, kInvalid = 1, kUsage = 2;

/// Prints the reason why `gabbro command` failed and returns kUsage.
int failed(std::string_view command, const Error& error);
/// As above, but says that the error is in `subject`, for example a file.
int failed_in(const std::string& subject, const Error& error);

/// The options of the commands below; each uses some of them.
struct CommonOptions {
  std::vector<std::string> files;     // programs; "-": standard input
  std::string params;                 // parameter budget, such as "14M"; empty: as written
  std::int64_t width = 0, vocab = 0;  // 0: as written
  double context = 2048;              // tokens at which costs are given
  bool json = false;
  bool only_check = false;  // fmt: reports which files would change, and writes nothing
  bool gbnf = false;        // grammar: GBNF, the only format
  bool core = false;        // reference: the language alone
  bool talk = false;        // show: the conversation that led to a campaign's design
};

int run_check(const CommonOptions& o);
int run_fmt(const CommonOptions& o);
int run_show(const CommonOptions& o);
int run_hash(const CommonOptions& o);
int run_diff(const CommonOptions& o);
int run_reference(const CommonOptions& o);
int run_grammar(const CommonOptions& o);

}  // namespace gabbro::cli
