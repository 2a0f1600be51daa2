#include <fmt/format.h>

#include <map>

#include "agents/roles.h"
#include "record/fields.h"

namespace gabbro::agents {

namespace {

Result<bool> read_review(const std::string& json, record::Review& review) {
  GABBRO_TRY(io, record::Reader::parse(json, "review"));
  std::vector<std::string> objections;
  double rating = 0;
  io("rating", rating);
  io("probability", review.probability);
  io.later("objections", objections);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  if (!(rating >= 1 && rating <= 5))
    return fail("review", fmt::format("rating is {:g}, outside 1 to 5", rating), "use 1, 2, 3, 4 or 5");
  if (!(review.probability >= 0 && review.probability <= 1))
    return fail("review", fmt::format("probability is {:g}, outside 0 to 1", review.probability),
                "use a number from 0 to 1");
  review.rating = static_cast<int>(rating);
  review.text.clear();
  for (std::size_t i = 0; i < objections.size() && i < 8; ++i)
    review.text += "- " + shortened(objections[i], 600) + "\n";
  return true;
}

}  // namespace

Result<std::vector<record::Review>> review(Conversation& talk, const std::string& proposal) {
  std::vector<record::Review> reviews;
  Error last;
  for (int i = 0; i < talk.settings().reviewers; ++i) {
    record::Review review;
    const auto asked =
        talk.ask_object({.role = "reviewer",
                         .prompt = "reviewer.md",
                         .values = {{"proposal", quoted("proposal", proposal)}},
                         .schema = "reviewer.json",
                         .variant = i},
                        "review", [&](const std::string& json, bool) { return read_review(json, review); });
    if (asked) {
      review.model = asked->model;
      reviews.push_back(std::move(review));
    } else if (!is(asked.error(), record::Cause::kReview)) {
      return tl::unexpected(asked.error());
    } else {
      last = asked.error();
    }
  }
  if (reviews.empty() && talk.settings().reviewers > 0)
    return fail("review", "no valid review: " + last.message, last.hint);
  return reviews;
}

double mean_rating(const std::vector<record::Review>& reviews, const std::map<std::string, double>& weights) {
  std::map<std::string, double> asked;
  for (const record::Review& r : reviews) ++asked[r.model];
  double sum = 0, total = 0;
  for (const record::Review& r : reviews) {
    const auto known = weights.find(r.model);
    const double weight = (known == weights.end() ? 1 : known->second) / asked[r.model];
    sum += weight * r.rating;
    total += weight;
  }
  return total > 0 ? sum / total : 0;
}

}  // namespace gabbro::agents
