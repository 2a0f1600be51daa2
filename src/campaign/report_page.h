// Helpers shared by the sections of a report: the campaign as read, and the page that they write.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "campaign/figures.h"
#include "campaign/format.h"
#include "campaign/reading.h"
#include "campaign/remarks.h"
#include "campaign/svg.h"
#include "record/scale.h"

namespace gabbro::campaign {

/// Escapes running text, and replaces the blank before a percent sign, so that no line breaks there.
inline std::string prose(std::string_view text) {
  std::string out = escape(text);
  for (std::size_t at = 0; (at = out.find(" %", at)) != std::string::npos;) out.replace(at, 1, "\u00a0");
  return out;
}

/// The data of a report, read once, and the page that is written from it. Sections append to `out`.
struct Content {
  const store::Store& store;
  CampaignReading reading;
  std::vector<Funnel> funnel;
  std::vector<StrategyRow> strategies;
  CampaignVerdict verdict;
  std::string dir;  // the campaign's folder in the commands that are shown
  // Returns the conversation that led to the design of an agents' task, as plain text; may be null, and may
  // return "".
  std::function<std::string(std::int64_t task)> conversation_of;
  std::optional<record::ScaleStudy> study;  // of its designs at several sizes
  std::string out{};                        // the HTML of the page so far

  [[nodiscard]] const evolve::Population& population() const { return reading.population; }

  template <class... A>
  void add(fmt::format_string<A...> format, A&&... values) {
    fmt::format_to(std::back_inserter(out), format, std::forward<A>(values)...);
  }
  void heading(std::string_view text) { add("<h2>{}</h2>\n", escape(text)); }
  void paragraph(std::string_view text) { add("<p>{}</p>\n", prose(text)); }
  /// Adds a remark in a paler colour.
  void remark(std::string_view text) { add("<p class=\"soft\">{}</p>\n", prose(text)); }
  /// Adds a figure, unless it is empty.
  void figure(const Figure& f) {
    if (!f.svg.empty())
      add("<figure>\n<div class=\"wide\">{}</div><figcaption>{}</figcaption>\n</figure>\n", f.svg,
          prose(f.caption));
  }
};

/// An HTML table. Columns whose title begins with ">" are numeric and aligned to the right. Cells are plain
/// text.
class Table {
 public:
  /// `name` is that of its hints (campaign/remarks.h); "": none.
  explicit Table(const std::vector<std::string>& titles, std::string_view name = {}) {
    text_ = "<div class=\"wide\"><table>\n<thead><tr>";
    for (const std::string& t : titles) {
      numeric_.push_back(t.starts_with('>'));
      const std::string title = numeric_.back() ? t.substr(1) : t;
      const std::string_view hint = hint_of(name, title);
      text_ += fmt::format("<th{}{}>{}</th>", numeric_.back() ? " class=\"n\"" : "",
                           hint.empty() ? "" : fmt::format(" title=\"{}\"", escape(hint)), escape(title));
    }
    text_ += "</tr></thead>\n<tbody>\n";
  }
  /// The row of the leader is highlighted.
  void row(const std::vector<std::string>& cells, bool is_leader = false) {
    text_ += is_leader ? "<tr class=\"own\">" : "<tr>";
    for (std::size_t k = 0; k < cells.size(); ++k)
      text_ += fmt::format("<td{}>{}</td>", numeric_[k] ? " class=\"n\"" : "", escape(cells[k]));
    text_ += "</tr>\n";
    ++rows_;
  }
  [[nodiscard]] bool empty() const { return rows_ == 0; }
  [[nodiscard]] std::string str() const { return text_ + "</tbody></table></div>\n"; }

 private:
  std::string text_;
  std::vector<bool> numeric_;
  int rows_ = 0;
};

/// Formats bits per byte; "-" if there is no score.
inline std::string bits_text(double bits) { return bits > 0 ? fmt::format("{:.4f}", bits) : "-"; }

/// Formats the bits per byte of a design at a rung; "-" if it has no score there, or if `design` is 0.
inline std::string bits_at(const evolve::Population& p, std::int64_t design, int rung) {
  if (design == 0) return "-";
  const evolve::Standing s = p.standing(p.individual(design), rung);
  return s.done > 0 ? bits_text(s.bits) : "-";
}

/// Adds the leader, if there is one: its facts, its program compared with its parent's, and the value of its
/// parts.
void winner_section(Content& c);
/// Adds all designs by generation, and the leader's ancestors, if any candidate has a score.
void family_section(Content& c);

}  // namespace gabbro::campaign
