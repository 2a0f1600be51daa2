// The table of designs, and the page of one design.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "campaign/agents_text.h"
#include "campaign/design_view.h"
#include "campaign/figures.h"
#include "campaign/remarks.h"
#include "chat/call_log.h"
#include "chat/transcript.h"
#include "evolve/depth.h"
#include "lang/check.h"
#include "lang/lexer.h"
#include "lang/parser.h"
#include "web/pages.h"
#include "web/shown.h"
#include "zoo/library.h"

namespace gabbro::web {

using nlohmann::json;

namespace {

using campaign::CampaignReading;
using evolve::Individual;
using evolve::Population;

json number(double x) { return std::isfinite(x) ? json(x) : json(); }
std::string text_of(const json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

json entry_json(const CampaignReading& r, const DesignEntry& e) {
  return {{"id", e.id},
          {"label", shown(e.label)},
          {"title", shown(e.name)},
          {"parent", e.parent},
          {"origin", record::word_of(e.origin)},
          {"source", shown(e.source)},
          {"maker", shown(e.maker)},
          {"species", shown(e.species)},
          {"status", record::word_of(e.status)},
          {"rung", e.rung < 0 ? json() : json(shown(r.rung(e.rung).name))},
          {"entered", e.entered < 0 ? json() : json(shown(r.rung(e.entered).name))},
          {"bits", e.rung < 0 ? json() : number(e.bits)},
          {"first", e.first > 0 ? number(e.first) : json()},
          {"train", number(e.train)},
          {"decode", number(e.decode)},
          {"state", number(e.state)},
          {"generation", e.generation}};
}

// ---- Colours of a program ----

const char* class_of(const lang::Token& token) {
  using Kind = lang::Token::Kind;
  if (token.kind == Kind::kKeyword) return "keyword";
  if (token.kind == Kind::kNumber) return "number";
  if (token.kind == Kind::kName && !token.text.empty() && token.text[0] >= 'A' && token.text[0] <= 'Z')
    return token.text.size() > 1 ? "unit" : "size";
  return token.kind == Kind::kName && lang::is_builtin_name(token.text) ? "size" : "";
}

// Adds the text between two tokens; a comment is coloured.
void add_gap(json& spans, std::string_view text) {
  const std::size_t comment = std::min(text.find('#'), text.size());
  if (comment > 0) spans.push_back({"", shown(text.substr(0, comment))});
  if (comment < text.size()) spans.push_back({"comment", shown(text.substr(comment))});
}

// Returns the lines of a program as lists of [class, text].
json coloured(const std::vector<campaign::ProgramView::Line>& lines, const std::string& program) {
  json out = json::array();
  const bool is_text = !lang::check_encoding(program);
  const lang::Tokens lexed = is_text ? lang::lex(program) : lang::Tokens{};
  std::size_t next = 0;  // token
  const char* at = program.data();
  for (const campaign::ProgramView::Line& line : lines) {
    json spans = json::array();
    const char *end = at + line.text.size(), *from = at;
    for (; is_text && next < lexed.tokens.size(); ++next) {
      const lang::Token& token = lexed.tokens[next];
      if (token.text.empty()) continue;
      if (token.text.data() >= end) break;
      if (token.text.data() < from) continue;
      if (token.text.data() > from)
        add_gap(spans, {from, static_cast<std::size_t>(token.text.data() - from)});
      const std::size_t length =
          std::min(token.text.size(), static_cast<std::size_t>(end - token.text.data()));
      spans.push_back({class_of(token), shown(token.text.substr(0, length))});
      from = token.text.data() + length;
    }
    if (from < end) add_gap(spans, {from, static_cast<std::size_t>(end - from)});
    out.push_back({{"new", line.is_new}, {"spans", std::move(spans)}});
    at = end + 1;
  }
  return out;
}

json changes_json(const std::vector<edit::Change>& changes) {
  constexpr std::size_t kShown = 60, kText = 400;
  json out = json::array();
  for (std::size_t k = 0; k < std::min(kShown, changes.size()); ++k) {
    const edit::Change& c = changes[k];
    out.push_back({{"where", shown_line(c.item + (c.place.empty() ? "" : " · " + c.place), 80)},
                   {"before", shown_line(c.before, kText)},
                   {"after", shown_line(c.after, kText)}});
  }
  return out;
}

// ---- Parts of the page ----

json runs_json(const CampaignView& view, std::int64_t design) {
  const CampaignReading& r = view.reading;
  json out = json::array();
  for (const store::TrialRow& t : view.store.trials_of(design)) {
    const bool done = t.status == record::Status::kDone;
    out.push_back({{"id", t.begun.id},
                   {"rung", shown(r.rung(t.begun.rung).name)},
                   {"seed", t.begun.seed},
                   {"purpose", record::word_of(t.begun.purpose)},
                   {"rate", number(r.rung(t.begun.rung).rate * t.begun.rate)},
                   {"status", t.status ? record::word_of(*t.status) : std::string_view("running")},
                   {"bits", done ? number(t.bits) : json()},
                   {"low", done ? number(t.bits_low) : json()},
                   {"high", done ? number(t.bits_high) : json()},
                   {"loss", t.last_loss > 0 ? number(t.last_loss) : json()},
                   {"speed", t.tokens_per_second > 0 ? number(t.tokens_per_second) : json()},
                   {"params", t.params > 0 ? json(t.params) : json()},
                   {"seconds", number(t.seconds)},
                   {"cause", shown_line(t.cause, 200)}});
  }
  return out;
}

json lineage_json(const CampaignView& view, std::int64_t design) {
  constexpr std::size_t kShown = 40;
  const Population& p = view.reading.population;
  const auto line = campaign::lineage(p, design, p.individuals().size());
  json rows = json::array();
  for (std::size_t k = 0; k < std::min(kShown, line.size()); ++k) {
    const Individual& i = p.individual(line[k]);
    const evolve::Standing s = p.standing(i, 0);
    json difference;
    if (i.created.parent > 0) {
      const auto d = p.differences(i.created.id, i.created.parent, /*rung=*/0, evolve::RunKind::kSearch);
      if (!d.empty()) difference = number(evolve::mean_interval(d).mean);
    }
    rows.push_back({{"id", line[k]},
                    {"label", shown(campaign::label_of(i))},
                    {"second", i.created.second_parent},
                    {"bits", s.done > 0 ? number(s.bits) : json()},
                    {"difference", difference},
                    {"species", shown_line(i.created.species, 60)},
                    {"maker", shown_line(evolve::maker_of(i.created), 60)}});
  }
  return {{"rows", rows},
          {"more", line.size() - std::min(kShown, line.size())},
          {"remark", campaign::kLineageRemark}};
}

json children_json(const CampaignView& view, std::int64_t design) {
  constexpr std::size_t kShown = 40;
  json rows = json::array();
  std::size_t count = 0;
  for (const DesignEntry& e : view.designs.entries()) {
    if (e.parent != design || e.origin == record::Origin::kAblation) continue;
    if (count++ >= kShown) continue;
    rows.push_back(
        {{"id", e.id}, {"label", shown(e.label)}, {"first", e.first > 0 ? number(e.first) : json()}});
  }
  return {{"rows", rows}, {"count", count}};
}

json parts_json(const CampaignView& view, std::int64_t design) {
  json out = json::array();
  const Population& p = view.reading.population;
  // The latest comparison counts: an earlier one was at a lower rung.
  const record::ComparisonBegun* last = nullptr;
  for (const record::ComparisonBegun& c : p.comparisons())
    if (c.design == design) last = &c;
  if (!last) return out;
  for (const campaign::AblatedPart& part : campaign::ablated_parts(p, {.rung = last->rung, .design = design}))
    out.push_back({{"id", part.design},
                   {"what", shown_line(part.what, 160)},
                   {"loss", part.loss.count > 0 ? campaign::interval_text(part.loss) : "-"},
                   {"word", shown_line(part.word, 160)}});
  return out;
}

// Returns the rungs at which a design has a score, the highest first.
json rungs_of(const CampaignReading& r, const Individual& i) {
  json out = json::array();
  for (int rung = static_cast<int>(r.plan.settings.rungs.size()) - 1; rung >= 0; --rung)
    if (const evolve::Standing s = r.population.standing(i, rung); s.done > 0) {
      // Designs with which its documents are compared: the best baseline, and the parent.
      json opponents = json::array();
      for (const std::int64_t id : {r.population.best_baseline(rung), i.created.parent})
        if (id > 0 && id != i.created.id && (opponents.empty() || opponents[0]["id"] != id) &&
            campaign::compare_documents(r.population, i.created.id, id, rung))
          opponents.push_back(
              {{"id", id}, {"label", shown(campaign::label_of(r.population.individual(id)))}});
      out.push_back({{"rung", rung},
                     {"name", shown(r.rung(rung).name)},
                     {"bits", number(s.bits)},
                     {"opponents", opponents}});
    }
  return out;
}

}  // namespace

Result<std::string> designs_json(const CampaignView& view, const DesignQuery& query) {
  const DesignPage page = view.designs.find(query);
  const auto& entries = view.designs.entries();
  json rows = json::array();
  for (const std::size_t row : page.rows) rows.push_back(entry_json(view.reading, entries[row]));
  json rungs = json::array(), sources = json::array();
  for (const evolve::Rung& rung : view.reading.plan.settings.rungs) rungs.push_back(shown(rung.name));
  for (const std::string& strategy : view.reading.plan.settings.strategies)
    sources.push_back(shown(strategy));
  return text_of({{"rows", rows},
                  {"matches", page.matches},
                  {"all", entries.size()},
                  {"with_units", view.designs.with_units()},
                  {"rungs", rungs},
                  {"sources", sources},
                  {"statuses", record::words<DesignStatus>()},
                  {"origins", record::words<record::Origin>()},
                  {"leader", view.verdict.leader.rung < 0 ? 0 : view.verdict.leader.design}});
}

Result<std::string> design_json(const CampaignView& view, std::int64_t design) {
  GABBRO_TRY(row, view.store.design(design));
  const CampaignReading& r = view.reading;
  const Population& p = r.population;
  if (design > static_cast<std::int64_t>(p.individuals().size())) return not_read_yet("the design is new");
  const Individual& i = p.individual(design);
  const record::DesignCreated& c = row.created;
  json out = entry_json(r, view.designs.entries().at(static_cast<std::size_t>(design - 1)));
  const campaign::ProgramView program = campaign::program_view(view.store, p, c);
  out["name"] = shown_line(c.name, 120);
  out["hash"] = shown_line(c.hash, 60);
  out["time"] = row.time;
  out["description"] = shown_line(c.provenance.description, 300);
  out["parent_label"] = c.parent > 0 ? json(shown(campaign::label_of(p.individual(c.parent)))) : json();
  out["second_parent"] = c.second_parent;
  out["second_label"] =
      c.second_parent > 0 ? json(shown(campaign::label_of(p.individual(c.second_parent)))) : json();
  out["program"] = coloured(program.lines, c.program);
  out["changes"] = changes_json(program.changes);
  out["changes_count"] = program.changes.size();
  out["changes_remark"] = shown(campaign::changes_text(program.parent));
  out["runs"] = runs_json(view, design);
  out["rungs"] = rungs_of(r, i);
  out["lineage"] = lineage_json(view, design);
  out["children"] = children_json(view, design);
  out["parts"] = parts_json(view, design);
  out["standing"] = shown(campaign::standing_text(r, design));
  out["leader"] = view.verdict.leader.rung >= 0 && view.verdict.leader.design == design;
  out["profile"] = i.profile ? shown(campaign::profile_text(*i.profile)) : "";
  out["task"] = shown(campaign::task_text(r, design));
  out["by_agents"] = c.task != 0;
  out["may_be_vetoed"] = evolve::is_candidate(i);
  const auto next = evolve::next_rung_by_hand(i, r.plan.settings.rungs.size());
  out["may_be_promoted"] = next ? json(shown(r.rung(*next).name)) : json();
  out["promotions"] = json::array();
  for (const record::Promoted& promoted : view.store.promotions_of(design))
    if (promoted.rung >= 0 && promoted.rung < static_cast<int>(r.plan.settings.rungs.size()))
      out["promotions"].push_back(shown(campaign::entered_text(r.rung(promoted.rung).name, promoted.reason)));
  const std::string name = fmt::format("{}#{}", view.dir, design);
  out["commands"] = {
      {{"what", "program, result and weights"}, {"text", fmt::format("gabbro export '{}'", name)}},
      {{"what", "PyTorch module"}, {"text", fmt::format("gabbro export '{}' --format torch", name)}},
      {{"what", "model for transformers"}, {"text", fmt::format("gabbro export '{}' --format hf", name)}},
      {{"what", "into another campaign"},
       {"text", fmt::format("gabbro evolve --design '{}' --dir runs/next", name)}}};
  for (json& command : out["commands"]) command["text"] = shown(command["text"].get<std::string>());
  return text_of(out);
}

Result<std::string> units_json(const CampaignView& view, std::int64_t design) {
  GABBRO_TRY(row, view.store.design(design));
  if (design > static_cast<std::int64_t>(view.reading.population.individuals().size()))
    return not_read_yet("the design is new");
  lang::CheckReport report = lang::check(row.created.program, zoo::library());
  json out{{"rows", json::array()}, {"facts", json::array()}, {"errors", json::array()}};
  for (const Error& e : report.errors) out["errors"].push_back(shown(format_error("program", e)));
  if (!report.valid() || report.subjects.empty()) return text_of(out);
  const ir::Facts& f = report.subjects.back().facts;
  const bool bounded = !f.reach.empty() && f.reach.first != -ir::Reach::kFar;
  const auto fact = [&](const char* fact_name, const std::string& value, const std::string& formula) {
    out["facts"].push_back({{"name", fact_name}, {"value", shown(value)}, {"formula", shown(formula)}});
  };
  const record::DesignCreated& c = row.created;
  fact("parameters", "", f.params.to_string());
  fact("training FLOPs per token", campaign::amount(c.train_flops), f.train_flops.to_string());
  fact("decoding FLOPs per token", campaign::amount(c.decode_flops), f.decode_flops.to_string());
  fact("state of decoding", campaign::amount(c.state_bytes) + "B", f.state_bytes.to_string());
  fact("time for T tokens", f.complexity, "");
  fact("parallel depth", "", f.parallel_depth.to_string());
  fact("receptive field", bounded ? fmt::format("{} tokens", 1 - f.reach.first) : "all earlier tokens", "");
  fact("proved",
       std::string(f.causal ? "causal" : "not causal") + (f.prefix_consistent ? ", prefix-consistent" : "") +
           (f.batch_independent ? ", batch-independent" : ""),
       "");
  const campaign::UnitTree tree = campaign::unit_tree(view.reading, design, std::move(report.program));
  out["where"] = shown(tree.where);
  for (const campaign::UnitRow& unit : tree.rows)
    out["rows"].push_back({{"depth", unit.depth},
                           {"count", unit.count},
                           {"unit", shown_line(unit.unit, 80)},
                           {"hypers", shown_line(unit.hypers, 200)},
                           {"params", unit.params}});
  return text_of(out);
}

namespace {

json document_rows(const CampaignView& view, const std::vector<campaign::DocumentDifference>& wanted,
                   const DocumentText& text_of_document, std::string& problem) {
  json out = json::array();
  for (const campaign::DocumentDifference& d : wanted) {
    json row{{"document", d.document + 1}, {"difference", number(d.bits)}, {"bytes", d.bytes}};
    if (text_of_document && problem.empty()) {
      constexpr std::size_t kText = 400;
      const auto text =
          text_of_document({view.reading.plan.corpus, view.reading.plan.corpus_hash, d.document});
      if (text)
        row["text"] = shown_line(*text, kText);
      else
        problem = shown_line(text.error().message, 300);
    }
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace

Result<std::string> documents_json(const CampaignView& view, std::int64_t design, std::int64_t against,
                                   int rung, const DocumentText& text_of_document) {
  constexpr std::size_t kShown = 4;  // on either side
  const Population& p = view.reading.population;
  const auto count = static_cast<std::int64_t>(p.individuals().size());
  for (const std::int64_t id : {design, against})
    if (id < 1 || id > count) return fail("store", fmt::format("unknown design {}", id));
  if (rung < 0 || rung >= static_cast<int>(p.settings().rungs.size()))
    return fail("usage", fmt::format("unknown rung {}", rung));
  const auto compared = campaign::compare_documents(p, design, against, rung);
  if (!compared)
    return fail("usage",
                fmt::format("designs {} and {} have no runs to compare at this rung", design, against));
  std::vector<campaign::DocumentDifference> wins, losses;
  for (auto d = compared->differences.begin();
       d != compared->differences.end() && d->bits < 0 && wins.size() < kShown; ++d)
    wins.push_back(*d);
  for (auto d = compared->differences.rbegin();
       d != compared->differences.rend() && d->bits > 0 && losses.size() < kShown; ++d)
    losses.push_back(*d);
  std::string problem = text_of_document ? "" : "this server was started without them";
  json out{{"wins", document_rows(view, wins, text_of_document, problem)},
           {"losses", document_rows(view, losses, text_of_document, problem)}};
  out["problem"] = problem;
  return text_of(out);
}

Result<std::string> conversation_json(const CampaignView& view, std::int64_t design) {
  GABBRO_TRY(row, view.store.design(design));
  if (row.created.task == 0)
    return fail("usage", fmt::format("design {} was not written by agents", design),
                "only designs of the agents and direct strategies have a conversation");
  GABBRO_TRY(log, chat::CallLog::read(view.dir + "/calls.db"));
  constexpr std::size_t kMost = 2 << 20;  // bytes
  std::string text = chat::transcript(*log, row.created.task);
  const bool is_cut = text.size() > kMost;
  if (is_cut) text.resize(kMost);
  return text_of({{"text", shown(text)}, {"cut", is_cut}});
}

std::string diff_json(const DesignName& before, const DesignName& after) {
  const lang::ParseResult a = lang::parse(before.program), b = lang::parse(after.program);
  if (!a.errors.empty() || !b.errors.empty()) return text_of({{"changes", json::array()}, {"count", 0}});
  const auto changes = edit::diff(a.program, b.program);
  return text_of({{"before", shown(before.label)},
                  {"after", shown(after.label)},
                  {"changes", changes_json(changes)},
                  {"count", changes.size()}});
}

}  // namespace gabbro::web
