#include "evolve/archive.h"

#include <algorithm>

namespace gabbro::evolve {

std::vector<std::int64_t> pareto_front(const Population& population, int rung) {
  struct Point {
    double bits, decode, train;
    std::int64_t id;
  };
  std::vector<Point> points;
  for (const Individual& i : population.individuals()) {
    const Standing s = population.standing(i, rung);
    if (s.done > 0 && i.born.arm != "ablation")
      points.push_back({s.bits, i.born.decode_flops, i.born.train_flops, i.born.id});
  }
  const auto beats = [](const Point& a, const Point& b) {
    return a.bits <= b.bits && a.decode <= b.decode && a.train <= b.train &&
           (a.bits < b.bits || a.decode < b.decode || a.train < b.train);
  };
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.bits < b.bits; });
  std::vector<std::int64_t> front;
  for (const Point& p : points)
    if (std::none_of(points.begin(), points.end(), [&](const Point& q) { return beats(q, p); }))
      front.push_back(p.id);
  return front;
}

}  // namespace gabbro::evolve
