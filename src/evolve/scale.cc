#include "evolve/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "base/random.h"
#include "base/student.h"
#include "evolve/common_rates.h"
#include "evolve/comparison.h"
#include "evolve/statistics.h"

namespace gabbro::evolve {

namespace {

using record::ScaleRun;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kLeastSizes = 3;
// Minimum worth of the documents for an interval, in documents of equal length.
constexpr double kLeastWorth = 4;
constexpr double kFarthest = 1000;  // bound on a meeting point, as a multiple of the largest size
// Probability of a false lead on one side of 0, for all leads of a study together. Each lead gets an equal
// share as the level of its paired_interval.
constexpr double kSideLevel = 0.025;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Line {
  double slope = 0, offset = 0;  // log bits = offset + slope log x
  [[nodiscard]] double at(double x) const { return std::exp(offset + slope * std::log(x)); }
};

// Fits a line to points (x, bits).
Line line_through(const std::vector<std::pair<double, double>>& points) {
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (const auto& [x, bits] : points) {
    const double u = std::log(x), v = std::log(bits);
    ++n, sx += u, sy += v, sxx += u * u, sxy += u * v;
  }
  const double slope = (n * sxy - sx * sy) / (n * sxx - sx * sx);
  return {slope, (sy - slope * sx) / n};
}

// Returns the value with the middle 95 % of its bootstrap values.
ScaleEstimate estimate(double value, std::vector<double> drawn) {
  std::sort(drawn.begin(), drawn.end());
  const auto at = [&](double share) {
    return drawn[std::min(drawn.size() - 1,
                          static_cast<std::size_t>(share * static_cast<double>(drawn.size())))];
  };
  return {value, at(0.025), at(0.975)};
}

// Returns the number of documents of equal length that the documents are worth.
double worth_of(const std::vector<record::DocumentScore>& documents) {
  std::vector<double> bytes;
  for (const record::DocumentScore& d : documents) bytes.push_back(static_cast<double>(d.bytes));
  return effective_count(bytes);
}

// Returns the factor by which bootstrap weights of documents deviate further from 1, so that intervals are as
// wide as Student's t gives. A plain bootstrap over few documents of different lengths is too narrow. Returns
// 0 if there are too few documents.
double widening(const std::vector<record::DocumentScore>& documents) {
  constexpr double kNormal975 = 1.959964;
  const double worth = worth_of(documents);
  if (worth < kLeastWorth) return 0;
  return t_quantile(0.975, worth - 1) / kNormal975 * std::sqrt(worth / (worth - 1));
}

// Weights of the documents, and offsets of the means of each design and size. They are 1 and 0 for the
// estimate itself; a bootstrap draws them.
struct Weights {
  std::vector<double> documents;
  std::vector<std::vector<double>> offsets;  // by design, then size, in bits per byte
};

// Computes mean scores of designs and sizes, and lines through them, from weights.
class Fitter {
 public:
  Fitter(const std::vector<ScaleRun>& runs, int designs, int sizes)
      : runs_(runs), designs_(designs), sizes_(sizes) {
    std::map<std::pair<std::int64_t, std::int64_t>, std::vector<double>> cells;
    for (const ScaleRun& r : runs) cells[{r.design, r.size}].push_back(r.bits);
    by_design_.resize(static_cast<std::size_t>(designs));
    by_size_.resize(static_cast<std::size_t>(sizes));
    for (const auto& [cell, bits] : cells) {
      seeds_ = std::max(seeds_, static_cast<int>(bits.size()));
      if (bits.size() < 2) continue;
      const double n = static_cast<double>(bits.size()),
                   mean = std::accumulate(bits.begin(), bits.end(), 0.0) / n;
      double squares = 0;
      for (const double b : bits) squares += (b - mean) * (b - mean);
      const Variance own{squares / (n - 1), n - 1};
      for (Variance* v : {&all_, &by_design_[static_cast<std::size_t>(cell.first)],
                          &by_size_[static_cast<std::size_t>(cell.second)]})
        *v = pooled(*v, own);
    }
    widening_ = widening(runs[0].documents);
    counts_ = table();
    for (const ScaleRun& r : runs)
      ++counts_[static_cast<std::size_t>(r.design)][static_cast<std::size_t>(r.size)];
  }

  // Returns the weights of the estimate itself.
  [[nodiscard]] Weights unperturbed() const {
    return {std::vector<double>(runs_[0].documents.size(), 1), table()};
  }
  // Returns the weights of one bootstrap.
  [[nodiscard]] Weights draw_weights(Random& random) const {
    Weights out{std::vector<double>(runs_[0].documents.size(), 0), table()};
    const auto n = static_cast<std::int64_t>(out.documents.size());
    for (std::int64_t i = 0; i < n; ++i) ++out.documents[static_cast<std::size_t>(random.below(n))];
    for (double& w : out.documents) w = 1 + (w - 1) * widening_;
    const double all = drawn_deviation(all_, random);
    std::vector<double> of_designs, of_sizes;
    for (const Variance& v : by_design_) of_designs.push_back(drawn_deviation(v, random));
    for (const Variance& v : by_size_) of_sizes.push_back(drawn_deviation(v, random));
    for (std::size_t d = 0; d < counts_.size(); ++d)
      for (std::size_t s = 0; s < counts_[d].size(); ++s)
        if (counts_[d][s] > 0)
          out.offsets[d][s] =
              std::max({all, of_designs[d], of_sizes[s]}) * random.normal() / std::sqrt(counts_[d][s]);
    return out;
  }

  // Mean bits, parameters and FLOPs by design, then size; bits is 0 where there is no run.
  struct Means {
    std::vector<std::vector<double>> bits, params, flops;
  };
  [[nodiscard]] Means means(const Weights& w) const {
    Means out{table(), table(), table()};
    for (const ScaleRun& r : runs_) {
      const auto d = static_cast<std::size_t>(r.design), s = static_cast<std::size_t>(r.size);
      out.bits[d][s] += bits_of(r, w) / counts_[d][s];
      out.params[d][s] += r.params / counts_[d][s];
      out.flops[d][s] += r.flops / counts_[d][s];
    }
    for (std::size_t d = 0; d < counts_.size(); ++d)
      for (std::size_t s = 0; s < counts_[d].size(); ++s)
        if (counts_[d][s] > 0) out.bits[d][s] += w.offsets[d][s];
    return out;
  }

  // Fits the line of a design over `x`, one of Means::params and Means::flops.
  [[nodiscard]] static Line line(const Means& m, std::vector<std::vector<double>> Means::*x,
                                 std::size_t design) {
    std::vector<std::pair<double, double>> points;
    for (std::size_t s = 0; s < m.bits[design].size(); ++s)
      if (m.bits[design][s] > 0) points.emplace_back((m.*x)[design][s], m.bits[design][s]);
    return line_through(points);
  }

  /// Returns the maximum number of runs of a design at a size.
  [[nodiscard]] int seeds() const { return seeds_; }
  [[nodiscard]] int freedom() const { return static_cast<int>(all_.freedom); }
  /// Returns true if the variance over seeds and over documents is known.
  [[nodiscard]] bool has_intervals() const { return all_.freedom > 0 && widening_ > 0; }

 private:
  using Table = std::vector<std::vector<double>>;
  [[nodiscard]] Table table() const {
    return Table(static_cast<std::size_t>(designs_),
                 std::vector<double>(static_cast<std::size_t>(sizes_), 0));
  }
  // Draws a standard deviation around its estimate. As in Student's t, the estimate is divided by the root of
  // chi squared over its degrees of freedom.
  static double drawn_deviation(const Variance& v, Random& random) {
    double chi = 0;
    for (int k = 0; k < static_cast<int>(v.freedom); ++k) {
      const double x = random.normal();
      chi += x * x;
    }
    return chi > 0 ? std::sqrt(v.value * v.freedom / chi) : 0;
  }
  static double bits_of(const ScaleRun& r, const Weights& w) {
    double bits = 0, bytes = 0;
    for (std::size_t i = 0; i < r.documents.size(); ++i) {
      const double size = w.documents[i] * static_cast<double>(r.documents[i].bytes);
      bits += r.documents[i].bits_per_byte * size;
      bytes += size;
    }
    return bytes > 0 ? bits / bytes : r.bits;
  }

  const std::vector<ScaleRun>& runs_;
  int designs_, sizes_, seeds_ = 0;
  Variance all_;  // variance of runs of one design and size, pooled over all of these
  std::vector<Variance> by_design_, by_size_;
  double widening_ = 0;  // widening() of the documents
  Table counts_;         // numbers of runs
};

// Returns the x at which two lines meet, if it is above `from` and below kFarthest times `from`; otherwise
// infinity.
double meeting(const Line& a, const Line& b, double from) {
  const double slope = a.slope - b.slope;
  if (slope == 0) return kInfinity;
  const double x = std::exp((b.offset - a.offset) / slope);
  return x > from && x < kFarthest * from ? x : kInfinity;
}

Error refuse(const std::string& what, const std::string& hint) { return {"scale", what, hint, {}}; }

Result<bool> check(const std::vector<ScaleRun>& runs, int designs, int sizes) {
  if (runs.empty() || designs < 1) return tl::unexpected(refuse("there are no finished runs to fit", ""));
  for (const ScaleRun& r : runs) {
    if (!record::same_documents(r.documents, runs[0].documents))
      return tl::unexpected(refuse(
          fmt::format("runs were scored on different sets of held-out documents, with {} and {} documents",
                      runs[0].documents.size(), r.documents.size()),
          "score all runs on one corpus, with the same --valid-documents"));
    if (r.held_out_hash != runs[0].held_out_hash)
      return tl::unexpected(
          refuse(fmt::format("runs were scored on different held-out texts, {} and {}",
                             runs[0].held_out_hash.empty() ? "an unknown one" : runs[0].held_out_hash,
                             r.held_out_hash.empty() ? "an unknown one" : r.held_out_hash),
                 "use one corpus for all runs: start a new study with another --out"));
    for (const ScaleRun& other : runs) {
      if (&r == &other || r.size != other.size || r.seed != other.seed) continue;
      if (r.design == other.design)
        return tl::unexpected(
            refuse(fmt::format("two runs of design {} have the same size and seed {}", r.design + 1, r.seed),
                   "start a new study with another --out"));
      if (r.text_hash != other.text_hash)
        return tl::unexpected(
            refuse(fmt::format("runs of the same size and seed were trained on different texts, {} and {}",
                               other.text_hash, r.text_hash),
                   "use one corpus for all runs: start a new study with another --out"));
      if (r.unread_tokens != other.unread_tokens)
        return tl::unexpected(refuse(fmt::format("runs of the same size and seed were scored on different "
                                                 "amounts of unread training text, {} and {} tokens",
                                                 other.unread_tokens, r.unread_tokens),
                                     "use one corpus for all runs: start a new study with another --out"));
    }
    const auto is_positive = [](double x) { return std::isfinite(x) && x > 0; };
    const bool are_documents_valid = std::all_of(r.documents.begin(), r.documents.end(),
                                                 [&](const auto& d) { return is_positive(d.bits_per_byte); });
    if (!is_positive(r.bits) || !is_positive(r.params) || !is_positive(r.flops) || !are_documents_valid ||
        r.design < 0 || r.design >= designs || r.size < 0 || r.size >= sizes || r.unread_tokens < 0 ||
        (r.unread_tokens > 0 && !is_positive(r.unread_bits)))
      return tl::unexpected(refuse(
          fmt::format("invalid run: {} bits per byte ({} on {} unread tokens), {} parameters and {} FLOPs",
                      r.bits, r.unread_bits, r.unread_tokens, r.params, r.flops),
          ""));
  }
  for (int d = 0; d < designs; ++d) {
    std::set<std::int64_t> at;
    for (const ScaleRun& r : runs)
      if (r.design == d) at.insert(r.size);
    if (static_cast<int>(at.size()) < kLeastSizes)
      return tl::unexpected(refuse(fmt::format("design {} has finished runs at {} sizes, but a fit needs {}",
                                               d + 1, at.size(), kLeastSizes),
                                   "train at least three sizes, each with at least one finished run"));
  }
  return true;
}

// Returns the variance of one run that neither its design nor its seed explains, pooled over sizes.
Variance run_variance(const std::vector<ScaleRun>& runs, int sizes) {
  Variance out;
  for (int s = 0; s < sizes; ++s) {
    std::vector<Cell> cells;
    for (const ScaleRun& r : runs)
      if (r.size == s) cells.push_back({r.design, static_cast<std::int64_t>(r.seed), r.bits});
    out = pooled(out, residual_variance(std::move(cells)));
  }
  return out;
}

ScaleEstimate estimate_of(const Interval& i, bool has_interval) {
  if (i.count == 0) return {kNaN, kNaN, kNaN};
  return has_interval ? ScaleEstimate{i.mean, i.low, i.high} : ScaleEstimate{i.mean, -kInfinity, kInfinity};
}

// Returns the lead of design 0 over `against` at a size, from their runs of equal seeds.
SizeLead lead_at(const std::vector<ScaleRun>& runs, std::int64_t against, std::int64_t size,
                 const Variance& run, double level, bool has_intervals) {
  std::vector<Trial> own, other, own_unread, other_unread;
  SizeLead out;
  for (const ScaleRun& a : runs)
    for (const ScaleRun& b : runs) {
      if (a.design != 0 || b.design != against || a.size != size || b.size != size || a.seed != b.seed)
        continue;
      out.same_function = !a.hash.empty() && a.hash == b.hash;
      const auto add = [](std::vector<Trial>& to, double bits, const std::vector<record::DocumentScore>& d) {
        Trial& t = to.emplace_back();
        t.bits = bits, t.documents = d;
      };
      add(own, a.bits, a.documents), add(other, b.bits, b.documents);
      if (a.unread_tokens > 0) add(own_unread, a.unread_bits, {}), add(other_unread, b.unread_bits, {});
    }
  const auto interval = [&](const std::vector<Trial>& x, const std::vector<Trial>& y) {
    const auto all = [](const std::vector<Trial>& trials) {
      std::vector<const Trial*> pointers;
      for (const Trial& t : trials) pointers.push_back(&t);
      return pointers;
    };
    return estimate_of(paired_interval(pair_runs(all(x), all(y)), run, level), has_intervals);
  };
  out.lead = interval(own, other);
  out.unread = interval(own_unread, other_unread);
  return out;
}

// The doubt that the searches for learning rates leave about a design.
struct RateDoubt {
  double loss = 0;  // what it would gain at another rate, in bits per byte
  bool at_edge = false;
};
std::vector<RateDoubt> rate_doubts(const record::ScaleStudy& study, const std::vector<ScaleRun>& runs) {
  std::vector<RateDoubt> out;
  for (const RateScores& scores : rate_scores(study)) {
    const auto design = static_cast<std::int64_t>(out.size());
    RateDoubt& doubt = out.emplace_back();
    if (!has_score(scores)) continue;
    doubt.at_edge = is_at_edge(scores.begin()->second);
    for (const ScaleRun& r : runs)
      if (r.design == design && r.rate > 0) doubt.loss = std::max(doubt.loss, rate_loss(scores, r.rate));
  }
  return out;
}

// Returns the first of two designs that has a run without a score at a size.
std::optional<int> failed_of(const record::ScaleStudy& study, const LeadAtScale& lead, std::int64_t size) {
  for (const int design : {lead.design, lead.against})
    if (std::any_of(study.runs.begin(), study.runs.end(), [&](const ScaleRun& r) {
          return r.design == design && r.size == size && r.status != record::Status::kDone;
        }))
      return design;
  return std::nullopt;
}

// Widens the leads by what the rates may have cost, and decides which of them are tested.
void apply_doubts(const RateDoubt& own, const RateDoubt& other, LeadAtScale& lead) {
  if (own.at_edge || other.at_edge) lead.at_edge = own.at_edge ? lead.design : lead.against;
  bool is_tested = !lead.at_edge;
  for (auto at = lead.by_size.rbegin(); at != lead.by_size.rend(); ++at) {
    at->lead.low -= own.loss, at->lead.high += other.loss;
    at->is_tested = is_tested && !at->failed;
    is_tested = at->is_significant();
  }
}

}  // namespace

bool SizeLead::is_unconfirmed() const {
  if (!is_significant() || std::isnan(unread.value)) return false;
  const double sign = lead.value < 0 ? -1 : 1;
  const double nearest = sign < 0 ? unread.high : unread.low;
  return !(sign * nearest > 0) || sign * unread.value < kLeastUnread * std::abs(lead.value);
}

std::optional<int> LeadAtScale::failed() const {
  const auto at = std::find_if(by_size.begin(), by_size.end(), [](const SizeLead& s) { return s.failed; });
  return at == by_size.end() ? std::nullopt : at->failed;
}

Result<ScaleFit> fit_scale(const record::ScaleStudy& study, int resamples) {
  std::vector<ScaleRun> runs;
  std::copy_if(study.runs.begin(), study.runs.end(), std::back_inserter(runs),
               [](const ScaleRun& r) { return r.status == record::Status::kDone; });
  const auto designs = static_cast<int>(study.designs.size()), sizes = static_cast<int>(study.sizes.size());
  if (const auto ok = check(runs, designs, sizes); !ok) return tl::unexpected(ok.error());
  const Fitter fitter(runs, designs, sizes);
  const auto count = static_cast<std::size_t>(designs);
  struct Draw {
    Fitter::Means means;
    std::vector<Line> by_params, by_flops;
  };
  const auto draw_of = [&](const Weights& w) {
    Draw out{fitter.means(w), {}, {}};
    for (std::size_t d = 0; d < count; ++d) {
      out.by_params.push_back(Fitter::line(out.means, &Fitter::Means::params, d));
      out.by_flops.push_back(Fitter::line(out.means, &Fitter::Means::flops, d));
    }
    return out;
  };
  const Draw whole = draw_of(fitter.unperturbed());
  std::vector<Draw> draws;
  Random random = Random(1).split("scale");
  for (int k = 0; k < std::max(1, resamples); ++k) draws.push_back(draw_of(fitter.draw_weights(random)));
  // Evaluates f on the estimate itself, with the interval of f over the draws.
  const auto over = [&](const auto& f) {
    std::vector<double> drawn;
    for (const Draw& d : draws) drawn.push_back(f(d));
    return fitter.has_intervals() ? estimate(f(whole), std::move(drawn))
                                  : ScaleEstimate{f(whole), -kInfinity, kInfinity};
  };
  const auto law = [&](std::size_t d, std::vector<Line> Draw::*lines, const std::vector<double>& xs) {
    const double most = *std::max_element(xs.begin(), xs.end());
    PowerLaw out;
    out.exponent = over([&](const Draw& x) { return -(x.*lines)[d].slope; });
    out.at_one = std::exp((whole.*lines)[d].offset);
    out.beyond = over([&](const Draw& x) { return (x.*lines)[d].at(10 * most); });
    return out;
  };
  ScaleFit out;
  out.seeds = fitter.seeds();
  out.freedom = fitter.freedom();
  out.documents = worth_of(runs[0].documents);
  out.too_few_documents = out.documents < kLeastWorth;
  double largest = 0;
  for (std::size_t d = 0; d < count; ++d) {
    out.by_params.push_back(law(d, &Draw::by_params, whole.means.params[d]));
    out.by_flops.push_back(law(d, &Draw::by_flops, whole.means.flops[d]));
    for (const double x : whole.means.params[d]) largest = std::max(largest, x);
  }
  const Variance run = run_variance(runs, sizes);
  const std::vector<RateDoubt> doubts = rate_doubts(study, runs);
  for (std::size_t d = 1; d < count; ++d) {
    LeadAtScale lead{.design = 0,
                     .against = static_cast<int>(d),
                     .by_size = {},
                     .at_edge = {},
                     .per_tenfold = {},
                     .meeting = {}};
    for (int s = 0; s < sizes; ++s) {
      lead.by_size.push_back(lead_at(runs, static_cast<std::int64_t>(d), s, run, kSideLevel / (designs - 1),
                                     fitter.has_intervals()));
      lead.by_size.back().failed = failed_of(study, lead, s);
    }
    apply_doubts(doubts[0], doubts[d], lead);
    lead.per_tenfold =
        over([&](const Draw& x) { return std::log(10) * (x.by_params[0].slope - x.by_params[d].slope); });
    lead.meeting = over([&](const Draw& x) { return meeting(x.by_params[0], x.by_params[d], largest); });
    lead.meets = std::isfinite(lead.meeting.value);
    out.leads.push_back(std::move(lead));
  }
  return out;
}

}  // namespace gabbro::evolve
