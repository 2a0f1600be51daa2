#include "web/design_index.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "campaign/format.h"

namespace gabbro::web {

using evolve::Individual;
using evolve::Population;

namespace {

std::string folded(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Returns the capitalised names of a program, which are those of units, designs and a few sizes, each once.
// Comments are left out.
std::set<std::string_view> unit_names(std::string_view program) {
  constexpr std::size_t kLongest = 80;
  std::set<std::string_view> out;
  for (std::size_t i = 0; i < program.size();) {
    if (program[i] == '#') {
      i = std::min(program.find('\n', i), program.size());
      continue;
    }
    if (!is_name(program[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < program.size() && is_name(program[end])) ++end;
    if (program[i] >= 'A' && program[i] <= 'Z' && end - i > 1 && end - i <= kLongest)
      out.insert(program.substr(i, end - i));
    i = end;
  }
  return out;
}

DesignStatus status_of(const Population& p, const Individual& i, int entered) {
  if (i.vetoed) return DesignStatus::kVetoed;
  if (entered < 0) return DesignStatus::kWaiting;
  const evolve::Standing s = p.standing(i, entered);
  bool stopped = false, open = false, done = false;
  for (const std::int64_t id : i.trials) {
    const evolve::Trial& t = p.trial(id);
    if (t.begun.rung != entered) continue;
    open = open || !t.ended;
    stopped = stopped || (t.ended && t.status == record::Status::kHurdle);
    done = done || (t.ended && t.status == record::Status::kDone);
  }
  if (open) return DesignStatus::kRunning;
  if (s.done > 0 || (done && s.unscored == 0)) return DesignStatus::kDone;
  return stopped ? DesignStatus::kStopped : DesignStatus::kFailed;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = std::min(text.find(' ', i), text.size());
    if (end > i) out.push_back(folded(text.substr(i, end - i)));
    i = end + 1;
  }
  return out;
}

}  // namespace

void DesignIndex::fill(const campaign::CampaignReading& reading, DesignEntry& e) const {
  const Population& p = reading.population;
  const Individual& i = p.individual(e.id);
  const record::DesignCreated& c = i.created;
  e.parent = c.parent;
  e.label = campaign::label_of(i);
  e.species = campaign::one_line(c.species, 80);
  e.source = campaign::one_line(evolve::source_of(c), 40);
  e.maker = campaign::one_line(evolve::maker_of(c), 80);
  e.name = campaign::one_line(c.name, 80);
  if (c.task > 0 && c.task <= static_cast<std::int64_t>(p.tasks().size()))
    if (const std::string& title = p.tasks()[static_cast<std::size_t>(c.task - 1)].report.title;
        !title.empty())
      e.name = campaign::one_line(title, 120);
  e.origin = c.origin;
  e.train = c.train_flops, e.decode = c.decode_flops, e.state = c.state_bytes;
  e.entered = -1;
  for (const std::int64_t id : i.trials)
    if (const evolve::Trial& t = p.trial(id); !evolve::is_by_hand(t))
      e.entered = std::max(e.entered, t.begun.rung);
  e.rung = -1, e.bits = 0, e.first = 0;
  for (int rung = 0; rung <= e.entered; ++rung)
    if (const evolve::Standing s = p.standing(i, rung); s.done > 0) {
      e.rung = rung, e.bits = s.bits;
      if (rung == 0) e.first = s.bits;
    }
  e.status = status_of(p, i, e.entered);
  e.folded = folded(e.label + "\n" + e.name + "\n" + campaign::one_line(c.name, 80) + "\n" + e.species +
                    "\n" + e.source + "\n" + e.maker);
}

void DesignIndex::update(const campaign::CampaignReading& reading, const std::set<std::int64_t>& touched) {
  const std::size_t before = entries_.size(), count = reading.population.individuals().size();
  entries_.resize(count);
  for (std::size_t k = before; k < count; ++k) {
    DesignEntry& e = entries_[k];
    e.id = static_cast<std::int64_t>(k) + 1;
    fill(reading, e);
    if (e.parent > 0 && e.parent < e.id)
      e.generation = entries_[static_cast<std::size_t>(e.parent - 1)].generation + 1;
  }
  for (const std::int64_t id : touched)
    if (id >= 1 && static_cast<std::size_t>(id) <= before)
      fill(reading, entries_[static_cast<std::size_t>(id - 1)]);
}

std::vector<std::vector<std::string>> DesignIndex::read_units(const store::Store& store,
                                                              std::size_t most) const {
  std::vector<std::vector<std::string>> out;
  for (std::size_t k = with_units_; k < entries_.size() && out.size() < most; ++k) {
    const auto design = store.design(entries_[k].id);
    if (!design) break;
    const auto names = unit_names(design->created.program);
    out.emplace_back(names.begin(), names.end());
  }
  return out;
}

void DesignIndex::add_units(const std::vector<std::vector<std::string>>& names) {
  for (const std::vector<std::string>& of_design : names) {
    DesignEntry& e = entries_.at(with_units_++);
    e.units.reserve(of_design.size());
    for (const std::string& name : of_design) {
      const auto [at, is_new] = number_of_unit_.try_emplace(name, static_cast<std::uint32_t>(units_.size()));
      if (is_new) units_.push_back(name), folded_units_.push_back(folded(name));
      e.units.push_back(at->second);
    }
    std::sort(e.units.begin(), e.units.end());
  }
}

namespace {

// Returns the value by which a column sorts; designs without one come last in either direction.
std::function<double(const DesignEntry&)> value_of(const std::string& sort) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  if (sort == "id") return [](const DesignEntry& e) { return static_cast<double>(e.id); };
  if (sort == "first") return [](const DesignEntry& e) { return e.first > 0 ? e.first : kNone; };
  if (sort == "train") return [](const DesignEntry& e) { return e.train; };
  if (sort == "decode") return [](const DesignEntry& e) { return e.decode; };
  if (sort == "state") return [](const DesignEntry& e) { return e.state; };
  if (sort == "status") return [](const DesignEntry& e) { return static_cast<double>(e.status); };
  if (sort == "generation") return [](const DesignEntry& e) { return static_cast<double>(e.generation); };
  if (sort == "rung")
    return [](const DesignEntry& e) { return e.rung < 0 ? kNone : static_cast<double>(e.rung); };
  return [](const DesignEntry& e) { return e.rung >= 0 && e.bits > 0 ? e.bits : kNone; };
}

}  // namespace

DesignPage DesignIndex::find(const DesignQuery& q) const {
  const std::vector<std::string> words = words_of(q.text);
  // For each word, the units whose names contain it.
  std::vector<std::vector<bool>> matching_units;
  for (const std::string& word : words) {
    std::vector<bool>& found = matching_units.emplace_back(folded_units_.size());
    for (std::size_t u = 0; u < folded_units_.size(); ++u)
      found[u] = folded_units_[u].find(word) != std::string::npos;
  }
  const auto unit = number_of_unit_.find(q.unit);
  const bool wants_unit = !q.unit.empty(), knows_unit = unit != number_of_unit_.end();
  const auto status = record::parse_word<DesignStatus>(q.status);
  const auto origin = record::parse_word<record::Origin>(q.origin);
  const auto matches = [&](const DesignEntry& e) {
    if (status && e.status != *status) return false;
    if (origin && e.origin != *origin) return false;
    if (!q.source.empty() && e.source != q.source) return false;
    if (!q.species.empty() && e.species != q.species) return false;
    if (q.rung >= 0 && e.entered < q.rung) return false;
    if (wants_unit && (!knows_unit || !std::binary_search(e.units.begin(), e.units.end(), unit->second)))
      return false;
    for (std::size_t w = 0; w < words.size(); ++w)
      if (e.folded.find(words[w]) == std::string::npos &&
          std::none_of(e.units.begin(), e.units.end(), [&](std::uint32_t u) { return matching_units[w][u]; }))
        return false;
    return true;
  };
  const bool by_text = q.sort == "label" || q.sort == "name";
  const auto text = q.sort == "name" ? &DesignEntry::name : &DesignEntry::label;
  const auto value = value_of(q.sort);
  struct Key {
    double value;
    std::size_t row;
  };
  std::vector<Key> found;
  for (std::size_t k = 0; k < entries_.size(); ++k)
    if (matches(entries_[k])) found.push_back({by_text ? 0 : value(entries_[k]), k});
  // Scores at different rungs are not comparable, so a higher rung comes first.
  const bool by_rung = q.sort == "bits";
  const auto comes_before = [&](const Key& a, const Key& b) {
    const DesignEntry &x = entries_[a.row], &y = entries_[b.row];
    if (by_text) {
      const int order = (x.*text).compare(y.*text);
      if (order != 0) return q.descending ? order > 0 : order < 0;
      return x.id < y.id;
    }
    const bool none_a = std::isnan(a.value), none_b = std::isnan(b.value);
    if (none_a != none_b) return none_b;
    if (none_a) return x.id < y.id;
    if (by_rung && x.rung != y.rung) return q.descending ? x.rung < y.rung : x.rung > y.rung;
    if (a.value != b.value) return q.descending ? a.value > b.value : a.value < b.value;
    return x.id < y.id;
  };
  DesignPage out{.matches = found.size(), .rows = {}};
  const std::size_t from = std::min(q.offset, found.size()), to = std::min(from + q.limit, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(to), found.end(),
                    comes_before);
  for (std::size_t k = from; k < to; ++k) out.rows.push_back(found[k].row);
  return out;
}

}  // namespace gabbro::web
