#include "record/trial.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace gabbro::record {

using nlohmann::ordered_json;

namespace {

// One list of fields serves both directions: `io` reads or writes each by its name.
template <class Io, class Spec>
void spec_fields(Io&& io, Spec& s) {
  io("program", s.program);
  io("corpus", s.corpus);
  io("folder", s.folder);
  io("params", s.params);
  io("tokens", s.tokens);
  io("sequences", s.sequences);
  io("length", s.length);
  io("rate", s.rate);
  io("decay", s.decay);
  io("schedule", s.schedule);
  io("seed", s.seed);
  io("device", s.device);
  io("threads", s.threads);
  io("rows", s.rows);
  io("valid_documents", s.valid_documents);
}

template <class Io, class R>
void result_fields(Io&& io, R& r) {
  io("status", r.status);
  io("cause", r.cause);
  io("design", r.design);
  io("hash", r.hash);
  io("width", r.width);
  io("params", r.params);
  io("tokens", r.tokens);
  io("bits_per_byte", r.bits_per_byte);
  io("bits_low", r.bits_low);
  io("bits_high", r.bits_high);
  io("bits_error", r.bits_error);
  io("valid_loss", r.valid_loss);
  io("valid_documents", r.valid_documents);
  io("valid_bytes", r.valid_bytes);
  io("bigram_bits_per_byte", r.bigram_bits_per_byte);
  io("first_loss", r.first_loss);
  io("last_loss", r.last_loss);
  io("train_seconds", r.train_seconds);
  io("tokens_per_second", r.tokens_per_second);
  io("train_flops_per_token", r.train_flops_per_token);
  io("decode_flops_per_token", r.decode_flops_per_token);
  io("state_bytes", r.state_bytes);
  io("weights_hash", r.weights_hash);
}

struct Writer {
  ordered_json& json;
  void operator()(const char* name, const auto& value) { json[name] = value; }
  // JSON has no infinities: they are told by null.
  void operator()(const char* name, double value) {
    json[name] = std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
  }
};

struct Reader {
  const ordered_json& json;
  void operator()(const char* name, auto& value) { json.at(name).get_to(value); }
  void operator()(const char* name, double& value) {
    const auto& field = json.at(name);
    value = field.is_null() ? NAN : field.get<double>();
  }
};

template <class T, class F>
Result<T> parse(const std::string& text, const char* what, const F& fill) {
  const ordered_json json = ordered_json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(what, fmt::format("a trial {} is a JSON object", what));
  try {
    if (const int version = json.at("version"); version != T::kVersion)
      return fail(what,
                  fmt::format("version {} of a trial {}, this program reads {}", version, what, T::kVersion));
    T out;
    fill(json, out);
    return out;
  } catch (const nlohmann::json::exception& e) {
    return fail(what, fmt::format("not a trial {}: {}", what, e.what()));
  }
}

}  // namespace

std::string to_json(const TrialSpec& spec) {
  ordered_json json{{"version", TrialSpec::kVersion}};
  spec_fields(Writer{json}, spec);
  return json.dump(2) + "\n";
}

Result<TrialSpec> parse_spec(const std::string& text) {
  return parse<TrialSpec>(text, "spec",
                          [](const ordered_json& json, TrialSpec& spec) { spec_fields(Reader{json}, spec); });
}

std::string to_json(const TrialResult& result) {
  ordered_json json{{"version", TrialResult::kVersion}};
  result_fields(Writer{json}, result);
  json["anchors"] = ordered_json::array();
  for (const Anchor& a : result.anchors)
    json["anchors"].push_back({{"name", a.name}, {"holds", a.holds}, {"detail", a.detail}});
  json["curve"] = ordered_json::array();
  for (const Point& p : result.curve) {
    ordered_json point;
    Writer io{point};
    io("step", p.step);
    io("tokens", p.tokens);
    io("loss", p.loss);
    io("gradient_norm", p.gradient_norm);
    io("rate", p.rate);
    json["curve"].push_back(std::move(point));
  }
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Result<TrialResult> parse_result(const std::string& text) {
  return parse<TrialResult>(text, "result", [](const ordered_json& json, TrialResult& result) {
    result_fields(Reader{json}, result);
    for (const auto& a : json.at("anchors"))
      result.anchors.push_back({a.at("name"), a.at("holds"), a.at("detail")});
    for (const auto& p : json.at("curve")) {
      Point point;
      Reader io{p};
      io("step", point.step);
      io("tokens", point.tokens);
      io("loss", point.loss);
      io("gradient_norm", point.gradient_norm);
      io("rate", point.rate);
      result.curve.push_back(point);
    }
  });
}

}  // namespace gabbro::record
