#include "data/window_table.h"

#include <algorithm>
#include <bit>

namespace gabbro::data {

namespace {

constexpr std::uint32_t kMaxRows = 64;      // maximum number of rows that keep a window
constexpr unsigned kFewestBits = 16;        // of heads_
constexpr unsigned kFilterBits = 4;         // more bits of the filter than of heads_
constexpr std::uint32_t kGapOfChosen = 32;  // letters between chosen windows if one of 2 is
// Matches are near each other if no more letters lie between them in the row and in the text. Copies have
// words that were added, as names of fields, whereas the row lacks only lines that are shorter than a window.
constexpr std::int64_t kRowGap = 96, kBack = 128, kTextGap = 256;
// A chain has at least so many letters or digits, and so many windows after each other.
constexpr std::uint32_t kFewestLetters = 40, kFewestDigits = 16;
constexpr std::uint32_t kFewestWindows = 2;

// Returns how many letters of a window lie beyond those before `end`, and moves `end` behind it.
std::uint32_t beyond(std::uint32_t& end, std::uint32_t begin, std::uint32_t length) {
  const std::uint32_t from = std::max(end, begin);
  end = std::max(end, begin + length);
  return end - from;
}

}  // namespace

WindowTable::WindowTable(std::size_t max_entries) : max_entries_(max_entries) { rebuild(); }

void WindowTable::index(std::uint32_t entry) {
  Entry& e = entries_[entry];
  e.next = heads_[slot(e.hash)];
  heads_[slot(e.hash)] = entry;
  filter_[e.hash & (filter_.size() - 1)] = true;
}

void WindowTable::rebuild() {
  const unsigned bits = std::max<unsigned>(kFewestBits, std::bit_width(entries_.size()));
  shift_ = 64 - bits;
  heads_.assign(std::size_t{1} << bits, kNone);
  filter_.assign(std::size_t{1} << (bits + kFilterBits), false);
  for (std::uint32_t i = 0; i < entries_.size(); ++i) index(i);
}

std::uint32_t WindowTable::rows_with(std::uint64_t hash) const {
  std::uint32_t count = 0;
  for (std::uint32_t i = heads_[slot(hash)]; i != kNone; i = entries_[i].next)
    count += entries_[i].hash == hash;
  return count;
}

void WindowTable::add_row(const std::vector<Window>& windows, TextPart part, std::size_t size) {
  const auto row = static_cast<std::uint32_t>(rows_.size());
  const Kind kind = kind_of(part);
  Choice& chosen = choices_[static_cast<std::size_t>(kind)];
  rows_.push_back({.kind = kind, .first_letter = letters_});
  letters_ += size;
  double all = 0, of_chosen = 0, stored = 0;  // letters that these windows cover
  std::uint32_t all_end = 0, chosen_end = 0, stored_end = 0;
  for (const Window& w : distinct(windows)) {
    all += beyond(all_end, w.begin, w.length);
    if (w.hash > chosen.bound) continue;
    of_chosen += beyond(chosen_end, w.begin, w.length);
    if (rows_with(w.hash) >= kMaxRows) continue;
    stored += beyond(stored_end, w.begin, w.length);
    entries_.push_back({w.hash, row, w.begin, kNone, static_cast<std::uint8_t>(w.length), Use::kCounts});
    ++chosen.entries;
    if (entries_.size() > heads_.size())
      rebuild();
    else
      index(static_cast<std::uint32_t>(entries_.size() - 1));
  }
  rows_[row].letters = of_chosen == 0 ? all : all * stored / of_chosen;
  rows_[row].counting = rows_[row].letters;
  while (entries_.size() > max_entries_)
    halve(2 * choice(Kind::kDigits).entries > entries_.size() ? Kind::kDigits : Kind::kLetters);
}

void WindowTable::halve(Kind kind) {
  Choice& chosen = choices_[static_cast<std::size_t>(kind)];
  chosen.bound /= 2;
  chosen.gap = chosen.gap == 0 ? kGapOfChosen : 2 * chosen.gap;
  chosen.entries -= std::erase_if(
      entries_, [&](const Entry& e) { return rows_[e.row].kind == kind && e.hash > chosen.bound; });
  rebuild();
}

void WindowTable::count_letters() {
  // The share of letters that count is taken from those that chosen windows cover.
  std::vector<double> all(rows_.size()), counting(rows_.size());
  const auto add = [&](std::vector<double>& to, bool all_count) {
    std::uint32_t row = kNone, end = 0;
    for (const Entry& e : entries_) {
      if (!all_count && e.use != Use::kCounts) continue;
      if (e.row != row) row = e.row, end = 0;
      to[row] += beyond(end, e.begin, e.length);
    }
  };
  add(all, true);
  add(counting, false);
  for (std::size_t i = 0; i < rows_.size(); ++i)
    rows_[i].counting = all[i] == 0 ? 0 : rows_[i].letters * counting[i] / all[i];
}

void WindowTable::extend(const Entry& e, const Window& w, TextPart part, std::vector<Match>& out) const {
  std::array<Chain, kChains>& chains = chains_[e.row];
  Chain* oldest = &chains[0];
  Chain* near = nullptr;
  for (Chain& c : chains) {
    if (c.text != text_) c = {};
    if (c.end < oldest->end) oldest = &c;
    const std::int64_t ahead = std::int64_t{e.begin} - c.place_end;
    if (c.text == text_ && c.end + kTextGap >= w.begin && ahead >= -kBack && ahead <= kRowGap) {
      near = &c;
      const Match& last = out[c.last_match];
      if (last.place - last.at == e.begin - w.begin) break;  // The match goes on.
    }
  }
  const std::uint32_t end = w.begin + w.length;
  const bool is_boilerplate = e.use == Use::kBoilerplate;
  if (near != nullptr) {
    Match& last = out[near->last_match];
    if (last.place - last.at == e.begin - w.begin && last.is_boilerplate == is_boilerplate &&
        w.begin <= last.at + last.length + choice(kind_of(part)).gap) {
      if (end > near->end) found_[near->number].length += end - near->end;
      last.length = std::max(last.at + last.length, end) - last.at;
      near->end = std::max(near->end, end);
      near->place_end = e.begin + w.length;
      return;
    }
  } else {
    near = oldest;
    *near = {.text = text_, .number = static_cast<std::uint32_t>(found_.size())};
    found_.push_back({.length = 0, .window = w.length});
  }
  if (end > near->end) found_[near->number].length += end - std::max(near->end, w.begin);
  near->end = std::max(near->end, end);
  near->place_end = e.begin + w.length;
  near->last_match = static_cast<std::uint32_t>(out.size());
  out.push_back({part, is_boilerplate, e.row, e.begin, w.begin, w.length, near->number});
}

void WindowTable::match(const std::vector<Window>& windows, TextPart part, std::vector<Match>& out,
                        std::vector<bool>* boilerplate) const {
  ++text_;
  found_.clear();
  chains_.resize(rows_.size());
  std::vector<Match> matches;
  std::uint32_t marked = 0;
  const std::uint64_t bound = choice(kind_of(part)).bound;
  for (const Window& w : windows) {
    if (w.hash > bound || !may_have(w.hash)) continue;
    for (std::uint32_t i = heads_[slot(w.hash)]; i != kNone; i = entries_[i].next) {
      const Entry& e = entries_[i];
      if (e.hash != w.hash || e.use == Use::kIgnored) continue;
      extend(e, w, part, matches);
      if (e.use != Use::kBoilerplate || boilerplate == nullptr) continue;
      const std::uint32_t end = w.begin + w.length;
      for (std::uint32_t at = std::max(marked, w.begin); at < end; ++at) (*boilerplate)[at] = true;
      marked = std::max(marked, end);
    }
  }
  const bool are_letters = kind_of(part) == Kind::kLetters;
  for (const Match& m : matches) {
    const FoundChain& chain = found_[m.chain];
    if (chain.length >= (are_letters ? kFewestLetters : kFewestDigits) &&
        chain.length >= kFewestWindows * chain.window)
      out.push_back(m);
  }
}

}  // namespace gabbro::data
