// A line of the canonical text that is broken if it gets too long; private to the printer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gabbro::lang {

// One logical line under construction: its text and the places where it may be broken. Breaks exist only
// inside brackets; the outermost brackets are broken first.
class Line {
 public:
  static constexpr std::size_t kColumns = 100;

  void text(std::string_view piece) { text_ += piece; }
  void open(char bracket) {
    text_ += bracket;
    ++depth_;
    // The most expensive break, because it leaves a line with little content.
    may_break(kOpening);
  }
  void close(char bracket) {
    text_ += bracket;
    --depth_;
  }
  void comma() {
    text_ += ", ";
    may_break(0);
  }
  /// Adds a possible break after an operator of binding strength `level` (1 to 6, as in printer.cc) or after
  /// a comma (0). Of the breaks at one depth of brackets, those with lower levels are taken first.
  void may_break(int level) {
    if (depth_ > 0) breaks_.push_back({text_.size(), depth_ * kLevels + level});
  }
  /// Treats brackets opened until `unprotect` as more deeply nested, so that short lists stay in one piece.
  void protect() { ++depth_; }
  void unprotect() { --depth_; }

  std::size_t size() const { return text_.size(); }
  const std::string& flat() const { return text_; }

  /// Returns the text indented by `indent`, with continuation lines indented by `continuation_indent`; no
  /// newline at the end.
  std::string layout(std::size_t indent, std::size_t continuation_indent) const {
    std::string out(indent, ' ');
    std::size_t from = 0;
    std::size_t first = 0;
    std::size_t room = indent < kColumns ? kColumns - indent : 1;
    while (text_.size() - from > room) {
      const std::size_t to = break_after(from, room, first);
      if (to == text_.size()) break;
      append_trimmed(out, from, to);
      out += '\n';
      out.append(continuation_indent, ' ');
      from = to;
      room = continuation_indent < kColumns ? kColumns - continuation_indent : 1;
    }
    return out.append(text_, from);
  }

 private:
  static constexpr int kOpening =
      7;  // the level of a break after an opening bracket, above those of operators
  static constexpr int kLevels = 8;  // number of levels: a break at a lesser depth has always the lower cost

  struct Break {
    std::size_t at;
    int cost;
  };

  bool fits(const Break& place, std::size_t from, std::size_t room) const {
    const std::size_t spaces = text_[place.at - 1] == ' ' ? 1 : 0;
    return place.at - spaces - from <= room;
  }

  // Returns the last of the cheapest breaks that fit, or else the next break, or else the end. `first` skips
  // breaks before `from`.
  std::size_t break_after(std::size_t from, std::size_t room, std::size_t& first) const {
    while (first < breaks_.size() && breaks_[first].at <= from) ++first;
    if (first == breaks_.size()) return text_.size();
    std::size_t best = first;
    for (std::size_t i = first; i < breaks_.size() && fits(breaks_[i], from, room); ++i) {
      if (breaks_[i].cost <= breaks_[best].cost) best = i;
    }
    return breaks_[best].at;
  }

  void append_trimmed(std::string& out, std::size_t from, std::size_t to) const {
    out.append(text_, from, to - from);
    while (out.back() == ' ') out.pop_back();
  }

  std::string text_;
  int depth_ = 0;
  std::vector<Break> breaks_;
};

}  // namespace gabbro::lang
