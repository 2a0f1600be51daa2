#include "campaign/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/text.h"
#include "campaign/format.h"

namespace gabbro::campaign {

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : printable(text)) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += c;
  }
  return out;
}

double Scale::at(double value) const {
  const auto f = [&](double x) { return log ? std::log(x) : x; };
  return from + (to - from) * (f(value) - f(low)) / (f(high) - f(low));
}

std::vector<double> Scale::ticks(int count) const {
  std::vector<double> out;
  if (log && high / low >= 8) {
    const double decades = std::log10(high / low);
    const std::vector<double> steps = decades > 4   ? std::vector<double>{1}
                                      : decades > 2 ? std::vector<double>{1, 3}
                                                    : std::vector<double>{1, 2, 5};
    const int every = std::max(1, static_cast<int>(decades) / 8);
    for (int power = static_cast<int>(std::floor(std::log10(low))); std::pow(10, power) <= high;
         power += every)
      for (const double s : steps)
        if (const double x = s * std::pow(10, power); x >= low && x <= high) out.push_back(x);
    return out;
  }
  const double rough = (high - low) / count, base = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * base;
  for (const double s : {5.0, 2.0, 1.0})
    if (s * base >= rough) step = s * base;
  // Ticks are whole multiples of the step, since sums of steps would drift.
  for (double k = std::ceil(low / step); k * step <= high; ++k) out.push_back(k * step == 0 ? 0 : k * step);
  return out;
}

Scale scale_of(double low, double high, double from, double to, bool log) {
  constexpr double kRoom = 0.04;
  if (log) {
    low = std::max(low, 1e-300);
    high = std::max(high, low);
    const double room = std::max(kRoom * std::log(high / low), 0.05);
    return {.low = low * std::exp(-room), .high = high * std::exp(room), .from = from, .to = to, .log = true};
  }
  const double room = std::max({kRoom * (high - low), 1e-3 * std::abs(high), 1e-9});
  return {.low = low - room, .high = high + room, .from = from, .to = to, .log = false};
}

// ---- Marks ----

namespace {

// Rounds coordinates to tenths of a pixel, for a shorter file.
std::string coordinate(double x) { return fmt::format("{:g}", std::round(x * 10) / 10); }

bool are_finite(std::initializer_list<double> values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

std::string tick_text(double x, double step) {
  if (std::abs(x) >= 10'000) return amount(x);
  const int digits =
      step >= 1 || step == 0 ? 0 : std::min(6, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  return fmt::format("{:.{}f}", x, digits);
}

// Returns the distance of ticks; a small one for a single tick, so that it gets enough digits.
double step_of(const std::vector<double>& ticks) { return ticks.size() > 1 ? ticks[1] - ticks[0] : 0.001; }

}  // namespace

Picture::Picture(double width, double height, std::string_view title)
    : width_(width), height_(height), title_(title) {}

void Picture::line(double x1, double y1, double x2, double y2, std::string_view style) {
  if (!are_finite({x1, y1, x2, y2})) return;
  body_ += fmt::format(R"(<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>)", style, coordinate(x1),
                       coordinate(y1), coordinate(x2), coordinate(y2));
  body_ += '\n';
}

void Picture::polyline(const std::vector<std::pair<double, double>>& points, std::string_view style) {
  std::string list;
  for (const auto& [x, y] : points)
    if (are_finite({x, y}))
      list += fmt::format("{}{},{}", list.empty() ? "" : " ", coordinate(x), coordinate(y));
  if (!list.empty()) body_ += fmt::format("<polyline class=\"{}\" points=\"{}\"/>\n", style, list);
}

void Picture::series(const std::vector<std::pair<double, double>>& points, std::string_view style,
                     std::string_view name) {
  const std::size_t before = body_.size();
  polyline(points, style);
  if (body_.size() == before) return;
  body_.insert(before + std::string_view("<polyline").size(), fmt::format(" data-name=\"{}\"", escape(name)));
}

void Picture::plot_area(const Scale& x, const Scale& y) {
  const auto words = [](const Scale& s) {
    return fmt::format("{} {} {:g} {:g} {}", s.low, s.high, s.from, s.to, s.log ? "log" : "linear");
  };
  area_ = fmt::format(" data-x=\"{}\" data-y=\"{}\"", words(x), words(y));
}

// Ends the element of a mark, with its hover text.
void Picture::close(std::string_view tag, std::string_view hover) {
  body_ += hover.empty() ? std::string("/>\n") : fmt::format("><title>{}</title></{}>\n", escape(hover), tag);
}

void Picture::rect(double x, double y, double width, double height, std::string_view style,
                   std::string_view hover) {
  if (!are_finite({x, y, width, height}) || width <= 0) return;
  body_ += fmt::format(R"(<rect class="{}" x="{}" y="{}" width="{}" height="{}")", style, coordinate(x),
                       coordinate(y), coordinate(std::max(width, 0.1)), coordinate(height));
  close("rect", hover);
}

namespace {
std::string link_to(std::int64_t design) {
  return design > 0 ? fmt::format(" data-design=\"{}\"", design) : std::string();
}
}  // namespace

void Picture::dot(double x, double y, double radius, std::string_view style, std::string_view hover,
                  std::int64_t design) {
  if (!are_finite({x, y})) return;
  body_ += fmt::format(R"(<circle class="{}" cx="{}" cy="{}" r="{}"{})", style, coordinate(x), coordinate(y),
                       coordinate(radius), link_to(design));
  close("circle", hover);
}

void Picture::diamond(double x, double y, double r, std::string_view style, std::string_view hover,
                      std::int64_t design) {
  if (!are_finite({x, y})) return;
  body_ += fmt::format(R"(<path class="{}" d="M{} {}l{} {} {} {} {} {}z"{})", style, coordinate(x),
                       coordinate(y - r), r, r, -r, r, -r, -r, link_to(design));
  close("path", hover);
}

void Picture::link(double x1, double y1, double x2, double y2, std::string_view style) {
  if (!are_finite({x1, y1, x2, y2})) return;
  const std::string middle = coordinate((x1 + x2) / 2), from = coordinate(y1), to = coordinate(y2);
  body_ += fmt::format("<path class=\"{}\" d=\"M{} {}C{} {} {} {} {} {}\"/>\n", style, coordinate(x1), from,
                       middle, from, middle, to, coordinate(x2), to);
}

void Picture::text(double x, double y, std::string_view text, std::string_view style,
                   std::string_view anchor) {
  if (!are_finite({x, y})) return;
  body_ += fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", style,
                       coordinate(x), coordinate(y), anchor, escape(text));
}

void Picture::x_axis(const Scale& x, double top, double bottom, std::string_view title, int count) {
  const std::vector<double> ticks = x.ticks(count);
  for (const double v : ticks) {
    line(x.at(v), top, x.at(v), bottom, "grid");
    text(x.at(v), bottom + 16, x.log ? amount(v) : tick_text(v, step_of(ticks)), "tick", "middle");
  }
  line(std::min(x.from, x.to), bottom, std::max(x.from, x.to), bottom, "axis");
  text((x.from + x.to) / 2, bottom + 34, title, "axis-title", "middle");
}

void Picture::y_axis(const Scale& y, double left, double right, std::string_view title, int count) {
  const std::vector<double> ticks = y.ticks(count);
  for (const double v : ticks) {
    line(left, y.at(v), right, y.at(v), "grid");
    text(left - 8, y.at(v) + 4, tick_text(v, step_of(ticks)), "tick", "end");
  }
  text(left - 8, std::min(y.from, y.to) - 10, title, "axis-title", "start");
}

std::string Picture::str() const {
  return fmt::format(
      "<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\" "
      "xmlns=\"http://www.w3.org/2000/svg\"{}>\n{}</svg>\n",
      width_, height_, escape(title_), area_, body_);
}

std::vector<double> spread_labels(const std::vector<double>& wanted, double gap, double low, double high) {
  std::vector<std::size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
  std::vector<double> out = wanted;
  for (std::size_t k = 0; k < order.size(); ++k)
    out[order[k]] = std::max(wanted[order[k]], k == 0 ? low : out[order[k - 1]] + gap);
  for (std::size_t k = order.size(); k-- > 0;)
    out[order[k]] = std::min(out[order[k]], k + 1 == order.size() ? high : out[order[k + 1]] - gap);
  return out;
}

}  // namespace gabbro::campaign
