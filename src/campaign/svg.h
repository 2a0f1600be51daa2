// Pictures as SVG inside HTML: text that is escaped, axes, and marks in the colours of the page's style
// sheet.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gabbro::campaign {

/// For text and attributes of HTML and XML. Bytes that are no character of a document become "?".
std::string escape(std::string_view text);

/// From values to places on the page.
struct Scale {
  double low = 0, high = 1;  // values
  double from = 0, to = 1;   // places of them
  bool log = false;          // low > 0 then
  [[nodiscard]] double at(double value) const;
  /// Round values inside of it, about `count`; powers of ten and their halves on a logarithmic one.
  [[nodiscard]] std::vector<double> ticks(int count) const;
};
/// With a little room on both sides; a range of no width is widened.
Scale scale_of(double low, double high, double from, double to, bool log = false);

/// Marks are drawn in their order. `style` is a class of the style sheet: pictures hold no colours of their
/// own. Numbers are places; what is not finite is not drawn.
class Picture {
 public:
  Picture(double width, double height, std::string_view title);
  void line(double x1, double y1, double x2, double y2, std::string_view style);
  void polyline(const std::vector<std::pair<double, double>>& points, std::string_view style);
  void rect(double x, double y, double width, double height, std::string_view style,
            std::string_view hover = {});
  void dot(double x, double y, double radius, std::string_view style, std::string_view hover = {});
  void diamond(double x, double y, double radius, std::string_view style, std::string_view hover = {});
  /// `anchor`: "start", "middle" or "end".
  void text(double x, double y, std::string_view text, std::string_view style = "label",
            std::string_view anchor = "start");
  /// Grid lines with their values under or left of the area, and what the axis shows.
  void x_axis(const Scale& x, double top, double bottom, std::string_view title, int count = 6);
  void y_axis(const Scale& y, double left, double right, std::string_view title, int count = 5);
  [[nodiscard]] std::string str() const;
  [[nodiscard]] double width() const { return width_; }
  [[nodiscard]] double height() const { return height_; }

 private:
  void close(std::string_view tag, std::string_view hover);
  double width_, height_;
  std::string body_, title_;
};

/// Places of labels that want to be at `wanted`, moved apart so that they are `gap` from each other and
/// inside of [low, high] where there is room. In the order of `wanted`. O(n log n).
std::vector<double> spread(const std::vector<double>& wanted, double gap, double low, double high);

}  // namespace gabbro::campaign
