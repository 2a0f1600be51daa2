#include "evolve/population.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lang/parser.h"

namespace gabbro::evolve {

namespace {

// Bound on the tokens that a run is charged for, as a multiple of its budget, which a run rounds up to a
// whole step.
constexpr double kMostOfBudget = 2;
constexpr int kCurvePoints = 8;  // points of Trial::curve
// Minimum number of unseen documents for judging by them alone.
constexpr std::size_t kLeastDocuments = 8;

// Returns the smoothed training loss (Point::recent) after `share` of a run's `tokens`; NaN if the run did
// not get there.
double loss_at(const std::vector<record::Point>& curve, double tokens, double share) {
  for (const record::Point& p : curve)
    if (static_cast<double>(p.tokens) >= share * tokens) return p.recent;
  return std::nan("");
}

// Returns the error of an event that does not fit the events before it.
Error unexpected(const std::string& what) {
  return {"event",
          what,
          "the record was changed, or a newer gabbro wrote it; restore a copy or update gabbro",
          {}};
}

}  // namespace

Result<bool> Population::apply(const record::Event& event) {
  return std::visit([&](const auto& e) { return add(e); }, event);
}

Result<bool> Population::add(const record::Promoted& e) {
  if (e.design < 1 || e.design > static_cast<std::int64_t>(individuals_.size()))
    return tl::unexpected(unexpected(fmt::format("promotion of unknown design {}", e.design)));
  if (!has_rung(e.rung))
    return tl::unexpected(
        unexpected(fmt::format("promotion of design {} to unknown rung {}", e.design, e.rung)));
  int& entered = individuals_[static_cast<std::size_t>(e.design - 1)].entered;
  entered = std::max(entered, e.rung);
  return true;
}

Result<bool> Population::add(const record::Refused& e) {
  attempts_ = std::max(attempts_, e.attempt);
  failures_.draws[e.cause].add(e.detail);
  return settle_task(e.task, 0, e.cause);
}

Result<bool> Population::add(const record::TaskBegun& e) {
  const auto count = static_cast<std::int64_t>(tasks_.size());
  if (e.id >= 1 && e.id <= count && !tasks_[static_cast<std::size_t>(e.id - 1)].ended)
    return true;  // a restart of an unfinished task
  if (e.id != count + 1)
    return tl::unexpected(unexpected(fmt::format("task {} follows task {}", e.id, count)));
  tasks_.push_back({.begun = e, .ended_before = static_cast<std::int64_t>(ended_tasks_.size())});
  return true;
}

Result<bool> Population::add(const record::TaskEnded& e) {
  if (e.id < 1 || e.id > static_cast<std::int64_t>(tasks_.size()) ||
      tasks_[static_cast<std::size_t>(e.id - 1)].ended)
    return tl::unexpected(unexpected(fmt::format("report of task {}, which is not in progress", e.id)));
  AgentTask& task = tasks_[static_cast<std::size_t>(e.id - 1)];
  GABBRO_TRY(report, record::parse_task_report(e.report));
  task.report = std::move(report);
  task.ended = true;
  ended_tasks_.push_back(e.id);
  if (task.report.outcome != record::TaskOutcome::kDesign)
    failures_.tasks[task.report.cause].add(task.report.detail);
  return true;
}

Result<bool> Population::add(const record::Steered& e) {
  steered_.insert(e.key);
  if (e.what == record::Steering::kDirection) directions_.push_back(e.text);
  if (e.what == record::Steering::kForget) directions_.clear();
  if (e.what == record::Steering::kPause) paused_ = true;
  if (e.what == record::Steering::kResume) paused_ = false;
  if (e.what == record::Steering::kVeto) {
    if (e.design < 1 || e.design > static_cast<std::int64_t>(individuals_.size()))
      return tl::unexpected(unexpected(fmt::format("veto of unknown design {}", e.design)));
    individuals_[static_cast<std::size_t>(e.design - 1)].vetoed = true;
  }
  if (e.what == record::Steering::kPromote) {
    if (e.design < 1 || e.design > static_cast<std::int64_t>(individuals_.size()))
      return tl::unexpected(unexpected(fmt::format("promotion of unknown design {}", e.design)));
    if (!has_rung(e.rung))
      return tl::unexpected(
          unexpected(fmt::format("promotion of design {} to unknown rung {}", e.design, e.rung)));
    int& by_hand = individuals_[static_cast<std::size_t>(e.design - 1)].by_hand;
    by_hand = std::max(by_hand, e.rung);
  }
  return true;
}

Result<bool> Population::add(const record::ComparisonBegun& e) {
  if (e.id != static_cast<std::int64_t>(comparisons_.size()) + 1)
    return tl::unexpected(
        unexpected(fmt::format("comparison {} follows comparison {}", e.id, comparisons_.size())));
  if (e.design < 1 || e.design > static_cast<std::int64_t>(individuals_.size()) || e.rung < 0 ||
      e.rung >= static_cast<int>(settings_.rungs.size()) || e.seeds < 1 || !(e.level > 0 && e.level < 0.5))
    return tl::unexpected(
        unexpected(fmt::format("invalid comparison of design {} at rung {} on {} seeds, level {}", e.design,
                               e.rung, e.seeds, e.level)));
  comparisons_.push_back(e);
  return true;
}

Result<bool> Population::add(const record::Profiled& e) {
  if (e.design < 1 || e.design > static_cast<std::int64_t>(individuals_.size()))
    return tl::unexpected(unexpected(fmt::format("capability profile of unknown design {}", e.design)));
  auto result = record::parse_capability_result(e.result);
  if (!result)
    return tl::unexpected(
        unexpected(fmt::format("capability profile of design {}: {}", e.design, result.error().message)));
  result->seconds = e.seconds;
  individuals_[static_cast<std::size_t>(e.design - 1)].profile =
      std::make_shared<const record::CapabilityResult>(std::move(*result));
  return true;
}

Result<bool> Population::settle_task(std::int64_t id, std::int64_t design, record::Cause refused) {
  if (id == 0) return true;
  if (id < 1 || id > static_cast<std::int64_t>(tasks_.size()) ||
      !tasks_[static_cast<std::size_t>(id - 1)].awaits_screening())
    return tl::unexpected(unexpected(fmt::format("design of task {}, which produced none", id)));
  AgentTask& task = tasks_[static_cast<std::size_t>(id - 1)];
  task.design = design;
  task.refused = refused;
  return true;
}

Result<bool> Population::add(const record::DesignCreated& created) {
  if (created.id != static_cast<std::int64_t>(individuals_.size()) + 1)
    return tl::unexpected(
        unexpected(fmt::format("design {} follows design {}", created.id, individuals_.size())));
  if (const auto ok = check_parents(created); !ok) return ok;
  lang::ParseResult parsed = lang::parse(created.program);
  if (!parsed.errors.empty())
    return tl::unexpected(unexpected(fmt::format("design {}: {}", created.id, parsed.errors[0].message)));
  Individual out{.created = created,
                 .program = std::make_shared<const lang::Program>(std::move(parsed.program))};
  out.shape = shape_of(*out.program);
  individuals_.push_back(std::move(out));
  attempts_ = std::max(attempts_, created.attempt);
  // The search may still draw the same design as an ablation, since runs that judge must neither select nor
  // forbid designs.
  if (created.origin != record::Origin::kAblation) {
    const KnownDesign known{created.id, created.name, individuals_.back().program};
    if (!created.trained.empty()) by_identity_.emplace(created.trained, known);
    if (!created.fingerprint.empty()) by_fingerprint_.emplace(created.fingerprint, known);
  }
  return settle_task(created.task, created.id, {});
}

// A parent must be older than its child, so that walking the ancestry terminates.
Result<bool> Population::check_parents(const record::DesignCreated& created) {
  for (const std::int64_t parent : {created.parent, created.second_parent})
    if (parent < 0 || parent >= created.id)
      return tl::unexpected(unexpected(fmt::format("design {} is a child of design {}", created.id, parent)));
  return true;
}

Result<bool> Population::add(const record::TrialBegun& begun) {
  const auto count = static_cast<std::int64_t>(trials_.size());
  if (begun.id >= 1 && begun.id <= count && !trials_[static_cast<std::size_t>(begun.id - 1)].ended) {
    // A restart of an unfinished trial.
    record::TrialBegun& known = trials_[static_cast<std::size_t>(begun.id - 1)].begun;
    known.anew = known.anew || begun.anew;
    return true;
  }
  if (begun.id != count + 1 || begun.design < 1 ||
      begun.design > static_cast<std::int64_t>(individuals_.size()))
    return tl::unexpected(
        unexpected(fmt::format("trial {} of design {} follows trial {}", begun.id, begun.design, count)));
  if (!has_rung(begun.rung))
    return tl::unexpected(unexpected(fmt::format("trial {} at unknown rung {}", begun.id, begun.rung)));
  trials_.push_back({.begun = begun});
  Individual& owner = individuals_[static_cast<std::size_t>(begun.design - 1)];
  owner.trials.push_back(begun.id);
  if (begun.purpose != record::Purpose::kByHand) owner.entered = std::max(owner.entered, begun.rung);
  return true;
}

Result<bool> Population::add(const record::TrialEnded& ended) {
  GABBRO_TRY(open, open_trial(ended.id));
  Trial& trial = *open;
  GABBRO_TRY(result, record::parse_result(ended.result));
  const record::Status status = ended.end == record::RunEnd::kResult
                                    ? status_of(individual(trial.begun.design), result)
                                    : record::Status::kFailed;
  if (status == record::Status::kDone && !std::isfinite(result.bits_per_byte))
    return tl::unexpected(unexpected(fmt::format("trial {} is done but has no score", ended.id)));
  trial.ended = true;
  trial.status = status;
  trial.cause = result.cause;
  trial.lost_for_numbers = ended.end == record::RunEnd::kResult && record::is_lost_for_numbers(result);
  update_untrainable(trial.begun.design);
  trial.bits = result.bits_per_byte;
  trial.width = result.width;
  trial.weights_hash = result.weights_hash;
  trial.text_hash = result.text_hash;
  trial.held_out_hash = result.held_out_hash;
  trial.build = result.build;
  trial.valid_documents = result.valid_documents;
  trial.valid_bytes = result.valid_bytes;
  trial.changed_share = result.changed_share;
  trial.unread_tokens = result.unread_tokens;
  trial.nats_per_bit = record::nats_per_bit(result);
  trial.unread_bits = record::unread_bits(result);
  trial.documents = std::move(result.documents);
  leave_out_seen_documents(trial);
  const bool failed = trial.status == record::Status::kFailed || trial.status == record::Status::kRefused;
  if (failed) failures_.runs[trial.status].add(trial.cause);
  const double tokens =
      static_cast<double>(settings_.rungs.at(static_cast<std::size_t>(trial.begun.rung)).tokens);
  trial.at_hurdles = losses_at_hurdles(result, trial.begun.rung);
  for (int i = 1; i <= kCurvePoints; ++i) {
    const double loss = loss_at(result.curve, tokens, static_cast<double>(i) / kCurvePoints);
    if (std::isfinite(loss)) trial.curve.push_back(loss);
  }
  // The budget of strategies uses the cost that the screen computed, if it did, so that a wrong report of a
  // worker cannot starve a strategy.
  const double screened = individual(trial.begun.design).created.train_flops;
  const double per_token = trial.begun.rung == 0 && screened > 0 ? screened : result.train_flops_per_token;
  const double trained = result.curve.empty() ? 0 : static_cast<double>(result.curve.back().tokens);
  const double flops = std::min(trained, kMostOfBudget * tokens) * per_token;
  charge_flops(trial, std::isfinite(flops) ? std::max(0.0, flops) : 0);
  return true;
}

std::vector<double> Population::losses_at_hurdles(const record::TrialResult& result, int rung) const {
  const auto tokens = static_cast<double>(settings_.rungs.at(static_cast<std::size_t>(rung)).tokens);
  std::vector<double> out;
  for (const double share : settings_.hurdles)
    if (const double loss = loss_at(result.curve, tokens, share); std::isfinite(loss)) out.push_back(loss);
  return out;
}

Result<Trial*> Population::open_trial(std::int64_t id) {
  if (id < 1 || id > static_cast<std::int64_t>(trials_.size()))
    return tl::unexpected(unexpected(fmt::format("result of trial {}, which was not started", id)));
  Trial& trial = trials_[static_cast<std::size_t>(id - 1)];
  if (trial.ended) return tl::unexpected(unexpected(fmt::format("second result of trial {}", id)));
  return &trial;
}

void Population::update_untrainable(std::int64_t design) {
  const std::vector<std::int64_t>& runs = individual(design).trials;
  if (std::all_of(runs.begin(), runs.end(), [&](std::int64_t id) {
        return is_by_hand(trial(id)) || !trial(id).ended || trial(id).lost_for_numbers;
      }))
    untrainable_.insert(design);
  else
    untrainable_.erase(design);
}

void Population::charge_flops(Trial& trial, double flops) {
  trial.flops = flops;
  if (trial.begun.rung == 0 && trial.begun.purpose != record::Purpose::kRate)
    spent_[source_of(individual(trial.begun.design).created)] += flops;
}

std::size_t Population::documents_of_search() const {
  std::size_t seen = 0;
  for (const Rung& rung : settings_.rungs) {
    if (rung.documents == 0) return 0;
    seen = std::max(seen, static_cast<std::size_t>(rung.documents));
  }
  return seen;
}

void Population::leave_out_seen_documents(Trial& trial) const {
  const std::size_t seen = documents_of_search();
  if (seen == 0 || !is_verdict_run(trial) || trial.status != record::Status::kDone ||
      trial.documents.size() < seen + kLeastDocuments)
    return;
  trial.documents.erase(trial.documents.begin(), trial.documents.begin() + static_cast<std::ptrdiff_t>(seen));
  trial.fresh_documents = true;
  double bits = 0, bytes = 0;
  for (const record::DocumentScore& d : trial.documents) {
    bits += d.bits_per_byte * static_cast<double>(d.bytes);
    bytes += static_cast<double>(d.bytes);
  }
  trial.bits = bits / bytes;
}

Result<bool> Population::recall(const record::DesignCreated& created) {
  if (created.id != static_cast<std::int64_t>(individuals_.size()) + 1)
    return tl::unexpected(
        unexpected(fmt::format("design {} follows design {}", created.id, individuals_.size())));
  if (const auto ok = check_parents(created); !ok) return ok;
  individuals_.push_back({.created = created});
  attempts_ = std::max(attempts_, created.attempt);
  return settle_task(created.task, created.id, {});
}

Result<bool> Population::recall(std::int64_t id, record::Status status, std::string cause, double bits,
                                double flops, Compared compared) {
  GABBRO_TRY(trial, open_trial(id));
  if (status == record::Status::kDone && !std::isfinite(bits))
    return tl::unexpected(unexpected(fmt::format("trial {} is done but has no score", id)));
  trial->ended = true;
  trial->status = status;
  trial->cause = std::move(cause);
  trial->bits = bits;
  trial->text_hash = std::move(compared.text_hash);
  trial->held_out_hash = std::move(compared.held_out_hash);
  trial->build = std::move(compared.build);
  trial->documents = std::move(compared.documents);
  trial->unread_bits = compared.unread_bits;
  trial->unread_tokens = compared.unread_tokens;
  trial->nats_per_bit = compared.nats_per_bit;
  trial->at_hurdles = std::move(compared.at_hurdles);
  trial->lost_for_numbers = compared.lost_for_numbers;
  leave_out_seen_documents(*trial);
  charge_flops(*trial, flops);
  return true;
}

Population Population::designs() const {
  Population out(*this);
  out.trials_.clear();
  out.tasks_.clear();
  out.ended_tasks_.clear();
  return out;
}

const KnownDesign* Population::design_with_identity(const std::string& identity) const {
  const auto at = by_identity_.find(identity);
  return at == by_identity_.end() ? nullptr : &at->second;
}

std::vector<KnownDesign> Population::designs_with_fingerprint(const std::string& fingerprint) const {
  std::vector<KnownDesign> out;
  const auto [first, last] = by_fingerprint_.equal_range(fingerprint);
  for (auto at = first; at != last; ++at)
    if (!untrainable_.contains(at->second.id)) out.push_back(at->second);
  return out;
}

double Population::rate_of(const Individual& individual, int rung, std::int64_t before) const {
  const Trial *first = nullptr, *best = nullptr;
  for (const std::int64_t id : individual.trials) {
    const Trial& t = trial(id);
    if (t.begun.rung != rung || !guides_search(t) || id >= before) continue;
    if (!first) first = &t;
    if (t.begun.seed == first->begun.seed && t.status == record::Status::kDone &&
        (!best || t.bits < best->bits))
      best = &t;
  }
  if (best) return best->begun.rate;
  if (first) return first->begun.rate;
  return rung > 0 ? rate_of(individual, rung - 1, before) : individual.created.rate;
}

bool Population::only_fits_rate(const Trial& trial) const {
  if (trial.begun.purpose != record::Purpose::kRate) return false;
  for (const std::int64_t id : individual(trial.begun.design).trials)
    if (const Trial& t = this->trial(id); t.begun.rung == trial.begun.rung && guides_search(t))
      return t.begun.seed != trial.begun.seed;
  return false;
}

bool Population::counts(const Trial& trial, std::int64_t before) const {
  return is_verdict_run(trial) ||
         (guides_search(trial) && !only_fits_rate(trial) &&
          trial.begun.rate == rate_of(individual(trial.begun.design), trial.begun.rung, before));
}

Standing Population::standing(const Individual& individual, int rung) const {
  Standing out;
  const double rate = rate_of(individual, rung);
  for (const std::int64_t id : individual.trials) {
    const Trial& t = trial(id);
    if (t.begun.rung != rung || !guides_search(t) || t.begun.rate != rate || only_fits_rate(t)) continue;
    if (!t.ended)
      ++out.open;
    else if (t.status != record::Status::kDone)
      ++out.unscored;
    else
      ++out.done, out.bits += t.bits;
  }
  if (out.done > 0) out.bits /= out.done;
  return out;
}

const Trial* Population::scored(std::int64_t design, int rung, std::uint64_t seed) const {
  for (const std::int64_t id : individual(design).trials) {
    const Trial& t = trial(id);
    if (t.begun.rung == rung && t.begun.seed == seed && t.ended && t.status == record::Status::kDone &&
        counts(t))
      return &t;
  }
  return nullptr;
}

std::vector<double> Population::differences(std::int64_t design, std::int64_t against, int rung,
                                            RunKind kind) const {
  std::vector<double> out;
  for (const std::int64_t id : individual(design).trials) {
    const Trial& t = trial(id);
    const RunKind own_kind = is_verdict_run(t) ? RunKind::kVerdict : RunKind::kSearch;
    if (t.begun.rung != rung || own_kind != kind || !t.ended || t.status != record::Status::kDone) continue;
    if (!counts(t)) continue;
    const Trial* other = scored(against, rung, t.begun.seed);
    if (other && have_same_texts(t, *other)) out.push_back(t.bits - other->bits);
  }
  return out;
}

std::int64_t Population::best_baseline(int rung) const {
  std::int64_t best = 0;
  double bits = 0;
  for (const Individual& i : individuals_) {
    if (!is_baseline(i)) continue;
    const Standing s = standing(i, rung);
    if (s.done > 0 && (best == 0 || s.bits < bits)) best = i.created.id, bits = s.bits;
  }
  return best;
}

double Population::spent(std::string_view strategy) const {
  const auto at = spent_.find(strategy);
  return at == spent_.end() ? 0 : at->second;
}

}  // namespace gabbro::evolve
