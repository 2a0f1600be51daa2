#include "evolve/archive.h"

#include <algorithm>
#include <tuple>

namespace gabbro::evolve {

std::vector<std::int64_t> pareto_front(const Population& population, int rung) {
  struct Point {
    double bits, decode, train;
    std::int64_t id;
  };
  std::vector<Point> points;
  for (const Individual& i : population.individuals()) {
    const Standing s = population.standing(i, rung);
    if (s.done > 0 && !is_ablation(i))
      points.push_back({s.bits, i.created.decode_flops, i.created.train_flops, i.created.id});
  }
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return std::tie(a.bits, a.decode, a.train, a.id) < std::tie(b.bits, b.decode, b.train, b.id);
  });
  // A point that dominates another is sorted before it, and is itself on the front or dominated by a point on
  // it.
  const auto beats = [](const Point& a, const Point& b) {
    return a.decode <= b.decode && a.train <= b.train &&
           (a.bits < b.bits || a.decode < b.decode || a.train < b.train);
  };
  std::vector<Point> kept;
  for (const Point& p : points)
    if (std::none_of(kept.begin(), kept.end(), [&](const Point& q) { return beats(q, p); }))
      kept.push_back(p);
  std::vector<std::int64_t> front;
  for (const Point& p : kept) front.push_back(p.id);
  return front;
}

}  // namespace gabbro::evolve
