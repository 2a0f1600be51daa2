// Who decides on strangers' programs: in a process that may die, so that no program can end a campaign.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "evolve/ablate.h"
#include "evolve/population.h"
#include "evolve/strategy.h"

namespace gabbro::campaign {

class Judge {
 public:
  virtual ~Judge() = default;
  /// evolve::screen against all designs of `population`. A judge serves one campaign: what it was told of its
  /// designs it keeps.
  virtual Result<record::DesignCreated> screen(const evolve::Offspring& offspring,
                                               const evolve::Population& population) = 0;
  /// evolve::measure.
  virtual Result<record::DesignCreated> measure(const lang::Program& program,
                                                const evolve::Settings& settings) = 0;
  /// evolve::equal_known.
  virtual Result<std::string> equal_known(const record::DesignCreated& created,
                                          const evolve::Population& population) = 0;
  /// evolve::ablations; `ancestor` may be null.
  virtual Result<std::vector<evolve::Ablation>> ablations(const lang::Program& program,
                                                          const lang::Program* ancestor) = 0;
  /// What stands around it (sandbox::Machine::text); empty: it judges in this process.
  [[nodiscard]] virtual std::string sandbox() const { return ""; }
};

/// Makes a judge; a campaign has one for its draws and one for its agents, which ask from other threads.
using MakeJudge = std::function<std::shared_ptr<Judge>()>;

/// In this process: for tests.
std::shared_ptr<Judge> judge_here();

struct ApartOptions {
  std::vector<std::string> command;  // a program that calls `serve_judge`, its path first
  std::string log;                   // its standard error
  double seconds = 60;               // of processor time for one program, and ten times as many on the clock
  std::uint64_t bytes = std::uint64_t{4} << 30;  // of address space
};

/// In a process of its own, in a sandbox without files. It is started when it is first asked, and anew when
/// it died. What bounds its work is known beforehand (evolve/screen.h); time and memory are the last resort.
/// Errors beyond those of evolve::screen: "screen died", with what was seen. One that was killed is asked
/// once more before that is said, since somebody else may have killed it. It ends when this process ends. May
/// be called from several threads.
std::shared_ptr<Judge> judge_apart(const ApartOptions& options);

/// The other side: answers on standard output what is asked on standard input, until that ends. `seconds` as
/// in ApartOptions. Returns an exit code.
int serve_judge(double seconds);

}  // namespace gabbro::campaign
