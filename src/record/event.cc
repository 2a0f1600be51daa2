#include "record/event.h"

#include <fmt/format.h>

#include <type_traits>

#include "record/fields.h"

namespace gabbro::record {

template <class Io, Is<CampaignBegun> E>
void fields(Io& io, E& e) {
  io("config", e.config);
  io("seed", e.seed);
  io("program_version", e.version);
}

template <class Io, Is<Session> E>
void fields(Io& io, E& e) {
  io("begins", e.begins);
  io("end", e.end);
  io.optional("sandbox", e.sandbox);
}

template <class Io, Is<Provenance> P>
void fields(Io& io, P& p) {
  io("op", p.op);
  io("mode", p.mode);
  io("description", p.description);
}

template <class Io, Is<DesignCreated> E>
void fields(Io& io, E& e) {
  io("id", e.id);
  io("attempt", e.attempt);
  io("name", e.name);
  io("program", e.program);
  io("hash", e.hash);
  io("fingerprint", e.fingerprint);
  io("origin", e.origin);
  io("strategy", e.strategy);
  fields(io, e.provenance);
  io("parent", e.parent);
  io("second_parent", e.second_parent);
  io("species", e.species);
  io("train_flops", e.train_flops);
  io("decode_flops", e.decode_flops);
  io("state_bytes", e.state_bytes);
  io.optional("task", e.task);
  io.optional("trained", e.trained);
  io.optional("undecided", e.undecided);
  io.optional("sized", e.sized);
  io.optional("rate", e.rate);
}

template <class Io, Is<Refused> E>
void fields(Io& io, E& e) {
  io("attempt", e.attempt);
  io("origin", e.origin);
  io("strategy", e.strategy);
  fields(io, e.provenance);
  io("cause", e.cause);
  io("detail", e.detail);
  io("parent", e.parent);
  io.optional("task", e.task);
}

template <class Io, Is<TrialBegun> E>
void fields(Io& io, E& e) {
  io("id", e.id);
  io("design", e.design);
  io("rung", e.rung);
  io("seed", e.seed);
  io("purpose", e.purpose);
  io.optional("rate", e.rate);
  io.optional("anew", e.anew);
}

template <class Io, Is<TrialEnded> E>
void fields(Io& io, E& e) {
  io("id", e.id);
  io("end", e.end);
  io("seconds", e.seconds);
  io("result", e.result);
}

template <class Io, Is<Promoted> E>
void fields(Io& io, E& e) {
  io("design", e.design);
  io("rung", e.rung);
  io("reason", e.reason);
}

template <class Io, Is<TaskBegun> E>
void fields(Io& io, E& e) {
  io("id", e.id);
  io("strategy", e.strategy);
  io("mode", e.mode);
  io("parent", e.parent);
  io("second_parent", e.second_parent);
  io("brief", e.brief);
}

template <class Io, Is<TaskEnded> E>
void fields(Io& io, E& e) {
  io("id", e.id);
  io("report", e.report);
}

template <class Io, Is<Steered> E>
void fields(Io& io, E& e) {
  io("key", e.key);
  io("what", e.what);
  io("text", e.text);
  io("design", e.design);
  io.optional("rung", e.rung);
}

template <class Io, Is<ComparisonBegun> E>
void fields(Io& io, E& e) {
  io("id", e.id);
  io("design", e.design);
  io("rung", e.rung);
  io("seed", e.seed);
  io("seeds", e.seeds);
  io("level", e.level);
  io("reason", e.reason);
}

template <class Io, Is<Profiled> E>
void fields(Io& io, E& e) {
  io("design", e.design);
  io("seconds", e.seconds);
  io("result", e.result);
}

namespace {

template <class E>
Result<Event> read_event(const std::string& json) {
  GABBRO_TRY(io, Reader::parse(json, "event"));
  E out;
  fields(io, out);
  if (!io.error().code.empty()) return tl::unexpected(io.error());
  return Event(std::move(out));
}

// Parses `json` as the alternative of `Event` whose kind is `kind`.
template <std::size_t i = 0>
Result<Event> read_kind(const std::string& kind, const std::string& json) {
  if constexpr (i == std::variant_size_v<Event>) {
    return fail("event", fmt::format("unknown event '{}'", kind), "use the version of gabbro that wrote it");
  } else {
    using E = std::variant_alternative_t<i, Event>;
    return kind == E::kKind ? read_event<E>(json) : read_kind<i + 1>(kind, json);
  }
}

}  // namespace

std::string kind_of(const Event& event) {
  return std::visit([](const auto& e) { return std::string(std::decay_t<decltype(e)>::kKind); }, event);
}

std::string to_json(const Event& event) {
  Writer io;
  std::visit([&](const auto& e) { fields(io, e); }, event);
  std::string line = io.text(/*indented=*/false);
  line.pop_back();  // the line end
  return line;
}

Result<Event> parse_event(const std::string& kind, const std::string& json) { return read_kind(kind, json); }

}  // namespace gabbro::record
