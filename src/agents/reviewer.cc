#include <fmt/format.h>

#include <map>

#include "agents/roles.h"
#include "record/fields.h"

namespace gabbro::agents {

namespace {

constexpr std::size_t kMaxObjections = 8;
constexpr std::size_t kLongestObjection = 600;  // bytes
constexpr std::size_t kMostObjections = 1500;   // bytes of all that planner and coder are told

// Reads a reviewer's reply into `review`, except for its model.
Result<bool> read_review(const std::string& json, record::Review& review) {
  GABBRO_TRY(io, record::Reader::parse(json, "review"));
  std::vector<std::string> objections;
  double rating = 0;
  io("rating", rating);
  io("probability", review.probability);
  io.optional("objections", objections);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  if (!(rating >= 1 && rating <= 5))
    return fail("review", fmt::format("rating is {:g}, outside 1 to 5", rating), "use 1, 2, 3, 4 or 5");
  if (!(review.probability >= 0 && review.probability <= 1))
    return fail("review", fmt::format("probability is {:g}, outside 0 to 1", review.probability),
                "use a number from 0 to 1");
  review.rating = static_cast<int>(rating);
  review.text.clear();
  for (std::size_t i = 0; i < objections.size() && i < kMaxObjections; ++i)
    review.text += "- " + shortened(objections[i], kLongestObjection) + "\n";
  return true;
}

}  // namespace

Result<std::vector<record::Review>> review(Conversation& conversation, const std::string& proposal) {
  std::vector<record::Review> reviews;
  Error last_error;
  for (int i = 0; i < conversation.settings().reviewers; ++i) {
    record::Review review;
    const auto reply = conversation.ask_object(
        {.role = "reviewer",
         .prompt = "reviewer.md",
         .values = {{"proposal", quoted("proposal", proposal)}},
         .schema = "reviewer.json",
         .variant = i},
        "review", [&](const std::string& json, bool) { return read_review(json, review); });
    if (reply) {
      review.model = reply->model;
      reviews.push_back(std::move(review));
    } else if (!is(reply.error(), record::Cause::kReview)) {
      return tl::unexpected(reply.error());
    } else {
      last_error = reply.error();
    }
  }
  if (reviews.empty() && conversation.settings().reviewers > 0)
    return fail("review", "no valid review: " + last_error.message, last_error.hint);
  return reviews;
}

Result<bool> pass_review(Conversation& conversation, const std::string& proposal) {
  GABBRO_TRY(reviews, review(conversation, proposal));
  conversation.report().reviews = reviews;
  if (reviews.empty()) return true;
  std::string objections;
  for (const record::Review& r : reviews) objections += r.text;
  const double rating = mean_rating(reviews, conversation.brief().reviewer_weights);
  if (rating < conversation.settings().pass)
    return fail("review", fmt::format("rated {:.1f}, but at least {:g} is needed:\n{}", rating,
                                      conversation.settings().pass, objections));
  if (!objections.empty()) conversation.values["objections"] = quoted("review", objections, kMostObjections);
  return true;
}

double mean_rating(const std::vector<record::Review>& reviews, const std::map<std::string, double>& weights) {
  std::map<std::string, double> review_counts;
  for (const record::Review& r : reviews) ++review_counts[r.model];
  double sum = 0, total = 0;
  for (const record::Review& r : reviews) {
    const auto known = weights.find(r.model);
    const double weight = (known == weights.end() ? 1 : known->second) / review_counts[r.model];
    sum += weight * r.rating;
    total += weight;
  }
  return total > 0 ? sum / total : 0;
}

}  // namespace gabbro::agents
