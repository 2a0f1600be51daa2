// Tests that the report shows the content of the record, is well formed, fetches nothing and escapes foreign
// text.
#include "campaign/report.h"

#include <gtest/gtest.h>
#include <libxml/parser.h>

#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "campaign/format.h"
#include "campaign/reading.h"
#include "campaign/record_builder.h"
#include "campaign/record_text.h"
#include "campaign/report_style.h"

namespace gabbro::campaign {

using record::Purpose;
namespace {

bool well_formed(const std::string& html) {
  xmlDoc* doc = xmlReadMemory(html.data(), static_cast<int>(html.size()), "report", "UTF-8",
                              XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_HUGE);
  xmlFreeDoc(doc);
  return doc != nullptr;
}

std::string report_of(const RecordBuilder& made, const std::string& dir = "RUN") {
  const TemporaryFolder folder;
  const store::Store store = made.store(folder);
  auto html = report_html(store, dir);
  EXPECT_TRUE(html.has_value()) << (html ? "" : html.error().message);
  if (!html) return "";
  EXPECT_TRUE(well_formed(*html));
  // The page fetches nothing, and its policy allows no script but its own.
  std::string rest = *html;
  const std::string own = std::string("<script>") + kReportScript + "</script>";
  const std::size_t script = rest.find(own);
  EXPECT_NE(script, std::string::npos);
  if (script != std::string::npos) rest.erase(script, own.size());
  EXPECT_NE(rest.find(fmt::format("default-src 'none'; style-src 'unsafe-inline'; script-src '{}'",
                                  kReportScriptHash)),
            std::string::npos);
  for (const char* foreign : {"<script", " src=", " href=", "url(", "@import", "javascript:"})
    EXPECT_EQ(rest.find(foreign), std::string::npos) << foreign;
  EXPECT_LT(html->size(), 200'000U) << "a page of a small campaign fits into a message";
  return *html;
}

void expect_says(std::string html, const std::vector<std::string>& texts) {
  // The report has no-break spaces before percent signs (report_page.h).
  for (std::size_t at = 0; (at = html.find("\u00a0", at)) != std::string::npos;) html.replace(at, 2, " ");
  for (const std::string& text : texts) EXPECT_NE(html.find(text), std::string::npos) << text;
}

TEST(Report, DrawsTheFamilyTree) {
  const std::string html = report_of(whole_campaign());
  const std::size_t tree = html.find("aria-label=\"Family tree\"");
  ASSERT_NE(tree, std::string::npos);
  const std::string svg = html.substr(tree, html.find("</figure>", tree) - tree);
  for (const char* part : {">#5 set_hyper<", "class=\"curve winner\"", "class=\"score0\"", "All designs. "})
    EXPECT_NE(svg.find(part), std::string::npos) << part;
  EXPECT_EQ(svg.find("LayerNorm removed"), std::string::npos) << "ablations are no offspring";
}

TEST(Report, HoldsTheNumbersOfTheRecord) {
  const RecordBuilder made = whole_campaign();
  const std::string html = report_of(made);
  const evolve::Population p = made.population();
  const evolve::ComparisonOutcome o = evolve::outcome_of(p, p.comparisons().at(0));
  const evolve::Interval d = o.rows.at(0).difference;
  ASSERT_TRUE(d.below_zero());
  expect_says(
      html,
      {
          fmt::format(
              "Design #5 set_hyper is ahead of all 3 baselines at 600k; against the best of them, llama: "
              "{:+.4f} "
              "bits per byte, 97.0 % interval {:+.4f} to {:+.4f}, on 4 fresh seeds and 2 documents, which "
              "also chose it.",
              d.mean, d.low, d.high),
          fmt::format("With 4 seeds, a difference of {:.4f} bits per byte or more would have been detected "
                      "in 80 % of "
                      "cases (the preset asks for 0.02): runs at 600k have a standard deviation of {:.4f} "
                      "({:.0f} degrees of "
                      "freedom).",
                      evolve::visible_effect_of(p, o), std::sqrt(o.run.value), o.run.freedom),
          "When it started: as many as the test has.", "Helps: stack.1: LayerNorm removed.",
          fmt::format("{:+.4f} [{:+.4f}, {:+.4f}], 4 seeds", d.mean, d.low, d.high),
          "5 designs on small",        // on the corpus data/small; without baselines and ablations
          ">5 designs, best 2.4000<",  // funnel of the first rung
          ">3 done · 1 stopped · 1 failed<", "stack.1: LayerNorm removed", "+0.0317, helps",  // ablation
          "2.2000 bits per byte, rank 1 of 1 at 300k",                      // reason of the promotion
          "<td>adaptive</td><td class=\"n\">3</td><td class=\"n\">3</td>",  // designs and refused draws
          "<td>adaptive</td><td>cost</td><td class=\"n\">3</td>",
          "<td>failed</td><td>signal</td><td class=\"n\">1</td>",
          "<td>hurdle</td><td>loss</td><td class=\"n\">1</td>",
          "<td>adaptive</td><td>set_hyper</td><td class=\"n\">1</td><td class=\"n\">1</td><td "
          "class=\"n\">100 "
          "%</td>",  // offspring with an outcome, those better than their parent, their share
          "gabbro evolve --dir RUN --preset",
          "final_seeds",  // the settings
      });
  // The line that the parent does not have is marked, and no other line of the program.
  expect_says(
      html,
      {"<span class=\"new\">    stack = [8 * Block(mixer=Attention(heads=2, groups=2)), LayerNorm]</span>"});
  EXPECT_EQ(html.find("class=\"new\"", html.find("class=\"new\"") + 1), std::string::npos);
}

TEST(Report, HasEveryPicture) {
  const std::string html = report_of(whole_campaign());
  for (const char* picture :
       {"Designs by rung", "Learning curves", "Bits per byte against decoding cost", "Designs by generation",
        "Strategies at equal budget", "The leader against the baselines", "Ablation of the winner"})
    EXPECT_NE(html.find(fmt::format("aria-label=\"{}\"", picture)), std::string::npos) << picture;
}

// A study at several sizes is shown with its figure and sentence; a study without a fit says why.
TEST(Report, ShowsWhatBecomesOfTheLeadAtOtherSizes) {
  const TemporaryFolder folder;
  const store::Store store = whole_campaign().store(folder);
  record::ScaleStudy study;
  study.designs = {"Ours", "Theirs"};
  study.sizes = {"150k", "300k", "600k"};
  study.tokens = "20 tokens per parameter";
  for (std::int64_t size = 0; size < 3; ++size)
    for (std::int64_t k = 0; k < 4; ++k) {
      const std::int64_t design = k % 2;
      record::ScaleRun run{.design = design, .size = size};
      run.seed = static_cast<std::uint64_t>(1 + k / 2);
      run.status = record::Status::kDone;
      run.params = 150'000 * std::pow(2, static_cast<double>(size));
      run.tokens = 20 * run.params;
      run.flops = 6 * run.params * run.tokens;
      run.bits = (design == 0 ? 7.5 : 8) * std::pow(run.params, -0.1);
      for (const double off : {-0.1, 0.1, -0.05, 0.05, 0.0, 0.0})
        run.documents.push_back({run.bits + off, 1000});
      run.held_out_hash = "text";
      study.runs.push_back(run);
    }
  const auto html = [&](const record::ScaleStudy& s) {
    auto out = report_html(store, "RUN", {}, s);
    EXPECT_TRUE(out.has_value());
    EXPECT_TRUE(well_formed(*out));
    return *out;
  };
  expect_says(html(study), {"At other sizes", "aria-label=\"Bits per byte by training FLOPs\"",
                            "Ours is ahead of Theirs at 600k: ", "The runs have no score on training text",
                            "With two seeds"});
  // A lead must also hold on training text that no run has read; designs with the same hash have no lead.
  record::ScaleStudy other = study;
  for (record::ScaleRun& r : other.runs) r.unread_tokens = 1000, r.unread_bits = r.design == 0 ? 2 : 3;
  expect_says(html(other),
              {"Ours is ahead of Theirs at 600k: ", "On training text that no run has read, it is"});
  for (record::ScaleRun& r : other.runs) r.unread_bits = 2;
  expect_says(html(other), {"Ours is ahead of Theirs at 600k only on the held-out text"});
  for (record::ScaleRun& r : other.runs)
    if (r.size > 0) r.hash = "one";
  expect_says(html(other), {"are the same function at 600k: that their runs differ by",
                            "are the same function at 300k, 600k, but not at every size"});
  EXPECT_EQ(report_of(whole_campaign()).find("At other sizes"), std::string::npos);
  record::ScaleStudy stopped = study;
  stopped.status = record::Status::kStopped;
  expect_says(html(stopped), {"The study is not complete"});
  record::ScaleStudy once = study;
  std::erase_if(once.runs, [](const record::ScaleRun& r) { return r.seed > 1; });
  expect_says(html(once), {"so nothing follows", "With one seed each"});
  std::erase_if(once.runs, [](const record::ScaleRun& r) { return r.size == 2; });
  expect_says(html(once), {"The study could not be fitted"});
}

TEST(Report, EscapesWhatCameFromOutside) {
  RecordBuilder m;
  m.plan.corpus = "data/<b>&\"corpus";
  m.plan.settings.rungs[0].name = "<img onerror=alert(1)>";
  std::get<record::CampaignBegun>(m.events[0]).config = to_toml(m.plan);
  const std::string nasty = "</text></svg><script>alert('x')</script>&" + std::string(500, 'w') + "\x01 é";
  const std::int64_t base = m.baseline("llama");
  std::get<record::DesignCreated>(m.events.back()).name = nasty;
  m.run(base, 0, 7, 2.5, Purpose::kBaseline);
  const std::int64_t id = m.design(nasty, {.description = nasty}, base,
                                   "# </pre><script>\ndesign Made:\n    stack = [Block(mixer=Attention)]\n");
  m.last_design().species = nasty;
  m.run(id, 0, 7, 2.4);
  m.crash(id, 0, 8, nasty);
  m.refuse(nasty, record::Cause::kEdit, nasty);
  m.promote(id, 1, nasty);
  const std::string html = report_of(m, nasty);
  expect_says(html, {"&lt;script&gt;", "&lt;/text&gt;", "data/&lt;b&gt;&amp;"});
  EXPECT_EQ(html.find("<b>"), std::string::npos);
  EXPECT_EQ(html.find("<img"), std::string::npos);
  EXPECT_EQ(html.find(std::string(300, 'w')), std::string::npos);  // shortened
}

TEST(Report, SaysWhenThereIsNothingToSay) {
  RecordBuilder m;
  expect_says(report_of(m), {"nothing is decided", "No design of the search has entered a rung yet",
                             "No draw was refused"});
  const std::int64_t base = m.baseline("llama");
  m.begin(base, 0, 7, Purpose::kBaseline);
  expect_says(report_of(m), {"nothing is decided", "No run has ended with a score yet"});
  m = RecordBuilder();
  for (const char* file : {"llama", "gpt2"}) m.run(m.baseline(file), 0, 7, 2.5, Purpose::kBaseline);
  const std::string html = report_of(m);
  expect_says(
      html, {"nothing is decided", "aria-label=\"Learning curves\"", "<td>llama</td>", "0 designs on small"});
  EXPECT_EQ(html.find("Ablation of the winner"), std::string::npos);
}

TEST(Report, OfAnAaTestSaysHowManyPairsDiffer) {
  RecordBuilder m(true);
  for (int k = 0; k < 3; ++k) m.design("aa", {.description = "llama"}, 0);
  // Each seed ranks the copies in another order, so no pair differs significantly.
  for (std::uint64_t seed = 7; seed < 9; ++seed)
    for (std::int64_t id = 1; id <= 3; ++id)
      m.run(id, 0, seed, 2.5 + 0.01 * static_cast<double>((id * (static_cast<std::int64_t>(seed) - 6) % 3)),
            Purpose::kAaReplicate);
  const std::string html = report_of(m);
  expect_says(html, {"An A/A test: 3 copies of one design on 2 seeds. Of 3 pairs, which differ by chance "
                     "alone, 0 differ significantly at 95 %",
                     "--aa"});
  EXPECT_EQ(html.find("The leader against"), std::string::npos);
}

TEST(Report, RefusesARecordWithoutSettings) {
  const TemporaryFolder folder;
  auto store = store::Store::open(folder.file("campaign.db"));
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ(report_html(*store).error().code, "store");
  ASSERT_TRUE(store->append(record::CampaignBegun{"x = 1", 1, "0.1.0"}).has_value());
  EXPECT_EQ(report_html(*store).error().code, "preset");
}

TEST(Verdict, SaysWhatTheIntervalAllows) {
  const auto sentence = [](const RecordBuilder& m) {
    const TemporaryFolder folder;
    const store::Store store = m.store(folder);
    return verdict(*read_record(store)).sentence;
  };
  EXPECT_NE(sentence(whole_campaign(-0.05))
                .find("#5 set_hyper is ahead of all 3 baselines at 600k; against the best of them, llama"),
            std::string::npos);
  EXPECT_NE(sentence(whole_campaign(0.05)).find("#5 set_hyper loses to the best baseline, llama"),
            std::string::npos);
  EXPECT_NE(
      sentence(whole_campaign(-0.0001)).find("is not significantly different from the best baseline, llama"),
      std::string::npos);
  // The lead is more than five times the standard deviation between the baselines' scores.
  const std::string held = sentence(whole_campaign(-0.6));
  EXPECT_NE(held.find("#5 set_hyper is held back, since its lead is implausibly large. Against the best "
                      "baseline, llama, at 600k: -0.5995"),
            std::string::npos)
      << held;
  EXPECT_EQ(held.find("beats"), std::string::npos) << "only a claim says \"beats\"";
  // The record is cut to one fresh seed, then to none, then to no comparison.
  RecordBuilder m = whole_campaign();
  const auto begins_on_seed_from = [](const record::Event& e, std::uint64_t from) {
    const auto* begun = std::get_if<record::TrialBegun>(&e);
    return begun && begun->seed >= from;
  };
  const auto cut = [&](std::uint64_t from) {
    const auto at = std::find_if(m.events.begin(), m.events.end(),
                                 [&](const record::Event& e) { return begins_on_seed_from(e, from); });
    m.events.erase(at, m.events.end());
  };
  cut(7 + evolve::kSeedBlock + 1);
  const std::string waits = "is being compared with all 3 baselines at 600k: ";
  EXPECT_NE(sentence(m).find(waits + "1 of 4 fresh seeds have ended, so nothing is decided yet"),
            std::string::npos)
      << sentence(m);
  cut(7 + evolve::kSeedBlock);
  EXPECT_NE(sentence(m).find(waits + "0 of 4 fresh seeds"), std::string::npos) << sentence(m);
  std::erase_if(m.events,
                [](const record::Event& e) { return std::holds_alternative<record::ComparisonBegun>(e); });
  EXPECT_NE(
      sentence(m).find(
          "on the seeds that chose it. The comparison on fresh seeds has not started, so nothing is decided"),
      std::string::npos)
      << sentence(m);
}

// A worker that was exchanged between two runs may compute other numbers: the verdict says where runs of
// different builds are compared, and a part of the winner is not said to help by them.
TEST(Verdict, SaysWhereRunsOfDifferentBuildsAreCompared) {
  const auto text_of = [](const std::function<std::string(const record::TrialBegun&)>& build) {
    RecordBuilder m = whole_campaign();
    std::map<std::int64_t, record::TrialBegun> begun;
    for (record::Event& e : m.events) {
      if (const auto* b = std::get_if<record::TrialBegun>(&e)) begun[b->id] = *b;
      if (auto* ended = std::get_if<record::TrialEnded>(&e)) {
        record::TrialResult r = *record::parse_result(ended->result);
        r.build = build(begun.at(ended->id));
        ended->result = record::to_json(r);
      }
    }
    const TemporaryFolder folder;
    const store::Store store = m.store(folder);
    return *report_html(store, "RUN");
  };
  const std::string kept = text_of([](const auto&) { return "one"; });
  EXPECT_EQ(kept.find("builds of the worker"), std::string::npos) << kept;
  EXPECT_NE(kept.find(", helps"), std::string::npos) << kept;
  const std::string compared = text_of([](const record::TrialBegun& b) {
    return b.design == 1 && b.purpose == Purpose::kFinal ? "two" : "one";
  });
  EXPECT_NE(compared.find("Runs of llama and of the leader were computed by different builds of the worker"),
            std::string::npos)
      << compared;
  const std::string ablated =
      text_of([](const record::TrialBegun& b) { return b.purpose == Purpose::kAblation ? "two" : "one"; });
  EXPECT_EQ(ablated.find(", helps"), std::string::npos) << ablated;
  EXPECT_NE(ablated.find("unclear: another build"), std::string::npos) << ablated;
}

// The outcome of an earlier leader's comparison is shown beside the present one's.
TEST(Verdict, EarlierComparisonsDoNotVanish) {
  RecordBuilder m = whole_campaign();
  const std::int64_t better = m.design("random", {}, 0);
  for (std::uint64_t seed = 7; seed < 9; ++seed) m.run(better, 2, seed, 1.80);
  m.events.emplace_back(record::ComparisonBegun{.id = 2,
                                                .design = better,
                                                .rung = 2,
                                                .seed = 2007,
                                                .seeds = 3,
                                                .level = evolve::level_of(2),
                                                .reason = "three"});
  const TemporaryFolder folder;
  const store::Store store = m.store(folder);
  const CampaignReading r = *read_record(store);
  const CampaignVerdict v = verdict(r);
  EXPECT_NE(v.sentence.find("0 of 3 fresh seeds"), std::string::npos) << v.sentence;
  ASSERT_EQ(v.earlier.size(), 1U);
  EXPECT_TRUE(
      v.earlier[0].text.starts_with("Comparison 1: Design #5 set_hyper is ahead of all 3 baselines at 600k"))
      << v.earlier[0].text;
  EXPECT_NE(v.earlier[0].text.find("the preset has no controls. Nothing more is claimed."), std::string::npos)
      << v.earlier[0].text;
  EXPECT_NE(status_text(store)->find("\nComparison 1: Design #5"), std::string::npos);
  EXPECT_NE(report_html(store, "RUN")->find("Comparison 1: Design #5"), std::string::npos);
}

// The verdict names runs that end without a score: of the leader and of baselines in the comparison, and of a
// baseline that could not be trained in the search either.
TEST(Verdict, NamesWhatWasLost) {
  // Returns the verdict if the runs of these designs on these seeds fail: those of the comparison, and with
  // `in_search` those of the search as well.
  const auto verdict_without = [](const std::vector<std::pair<std::int64_t, std::uint64_t>>& lost,
                                  bool in_search = false) {
    RecordBuilder m = whole_campaign();
    std::set<std::int64_t> trials;
    for (record::Event& e : m.events) {
      if (const auto* begun = std::get_if<record::TrialBegun>(&e))
        for (const auto& [design, seed] : lost)
          if (begun->design == design && begun->seed == seed &&
              (in_search || begun->purpose == Purpose::kFinal))
            trials.insert(begun->id);
      if (auto* ended = std::get_if<record::TrialEnded>(&e); ended && trials.contains(ended->id)) {
        record::TrialResult r = *record::parse_result(ended->result);
        r.status = record::Status::kRefused, r.cause = "better than bigrams: 2.9 of 2.8 bits";
        ended->result = record::to_json(r);
      }
    }
    const TemporaryFolder folder;
    const store::Store store = m.store(folder);
    const CampaignReading r = *read_record(store);
    const CampaignVerdict v = verdict(r);
    EXPECT_EQ(v.duels.size(), 3U) << "every baseline has its line";
    const std::string html = *report_html(store, "RUN");
    EXPECT_TRUE(well_formed(html));
    for (const char* name : {"llama", "gpt2", "retnet"}) {
      EXPECT_NE(status_text(store)->find("against " + std::string(name)), std::string::npos);
      EXPECT_NE(top_text(store, 3)->find("\n" + std::string(name)), std::string::npos);
      EXPECT_NE(html.find(fmt::format("<td>{}</td>", name)), std::string::npos);
    }
    if (in_search) {
      EXPECT_NE(top_text(store, 3)->find("refused on seed 7: better than bigrams"), std::string::npos);
      EXPECT_NE(html.find("refused on seed 7: better than bigrams"), std::string::npos);
    }
    std::string out = v.sentence;
    for (const Duel& d : v.duels) out += "\n" + duel_line(r.population, d);
    EXPECT_EQ(v.outcome.claims(), out.find("beats ") != std::string::npos);
    return out;
  };
  const auto says = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  };
  const std::uint64_t first = 7 + evolve::kSeedBlock;
  says(verdict_without({{5, first + 2}}),
       "a run of its comparison on 4 fresh seeds ended without a score: refused on seed 1009: better than "
       "bigrams: 2.9 of 2.8 bits. Nothing is claimed.");
  const std::string one = verdict_without({{2, first}});  // gpt2
  says(one, "is ahead of all 3 baselines");
  says(one, "A run of gpt2 is missing: refused on seed 1007: better than bigrams");
  says(one, "ahead; refused on seed 1007");
  const std::string all = verdict_without({{1, first}, {1, first + 1}, {1, first + 2}, {1, first + 3}});
  says(all,
       "is ahead of the 2 of 3 baselines that could be trained at 600k; against the best of them, retnet");
  says(all,
       "llama could not be trained: refused on seed 1007: better than bigrams: 2.9 of 2.8 bits, and 3 more.");
  // gpt2 is lost on every seed, in the search and in the comparison.
  verdict_without({{2, 7}, {2, 8}, {2, first}, {2, first + 1}, {2, first + 2}, {2, first + 3}}, true);
}

TEST(Report, OfAHundredThousandDesignsIsSmallSlow) {
  const TemporaryFolder folder;
  auto store = store::Store::open(folder.file("campaign.db"));
  ASSERT_TRUE(store.has_value());
  large_campaign(*store, /*designs=*/100'000, /*runs=*/150'000, /*events=*/1'000'000);
  EXPECT_GT(store->event_count(), 990'000);
  const auto html = report_html(*store);
  ASSERT_TRUE(html.has_value());
  EXPECT_TRUE(well_formed(*html));
  EXPECT_LT(html->size(), 3'000'000U);
  EXPECT_NE(html->find(fmt::format("{} of ", 2000)), std::string::npos);
}

}  // namespace
}  // namespace gabbro::campaign
