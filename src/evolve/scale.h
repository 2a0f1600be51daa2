// What designs are worth beyond the ladder: power laws through runs at several sizes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "record/scale.h"

namespace gabbro::evolve {

/// A number with its 95 % interval.
struct Estimate {
  double value = 0, low = 0, high = 0;
};

/// bits = at_one * x^-exponent, a straight line on logarithms by least squares. x: parameters, or FLOPs of
/// the training.
struct PowerLaw {
  Estimate exponent;
  double at_one = 0;
  Estimate beyond;  // bits per byte at ten times the largest x
};

/// How the lead of one design over another changes with size.
struct LeadAtScale {
  int design = 0, against = 0;
  std::vector<Estimate> leads;  // at each size, in bits per byte; negative: `design` is better
  Estimate per_tenfold;  // change of log(bits / bits of the other) for ten times the parameters: negative,
                         // where the lead grows
  bool meets = false;    // whether the lines meet beyond the largest size, within a thousand times of it
  Estimate meeting;      // parameters there; its interval may be open to above (infinite)
};

struct ScaleFit {
  std::vector<PowerLaw> by_params, by_flops;  // one for each design
  std::vector<LeadAtScale> leads;             // of the first design over each of the others
  int seeds = 0;                              // of a design at a size, at most
  int freedom =
      0;  // degrees of freedom of the deviation of seeds; 0: one seed each, and nothing has an interval
  double documents = 0;            // of equal length, that the held-out ones are worth
  bool too_few_documents = false;  // for an interval
};

/// Fits the scored runs of a study. Intervals are from `resamples` bootstraps: documents are drawn again, the
/// same for all runs, and each mean over seeds is moved as far as seeds do, by the variance within designs
/// and sizes, pooled or, where it is larger, the design's own. With one seed each, or on documents worth
/// fewer than four, that is not known: intervals are unbounded. Errors: "scale": a design with scored runs at
/// fewer than three sizes, runs of one size and seed that were trained on different texts, runs that were
/// scored on different documents. A function of its arguments. O(resamples x runs x documents).
Result<ScaleFit> fit_scale(const record::ScaleStudy& study, int resamples = 1000);

}  // namespace gabbro::evolve
