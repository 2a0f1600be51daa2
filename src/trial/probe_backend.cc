#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "trial/engines.h"
#include "trial/leak_check.h"
#include "trial/probe_checks.h"

namespace gabbro::trial {

namespace {

using Document = std::vector<std::int64_t>;
using DocumentRows = std::vector<std::vector<Document>>;
constexpr double kMaxSlack = 0.1;  // Where rounding changes losses by more, a comparison says nothing.
constexpr double kFloat32Rounding = 0x1.0p-24;
constexpr std::int64_t kRow = 24;  // total number of tokens of a row's documents

// Builds a batch. A target depends only on the position in its document, so that a document has the same
// losses wherever it is.
exec::TokenBatch batch_of(const DocumentRows& rows, std::int64_t length, std::int64_t vocab) {
  exec::TokenBatch out{.sequences = static_cast<std::int64_t>(rows.size()), .length = length};
  for (const std::vector<Document>& row : rows) {
    std::int64_t start = 0;
    for (const Document& document : row) {
      for (std::size_t i = 0; i < document.size(); ++i) {
        out.tokens.push_back(document[i]);
        out.targets.push_back(static_cast<std::int64_t>(5 * i + 1) % vocab);
        out.starts.push_back(start);
      }
      start += static_cast<std::int64_t>(document.size());
    }
  }
  return out;
}

// Returns a batch of one document.
exec::TokenBatch alone(const Document& document, std::int64_t vocab) {
  exec::TokenBatch out = batch_of({{document}}, static_cast<std::int64_t>(document.size()), vocab);
  out.starts.clear();
  return out;
}

// Returns true if some op is a step function of values.
bool has_steps(const ir::Graph& graph) {
  return std::any_of(graph.bodies.begin(), graph.bodies.end(), [](const ir::Body& body) {
    return std::any_of(body.nodes.begin(), body.nodes.end(), [](const ir::Node& n) {
      return n.op == ir::Op::kFloor || n.op == ir::Op::kLess || n.op == ir::Op::kTopK;
    });
  });
}

class BackendProbe {
 public:
  BackendProbe(const ir::Graph& graph, exec::Model& model, const Draw& draw)
      : graph_(graph),
        model_(model),
        draw_(draw),
        random_(draw.random.split("backend")),
        vocab_(static_cast<std::int64_t>(graph.env.vocab)),
        probed_(draw.tokens.begin(), draw.tokens.begin() + 8) {
    rows_ = {{probed_, text(16)}, {text(9), probed_, text(7)}, {text(kRow)}};
  }

  void initial_parameters(Check& finite) {
    const std::vector<double> first = losses(rows_);
    finite.require(std::all_of(first.begin(), first.end(), [](double v) { return std::isfinite(v); }),
                   "not all losses of the backend are finite with the initial parameters");
    const exec::StepReport step = model_.step(batch_of(rows_, kRow, vocab_), zero_rate());
    finite.require(step.updated, fmt::format("a first step gives loss {} and gradient norm {}", step.loss,
                                             step.gradient_norm));
  }

  bool set_parameters(const std::vector<exec::Tensor>& params) {
    std::vector<exec::NamedArray> arrays = model_.weights();
    for (exec::NamedArray& a : arrays)
      for (std::size_t p = 0; p < graph_.params.size(); ++p)
        if (graph_.params[p].name == a.name && params[p].data.size() == a.data.size())
          std::copy(params[p].data.begin(), params[p].data.end(), a.data.begin());
    // The moments of the first step would hide a missing gradient.
    for (exec::NamedArray a : model_.moments()) {
      std::fill(a.data.begin(), a.data.end(), 0.0F);
      arrays.push_back(std::move(a));
    }
    return model_.restore(arrays);
  }

  // Compares the backend with the reference. A design that amplifies rounding may differ at large parameters,
  // but agrees at smaller ones. A wrong kernel differs at both, so smaller parameters are tried.
  void reference(Check& check, double rounding) {
    Check attempt = check;
    std::vector<exec::Tensor> params = draw_.params;
    double scale = draw_.scale;
    for (int tries = 0; tries < 3; ++tries) {
      attempt = check;
      const bool compared = compare_engines(params, attempt, rounding);
      if (attempt.holds() && (compared || rounding <= kFloat32Rounding)) break;
      params = exec::random_params(graph_, scale /= 4, random_);
    }
    check = attempt;
    check.require(set_parameters(draw_.params), "the model does not accept weights of its own shapes");
    const exec::TokenBatch batch = alone(probed_, vocab_);
    slack_ = std::min(slack(batch, draw_.params, kFloat32Rounding), kMaxSlack);
  }

  void future(Check& check) {
    const std::vector<double> base = losses(rows_);
    for (const std::size_t keep : {std::size_t{1}, probed_.size() / 2}) {
      DocumentRows other = rows_;
      Document& document = other[1][1];
      for (std::size_t t = keep; t < document.size(); ++t) document[t] = changed(document[t]);
      const std::size_t from = kRow + rows_[1][0].size();
      check.compare(
          part(losses(other), from, keep), part(base, from, keep),
          fmt::format("the backend's losses up to position {} after a change of what follows", keep - 1),
          slack_);
    }
  }

  void batch(Check& check) {
    DocumentRows other = rows_;
    for (const std::size_t row : {0, 2})
      for (Document& document : other[row])
        for (std::int64_t& token : document) token = changed(token);
    check.compare(part(losses(other), kRow, kRow), part(losses(rows_), kRow, kRow),
                  "losses of a row when the other rows change");
  }

  void documents(Check& check) {
    const std::size_t size = probed_.size(), from = kRow + rows_[1][0].size();
    const std::vector<double> base = losses(rows_);
    DocumentRows other = rows_;
    for (const std::size_t index : {0, 2})
      for (std::int64_t& token : other[1][index]) token = changed(token);
    check.compare(part(losses(other), from, size), part(base, from, size),
                  "losses of a document when its neighbours change", slack_);
    check.compare(part(base, from, size), losses(alone(probed_, vocab_)),
                  "losses of a document between others and alone", slack_);
    check.compare(part(base, 0, size), losses(alone(probed_, vocab_)),
                  "losses of a document before another and alone", slack_);
  }

  // Checks long texts: first as they are (also moved and decoded), then with tokens whose embeddings are
  // infinite, NaN, overflow or underflow, placed where no compared position sees them.
  void unseen(std::int64_t length, double rounding, Checks& checks) {
    constexpr std::int64_t kMaxStepBytes = 1 << 29, kDecoded = 64;
    const std::int64_t rows = static_cast<std::int64_t>(rows_.size());
    while (length > kRow && model_.step_bytes(rows, length) > kMaxStepBytes) length /= 2;
    Texts texts{long_text(rows, length), long_text(rows, length), {}};
    LeakCheck plain(model_, texts, 1);
    add_verdict(plain.check_future(1), checks);
    add_verdict(plain.check_neighbours(1), checks);
    const bool may_decode = looks_ahead(graph_, graph_.bodies[0].outputs).empty();
    LeakVerdict moved, decoded;
    bool decodes = false;
    const auto rounded_forms_agree = [&](LeakCheck& check) {
      check.measure_rounding(rounding);
      moved = check.check_moved();
      if (may_decode) decoded = check.check_decoding(kDecoded, decodes);
      return moved.holds() && (!decodes || decoded.holds());
    };
    // A value next to a step may by chance fall on its other side in one form, which changes losses by more
    // than a small move of the parameters showed. Such designs are compared on up to three texts.
    constexpr int kMoreTexts = 2;
    bool agree = rounded_forms_agree(plain);
    for (int k = 0; !agree && has_steps(graph_) && k < kMoreTexts; ++k) {
      const Texts more{long_text(rows, length), long_text(rows, length), {}};
      LeakCheck check(model_, more, static_cast<std::uint64_t>(3 + k));
      agree = rounded_forms_agree(check);
    }
    add_verdict(moved, checks.documents);
    if (decodes) add_verdict(decoded, checks.step);
    const std::vector<exec::NamedArray> weights = model_.weights();
    checks.finite.require(model_.restore(with_strange_tokens(graph_, weights, texts)),
                          "the model does not accept weights of its own shapes");
    LeakCheck strange(model_, texts, 2);
    add_verdict(strange.check_future(2), checks);
    add_verdict(strange.check_neighbours(3), checks);
    checks.finite.require(model_.restore(weights), "the model does not accept its own weights back");
  }

  // Compares losses and an update, each computed twice from the same state.
  void determinism(Check& check) {
    check.compare(losses(rows_), losses(rows_), "the backend's losses twice");
    std::vector<exec::NamedArray> state = model_.weights();
    for (const exec::NamedArray& a : model_.moments()) state.push_back(a);
    // Each update starts from the restored state: saved weights are float32, so a float64 model is not quite
    // the same after it is restored.
    const auto update = [&] {
      check.require(model_.restore(state), "the model does not accept its own weights back");
      model_.step(batch_of(rows_, kRow, vocab_), {});
      std::vector<double> out;
      for (const exec::NamedArray& a : model_.weights()) out.insert(out.end(), a.data.begin(), a.data.end());
      return out;
    };
    const std::vector<double> once = update();
    check.compare(update(), once, "the weights after the same update twice");
  }

  // After a step with learning rate 0, the first moments are the gradient up to a factor.
  void gradient(Check& check, const std::set<std::string>& silent) {
    const exec::StepReport step = model_.step(batch_of(rows_, kRow, vocab_), zero_rate());
    check.require(step.updated, fmt::format("the backend's step gives loss {} and gradient norm {}",
                                            step.loss, step.gradient_norm));
    std::string names;
    for (const exec::NamedArray& a : model_.moments())
      if (a.name.starts_with("m/") && !silent.contains(a.name.substr(2)) &&
          std::all_of(a.data.begin(), a.data.end(), [](float v) { return v == 0; }))
        names += (names.empty() ? "" : ", ") + a.name.substr(2);
    check.require(names.empty(), "in the backend none reaches " + names);
  }

 private:
  // Returns how much the rounding of the parameters changes the losses, amplified by the design, times a
  // factor. The backend may differ from the reference by this much. The factor covers what the parameters
  // alone do not show: in float32 many small roundings add up, and in bf16 (trial/anchors.cc) both operands
  // of a product and its result are rounded.
  double slack(const exec::TokenBatch& batch, const std::vector<exec::Tensor>& params, double rounding) {
    const double factor = rounding > kFloat32Rounding ? 8 : 100;
    std::vector<exec::Tensor> moved = params;
    for (exec::Tensor& x : moved)
      for (double& v : x.data) v *= 1 + rounding * random_.normal();
    const std::vector<double> base = expected(batch, params);
    double size = 1;
    for (const double v : base) size = std::max(size, std::abs(v));
    return factor * largest_difference(expected(batch, moved), base) / size;
  }

  // Compares the losses of a few texts. Returns false if none was compared (kMaxSlack).
  bool compare_engines(const std::vector<exec::Tensor>& params, Check& check, double rounding) {
    bool compared = false;
    check.require(set_parameters(params), "the model does not accept weights of its own shapes");
    for (const std::size_t count : {std::size_t{1}, std::size_t{3}, probed_.size(), draw_.tokens.size()}) {
      const Document document(draw_.tokens.begin(),
                              draw_.tokens.begin() + static_cast<std::ptrdiff_t>(count));
      const exec::TokenBatch batch = alone(document, vocab_);
      const double extra = slack(batch, params, rounding);
      if (extra > kMaxSlack) continue;
      check.compare(losses(batch), expected(batch, params), fmt::format("losses of {} tokens", count), extra);
      compared = true;
    }
    return compared;
  }

  exec::TokenBatch long_text(std::int64_t rows, std::int64_t length) {
    const auto size = static_cast<std::size_t>(rows * length);
    return {.sequences = rows,
            .length = length,
            .tokens = text(rows * length),
            .targets = text(rows * length),
            .starts = std::vector<std::int64_t>(size, 0)};
  }
  // Adds the verdict to the check of its source of influence.
  static void add_verdict(const LeakVerdict& v, Checks& checks) {
    Check& check = v.from == LeakVerdict::From::kRows        ? checks.batch
                   : v.from == LeakVerdict::From::kDocuments ? checks.documents
                                                             : checks.future;
    add_verdict(v, check);
  }
  static void add_verdict(const LeakVerdict& v, Check& check) { check.require(v.holds(), v.found); }

  static exec::Update zero_rate() {
    exec::Update update;
    update.rate = 0;
    return update;
  }
  std::int64_t changed(std::int64_t token) { return other_token(token, vocab_, random_); }
  Document text(std::int64_t count) {
    Document out;
    for (std::int64_t i = 0; i < count; ++i) out.push_back(random_.below(vocab_));
    return out;
  }
  std::vector<double> expected(const exec::TokenBatch& batch, const std::vector<exec::Tensor>& params) const {
    return losses_of(
        exec::evaluate(graph_, graph_.bodies[0].outputs,
                       {.tokens = batch.tokens, .inputs = {}, .params = params}, batch.length)[0],
        batch.targets);
  }
  std::vector<double> losses(const exec::TokenBatch& batch) {
    const std::vector<float> out = model_.losses(batch);
    return {out.begin(), out.end()};
  }
  std::vector<double> losses(const DocumentRows& rows) { return losses(batch_of(rows, kRow, vocab_)); }
  static std::vector<double> part(const std::vector<double>& x, std::size_t from, std::size_t count) {
    if (x.size() < from + count) return {};
    const auto begin = x.begin() + static_cast<std::ptrdiff_t>(from);
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }

  const ir::Graph& graph_;
  exec::Model& model_;
  const Draw& draw_;
  Random random_;
  std::int64_t vocab_;
  // The document whose losses are compared. It begins the first row of rows_, and is in the middle of the
  // second.
  Document probed_;
  DocumentRows rows_;  // rows of kRow tokens
  double slack_ = 0;   // added to the tolerance of comparisons between different batches
};

}  // namespace

void probe_backend(const ir::Graph& graph, const MakeModel& make, const Draw& draw,
                   const std::set<std::string>& silent, const ProbeOptions& options, Checks& checks) {
  const std::unique_ptr<exec::Model> model = make(graph, 1);
  BackendProbe backend(graph, *model, draw);
  backend.initial_parameters(checks.finite);
  backend.reference(checks.backend, options.rounding);
  backend.future(checks.future);
  backend.batch(checks.batch);
  backend.documents(checks.documents);
  if (options.length > 0) backend.unseen(options.length, options.rounding, checks);
  backend.gradient(checks.gradient, silent);
  backend.determinism(checks.determinism);
}

}  // namespace gabbro::trial
