// Reads the record of a campaign, at once or as it grows (campaign/reading.h, campaign/follow.h).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "campaign/follow.h"
#include "campaign/reading.h"

namespace gabbro::campaign {

using evolve::Population;

namespace {

// Returns the time of an event; 0 if there is no such event.
double time_of(const store::Store& store, std::int64_t event) {
  const auto page = store.events(event, 1);
  return page.empty() ? 0 : page.front().first;
}

double seconds_worked(const CampaignReading& r, const store::Store& store) {
  double out = 0;
  for (std::size_t i = 0; i < r.sessions.size(); ++i) {
    const store::SessionRow& s = r.sessions[i];
    if (!s.session.begins) continue;
    double end = r.last;
    if (i + 1 < r.sessions.size())
      end = r.sessions[i + 1].session.begins ? time_of(store, r.sessions[i + 1].event_id - 1)
                                             : r.sessions[i + 1].time;
    out += std::max(0.0, end - s.time);  // the clock may have been set back
  }
  return out;
}

// Returns the score of the kCompared-th best run at the first rung; infinity if no more runs have a score.
double worst_of_best(const std::vector<store::TrialRow>& trials) {
  constexpr std::size_t kCompared = 1000;
  std::vector<double> bits;
  for (const store::TrialRow& t : trials)
    if (t.begun.rung == 0 && t.status == record::Status::kDone && std::isfinite(t.bits))
      bits.push_back(t.bits);
  if (bits.size() <= kCompared) return std::numeric_limits<double>::infinity();
  std::nth_element(bits.begin(), bits.begin() + kCompared - 1, bits.end());
  return bits[kCompared - 1];
}

// Returns the designs that agents wrote and their parents, whose runs decide the outcomes of tasks.
std::set<std::int64_t> designs_of_outcomes(const std::vector<store::DesignRow>& designs) {
  std::set<std::int64_t> out;
  for (const store::DesignRow& d : designs)
    if (d.created.task != 0) out.insert({d.created.id, d.created.parent});
  return out;
}

// Returns the values of a result that comparisons use.
Population::Compared compared_of(const Population& p, record::TrialResult& result, int rung,
                                 record::RunEnd end) {
  const double unread = record::unread_bits(result), ratio = record::nats_per_bit(result);
  const std::int64_t tokens = result.unread_tokens;
  return {.text_hash = std::move(result.text_hash),
          .held_out_hash = std::move(result.held_out_hash),
          .build = std::move(result.build),
          .documents = std::move(result.documents),
          .unread_bits = unread,
          .unread_tokens = tokens,
          .nats_per_bit = ratio,
          .at_hurdles = p.losses_at_hurdles(result, rung),
          .lost_for_numbers = end == record::RunEnd::kResult && record::is_lost_for_numbers(result)};
}

// Returns true for runs that may be compared with others, document by document. Of those with a score, it
// leaves out only the search's designs at the first rung with more than `most_bits`, of which a large
// campaign has a hundred thousand: without documents, a run makes no pair with others. A refused run of a
// control may have a score (evolve::status_of).
bool needs_documents(const Population& p, const store::TrialRow& t, double most_bits) {
  if (t.status != record::Status::kDone)
    return evolve::is_verdict_run(t.begun) || evolve::is_control(p.individual(t.begun.design));
  return t.begun.rung > 0 || evolve::is_verdict_run(t.begun) || !(t.bits > most_bits) ||
         p.individual(t.begun.design).created.origin != record::Origin::kSearch;
}

Result<CampaignReading> read_tables(const store::Store& store) {
  GABBRO_TRY(campaign, store.campaign());
  GABBRO_TRY(plan, parse_plan(campaign));
  CampaignReading out{.plan = plan, .population = Population(plan.settings)};
  const std::vector<store::DesignRow> designs = store.designs();
  for (const store::DesignRow& d : designs)
    if (const auto ok = out.population.recall(d.created); !ok) return tl::unexpected(ok.error());
  const std::set<std::int64_t> of_outcomes = designs_of_outcomes(designs);
  const int rungs = static_cast<int>(plan.settings.rungs.size());
  const std::vector<store::TrialRow> trials = store.trials();
  // With several seeds, the pooled deviation of runs rests on the texts of all of them.
  const bool has_replicates = !plan.settings.rungs.empty() && plan.settings.rungs[0].seeds > 1;
  out.most_bits = has_replicates ? std::numeric_limits<double>::infinity() : worst_of_best(trials);
  for (const store::TrialRow& t : trials) {
    if (t.begun.rung < 0 || t.begun.rung >= rungs)
      return fail("event", fmt::format("run {} is at rung {} of {}", t.begun.id, t.begun.rung, rungs),
                  "the record was modified by another program; restore a backup");
    if (const auto ok = out.population.apply(t.begun); !ok) return tl::unexpected(ok.error());
    out.times.push_back({t.time_begun, t.time_ended, t.seconds, static_cast<double>(t.tokens)});
    out.worker_seconds += std::isfinite(t.seconds) ? t.seconds : 0;
    out.tokens += static_cast<double>(t.tokens);
    if (!t.status) continue;
    // Costs are those measured at the first rung. The tables lack those at higher rungs.
    const double flops = out.population.individual(t.begun.design).created.train_flops;
    // Only results hold documents and texts.
    Population::Compared compared;
    record::Status status = *t.status;
    if (needs_documents(out.population, t, out.most_bits) || of_outcomes.contains(t.begun.design)) {
      GABBRO_TRY(result, store.result(t.begun.id));
      status = evolve::status_of(out.population.individual(t.begun.design), result);
      compared = compared_of(out.population, result, t.begun.rung, t.end);
    }
    if (const auto ok = out.population.recall(
            t.begun.id, t.end == record::RunEnd::kResult ? status : record::Status::kFailed, t.cause, t.bits,
            flops * static_cast<double>(t.tokens), std::move(compared));
        !ok)
      return tl::unexpected(ok.error());
  }
  for (const record::ComparisonBegun& c : store.comparisons())
    if (const auto ok = out.population.apply(c); !ok) return tl::unexpected(ok.error());
  for (const record::Profiled& e : store.profiles())
    if (const auto ok = out.population.apply(e); !ok) return tl::unexpected(ok.error());
  for (store::TaskRow& t : store.tasks())
    out.population.recall({.begun = std::move(t.begun),
                           .ended_before = 0,
                           .ended = t.ended,
                           .report = std::move(t.report),
                           .design = t.design,
                           .refused = t.refused});
  out.steering = store.steering();
  for (const auto& [time, steered] : out.steering)
    if (const auto ok = out.population.apply(steered); !ok) return tl::unexpected(ok.error());
  out.sessions = store.sessions();
  out.begun = time_of(store, 1);
  out.last = time_of(store, store.event_count());
  out.seconds = seconds_worked(out, store);
  return out;
}

}  // namespace

Result<CampaignReading> read_record(const store::Store& store) {
  auto out = read_tables(store);
  if (!out) out.error().message = store.path() + ": " + out.error().message;
  return out;
}

// ---- Following a record that grows ----

namespace {

// Applies one event to a reading, and adds the designs that it concerns to `touched`.
class EventReader {
 public:
  EventReader(CampaignReading& reading, std::set<std::int64_t>& touched) : r_(reading), touched_(touched) {}

  Result<bool> operator()(double time, record::Event& event) {
    time_ = time;
    return std::visit([&](auto& e) { return read(e); }, event);
  }

 private:
  Result<bool> read(record::DesignCreated& e) {
    e.program.clear(), e.sized.clear();  // readings hold neither
    touched_.insert(e.id);
    return r_.population.recall(e);
  }
  Result<bool> read(const record::TrialBegun& e) {
    touched_.insert(e.design);
    if (const auto ok = r_.population.apply(e); !ok) return ok;
    r_.times.resize(r_.population.trials().size());
    time_of(e.id).begun = time_;
    return true;
  }
  Result<bool> read(const record::TrialEnded& e) {
    if (e.id < 1 || e.id > static_cast<std::int64_t>(r_.times.size()))
      return fail("event", fmt::format("result of unknown run {}", e.id));
    const record::TrialBegun& begun = r_.population.trial(e.id).begun;
    GABBRO_TRY(result, record::parse_result(e.result));
    const record::Status status = evolve::status_of(r_.population.individual(begun.design), result);
    const double bits = result.bits_per_byte;
    const std::string cause = result.cause;
    const auto tokens = static_cast<double>(result.tokens);
    touched_.insert(begun.design);
    time_of(e.id) = {time_of(e.id).begun, time_, e.seconds, tokens};
    r_.worker_seconds += std::isfinite(e.seconds) ? e.seconds : 0;
    r_.tokens += tokens;
    return r_.population.recall(e.id, e.end == record::RunEnd::kResult ? status : record::Status::kFailed,
                                cause, bits,
                                r_.population.individual(begun.design).created.train_flops * tokens,
                                compared_of(r_.population, result, begun.rung, e.end));
  }
  Result<bool> read(const record::Promoted& e) {
    touched_.insert(e.design);
    return true;  // as in `read_tables`: the runs at a rung show who entered it
  }
  Result<bool> read(const record::Session& e) {
    r_.sessions.push_back({.event_id = 0, .time = time_, .session = e});
    return true;
  }
  Result<bool> read(const record::Steered& e) {
    touched_.insert(e.design);
    r_.steering.emplace_back(time_, e);
    return r_.population.apply(e);
  }
  Result<bool> read(const record::Profiled& e) {
    touched_.insert(e.design);
    return r_.population.apply(e);
  }
  Result<bool> read(const auto& e) { return r_.population.apply(e); }

  RunTimes& time_of(std::int64_t trial) { return r_.times.at(static_cast<std::size_t>(trial - 1)); }

  CampaignReading& r_;
  std::set<std::int64_t>& touched_;
  double time_ = 0;  // of the event
};

}  // namespace

Result<RecordFollower> RecordFollower::read(const store::Store& store) {
  GABBRO_TRY(reading, read_record(store));
  return RecordFollower(std::move(reading), store.event_count());
}

bool RecordFollower::follows(const store::Store& store) const {
  const auto campaign = store.campaign();
  const auto plan = campaign ? parse_plan(*campaign) : Result<CampaignPlan>(tl::unexpected(campaign.error()));
  // The secret is drawn at random, so that no other campaign has it.
  return plan && to_toml(*plan) == to_toml(reading_.plan) && store.event_count() >= events_;
}

Result<std::set<std::int64_t>> RecordFollower::catch_up(const store::Store& store) {
  constexpr std::int64_t kPage = 500;  // events that are held in memory at a time
  std::set<std::int64_t> touched;
  EventReader apply(reading_, touched);
  const std::int64_t end = store.event_count();
  while (events_ < end) {
    auto page = store.events(events_ + 1, kPage);
    if (page.empty()) break;
    for (auto& [time, event] : page) {
      if (const auto ok = apply(time, event); !ok) {
        Error error = ok.error();
        error.message = fmt::format("{}: event {}: {}", store.path(), events_ + 1, error.message);
        return tl::unexpected(std::move(error));
      }
      reading_.last = time;
      ++events_;
    }
  }
  touched.erase(0);
  reading_.sessions = store.sessions();
  reading_.seconds = seconds_worked(reading_, store);
  return touched;
}

}  // namespace gabbro::campaign
