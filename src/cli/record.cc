#include "cli/record.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <optional>

#include "base/files.h"
#include "base/lock.h"
#include "campaign/campaign.h"
#include "campaign/reading.h"
#include "campaign/record_csv.h"
#include "campaign/record_text.h"
#include "campaign/report.h"
#include "chat/call_log.h"
#include "chat/transcript.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/terminal.h"
#include "jobs/slurm.h"
#include "train/safetensors.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

namespace {

// A campaign, or a design of it.
struct Target {
  std::string dir;
  std::int64_t design = 0;  // id; 0: the campaign
};
enum class TargetKind : std::uint8_t { kCampaign, kDesign };

// Returns the place of the '#' before an id, or npos. What exists is meant, whatever its name.
std::size_t place_of_mark(const std::string& text) {
  std::error_code ignored;
  const std::size_t hash = text.rfind('#');
  const bool is_of_name = hash == std::string::npos || text.find('/', hash) != std::string::npos;
  return is_of_name || fs::exists(text, ignored) ? std::string::npos : hash;
}

// Parses FOLDER or FOLDER#ID; returns nullopt if the id is not a number above 0.
std::optional<Target> parse_target(const std::string& text) {
  const std::size_t hash = place_of_mark(text);
  if (hash == std::string::npos) return Target{text, 0};
  Target out{text.substr(0, hash), 0};
  const char *from = text.data() + hash + 1, *end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(from, end, out.design);
  if (error != std::errc{} || stop != end || out.design < 1) return std::nullopt;
  return out;
}

// Errors: "usage" if the text names something other than a `kind`.
Result<Target> parse_target(const std::string& text, TargetKind kind) {
  const bool is_design = kind == TargetKind::kDesign;
  const auto target = parse_target(text);
  if (!target || (target->design > 0) != is_design)
    return fail("usage", fmt::format("'{}' does not name a {}", text, is_design ? "design" : "campaign"),
                is_design ? "write RUN#ID, such as runs/evolve#17" : "name a campaign folder");
  return *target;
}

Result<store::Store> open_store(const std::string& dir) {
  GABBRO_TRY(path, campaign::CampaignPaths{dir}.existing_store());
  return store::Store::read(path);
}

// Adds the file to an error in the record, but not to an error of usage.
Error with_file(const std::string& path, Error error) {
  const bool of_record = is(error, record::Cause::kEvent) || is(error, record::Cause::kPreset) ||
                         is(error, record::Cause::kResult);
  if (of_record && error.message.find(path) == std::string::npos) error.message = path + ": " + error.message;
  return error;
}

// Prints the text that `text` makes of the record; returns the exit code.
int print_record(const char* command, const RecordCommand& c, TargetKind kind,
                 const std::function<Result<std::string>(const store::Store&, const Target&)>& text) {
  const auto target = parse_target(c.run, kind);
  if (!target) return failed(command, target.error());
  const auto store = open_store(target->dir);
  if (!store) return failed(command, store.error());
  const auto out = text(*store, *target);
  if (!out) return failed(command, with_file(store->path(), out.error()));
  print("{}{}", *out, out->ends_with('\n') ? "" : "\n");
  return kValid;
}

}  // namespace

bool names_design(const std::string& text) { return place_of_mark(text) != std::string::npos; }

bool is_campaign(const std::string& path) {
  std::error_code error;
  return fs::exists(campaign::CampaignPaths{path}.store(), error);
}

Result<std::string> read_design(const std::string& text) {
  GABBRO_TRY(target, parse_target(text, TargetKind::kDesign));
  GABBRO_TRY(store, open_store(target.dir));
  GABBRO_TRY(design, store.design(target.design));
  return std::move(design.created.program);
}

Result<std::string> run_of_design(const std::string& text) {
  GABBRO_TRY(target, parse_target(text, TargetKind::kDesign));
  GABBRO_TRY(store, open_store(target.dir));
  if (const auto known = store.design(target.design); !known) return tl::unexpected(known.error());
  const store::TrialRow* best = nullptr;
  const std::vector<store::TrialRow> trials = store.trials_of(target.design);
  for (const store::TrialRow& t : trials)
    if (t.status == record::Status::kDone && (!best || t.begun.rung > best->begun.rung)) best = &t;
  if (!best)
    return fail("campaign", fmt::format("no run of design {} was done", target.design),
                "choose another design; `gabbro top` lists the best");
  return campaign::CampaignPaths{target.dir}.trial(best->begun.id);
}

Result<std::string> show_design(const std::string& text) {
  GABBRO_TRY(target, parse_target(text, TargetKind::kDesign));
  GABBRO_TRY(store, open_store(target.dir));
  return campaign::design_text(store, target.design);
}

int run_status(const RecordCommand& c) {
  return print_record("status", c, TargetKind::kCampaign,
                      [&](const store::Store& s, const Target& t) -> Result<std::string> {
                        if (c.csv == "designs") return campaign::designs_csv(s);
                        if (c.csv == "runs") return campaign::runs_csv(s);
                        if (c.json) return campaign::status_json(s, jobs::slurm_status(t.dir));
                        const bool is_running = Lock::is_held(campaign::CampaignPaths{t.dir}.lock_folder());
                        GABBRO_TRY(text, campaign::status_text(s, is_running));
                        return text + jobs::slurm_status(t.dir);
                      });
}

int run_top(const RecordCommand& c) {
  return print_record("top", c, TargetKind::kCampaign, [&](const store::Store& s, const Target&) {
    const auto count = static_cast<std::size_t>(c.count);
    return c.json ? campaign::top_json(s, count) : campaign::top_text(s, count);
  });
}

namespace {

Result<std::string> conversation_text(const store::Store& store, const Target& target) {
  GABBRO_TRY(row, store.design(target.design));
  if (row.created.task == 0)
    return fail("usage", fmt::format("design {} was not written by agents", target.design),
                "only designs of the agents and direct strategies have a conversation");
  GABBRO_TRY(log, chat::CallLog::read(target.dir + "/calls.db"));
  return chat::transcript(*log, row.created.task);
}

}  // namespace

int run_show_design(const RecordCommand& c) {
  if (c.talk) return print_record("show", c, TargetKind::kDesign, conversation_text);
  return print_record("show", c, TargetKind::kDesign, [](const store::Store& s, const Target& t) {
    return campaign::design_text(s, t.design);
  });
}

int run_tree(const RecordCommand& c) {
  const auto target = parse_target(c.run);
  return print_record(
      "tree", c, target && target->design > 0 ? TargetKind::kDesign : TargetKind::kCampaign,
      [](const store::Store& s, const Target& t) { return campaign::tree_text(s, t.design); });
}

namespace {

// Exports the weights and the spec of a run in the form that gabbro eval and generate read. The worker's
// folder is not trusted: the weights must have the recorded hash, and the spec is rebuilt from the record.
Result<bool> export_weights(const store::Store& store, const std::string& dir,
                            const record::DesignCreated& created, const record::TrialBegun& begun,
                            const record::TrialResult& result, const std::string& out) {
  constexpr std::uint64_t kMaxHeaderBytes = 64 << 20, kMaxBytesPerParameter = 8;
  const std::string file = campaign::CampaignPaths{dir}.trial(begun.id) + "/weights.safetensors";
  GABBRO_TRY(bytes, read_untrusted_file(
                        file, kMaxHeaderBytes +
                                  kMaxBytesPerParameter *
                                      static_cast<std::uint64_t>(std::max<std::int64_t>(0, result.params))));
  GABBRO_TRY(read, train::parse_arrays(bytes, file));
  const std::string hash = train::hash_arrays(read.arrays);
  if (hash != result.weights_hash)
    return fail(
        "weights",
        fmt::format(
            "{} does not hold the weights that run {} trained: their hash is {}, the recorded one is {}",
            file, begun.id, hash, result.weights_hash),
        "the file was changed after training");
  GABBRO_TRY(campaign, store.campaign());
  GABBRO_TRY(plan, campaign::parse_plan(campaign));
  std::error_code error;
  if (const std::string own = dir + "/corpus"; !fs::exists(plan.corpus, error) && fs::exists(own, error))
    plan.corpus = fs::absolute(own, error);
  GABBRO_TRY(spec, campaign::spec_of(plan, created, begun));
  spec.folder = fs::absolute(out, error);
  if (const auto ok = train::save_arrays(out + "/weights.safetensors", read.arrays,
                                         {{"hash", hash},
                                          {"design", result.hash},
                                          {"graph", read.metadata["graph"]},
                                          {"vocabulary", read.metadata["vocabulary"]},
                                          {"corpus", read.metadata["corpus"]}});
      !ok)
    return ok;
  return replace_file(out + "/spec.json", record::to_json(spec));
}

}  // namespace

int run_export_gab(const RecordCommand& c) {
  const auto target = parse_target(c.run, TargetKind::kDesign);
  if (!target) return failed("export", target.error());
  const auto store = open_store(target->dir);
  if (!store) return failed("export", store.error());
  const auto design = store->design(target->design);
  if (!design) return failed("export", design.error());
  const std::string out = c.out.empty() ? fmt::format("{}-{}", design->created.name, target->design) : c.out;
  std::error_code error;
  if (fs::exists(out, error))
    return failed("export", {"io", out + " already exists", "choose another --out", {}});
  fs::create_directories(out, error);
  if (error)
    return failed("export", {"io", fmt::format("cannot create {}: {}", out, error.message()), "", {}});
  const auto reading = campaign::read_record(*store);
  if (!reading) return failed("export", reading.error());
  // Chooses the last run at the highest rung, at a learning rate that counts and not one that a search only
  // tried. A run without weights replaces no earlier run with weights, even of a lower rung.
  const store::TrialRow* best = nullptr;
  std::string weights;  // file; empty: not kept
  const auto trials = store->trials_of(target->design);
  for (const store::TrialRow& t : trials) {
    const std::string file = campaign::CampaignPaths{target->dir}.trial(t.begun.id) + "/weights.safetensors";
    const bool has_weights = fs::exists(fs::symlink_status(file, error));
    if (t.status != record::Status::kDone ||
        !reading->population.counts(reading->population.trial(t.begun.id)) ||
        (best && (t.begun.rung < best->begun.rung || (!has_weights && !weights.empty()))))
      continue;
    best = &t;
    weights = has_weights ? file : "";
  }
  if (const auto ok = replace_file(out + "/design.gab", design->created.program); !ok)
    return failed("export", ok.error());
  if (best) {
    const auto result = store->result(best->begun.id);
    if (!result) return failed("export", result.error());
    if (const auto ok = replace_file(out + "/result.json", record::to_json(*result)); !ok)
      return failed("export", ok.error());
    if (!weights.empty())
      if (const auto ok = export_weights(*store, target->dir, design->created, best->begun, *result, out);
          !ok)
        return failed("export", ok.error());
  }
  if (!best) {
    print("{}: design.gab; the design has no scored run\n", out);
    return kValid;
  }
  print("{}: design.gab, result.json{}\n", out,
        weights.empty() ? "; the weights of this run were not kept" : ", weights.safetensors, spec.json");
  const evolve::Rung& rung = reading->rung(best->begun.rung);
  print("  run {} at {}, learning rate {:.3g}, seed {}: {:.4f} bits per byte\n", best->begun.id, rung.name,
        best->begun.rate * rung.rate, best->begun.seed, best->bits);
  return kValid;
}

int run_report(const RecordCommand& c) {
  const auto target = parse_target(c.run, TargetKind::kCampaign);
  if (!target) return failed("report", target.error());
  const auto store = open_store(target->dir);
  if (!store) return failed("report", store.error());
  const auto log = chat::CallLog::read(target->dir + "/calls.db");
  std::optional<record::ScaleStudy> study;
  const std::string study_file = target->dir + "/scale/scale.json";
  if (const auto text = read_file(study_file, kMostText)) {
    auto read = record::parse_scale(*text);
    if (!read) return failed("report", with_file(study_file, read.error()));
    study = std::move(*read);
  }
  const auto html = campaign::report_html(
      *store, target->dir,
      [&](std::int64_t task) { return log ? chat::transcript(**log, task) : std::string(); }, study);
  if (!html) return failed("report", with_file(store->path(), html.error()));
  const std::string out = c.out.empty() ? target->dir + "/report.html" : c.out;
  if (const std::filesystem::path folder = std::filesystem::path(out).parent_path(); !folder.empty()) {
    std::error_code error;  // If the folder cannot be created, writing the file reports it.
    std::filesystem::create_directories(folder, error);
  }
  if (auto ok = replace_file(out, *html); !ok) {
    if (c.out.empty()) ok.error().hint = "write it elsewhere with --out FILE";
    return failed("report", ok.error());
  }
  print("{}\n", out);
  return kValid;
}

}  // namespace gabbro::cli
