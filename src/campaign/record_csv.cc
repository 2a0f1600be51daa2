#include "campaign/record_csv.h"

#include <fmt/format.h>

#include <cmath>
#include <string_view>
#include <vector>

#include "campaign/format.h"
#include "campaign/reading.h"

namespace gabbro::campaign {

using evolve::Individual;
using evolve::Standing;

namespace {

constexpr std::size_t kLongest = 400;  // bytes of a text

// Returns a text as a cell, in quotes where it needs them.
std::string text_cell(std::string_view text) {
  std::string out = one_line(text, kLongest);
  if (out.find_first_of("=+-@") == 0) out.insert(0, 1, '\'');
  if (out.find_first_of(",\"\n") == std::string::npos) return out;
  for (std::size_t at = 0; (at = out.find('"', at)) != std::string::npos; at += 2) out.insert(at, 1, '"');
  return '"' + out + '"';
}

// Returns a number as a cell; those that are not known are 0.
std::string number_cell(double x) { return x != 0 && std::isfinite(x) ? fmt::format("{}", x) : ""; }
std::string count_cell(std::int64_t n) { return n != 0 ? std::to_string(n) : ""; }

void add_row(std::string& out, const std::vector<std::string>& cells) {
  for (std::size_t k = 0; k < cells.size(); ++k) out += (k > 0 ? "," : "") + cells[k];
  out += '\n';
}

}  // namespace

Result<std::string> designs_csv(const store::Store& store) {
  GABBRO_TRY(r, read_record(store));
  std::vector<std::string> titles{"id",
                                  "name",
                                  "origin",
                                  "strategy",
                                  "made_by",
                                  "parent",
                                  "second_parent",
                                  "task",
                                  "species",
                                  "train_flops_per_token",
                                  "decode_flops_per_token",
                                  "state_bytes",
                                  "vetoed",
                                  "hash"};
  for (const evolve::Rung& rung : r.plan.settings.rungs) {
    titles.push_back(text_cell("bits_" + rung.name));
    titles.push_back(text_cell("seeds_" + rung.name));
  }
  std::string out;
  add_row(out, titles);
  for (const Individual& i : r.population.individuals()) {
    const record::DesignCreated& c = i.created;
    std::vector<std::string> cells{std::to_string(c.id),
                                   text_cell(c.name),
                                   std::string(record::word_of(c.origin)),
                                   text_cell(c.strategy),
                                   text_cell(evolve::maker_of(c)),
                                   count_cell(c.parent),
                                   count_cell(c.second_parent),
                                   count_cell(c.task),
                                   text_cell(c.species),
                                   number_cell(c.train_flops),
                                   number_cell(c.decode_flops),
                                   number_cell(c.state_bytes),
                                   i.vetoed ? "1" : "0",
                                   text_cell(c.hash)};
    for (int rung = 0; rung < static_cast<int>(r.plan.settings.rungs.size()); ++rung) {
      const Standing s = r.population.standing(i, rung);
      cells.push_back(s.done > 0 ? number_cell(s.bits) : "");
      cells.push_back(count_cell(s.done));
    }
    add_row(out, cells);
  }
  return out;
}

Result<std::string> runs_csv(const store::Store& store) {
  GABBRO_TRY(r, read_record(store));
  std::string out;
  add_row(out, {"id", "design", "label", "rung", "seed", "purpose", "learning_rate", "status",
                "bits_per_byte", "bits_low", "bits_high", "last_loss", "tokens_per_second", "parameters",
                "tokens", "seconds", "begun", "ended", "cause"});
  for (const store::TrialRow& t : store.trials()) {
    const auto known = static_cast<std::int64_t>(r.population.individuals().size());
    if (t.begun.design < 1 || t.begun.design > known) continue;  // newer than the reading
    const evolve::Rung& rung = r.rung(t.begun.rung);
    const bool done = t.status == record::Status::kDone;
    add_row(
        out,
        {std::to_string(t.begun.id), std::to_string(t.begun.design),
         text_cell(label_of(r.population.individual(t.begun.design))), text_cell(rung.name),
         std::to_string(t.begun.seed), std::string(record::word_of(t.begun.purpose)),
         number_cell(rung.rate * t.begun.rate),
         t.status ? std::string(record::word_of(*t.status)) : "running", done ? number_cell(t.bits) : "",
         done ? number_cell(t.bits_low) : "", done ? number_cell(t.bits_high) : "", number_cell(t.last_loss),
         number_cell(t.tokens_per_second), count_cell(t.params), count_cell(t.tokens), number_cell(t.seconds),
         number_cell(t.time_begun), number_cell(t.time_ended), text_cell(t.cause)});
  }
  return out;
}

}  // namespace gabbro::campaign
