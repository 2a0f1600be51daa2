// Keeps steering requests in a folder until the process that runs the campaign records them. Each request is
// a file of its own, so that only that process writes the record. The functions are declared in agents.h.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <limits>

#include "base/files.h"
#include "campaign/agents.h"
#include "campaign/campaign.h"
#include "campaign/reading.h"

namespace gabbro::campaign {

namespace fs = std::filesystem;

namespace {
std::string folder_of(const std::string& dir) { return dir + "/inbox"; }
}  // namespace

std::vector<record::Steered> inbox(const std::string& dir) {
  std::error_code error;
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_of(dir), error))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());  // by key, which begins with the time in 20 digits (see `steer`)
  std::vector<record::Steered> out;
  for (const std::string& path : files) {
    auto event = record::parse_event(record::Steered::kKind, read_file(path, kMostText).value_or(""));
    if (event) out.push_back(std::get<record::Steered>(*event));
  }
  return out;
}

std::int64_t steering_time(const std::string& dir, const store::Store& store) {
  std::int64_t time = std::chrono::duration_cast<std::chrono::microseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  // The key is TIME-PROCESS-NUMBER (see `steer`). A key that does not begin with a number changes nothing.
  const auto advance_past = [&](const record::Steered& s) {
    std::int64_t other = 0;
    const char* end = s.key.data() + s.key.size();
    const auto read = std::from_chars(s.key.data(), end, other);
    if (read.ec == std::errc() && other < std::numeric_limits<std::int64_t>::max())
      time = std::max(time, other + 1);
  };
  for (const record::Steered& s : inbox(dir)) advance_past(s);
  for (const auto& [when, s] : store.steering()) advance_past(s);
  return time;
}

Result<bool> deliver(const std::string& dir, const record::Steered& steered) {
  std::error_code error;
  fs::create_directories(folder_of(dir), error);  // replace_file reports a failure
  auto written =
      replace_file(fmt::format("{}/{}.json", folder_of(dir), steered.key), record::to_json(steered) + "\n");
  if (!written)
    written.error().hint =
        "a request is a file in the folder of the campaign; steer it from where that can be written";
  return written;
}

namespace {

// Returns true if the design was created by the search or by a user.
bool is_of_search(const store::DesignRow& design) {
  return design.created.origin == record::Origin::kSearch || design.created.origin == record::Origin::kUser;
}

// Checks that a design can be promoted by hand.
Result<bool> check_promotion(const store::DesignRow& design, const store::Store& store) {
  const auto wrong = [&](const std::string& why, const std::string& hint) {
    return fail("usage", fmt::format("design {} cannot be promoted by hand: {}", design.created.id, why),
                hint);
  };
  if (!is_of_search(design))
    return wrong(fmt::format("it is the {} {}", record::word_of(design.created.origin), design.created.name),
                 "promote a design of the search or of your own");
  GABBRO_TRY(r, read_record(store));
  const evolve::Individual& i = r.population.individual(design.created.id);
  if (i.vetoed) return wrong("it was vetoed", "promote another design");
  if (!evolve::next_rung_by_hand(i, r.plan.settings.rungs.size()))
    return wrong("it has been at the highest rung, or was promoted to it", "");
  return true;
}

// Checks a request against the record.
Result<bool> check_request(const record::Steered& request, const store::Store& store) {
  if (request.what != record::Steering::kVeto && request.what != record::Steering::kPromote) return true;
  GABBRO_TRY(design, store.design(request.design));
  if (request.what == record::Steering::kPromote) return check_promotion(design, store);
  if (design.created.origin == record::Origin::kBaseline || design.created.origin == record::Origin::kControl)
    return fail("usage",
                fmt::format("design {} is the {} {}, which cannot be vetoed", request.design,
                            record::word_of(design.created.origin), design.created.name),
                "veto a design of the search; baselines and controls are needed for comparison");
  return true;
}

}  // namespace

Result<bool> steer(const std::string& dir, std::vector<record::Steered> requests) {
  GABBRO_TRY(store, store::Store::read(CampaignPaths{dir}.store()));
  for (const record::Steered& request : requests)
    if (const auto ok = check_request(request, store); !ok) return ok;
  const std::int64_t now = steering_time(dir, store);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].key = fmt::format("{:020}-{}-{}", now, getpid(), i);
    if (const auto ok = deliver(dir, requests[i]); !ok) return ok;
  }
  return true;
}

void remove_from_inbox(const std::string& dir, const std::string& key) {
  std::error_code error;
  fs::remove(fmt::format("{}/{}.json", folder_of(dir), key), error);
}

}  // namespace gabbro::campaign
