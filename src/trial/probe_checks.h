// Internals of the probe: the random values of a round, and the checks that the rounds add to.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "exec/reference/reference.h"
#include "exec/reference/screen.h"
#include "record/anchor.h"
#include "trial/probe.h"

namespace gabbro::trial {

/// A property under test: counts comparisons and remembers the first failure.
class Check {
 public:
  /// `tolerance` is relative to the largest absolute value, at least 1. 0 requires identical values.
  Check(std::string name, double tolerance) : name_(std::move(name)), tolerance_(tolerance) {}

  /// `slack` is added to the tolerance.
  void compare(const std::vector<double>& got, const std::vector<double>& want, const std::string& where,
               double slack = 0);
  void require(bool holds, const std::string& failure);
  /// Sets the text that the anchor reports if all comparisons hold.
  void note(std::string text) { note_ = std::move(text); }
  [[nodiscard]] bool holds() const { return failure_.empty() && comparisons_ > 0; }
  [[nodiscard]] record::Anchor anchor() const;

 private:
  std::string name_, failure_, note_;
  double tolerance_, worst_ = 0;
  int comparisons_ = 0;
};

struct Checks {
  static constexpr double kFloat32Tolerance = 1e-3;  // float32 against float64, or another order of summation
  Check finite{"finite", 0};
  Check future{"future", kFloat32Tolerance}, prefix{"prefix", 0}, step{"step = parallel", 1e-9};
  Check gradient{"gradient", 0}, mixing{"mixing", 0};
  Check backend{"backend = reference", kFloat32Tolerance}, batch{"batch", 0},
      documents{"documents", kFloat32Tolerance};
  Check determinism{"determinism", 0};
};

/// The random values of a round: parameters (float32 values held in float64) and a text.
struct Draw {
  std::vector<exec::Tensor> params;
  double scale = 1;  // factor on the standard deviations of `params`
  // 32 tokens; fewer if the values of the design would take too much memory
  std::vector<std::int64_t> tokens;
  Random random;
};

/// Returns a token other than `token`.
std::int64_t other_token(std::int64_t token, std::int64_t vocab, Random& random);

/// Checks the graph alone, in float64. Returns the names of the parameters that get no gradient with these
/// values.
std::set<std::string> probe_reference(const ir::Graph& graph, const Draw& draw, Checks& checks);
/// Checks the backend, in batches of documents, according to `options`. Parameters in `silent` need not get a
/// gradient in the backend.
void probe_backend(const ir::Graph& graph, const MakeModel& make, const Draw& draw,
                   const std::set<std::string>& silent, const ProbeOptions& options, Checks& checks);

}  // namespace gabbro::trial
