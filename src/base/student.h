// Student's t, and how many equal parts unequal ones are worth: what intervals are made of.
#pragma once

#include <span>

namespace gabbro {

/// From this many degrees of freedom on, t is normal to six digits.
inline constexpr double kNormalFreedom = 1e6;

/// The value that a variable of Student's t distribution is below with `probability`, for any positive
/// `freedom`, whole or not.
double t_quantile(double probability, double freedom);

/// As many parts of equal size as parts of these sizes are worth in a mean weighted by size: (sum)^2 / (sum
/// of squares) (Kish 1965). At most their number; 0 without any.
double effective_count(std::span<const double> sizes);

}  // namespace gabbro
