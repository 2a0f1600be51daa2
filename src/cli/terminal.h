// Colours, where a person is looking.
#pragma once

#include <string>
#include <string_view>

namespace gabbro::cli {

enum class Colour { kAuto, kAlways, kNever };

/// Sets for the whole process whether `paint` paints: kAuto does when standard output is a terminal that knows colours and NO_COLOR
/// (no-color.org) is not set.
void set_colour(Colour colour);

enum class Ink { kBold, kDim, kRed, kGreen, kCyan };

/// `text`, in colour or as it is.
std::string paint(Ink ink, std::string_view text);

}  // namespace gabbro::cli
