// A study of designs at several sizes, for a person: as text, as a picture, and as a section of a page.
#pragma once

#include <string>

#include "campaign/figures.h"
#include "evolve/scale.h"
#include "record/scale.h"

namespace gabbro::campaign {

/// Scores by size, exponents with intervals, and what becomes of the first design's lead; runs without a
/// score are named with their cause.
std::string scale_text(const record::ScaleStudy& study, const evolve::ScaleFit& fit);

/// Bits per byte against the FLOPs of the training, with the fitted lines as far as ten times the largest
/// run.
Figure scale_figure(const record::ScaleStudy& study, const evolve::ScaleFit& fit);

/// The picture and the text as one HTML file that stands for itself.
std::string scale_html(const record::ScaleStudy& study, const evolve::ScaleFit& fit);

}  // namespace gabbro::campaign
