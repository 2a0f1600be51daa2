#include "data/held_out.h"

#include <algorithm>
#include <tuple>

namespace gabbro::data {

namespace {

constexpr std::uint32_t kParts = kTextParts.size();
constexpr std::uint32_t kCommon = 8;  // Text in more documents is boilerplate.
// Shares of letters and digits: by which two documents overlap, by which a document consists of several, by
// which it is boilerplate, and of a document's letters and digits that the other has at all.
constexpr double kOverlap = 0.6, kCompilation = 6.0 / 7, kMostlyBoilerplate = 0.6, kMinCompared = 0.4;
// A document is decided when it is observed if it overlaps with none even with so many times in common: what
// becomes boilerplate afterwards is at most three fifths of a held-out document.
constexpr double kDecided = 3;
constexpr std::size_t kMaxDecided = 4 << 20;  // stretches that are kept of such documents
constexpr double kMinCommon = 32;             // letters and digits by which a document can be recognised

// A form of a whole text.
struct Form {
  TextPart letters, digits;
};
constexpr std::array<Form, 4> kForms{{{TextPart::kLetters, TextPart::kDigits},
                                      {TextPart::kLetters, TextPart::kValues},
                                      {TextPart::kUnlabelled, TextPart::kDigits},
                                      {TextPart::kUnlabelled, TextPart::kValues}}};

// Returns true if a text has a form; `amount` gives the letters or digits of a part.
template <class F>
bool is_form(const Form& form, const F& amount) {
  return (form.letters == TextPart::kLetters || amount(form.letters) > 0) &&
         (form.digits == TextPart::kDigits || amount(form.digits) > 0);
}

std::uint32_t row_of(std::uint32_t document, TextPart part) {
  return kParts * document + static_cast<std::uint32_t>(at(part));
}
std::uint32_t document_of(std::uint32_t row) { return row / kParts; }

ByPart<std::vector<Window>> windows_of(const ComparableText& comparable) {
  ByPart<std::vector<Window>> out;
  for (const TextPart part : kTextParts) out[at(part)] = windows_of(comparable.parts[at(part)], part);
  return out;
}

// Returns the number of letters or digits up that windows cover.
std::size_t size_of(const std::vector<Window>& windows) {
  std::size_t out = 0;
  for (const Window& w : windows) out = std::max<std::size_t>(out, w.begin + w.length);
  return out;
}

// Returns true if most of a document is in another one. As far as the other has less of a part, this part is
// not looked for.
template <class Amount>
bool is_mostly_in(const Amount& own, const Amount& other, const Amount& common) {
  double in_common = 0, compared = 0, all = 0, count = 0;
  for (std::size_t i = 0; i < own.size(); ++i) {
    const double looked_for = std::min(own[i], other[i]);
    all += own[i];
    in_common += std::min(looked_for, common[i]);
    compared += looked_for;
    count += common[i];
  }
  return count >= kMinCommon && in_common >= kOverlap * compared && compared >= kMinCompared * all;
}

template <class Amount>
double total(const Amount& amount) {
  return amount[0] + amount[1];
}

// Calls f(row, begin, end) for the disjoint stretches of rows that matches cover. They are sorted by row and
// place.
template <class Iterator, class F>
void for_stretches(Iterator from, Iterator to, const F& f) {
  for (std::uint32_t end = 0; from != to;) {
    const Match& m = *from;
    end = std::max(end, m.place);
    if (m.place + m.length > end) f(m.row, end, m.place + m.length);
    end = std::max(end, m.place + m.length);
    if (++from != to && from->row != m.row) end = 0;
  }
}

}  // namespace

HeldOutText::Comparison HeldOutText::compare(const ComparableText& comparable) const {
  Comparison out;
  const ByPart<std::vector<Window>> windows = windows_of(comparable);
  ByPart<std::vector<bool>> boilerplate;
  for (const TextPart part : kTextParts) {
    boilerplate[at(part)].resize(size_of(windows[at(part)]));
    table_.match(windows[at(part)], part, out.matches, &boilerplate[at(part)]);
  }
  if (out.matches.empty()) return out;
  for (const TextPart part : kTextParts) {
    std::vector<bool> known(size_of(windows[at(part)]));
    for (const Match& m : out.matches)
      if (m.part == part && !m.is_boilerplate)
        std::fill(known.begin() + m.at, known.begin() + m.at + m.length, true);
    std::uint32_t end = 0;
    for (const Window& w : distinct(windows[at(part)])) {
      for (std::uint32_t i = std::max(end, w.begin); i < w.begin + w.length; ++i) {
        const bool counts = known[i] || !boilerplate[at(part)][i];
        out.own[at(part)] += counts;
        if (part == TextPart::kUnlabelled || part == TextPart::kValues) continue;
        out.all += counts;
        out.known += known[i];
      }
      end = std::max(end, w.begin + w.length);
    }
  }
  std::sort(out.matches.begin(), out.matches.end(), [](const Match& a, const Match& b) {
    return std::tie(a.part, a.row, a.place, a.at) < std::tie(b.part, b.row, b.place, b.at);
  });
  return out;
}

template <class F>
bool HeldOutText::any_pair(const Comparison& c, const F& f) const {
  struct Common {
    std::uint32_t document;
    ByPart<ByPart<double>> letters{};  // by part of the document and of the known one
  };
  std::vector<Common> pairs;
  std::unordered_map<std::uint32_t, std::size_t> index;
  for (auto from = c.matches.begin(); from != c.matches.end();) {
    auto to = from;
    while (to != c.matches.end() && to->part == from->part) ++to;
    std::vector<Match> counting;
    std::copy_if(from, to, std::back_inserter(counting), [](const Match& m) { return !m.is_boilerplate; });
    for_stretches(counting.begin(), counting.end(),
                  [&](std::uint32_t row, std::uint32_t begin, std::uint32_t end) {
                    const auto [found, is_new] = index.try_emplace(document_of(row), pairs.size());
                    if (is_new) pairs.push_back({.document = document_of(row)});
                    pairs[found->second].letters[at(from->part)][row % kParts] += end - begin;
                  });
    from = to;
  }
  return std::any_of(pairs.begin(), pairs.end(), [&](const Common& pair) {
    const auto own = [&](TextPart part) { return c.own[at(part)]; };
    const auto known = [&](TextPart part) { return table_.counting(row_of(pair.document, part)); };
    const auto matches = [&](const Form& a, const Form& b) {
      return f(Amount{own(a.letters), own(a.digits)}, Amount{known(b.letters), known(b.digits)},
               Amount{pair.letters[at(a.letters)][at(b.letters)], pair.letters[at(a.digits)][at(b.digits)]});
    };
    return std::any_of(kForms.begin(), kForms.end(), [&](const Form& a) {
      return is_form(a, own) && std::any_of(kForms.begin(), kForms.end(), [&](const Form& b) {
               return is_form(b, known) && matches(a, b);
             });
    });
  });
}

bool HeldOutText::is_compilation(const Comparison& c) {
  return c.known >= kMinCommon && c.known >= kCompilation * c.all;
}

bool HeldOutText::is_nearly_known(const ComparableText& comparable) const {
  const Comparison c = compare(comparable);
  return is_compilation(c) || any_pair(c, [](const Amount& own, const Amount& earlier, const Amount& common) {
           return is_mostly_in(own, earlier, common) ||
                  (2 * total(earlier) >= total(own) && is_mostly_in(earlier, own, common));
         });
}

bool HeldOutText::add(const ComparableText& comparable) {
  if (!identities_.insert(comparable.identity).second) return true;
  if (is_nearly_known(comparable)) return false;
  documents_.push_back({.identity = comparable.identity});
  const ByPart<std::vector<Window>> windows = windows_of(comparable);
  for (const TextPart part : kTextParts) table_.add_row(windows[at(part)], part, size_of(windows[at(part)]));
  return true;
}

void HeldOutText::finish() {
  std::vector<std::uint32_t> all(documents_.size()), common(documents_.size());
  table_.choose_uses([&](std::uint32_t row, const Window&, std::uint32_t rows, WindowTable::Use use) {
    ++all[document_of(row)];
    common[document_of(row)] += rows > kCommon;
    return use;
  });
  table_.choose_uses([&](std::uint32_t row, const Window&, std::uint32_t rows, WindowTable::Use) {
    const std::uint32_t d = document_of(row);
    return rows > kCommon && 4 * common[d] < all[d] ? WindowTable::Use::kBoilerplate
                                                    : WindowTable::Use::kCounts;
  });
  const std::size_t letters =
      table_.first_letter(row_of(static_cast<std::uint32_t>(documents_.size()), TextPart::kLetters));
  observed_.assign(letters, 0);
  trained_.assign(letters, false);
}

void HeldOutText::observe(const ComparableText& comparable) {
  const Comparison c = compare(comparable);
  const std::vector<Stretch> stretches = stretches_of(c);
  const bool is_decided = kDecided * c.known < kCompilation * c.all || c.all == 0;
  const auto may_overlap = [](const Amount& own, const Amount& held_out, const Amount& common) {
    const Amount more{kDecided * common[0], kDecided * common[1]};
    return is_mostly_in(held_out, own, more) || is_mostly_in(own, held_out, more);
  };
  if (is_decided && stretches_decided_ + stretches.size() <= kMaxDecided && !any_pair(c, may_overlap) &&
      !identities_.contains(comparable.identity)) {
    stretches_decided_ += stretches.size();
    decided_.try_emplace(comparable.identity, Found{Overlap::kNone, stretches});
  }
  if (is_compilation(c)) return;
  for (const Stretch& s : stretches)
    for (std::size_t i = s.begin; i < s.end; ++i) {
      std::uint8_t& count = observed_[table_.first_letter(s.row) + i];
      count = static_cast<std::uint8_t>(std::min(count + 1, 255));
    }
}

std::vector<HeldOutText::Stretch> HeldOutText::stretches_of(const Comparison& c) {
  std::vector<Match> matches = c.matches;
  std::sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) {
    return std::tie(a.row, a.place) < std::tie(b.row, b.place);
  });
  std::vector<Stretch> out;
  for_stretches(matches.begin(), matches.end(),
                [&](std::uint32_t row, std::uint32_t begin, std::uint32_t end) {
                  out.push_back({row, begin, end});
                });
  return out;
}

double HeldOutText::share_of(std::uint32_t document, const std::vector<bool>& marked) const {
  const auto count = [&](TextPart part) {
    const std::uint32_t row = row_of(document, part);
    const auto begin = marked.begin() + static_cast<std::ptrdiff_t>(table_.first_letter(row));
    const auto end = marked.begin() + static_cast<std::ptrdiff_t>(table_.first_letter(row + 1));
    return static_cast<double>(std::count(begin, end, true));
  };
  const auto share = [&](TextPart part) {
    const double letters = table_.letters(row_of(document, part));
    return letters > 0 ? count(part) / letters : 0;
  };
  const double letters = table_.letters(row_of(document, TextPart::kLetters));
  const double digits = table_.letters(row_of(document, TextPart::kDigits));
  if (letters + digits == 0) return 0;
  return (letters * std::max(share(TextPart::kLetters), share(TextPart::kUnlabelled)) +
          digits * std::max(share(TextPart::kDigits), share(TextPart::kValues))) /
         (letters + digits);
}

void HeldOutText::settle() {
  std::vector<bool> is_common(observed_.size());
  for (std::size_t i = 0; i < observed_.size(); ++i) is_common[i] = observed_[i] > kCommon;
  for (std::uint32_t i = 0; i < documents_.size(); ++i) {
    documents_[i].is_boilerplate = share_of(i, is_common) >= kMostlyBoilerplate;
    if (documents_[i].is_boilerplate) boilerplate_.insert(documents_[i].identity);
  }
  std::vector<std::uint32_t> common_before(is_common.size() + 1);
  for (std::size_t i = 0; i < is_common.size(); ++i) common_before[i + 1] = common_before[i] + is_common[i];
  table_.choose_uses([&](std::uint32_t row, const Window& w, std::uint32_t, WindowTable::Use use) {
    const std::size_t begin = table_.first_letter(row) + w.begin;
    if (common_before[begin + w.length] - common_before[begin] == w.length)
      return WindowTable::Use::kBoilerplate;
    return documents_[document_of(row)].is_boilerplate ? WindowTable::Use::kIgnored : use;
  });
}

HeldOutText::Found HeldOutText::find(const ComparableText& comparable) const {
  Found out;
  if (identities_.contains(comparable.identity) && !is_boilerplate(comparable.identity)) {
    out.overlap = Overlap::kSame;
    return out;
  }
  const Comparison c = compare(comparable);
  const bool overlaps = any_pair(c, [](const Amount& own, const Amount& held_out, const Amount& common) {
    return is_mostly_in(held_out, own, common) || is_mostly_in(own, held_out, common);
  });
  if (overlaps || is_compilation(c)) out.overlap = Overlap::kInside;
  out.in_common = stretches_of(c);
  return out;
}

const HeldOutText::Found* HeldOutText::decided(std::uint64_t identity) const {
  const auto found = decided_.find(identity);
  return found == decided_.end() ? nullptr : &found->second;
}

void HeldOutText::train(const Found& found) {
  for (const Stretch& s : found.in_common)
    for (std::size_t i = s.begin; i < s.end; ++i) trained_[table_.first_letter(s.row) + i] = true;
}

double HeldOutText::letters(std::uint32_t document) const {
  return table_.letters(row_of(document, TextPart::kLetters)) +
         table_.letters(row_of(document, TextPart::kDigits));
}

double HeldOutText::boilerplate_share() const {
  double all = 0, boilerplate = 0;
  for (std::uint32_t i = 0; i < documents_.size(); ++i) {
    all += letters(i);
    boilerplate += documents_[i].is_boilerplate ? letters(i) : 0;
  }
  return all == 0 ? 0 : boilerplate / all;
}

HeldOutText::Trained HeldOutText::trained() const {
  Trained out;
  double letters_of_all = 0, trained = 0;
  for (std::uint32_t i = 0; i < documents_.size(); ++i) {
    if (documents_[i].is_boilerplate) continue;
    const double share = share_of(i, trained_), own = letters(i);
    ++out.added;
    out.documents += share >= kOverlap;
    letters_of_all += own;
    trained += share * own;
  }
  if (letters_of_all > 0) out.share = trained / letters_of_all;
  return out;
}

}  // namespace gabbro::data
