#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "agents/roles.h"
#include "record/fields.h"

namespace gabbro::agents {

namespace {

constexpr std::size_t kMaxObjections = 8;
constexpr std::size_t kLongestObjection = 600;  // bytes
constexpr std::size_t kMostObjections = 1500;   // bytes of all that planner and coder are told

constexpr std::size_t kLongestKnown = 120;  // bytes of a reviewer's words about where an idea is from

// Returns the id of the paper that `text` names, or else the text; "" for words such as "none".
std::string known_paper(const std::string& text, const std::vector<record::FoundPaper>& papers) {
  std::string words;  // with spaces around each word
  for (const char c : " " + text + " ") {
    const bool is_part = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.';
    words += is_part ? static_cast<char>(std::tolower(static_cast<unsigned char>(c))) : ' ';
  }
  for (const record::FoundPaper& p : papers) {
    std::string id = p.id;
    std::transform(id.begin(), id.end(), id.begin(), [](unsigned char c) { return std::tolower(c); });
    if (!id.empty() && words.find(" " + id + " ") != std::string::npos) return p.id;
  }
  for (const char* none : {" none ", " no ", " not ", " nothing ", " null ", " n a ", " unknown "})
    if (words.starts_with(none)) return "";
  return words.find_first_not_of(" -.") == std::string::npos ? "" : shortened(text, kLongestKnown);
}

// Reads a reviewer's reply into `review`, except for its model.
Result<bool> read_review(const std::string& json, const std::vector<record::FoundPaper>& papers,
                         record::Review& review) {
  GABBRO_TRY(io, record::Reader::parse(json, "review"));
  std::vector<std::string> objections;
  double rating = 0;
  io("rating", rating);
  io("probability", review.probability);
  io.optional("objections", objections);
  review.known.clear();
  io.optional("known", review.known);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  if (!(rating >= 1 && rating <= 5))
    return fail("review", fmt::format("rating is {:g}, outside 1 to 5", rating), "use 1, 2, 3, 4 or 5");
  if (!(review.probability >= 0 && review.probability <= 1))
    return fail("review", fmt::format("probability is {:g}, outside 0 to 1", review.probability),
                "use a number from 0 to 1");
  review.rating = static_cast<int>(rating);
  review.known = known_paper(review.known, papers);
  review.text.clear();
  for (std::size_t i = 0; i < objections.size() && i < kMaxObjections; ++i)
    review.text += "- " + shortened(objections[i], kLongestObjection) + "\n";
  return true;
}

}  // namespace

Result<std::vector<record::Review>> review(Interview& interview, const std::string& proposal) {
  std::vector<record::Review> reviews;
  Error last_error;
  find_nearest_papers(interview, proposal);
  const std::vector<record::FoundPaper>& papers = interview.report().papers;
  FieldLimits limits{.choices = {{"known", {""}}}};
  for (const record::FoundPaper& p : papers) limits.choices["known"].push_back(p.id);
  for (int i = 0; i < interview.settings().reviewers; ++i) {
    record::Review review;
    const auto reply = interview.ask_object(
        {.role = "reviewer",
         .prompt = "reviewer.md",
         .values = {{"proposal", quoted("proposal", proposal)}},
         .schema = "reviewer.json",
         .limits = limits,
         .variant = i},
        "review", [&](const std::string& json, bool) { return read_review(json, papers, review); });
    if (reply) {
      review.model = reply->model;
      reviews.push_back(std::move(review));
    } else if (!is(reply.error(), record::Cause::kReview)) {
      return tl::unexpected(reply.error());
    } else {
      last_error = reply.error();
    }
  }
  if (reviews.empty() && interview.settings().reviewers > 0)
    return fail("review", "no valid review: " + last_error.message, last_error.hint);
  return reviews;
}

Result<bool> pass_review(Interview& interview, const std::string& proposal) {
  GABBRO_TRY(reviews, review(interview, proposal));
  interview.report().reviews = reviews;
  if (reviews.empty()) return true;
  std::string objections;
  for (const record::Review& r : reviews) objections += r.text;
  const double rating = mean_rating(reviews, interview.brief().reviewer_weights);
  if (rating < interview.settings().pass)
    return fail("review", fmt::format("rated {:.1f}, but at least {:g} is needed:\n{}", rating,
                                      interview.settings().pass, objections));
  if (!objections.empty()) interview.values["objections"] = quoted("review", objections, kMostObjections);
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
