// Student's t distribution and the effective sample size, from which confidence intervals are computed.
#pragma once

#include <span>

namespace gabbro {

/// Degrees of freedom from which t is treated as normal; they agree to six digits.
inline constexpr double kNormalFreedom = 1e6;

/// Returns the quantile of Student's t distribution at `probability`, in (0, 1). The degrees of freedom are
/// positive and need not be an integer.
double t_quantile(double probability, double freedom);

/// Returns the effective sample size of parts with these sizes in a mean that is weighted by size: (sum)^2 /
/// (sum of squares) (Kish 1965). It is at most the number of parts, and 0 without parts.
double effective_count(std::span<const double> sizes);

}  // namespace gabbro
