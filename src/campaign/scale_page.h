// Presents a study of designs at several sizes, as text, as a figure and as a page.
#pragma once

#include <string>

#include "campaign/figures.h"
#include "evolve/scale.h"
#include "record/scale.h"

namespace gabbro::campaign {

/// Returns scores by size, exponents with intervals, and how the first design's lead changes with size. Names
/// runs without a score, with their cause.
std::string scale_text(const record::ScaleStudy& study, const evolve::ScaleFit& fit);

/// Draws bits per byte against training FLOPs, with the fitted lines extended to ten times the largest run.
Figure scale_figure(const record::ScaleStudy& study, const evolve::ScaleFit& fit);

/// Returns the figure and the text as one self-contained HTML file.
std::string scale_html(const record::ScaleStudy& study, const evolve::ScaleFit& fit);

}  // namespace gabbro::campaign
