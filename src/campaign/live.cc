#include "campaign/live.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "campaign/view.h"

namespace gabbro::campaign {

using nlohmann::json;

namespace {

constexpr std::size_t kMostPoints = 400;  // of a curve; then every other one is dropped

std::string file_of(const std::string& dir) { return dir + "/live.json"; }

json number(double x) { return std::isfinite(x) ? json(x) : json(); }

json progress_json(const record::Progress& p) {
  return {{"stage", p.stage},        {"step", p.step},
          {"steps", p.steps},        {"tokens", p.tokens},
          {"loss", number(p.loss)},  {"tokens_per_second", number(p.tokens_per_second)},
          {"share", number(p.share)}};
}

record::Progress progress_of(const json& j) {
  const auto real = [&](const char* key) {
    const auto at = j.find(key);
    return at != j.end() && at->is_number() ? at->get<double>() : 0;
  };
  record::Progress out;
  out.stage = j.value("stage", "");
  out.step = j.value("step", std::int64_t{0}), out.steps = j.value("steps", std::int64_t{0});
  out.tokens = j.value("tokens", std::int64_t{0});
  out.loss = real("loss"), out.tokens_per_second = real("tokens_per_second"), out.share = real("share");
  return out;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

LiveFile::~LiveFile() {
  std::error_code error;
  std::filesystem::remove(file_of(dir_), error);
}

void LiveFile::note(const Running& run) {
  const record::Progress& p = run.progress;
  if (p.stage != "training" || !(p.loss > 0)) return;
  Curve& c = curves_[run.trial];
  const auto tokens = static_cast<double>(p.tokens);
  if (tokens < c.last_tokens) c = {};  // the run began again
  if (tokens == c.last_tokens) return;
  c.last_tokens = tokens;
  c.sum += p.loss;
  if (++c.reports < c.every) return;
  c.points.emplace_back(tokens, c.sum / static_cast<double>(c.reports));
  c.sum = 0, c.reports = 0;
  if (c.points.size() < kMostPoints) return;
  for (std::size_t k = 0; k + 1 < c.points.size(); k += 2)
    c.points[k / 2] = {c.points[k + 1].first, (c.points[k].second + c.points[k + 1].second) / 2};
  c.points.resize(c.points.size() / 2);
  c.every *= 2;
}

void LiveFile::operator()(const Snapshot& s) {
  std::set<std::int64_t> running;
  for (const Running& run : s.running) note(run), running.insert(run.trial);
  std::erase_if(curves_, [&](const auto& c) { return !running.contains(c.first); });
  if (seconds_now() - last_ < 1) return;
  last_ = seconds_now();
  json out{{"version", 1},
           {"time", now()},
           {"searches", s.phase == evolve::Phase::kSearch},
           {"seconds", s.seconds},
           {"seconds_left", s.seconds_left},
           {"ended_in_session", s.ended_in_session},
           {"agents", s.agents},
           {"warning", s.warning},
           {"left", left_text(s)},
           {"workers", s.workers},
           {"busy", s.busy},
           {"runs", json::array()},
           {"profiling", json::array()}};
  for (const Running& run : s.running) {
    json points = json::array();
    if (const auto c = curves_.find(run.trial); c != curves_.end())
      for (const auto& [tokens, loss] : c->second.points) points.push_back({tokens, loss});
    out["runs"].push_back(
        {{"trial", run.trial}, {"progress", progress_json(run.progress)}, {"curve", std::move(points)}});
  }
  for (const Profiling& p : s.profiling)
    out["profiling"].push_back({{"design", p.design}, {"progress", progress_json(p.progress)}});
  // The file is not forced to disk, as `replace_file` does it: it is worth nothing after a crash, and is
  // written often.
  const std::string path = file_of(dir_), temporary = path + ".new";
  {
    std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
    file << out.dump(-1, ' ', false, json::error_handler_t::replace);
    if (!file.flush()) return;
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
}

std::optional<LiveState> read_live(const std::string& dir) {
  const auto text = read_file(file_of(dir), kMostText);
  if (!text || nesting_depth(*text) > kMaxNesting) return std::nullopt;
  const json j = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!j.is_object()) return std::nullopt;
  LiveState out;
  try {
    out.time = j.at("time").get<double>();
    out.searches = j.at("searches").get<bool>();
    out.seconds = j.at("seconds").get<double>(), out.seconds_left = j.at("seconds_left").get<double>();
    out.ended_in_session = j.at("ended_in_session").get<std::int64_t>();
    out.agents = j.at("agents").get<std::string>(), out.warning = j.at("warning").get<std::string>();
    out.left = j.value("left", ""), out.workers = j.value("workers", 0), out.busy = j.value("busy", 0);
    for (const json& run : j.at("runs")) {
      LiveRun& r = out.runs.emplace_back();
      r.trial = run.at("trial").get<std::int64_t>();
      r.progress = progress_of(run.at("progress"));
      for (const json& point : run.at("curve"))
        r.curve.emplace_back(point.at(0).get<double>(), point.at(1).get<double>());
    }
    for (const json& p : j.at("profiling"))
      out.profiling.push_back({p.at("design").get<std::int64_t>(), progress_of(p.at("progress"))});
  } catch (const json::exception&) {  // written by another version
    return std::nullopt;
  }
  return out;
}

}  // namespace gabbro::campaign
