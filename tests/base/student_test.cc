#include "base/student.h"

#include <gtest/gtest.h>

#include <vector>

namespace gabbro {
namespace {

// The expected values are from tables of Student's t (Student 1908 and later) and of the normal distribution.
TEST(Student, QuantilesAreThoseOfTheTables) {
  struct Case {
    double probability, freedom, quantile;
  };
  for (const Case& c :
       {Case{0.975, 1, 12.7062}, Case{0.975, 2, 4.3027}, Case{0.975, 5, 2.5706}, Case{0.95, 9, 1.8331},
        Case{0.995, 30, 2.7500}, Case{0.9995, 4, 8.6103}, Case{0.975, 1e9, 1.95996}, Case{0.5, 3, 0}})
    EXPECT_NEAR(t_quantile(c.probability, c.freedom), c.quantile, 1e-4 * (1 + c.quantile)) << c.freedom;
  EXPECT_NEAR(t_quantile(0.025, 5), -2.5706, 1e-4);
  // Degrees of freedom need not be integers, and quantiles far in the tail are accurate.
  EXPECT_GT(t_quantile(0.975, 2.5), t_quantile(0.975, 3));
  EXPECT_LT(t_quantile(0.975, 2.5), t_quantile(0.975, 2));
  EXPECT_NEAR(t_quantile(1 - 1e-6, 1), 318309.886, 1);
}

TEST(Student, UnequalPartsCountAsFewer) {
  EXPECT_EQ(effective_count({}), 0);
  EXPECT_DOUBLE_EQ(effective_count(std::vector<double>{5, 5, 5}), 3);
  EXPECT_DOUBLE_EQ(effective_count(std::vector<double>{3, 1}), 1.6);
  EXPECT_NEAR(effective_count(std::vector<double>{1e9, 1, 1, 1}), 1, 1e-6);
}

}  // namespace
}  // namespace gabbro
