// Extrapolates designs beyond the ladder, by power laws fitted to runs at several sizes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "record/scale.h"

namespace gabbro::evolve {

/// A value with its 95 % interval.
struct ScaleEstimate {
  double value = 0, low = 0, high = 0;
};

/// The law bits = at_one * x^-exponent, fitted by least squares as a straight line in log-log space. x is the
/// number of parameters or the training FLOPs.
struct PowerLaw {
  ScaleEstimate exponent;
  double at_one = 0;
  ScaleEstimate beyond;  // bits per byte at ten times the largest x
};

/// The lead of one design over another at one size, paired by seed. Its values are NaN if there is no pair.
struct SizeLead {
  ScaleEstimate lead;    // in bits per byte; negative: the first design is better
  ScaleEstimate unread;  // the same on training text that neither run has read; NaN if there is no such text
  bool same_function = false;  // both have the same canonical hash at this size
  // The one of the two that has a failed or refused run at this size: its other runs may be those that went
  // well.
  std::optional<int> failed;
  // False if nothing is claimed at this size, whatever the interval: the lead at a larger size is not
  // significant, one of the two has a failed run, or a learning rate lies at the edge of its search.
  bool is_tested = true;
  /// Returns true if the lead is tested and its interval excludes 0.
  [[nodiscard]] bool is_significant() const { return is_tested && (lead.high < 0 || lead.low > 0); }
  /// Returns true if there is unread text that does not show at least kLeastUnread of a significant lead, or
  /// not significantly. One of the programs may contain the held-out documents.
  [[nodiscard]] bool is_unconfirmed() const;
};

/// The lead of one design over another as a function of size.
struct LeadAtScale {
  int design = 0, against = 0;    // indices into ScaleStudy::designs
  std::vector<SizeLead> by_size;  // at each of ScaleStudy::sizes
  // The one of the two whose best learning rate lies at the edge of its search: a better one may lie beyond.
  std::optional<int> at_edge;
  // Change of log(bits / bits of the other) per tenfold increase of parameters; negative if the lead grows.
  ScaleEstimate per_tenfold;
  // True if the lines meet beyond the largest size and within a thousand times of it.
  bool meets = false;
  // Number of parameters where they meet; the interval may have an infinite upper end.
  ScaleEstimate meeting;
  /// Returns SizeLead::failed of the first size that has one. Nothing is said of `per_tenfold` then.
  [[nodiscard]] std::optional<int> failed() const;
};

/// The laws of all designs of a study, and the leads of the first one.
struct ScaleFit {
  std::vector<PowerLaw> by_params, by_flops;  // one for each design
  std::vector<LeadAtScale> leads;             // of the first design over each of the others
  int seeds = 0;                              // maximum number of seeds of a design at a size
  // Degrees of freedom of the standard deviation between seeds; 0: one seed each, and all intervals are
  // unbounded.
  int freedom = 0;
  // The held-out documents are worth this many documents of equal length.
  double documents = 0;
  bool too_few_documents = false;  // too few documents for an interval
};

/// Fits power laws to the scored runs of a study. The result depends on the arguments alone. O(resamples x
/// runs x documents).
///
/// Runs may deviate more at one size than at others, and more for one design than for others. A lead at one
/// size has the interval of paired_interval: its deviation is that of the pairs at this size or, if that
/// gives a wider interval, the one pooled over all sizes. Each side of 0 is claimed falsely in at most 2.5 %
/// of studies, whatever the deviations. With two seeds the pairs have one degree of freedom, and only leads
/// of a dozen deviations are found; three seeds find leads of four.
///
/// The 2.5 % are those of all leads of a study together: they are divided by the number of leads
/// (Bonferroni), and the sizes of each are tested in a fixed order, the largest first, each only if all
/// larger ones are significant. The largest size thus loses nothing to the others.
///
/// A design may lose something by its learning rate (rate_loss). A lead over it must exceed this loss, which
/// is added to the end of the interval that faces 0. No lead is tested where the best rate of one of the two
/// lies at the edge of its search, nor at a size where one of the two has a run that failed or was refused.
///
/// The other intervals come from `resamples` bootstraps, at least one. Each resamples the documents, in the
/// same way for all runs, and perturbs each mean over seeds by noise. The noise has the largest of three
/// deviations within designs and sizes: that of all runs, of the design, and of the size.
///
/// Intervals are unbounded if every design has one seed, or if the documents are worth fewer than four.
///
/// Errors: "scale" if there are no scored runs, a design has scored runs at fewer than three sizes, runs of
/// one size and seed were trained on different texts or left different amounts of it unread, a design has two
/// runs of one size and seed, runs were scored on different documents, or a run has invalid values.
Result<ScaleFit> fit_scale(const record::ScaleStudy& study, int resamples = 1000);

}  // namespace gabbro::evolve
