#include "cli/record.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <optional>

#include "base/files.h"
#include "campaign/campaign.h"
#include "campaign/reading.h"
#include "campaign/record_text.h"
#include "campaign/report.h"
#include "chat/call_log.h"
#include "chat/conversation.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/terminal.h"
#include "train/safetensors.h"

namespace gabbro::cli {

namespace fs = std::filesystem;

namespace {

struct Named {
  std::string dir;
  std::int64_t design = 0;  // 0: no design
};

std::optional<Named> parse(const std::string& text) {
  const std::size_t at = text.rfind('#');
  if (at == std::string::npos) return Named{text, 0};
  Named out{text.substr(0, at), 0};
  const char *from = text.data() + at + 1, *end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(from, end, out.design);
  if (error != std::errc{} || stop != end || out.design < 1) return std::nullopt;
  return out;
}

// `wants`: a design has to be named (true), or must not be named (false).
Result<Named> parse(const std::string& text, bool wants) {
  const auto named = parse(text);
  if (!named || (named->design > 0) != wants)
    return fail("usage", fmt::format("'{}' does not name a {}", text, wants ? "design" : "campaign"),
                wants ? "write RUN#ID, such as runs/evolve#17" : "name a campaign folder");
  return *named;
}

Result<store::Store> open(const std::string& dir) {
  GABBRO_TRY(path, campaign::CampaignPaths{dir}.existing_store());
  return store::Store::read(path);
}

// Adds the file to an error in the record, but not to an error of usage.
Error named_in(const std::string& path, Error error) {
  const bool of_record = is(error, record::Cause::kEvent) || is(error, record::Cause::kPreset) ||
                         is(error, record::Cause::kResult);
  if (of_record && error.message.find(path) == std::string::npos) error.message = path + ": " + error.message;
  return error;
}

int answer(const char* command, const RecordCommand& c, bool wants,
           const std::function<Result<std::string>(const store::Store&, const Named&)>& text) {
  const auto named = parse(c.run, wants);
  if (!named) return failed(command, named.error());
  const auto store = open(named->dir);
  if (!store) return failed(command, store.error());
  const auto out = text(*store, *named);
  if (!out) return failed(command, named_in(store->path(), out.error()));
  print("{}{}", *out, out->ends_with('\n') ? "" : "\n");
  return kValid;
}

}  // namespace

bool names_design(const std::string& text) {
  std::error_code error;
  return text.find('#') != std::string::npos && !fs::exists(text, error);
}

bool is_campaign(const std::string& path) {
  std::error_code error;
  return fs::exists(campaign::CampaignPaths{path}.store(), error);
}

Result<std::string> read_design(const std::string& text) {
  GABBRO_TRY(named, parse(text, true));
  GABBRO_TRY(store, open(named.dir));
  GABBRO_TRY(design, store.design(named.design));
  return std::move(design.created.program);
}

Result<std::string> show_design(const std::string& text) {
  GABBRO_TRY(named, parse(text, true));
  GABBRO_TRY(store, open(named.dir));
  return campaign::design_text(store, named.design);
}

int run_status(const RecordCommand& c) {
  return answer("status", c, false, [&](const store::Store& s, const Named&) {
    return c.json ? campaign::status_json(s) : campaign::status_text(s);
  });
}

int run_top(const RecordCommand& c) {
  return answer("top", c, false, [&](const store::Store& s, const Named&) {
    const auto count = static_cast<std::size_t>(c.count);
    return c.json ? campaign::top_json(s, count) : campaign::top_text(s, count);
  });
}

namespace {

Result<std::string> conversation_text(const store::Store& store, const Named& named) {
  GABBRO_TRY(row, store.design(named.design));
  if (row.created.task == 0)
    return fail("usage", fmt::format("design {} was not written by agents", named.design),
                "only designs of the agents and direct strategies have a conversation");
  GABBRO_TRY(log, chat::CallLog::read(named.dir + "/calls.db"));
  return chat::conversation_text(*log, row.created.task);
}

}  // namespace

int run_show_design(const RecordCommand& c) {
  if (c.talk) return answer("show", c, true, conversation_text);
  return answer("show", c, true,
                [](const store::Store& s, const Named& n) { return campaign::design_text(s, n.design); });
}

int run_tree(const RecordCommand& c) {
  const auto named = parse(c.run);
  return answer("tree", c, named && named->design > 0,
                [](const store::Store& s, const Named& n) { return campaign::tree_text(s, n.design); });
}

namespace {

// Exports the weights and the spec of a run in the form that gabbro eval and generate read. The worker's
// folder is not trusted: the weights must have the recorded hash, and the spec is rebuilt from the record.
Result<bool> export_weights(const store::Store& store, const std::string& dir,
                            const record::DesignCreated& created, const record::TrialBegun& begun,
                            const record::TrialResult& result, const std::string& out) {
  constexpr std::uint64_t kHeader = 64 << 20;
  const std::string file = campaign::CampaignPaths{dir}.trial(begun.id) + "/weights.safetensors";
  GABBRO_TRY(bytes, read_untrusted_file(file, kHeader + 8 * static_cast<std::uint64_t>(
                                                                std::max<std::int64_t>(0, result.params))));
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
  const auto named = parse(c.run, true);
  if (!named) return failed("export", named.error());
  const auto store = open(named->dir);
  if (!store) return failed("export", store.error());
  const auto design = store->design(named->design);
  if (!design) return failed("export", design.error());
  const std::string out = c.out.empty() ? fmt::format("{}-{}", design->created.name, named->design) : c.out;
  std::error_code error;
  if (fs::exists(out, error))
    return failed("export", {"io", out + " already exists", "choose another --out", {}});
  fs::create_directories(out, error);
  if (error)
    return failed("export", {"io", fmt::format("cannot create {}: {}", out, error.message()), "", {}});
  const auto reading = campaign::read_record(*store);
  if (!reading) return failed("export", reading.error());
  // Chooses the last run at the highest rung, at a rate that counts and not one that a search only tried. A
  // run without weights does not replace a run with weights.
  const store::TrialRow* best = nullptr;
  std::string weights;
  const auto trials = store->trials_of(named->design);
  for (const store::TrialRow& t : trials) {
    const std::string file = campaign::CampaignPaths{named->dir}.trial(t.begun.id) + "/weights.safetensors";
    const bool kept = fs::exists(fs::symlink_status(file, error));
    if (t.status != record::Status::kDone ||
        !reading->population.counts(reading->population.trial(t.begun.id)) ||
        (best && (t.begun.rung < best->begun.rung || (!kept && !weights.empty()))))
      continue;
    best = &t;
    weights = kept ? file : "";
  }
  if (const auto ok = replace_file(out + "/design.gab", design->created.program); !ok)
    return failed("export", ok.error());
  if (best) {
    const auto result = store->result(best->begun.id);
    if (!result) return failed("export", result.error());
    if (const auto ok = replace_file(out + "/result.json", record::to_json(*result)); !ok)
      return failed("export", ok.error());
    if (!weights.empty())
      if (const auto ok = export_weights(*store, named->dir, design->created, best->begun, *result, out); !ok)
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
  const auto named = parse(c.run, false);
  if (!named) return failed("report", named.error());
  const auto store = open(named->dir);
  if (!store) return failed("report", store.error());
  const auto log = chat::CallLog::read(named->dir + "/calls.db");
  std::optional<record::ScaleStudy> study;
  if (const auto text = read_file(named->dir + "/scale/scale.json", kMostText)) {
    auto read = record::parse_scale(*text);
    if (!read) return failed("report", named_in(named->dir + "/scale/scale.json", read.error()));
    study = std::move(*read);
  }
  const auto html = campaign::report_html(
      *store, named->dir,
      [&](std::int64_t task) { return log ? chat::conversation_text(**log, task) : std::string(); }, study);
  if (!html) return failed("report", named_in(store->path(), html.error()));
  const std::string out = c.out.empty() ? named->dir + "/report.html" : c.out;
  if (const std::filesystem::path folder = std::filesystem::path(out).parent_path(); !folder.empty()) {
    std::error_code error;  // If the folder cannot be created, writing the file reports it.
    std::filesystem::create_directories(folder, error);
  }
  if (const auto ok = replace_file(out, *html); !ok) return failed("report", ok.error());
  print("{}\n", out);
  return kValid;
}

}  // namespace gabbro::cli
