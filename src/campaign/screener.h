// A screener screens programs of designs before they are trained. Programs may be hostile, so a screener
// works in a process of its own: a program that kills it does not end the campaign.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "evolve/ablate.h"
#include "evolve/population.h"
#include "evolve/strategy.h"

namespace gabbro::campaign {

class Screener {
 public:
  virtual ~Screener() = default;
  /// Calls evolve::screen against all designs of `population`. A screener serves a single campaign, since it
  /// keeps the designs that it was sent.
  virtual Result<record::DesignCreated> screen(const evolve::Offspring& offspring,
                                               const evolve::Population& population) = 0;
  /// Calls evolve::measure.
  virtual Result<record::DesignCreated> measure(const lang::Program& program,
                                                const evolve::SearchSettings& settings) = 0;
  /// Calls evolve::find_equal.
  virtual Result<std::string> find_equal(const record::DesignCreated& created,
                                         const evolve::Population& population) = 0;
  /// Calls evolve::ablations; `ancestor` may be null.
  virtual Result<std::vector<evolve::Ablation>> ablations(const lang::Program& program,
                                                          const lang::Program* ancestor) = 0;
  /// Describes the sandbox around the screener (sandbox::Machine::text); empty if it runs in this process.
  [[nodiscard]] virtual std::string sandbox() const { return ""; }
};

/// Creates a screener. A campaign has one for its draws, and one for its agents, which use it from other
/// threads.
using MakeScreener = std::function<std::shared_ptr<Screener>()>;

/// Returns a screener that runs in this process, for tests.
std::shared_ptr<Screener> screener_in_process();

struct ScreenerOptions {
  std::vector<std::string> command;  // a program that calls `serve_screener`, its path first
  std::string log;                   // file to which its standard error is appended
  // Limit of processor time for one request; the limit of wall-clock time is ten times as long.
  double cpu_seconds = 60;
  [[nodiscard]] double wall_seconds() const { return 10 * cpu_seconds; }
  std::uint64_t address_bytes = std::uint64_t{4} << 30;  // limit of the process's address space
};

/// Returns a screener that works in a process of its own, in a sandbox without files. The process is started
/// at the first request, and again after it has died. Its work is bounded in advance (evolve/screen.h); the
/// limits of time and memory are a last resort. The process ends when this process ends. Thread-safe.
///
/// Errors beyond those of evolve::screen: "screen died", with what was observed, if the program reaches a
/// limit, or if three processes died over it while a small program passes. An unreadable reply counts as a
/// death. "screener" if the small program does not pass either: the machine is at fault, and the program is
/// not judged.
std::shared_ptr<Screener> screener_process(const ScreenerOptions& options);

/// Runs in the process of a screener: answers requests from standard input on standard output until the input
/// ends. `cpu_seconds` is as in ScreenerOptions. Returns the exit code 0; exits with kOutOfMemory if memory
/// is exhausted.
int serve_screener(double cpu_seconds);

}  // namespace gabbro::campaign
