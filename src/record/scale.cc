#include "record/scale.h"

#include "record/fields.h"

namespace gabbro::record {

template <class Io, Is<DocumentScore> D>
void fields(Io& io, D& d) {
  io("bits_per_byte", d.bits_per_byte);
  io("bytes", d.bytes);
}

template <class Io, Is<ScaleRun> R>
void fields(Io& io, R& r) {
  io("design", r.design);
  io("size", r.size);
  io("seed", r.seed);
  io("rate", r.rate);
  io("status", r.status);
  io("cause", r.cause);
  io("params", r.params);
  io("tokens", r.tokens);
  io("flops", r.flops);
  io("bits_per_byte", r.bits);
  io.list("documents", r.documents);
  io.optional("text_hash", r.text_hash);
  io.optional("held_out_hash", r.held_out_hash);
  io.optional("hash", r.hash);
  io.optional("unread_bits", r.unread_bits);
  io.optional("unread_tokens", r.unread_tokens);
  io.optional("build", r.build);
}

template <class Io, Is<ScaleStudy> S>
void fields(Io& io, S& s) {
  io.optional("seeds", s.seeds);
  io.optional("rate", s.rate);
  io("status", s.status);
  io("cause", s.cause);
  io("designs", s.designs);
  io("sizes", s.sizes);
  io("tokens", s.tokens);
  io.optional("corpus_hash", s.corpus_hash);
  io.optional("changed_share", s.changed_share);
  io.list("searches", s.searches);
  io.list("runs", s.runs);
}

std::string to_json(const ScaleStudy& study) { return write_record(study); }
Result<ScaleStudy> parse_scale(const std::string& json) { return read_result<ScaleStudy>(json); }

}  // namespace gabbro::record
