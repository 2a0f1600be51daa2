#include <fmt/core.h>

#include <fstream>
#include <sstream>

#include "lang/check.h"
#include "zoo/library.h"

int main(int argc, char** argv) {
  using namespace gabbro;
  int bad = 0;
  for (int i = 1; i < argc; ++i) {
    std::ifstream in(argv[i]);
    std::stringstream text;
    text << in.rdbuf();
    const auto report = lang::check(text.str(), zoo::library());
    for (const Error& e : report.errors) fmt::print("{}\n", format_error(argv[i], e));
    for (const auto& s : report.subjects) {
      if (!s.elaboration.ok()) continue;
      fmt::print("{} {} hash {} params {} = {}\n", argv[i], s.name, to_hex(s.hash), s.facts.params.to_string(), ir::count_params(s.elaboration.graph));
      fmt::print("  causal {} mixes {} reach [{}, {}] train {} decode {} state {} grows {} {} depth {}\n", s.facts.causal, s.facts.mixes_tokens, s.facts.reach.first,
                 s.facts.reach.last, s.facts.train_flops.to_string(), s.facts.decode_flops.to_string(), s.facts.state_bytes.to_string(), s.facts.state_grows,
                 s.facts.complexity, s.facts.parallel_depth.to_string());
    }
    bad += !report.valid();
  }
  return bad > 0;
}
