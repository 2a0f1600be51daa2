// Draws SVG images for HTML pages: escaped text, axes, and marks in the colours of the page's style sheet.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gabbro::campaign {

/// Escapes text for content and attributes of HTML and XML. Invalid UTF-8 and control characters are shown as
/// in `printable` (base/text.h).
std::string escape(std::string_view text);

/// Maps values to coordinates in a picture.
struct Scale {
  double low = 0, high = 1;  // range of values
  double from = 0, to = 1;   // their coordinates
  bool log = false;          // logarithmic; requires low > 0
  /// Returns the coordinate of a value.
  [[nodiscard]] double at(double value) const;
  /// Returns about `count` round values inside the range. A logarithmic scale over a factor of 8 or more has
  /// 1, 1 and 3, or 1, 2 and 5 of each power of ten instead.
  [[nodiscard]] std::vector<double> ticks(int count) const;
};
/// Returns a scale from the values [low, high], with some room on both sides, to the coordinates [from, to].
/// An empty range is widened.
Scale scale_of(double low, double high, double from, double to, bool log = false);

/// An image. Marks are drawn in order. `style` is a class of the style sheet, since images hold no colours;
/// the text `hover` is shown under the pointer. Numbers are coordinates in pixels; y grows downwards. Marks
/// and points that are not finite are left out.
class Picture {
 public:
  Picture(double width, double height, std::string_view title);
  void line(double x1, double y1, double x2, double y2, std::string_view style);
  void polyline(const std::vector<std::pair<double, double>>& points, std::string_view style);
  /// Draws a polyline that has a name, which a page may show under the pointer or hide.
  void series(const std::vector<std::pair<double, double>>& points, std::string_view style,
              std::string_view name);
  /// Notes the scales of the area in which data is drawn, so that a page can tell values from coordinates.
  void plot_area(const Scale& x, const Scale& y);
  void rect(double x, double y, double width, double height, std::string_view style,
            std::string_view hover = {});
  /// `design` is the id of the design that a mark stands for, which a page may open; 0: none.
  void dot(double x, double y, double radius, std::string_view style, std::string_view hover = {},
           std::int64_t design = 0);
  void diamond(double x, double y, double radius, std::string_view style, std::string_view hover = {},
               std::int64_t design = 0);
  /// Draws a curve that leaves its first point and reaches its second one horizontally.
  void link(double x1, double y1, double x2, double y2, std::string_view style);
  /// `anchor`: "start", "middle" or "end".
  void text(double x, double y, std::string_view text, std::string_view style = "label",
            std::string_view anchor = "start");
  /// Draw about `count` grid lines with their values below or left of the area, and the title of the axis.
  void x_axis(const Scale& x, double top, double bottom, std::string_view title, int count = 6);
  void y_axis(const Scale& y, double left, double right, std::string_view title, int count = 5);
  [[nodiscard]] std::string str() const;
  [[nodiscard]] double width() const { return width_; }
  [[nodiscard]] double height() const { return height_; }

 private:
  void close(std::string_view tag, std::string_view hover);
  double width_, height_;
  std::string body_, title_;
  std::string area_;  // attributes that hold the scales
};

/// Returns coordinates of labels whose preferred coordinates are `wanted`. They are moved apart to a distance
/// of at least `gap`, within [low, high] if there is room. The result is in the order of `wanted`. O(n log
/// n).
std::vector<double> spread_labels(const std::vector<double>& wanted, double gap, double low, double high);

}  // namespace gabbro::campaign
