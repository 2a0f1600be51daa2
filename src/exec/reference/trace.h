// Records the beginning of a design's training as a fingerprint of the design.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace gabbro::exec {

struct TraceOptions {
  std::int64_t length = 24;  // positions of the text
  int updates = 2;           // updates between the points of the trace
  bool far = false;          // Also records traces from parameters far from the initialisation.
  // Largest number of operations of one pass with its gradient (predict_cost). The limit of elements is an
  // eighth of it.
  double operations = 1 << 28;
};

/// A record of a short training run: the logits (row-major) and their mean loss in nats per token, before
/// every update and after the last one, and the norm of the gradient before every update. If there is more
/// than one update, the norm after the last is included, because a gate that starts at 0 hides the gradients
/// behind it.
struct Trace {
  std::vector<std::vector<double>> logits;
  std::vector<double> losses, norms;
  std::size_t params = 0, elements = 0;  // trained parameters, and their elements
  std::size_t positions = 0;
  // Traces of one update from each of several points far from the initialisation. Each is followed by the
  // trace from a nearby point, whose parameters differ by about the rounding of an op. The difference of the
  // two shows how much the design itself amplifies rounding. A trace has no logits if something is not
  // finite.
  std::vector<Trace> far;
};

/// Trains `graph` (body 0: tokens to logits [t, V]) on a fixed text in float64, from deterministic values
/// that stand in for its initialisation. A constant initialisation is kept. A random one is replaced by its
/// mean plus its standard deviation times pseudo-random numbers. These numbers depend on the sizes of the
/// axes, the fan-in, the kind of distribution and, among parameters of the same shape, the norms of a first
/// gradient, so that neither names nor order matter.
///
/// Updates use the relative learning rates and the weight decay of training. As in Adam, they grow less than
/// in proportion to an element's gradient. They commute with permutations and changes of sign. Designs whose
/// training is the same, up to renaming, reordering and sign changes of parameters that start at 0, have the
/// same trace up to rounding.
///
/// Points far from the initialisation reveal branches that the first updates do not take. There, random
/// parameters are new draws at 0.5 to 1.5 times 1, 3 and 30 standard deviations. Constants are shifted by
/// about 0.3, 3 and 30, times their absolute value where it exceeds 1. Each point also has its mirror image.
/// Parameters that start at 0 either all keep the sign that the updates gave them or all change it. Constants
/// and parameters that start at 0 are distinguished by their gradients in all passes if they have the same
/// shape.
///
/// Returns nothing if the work exceeds the limit, or if something is not finite at the start. Cost: updates +
/// 2 passes with gradients (the last without, if there is at most one update); with `far`, 24 more passes,
/// half of them with gradients.
std::optional<Trace> trace(const ir::Graph& graph, const TraceOptions& options);

/// Describes in words where two traces differ by more than rounding, relative to their largest logit. Returns
/// "" if they do not differ. Far from the initialisation, a design that amplifies rounding is allowed a
/// larger difference, according to how much it amplifies it there. Points at which one of the traces is not
/// finite are skipped. Two traces that are nowhere both finite count as different.
std::string difference(const Trace& a, const Trace& b);

/// Formats losses, norms and two projections of the logits to six digits. Equal traces give equal summaries,
/// unless rounding falls on the border between two digits.
std::string summary(const Trace& trace);

}  // namespace gabbro::exec
