// The beginning of a design's training, as a number for what it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace gabbro::exec {

struct TraceOptions {
  std::int64_t length = 24;  // positions of the text
  int updates = 2;           // between the points of the trace
  bool far = false;          // also from places far from the start
  double operations =
      1 << 28;  // most that one pass with its gradient may take (work_of), with an eighth as many elements
};

/// What is seen of a training: before every update and after the last one the logits, row-major, and their
/// mean loss in nats a token; the norm of the gradient before every update and, of more than one update,
/// after the last: a gate that starts at 0 hides what is behind it.
struct Trace {
  std::vector<std::vector<double>> logits;
  std::vector<double> losses, norms;
  std::size_t params = 0, elements = 0;  // parameters that are trained, and their elements
  std::size_t positions = 0;
  // One update from each of some places far from the start, and after each the same from a place beside it,
  // as far away as rounding moves: what differs there is the design's own. Without logits where something is
  // not finite.
  std::vector<Trace> far;
};

/// Trains `graph` (body 0: tokens to logits [t, V]) on a fixed text in float64 from values that stand for its
/// initialisation: constants where it is constant, else the mean and the deviation that the program asks for
/// times numbers that follow from sizes of axes, fan-in, the kind of distribution and, among parameters of
/// one shape, the norms of a first gradient, so that neither names nor order matter. Updates have the
/// relative learning rates and the weight decay of training, and grow less than in proportion with an
/// element's gradient, as Adam's do; they commute with permutations and changes of sign. Designs whose
/// training is the same, up to renaming, reordering and signs of parameters that start at 0, have the same
/// trace up to rounding. Far places show branches that the first updates do not take. There random parameters
/// are other draws of up to 3 and 30 deviations, constants are shifted by 0.3, 3 and 30 (times their size
/// beyond 1), each place with its mirror image; parameters that start at 0 keep the sign that the updates
/// gave them or all change it, and those of one shape are told apart by their gradients in all passes.
/// Nothing when the work is more than allowed, or something is not finite at the start. Cost: updates + 2
/// passes, all but the last with gradients; far, 24 more, half of them with gradients.
std::optional<Trace> trace(const ir::Graph& graph, const TraceOptions& options);

/// Where two traces differ by more than rounding, relative to the largest of their logits, in words ("" when
/// nowhere). At far places more is allowed to a design that amplifies rounding, by what it does with it
/// there; places where one is not finite are left out, and two that are finite at none of them together are
/// different.
std::string difference(const Trace& a, const Trace& b);

/// Losses, norms and two projections of the logits to six digits: equal for equal traces, but where rounding
/// falls on a border.
std::string summary(const Trace& trace);

}  // namespace gabbro::exec
