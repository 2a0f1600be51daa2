// The data of the dashboard's pages as JSON. Texts of the record are made safe to show (base/text.h); the
// pages set them as text, never as HTML.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "campaign/figures.h"
#include "web/collection.h"
#include "web/followed.h"
#include "web/server.h"

namespace gabbro::web {

/// Returns all campaigns with their state and verdict.
std::string campaigns_json(const std::vector<std::shared_ptr<Followed>>& campaigns);
/// Returns what a campaign does at the moment: phase, time left, runs in progress with their curves.
Result<std::string> live_json(const CampaignView& view, bool is_running,
                              const std::optional<campaign::LiveState>& live);

/// Returns the main page of a campaign: verdict, ladder, best designs, throughput, failures, steering.
Result<std::string> overview_json(const CampaignView& view);
/// Returns one page of the table of designs, and the values that its filters may have.
Result<std::string> designs_json(const CampaignView& view, const DesignQuery& query);
/// Returns a design: program, facts, lineage, runs, changes from its parent. Errors: "store" for an unknown
/// id.
Result<std::string> design_json(const CampaignView& view, std::int64_t design);
/// Returns the units of a design with their parameters, and its facts with their formulas, which take longer.
Result<std::string> units_json(const CampaignView& view, std::int64_t design);
/// Returns the conversation that led to a design of agents. Errors: "usage" if agents did not write it.
Result<std::string> conversation_json(const CampaignView& view, std::int64_t design);
/// Returns designs with their parents: the best `limit` ones of the campaign, or of the descendants of
/// `root` (0: all), and all their ancestors.
Result<std::string> tree_json(const CampaignView& view, std::int64_t root, std::size_t limit);
/// Returns strategies and operators.
Result<std::string> strategies_json(const CampaignView& view);
/// Returns the agents' tasks, `limit` of them from the latest but `offset` back, reviewers and costs.
Result<std::string> agents_json(const CampaignView& view, std::size_t offset, std::size_t limit);
/// Returns the literature that agents were given, the latest first.
Result<std::string> literature_json(const CampaignView& view);

/// Names a figure and its parameters. Fields that a figure does not use are ignored.
struct FigureQuery {
  std::string name;  // ladder, learning, progress, plane, forest, parts, generations, strategies, profiles,
                     // design, documents, run
  int rung = -1;     // -1: that of the leader
  std::int64_t design = 0, against = 0;  // against 0: the best baseline
  std::string x = "decode", y;  // of a plane (campaign::quantity_named); y "": bits per byte at `rung`
  double from = 0, to = 0;      // part of the horizontal axis; an empty range: all
};
/// Returns {"svg", "caption"}; svg is "" if there is nothing to draw. Errors: "usage" for an unknown name.
Result<std::string> figure_json(const CampaignView& view, const FigureQuery& query);
/// Draws the curve of a run in progress beside finished ones at its rung.
Result<std::string> run_figure_json(const CampaignView& view, const std::optional<campaign::LiveState>& live,
                                    std::int64_t trial);

/// Returns the documents on which a design is better than another one by most, and those on which it is
/// worse, with their beginnings. Errors: "store" for an unknown design; "usage" if nothing can be compared.
Result<std::string> documents_json(const CampaignView& view, std::int64_t design, std::int64_t against,
                                   int rung, const DocumentText& text_of_document);

/// A curve of a campaign at a rung, for figures that compare campaigns.
struct RungCurve {
  std::string rung;  // name
  campaign::Curve curve;
};
/// Returns the training curves of a design, one for each rung at which it has a score, the highest first.
/// Errors: "store" for an unknown id.
Result<std::vector<RungCurve>> training_curves(const CampaignView& view, std::int64_t design);
/// Returns the best scores so far (seconds, bits per byte) of a campaign, one for each rung, the highest
/// first.
std::vector<RungCurve> progress_curves(const CampaignView& view);
/// Draws one curve of each list, at the first rung of the first list that all lists have. Returns {"svg",
/// "caption"}; svg is "" if there is no such rung. `of_training` says which of the two kinds they are.
std::string common_curves_json(const std::vector<std::vector<RungCurve>>& curves, bool of_training,
                               double from, double to);

/// A design of one of the campaigns.
struct DesignName {
  std::string campaign, label, program;
};
/// Returns the changes from one program to another.
std::string diff_json(const DesignName& before, const DesignName& after);

/// Returns the hints of columns, by table and title.
std::string hints_json();
/// Returns an error as JSON.
std::string error_json(const Error& error);

}  // namespace gabbro::web
