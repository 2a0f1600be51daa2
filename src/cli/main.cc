// The gabbro command. Exit codes: 0 valid, 1 invalid design or a difference, 2 usage or I/O.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cmath>

#include "cli/files.h"
#include "cli/report.h"
#include "ir/facts.h"
#include "lang/builtins.h"
#include "lang/gbnf.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "lang/resize.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::cli {

namespace {

constexpr int kValid = 0, kInvalid = 1, kUsage = 2;

struct Options {
  std::vector<std::string> files;
  std::string params;
  std::int64_t width = 0, vocab = 0;
  double context = 2048;
  bool json = false, only_check = false, gbnf = false;
};

// "14M", "350k", "1.5M", "4096".
std::optional<std::int64_t> parse_amount(const std::string& text) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  const std::string unit(end);
  if (unit == "k" || unit == "K")
    value *= 1e3;
  else if (unit == "M")
    value *= 1e6;
  else if (unit == "B" || unit == "G")
    value *= 1e9;
  else if (!unit.empty())
    return {};
  if (end == text.c_str() || !(value >= 1) || value > 1e15) return {};
  return std::llround(value);
}

void print_errors(const std::string& file, const std::vector<Error>& errors) {
  for (const Error& e : errors) fmt::print("{}\n", format_error(file, e));
}

int io_failure(const std::string& file, const Error& error) {
  fmt::print(stderr, "{}\n", format_error(file == "-" ? "standard input" : file, error));
  return kUsage;
}

// The width and scale that fit --params, for the last design of the program.
Result<lang::ElaborateOptions> fitted(const std::string& text, const Options& o, std::int64_t params) {
  const lang::ParseResult parsed = lang::parse(text);
  lang::Library library = zoo::library();
  const auto errors = parsed.errors.empty() ? library.add(parsed.program) : parsed.errors;
  if (!errors.empty()) return tl::unexpected(errors.front());
  const lang::Design* design = nullptr;
  for (const lang::Item& item : parsed.program.items)
    if (const auto* d = std::get_if<lang::Design>(&item.value)) design = d;
  if (!design) return fail("budget", "there is no design to resize", "add `design Name:` with a stack");
  GABBRO_TRY(fit, lang::resize(library, *design, params, o.vocab));
  lang::ElaborateOptions options;
  options.width = fit.width;
  options.vocab = o.vocab;
  options.free_scale = fit.free_scale;
  return options;
}

int check_file(const std::string& file, const Options& o, std::int64_t params) {
  const auto text = read_program(file);
  if (!text) return io_failure(file, text.error());
  lang::ElaborateOptions options;
  options.width = o.width;
  options.vocab = o.vocab;
  lang::CheckReport report;
  if (params > 0) {
    const auto fit = fitted(*text, o, params);
    if (fit)
      options = *fit;
    else
      report.errors.push_back(fit.error());
  }
  if (report.errors.empty()) report = lang::check(*text, zoo::library(), options);
  if (o.json) {
    fmt::print("{}\n", check_json(file, report, o.context));
    return report.valid() ? kValid : kInvalid;
  }
  print_errors(file, report.errors);
  if (!report.valid()) return kInvalid;
  for (const lang::Subject& s : report.subjects) {
    fmt::print("{}: {} {} is valid\n{}", file, s.is_design ? "design" : "unit", s.name,
               facts_text(s, o.context));
    if (params > 0 && s.is_design)
      fmt::print("  {:<20}D = {}, free hyperparameters x {:.4g}\n", "resized to", options.width,
                 options.free_scale);
  }
  return kValid;
}

int run_check(const Options& o) {
  std::int64_t params = 0;
  if (!o.params.empty()) {
    const auto amount = parse_amount(o.params);
    if (!amount) {
      fmt::print(stderr, "--params {}: expected an amount such as 350k, 14M or 1.5M\n", o.params);
      return kUsage;
    }
    params = *amount;
  }
  int worst = kValid;
  for (const std::string& file : o.files) worst = std::max(worst, check_file(file, o, params));
  return worst;
}

int run_fmt(const Options& o) {
  int worst = kValid;
  for (const std::string& file : o.files) {
    const auto text = read_program(file);
    if (!text) {
      worst = std::max(worst, io_failure(file, text.error()));
      continue;
    }
    const lang::ParseResult parsed = lang::parse(*text);
    print_errors(file, parsed.errors);
    const std::string canonical = parsed.errors.empty() ? lang::print(parsed.program) : *text;
    if (!parsed.errors.empty()) {
      worst = std::max(worst, kInvalid);
    } else if (file == "-") {
      fmt::print("{}", canonical);
    } else if (canonical != *text && o.only_check) {
      fmt::print("{} is not in canonical form: run gabbro fmt {}\n", file, file);
      worst = std::max(worst, kInvalid);
    } else if (canonical != *text) {
      if (const auto done = replace_file(file, canonical); !done)
        worst = std::max(worst, io_failure(file, done.error()));
    }
  }
  return worst;
}

// Runs `show` on every subject of every file; errors as `check` prints them.
template <class Show>
int for_each_subject(const Options& o, const Show& show) {
  int worst = kValid;
  for (const std::string& file : o.files) {
    const auto text = read_program(file);
    if (!text) {
      worst = std::max(worst, io_failure(file, text.error()));
      continue;
    }
    lang::ElaborateOptions options;
    options.record_names = true;
    const lang::CheckReport report = lang::check(*text, zoo::library(), options);
    print_errors(file, report.errors);
    if (!report.valid())
      worst = std::max(worst, kInvalid);
    else
      for (const lang::Subject& s : report.subjects) show(file, s);
  }
  return worst;
}

int run_hash(const Options& o) {
  return for_each_subject(o, [](const std::string& file, const lang::Subject& s) {
    fmt::print("{}  {} {}\n", to_hex(s.hash), file, s.name);
  });
}

int run_show(const Options& o) {
  return for_each_subject(o, [&](const std::string& file, const lang::Subject& s) {
    fmt::print("{}: {}\n{}", file, s.name, tree_text(s));
    std::vector<std::string> shown;  // a unit's values once, however often it is used
    for (const lang::NamedValue& v : s.elaboration.names) {
      std::string line = fmt::format("  {}.{}: {}", v.unit, v.name, v.type);
      if (std::find(shown.begin(), shown.end(), line) == shown.end()) shown.push_back(std::move(line));
    }
    for (const std::string& line : shown) fmt::print("{}\n", line);
    fmt::print("{}", facts_text(s, o.context));
  });
}

int run_grammar(const Options&) {
  fmt::print("{}", lang::gbnf());
  return kValid;
}

int run_reference(const Options&) {
  fmt::print("# Functions of Gab\n\n");
  for (const lang::Builtin& b : lang::builtins()) {
    std::string_view doc = b.doc;
    for (const ir::OpInfo& op : ir::all_ops())
      if (doc.empty() && !op.doc.empty() && (op.doc.starts_with(std::string(b.name) + "("))) doc = op.doc;
    fmt::print("- {}\n", doc.empty() ? b.name : doc);
  }
  for (const bool units : {false, true}) {
    fmt::print("\n# {}\n\n", units ? "Units of the library" : "Functions written in Gab (zoo/prelude.gab)");
    for (const zoo::Entry& entry : zoo::embedded_files())
      for (const lang::Item& item : zoo::program(entry.file)->items) {
        const bool fits = units ? std::holds_alternative<lang::Unit>(item.value)
                                : std::holds_alternative<lang::Function>(item.value);
        if (!fits) continue;
        lang::Item bare = item;
        bare.comments.clear();
        std::string text = lang::print(bare);  // the signature: up to the colon that ends it
        text.resize(text.find(":\n"));
        fmt::print("- `{}`\n", text);
      }
  }
  return kValid;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Gabbro discovers language-model architectures. Designs are programs in Gab: see docs/language.md."};
  app.set_version_flag("--version", "gabbro 0.1.0");
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 valid, 1 invalid design, 2 usage or I/O.\nExample: gabbro check zoo/gla.gab --params "
      "14M");
  Options o;
  int (*chosen)(const Options&) = nullptr;
  const auto command = [&](const char* name, const char* help, int (*run)(const Options&),
                           bool files = true) {
    CLI::App* sub = app.add_subcommand(name, help);
    if (files) sub->add_option("FILE", o.files, "programs; - is standard input")->required();
    sub->callback([&chosen, run] { chosen = run; });
    return sub;
  };
  CLI::App* check = command("check", "Check programs; print proofs, sizes and costs, or errors", run_check);
  check->add_flag("--json", o.json, "one JSON object per file and line");
  check->add_option("--params", o.params,
                    "resize the design to this many parameters, within 1 % (350k, 14M)");
  check->add_option("--width", o.width, "width D instead of the design's")->check(CLI::PositiveNumber);
  check->add_option("--vocab", o.vocab, "vocabulary V instead of the design's")->check(CLI::PositiveNumber);
  check->add_option("--context", o.context, "tokens T at which costs are given (2048)")
      ->check(CLI::PositiveNumber);
  command("fmt", "Rewrite programs in canonical form", run_fmt)
      ->add_flag("--check", o.only_check, "only tell which files differ");
  command("show", "Tree of units, types of values, facts", run_show);
  command("hash", "Canonical hash: equal for programs that say the same function", run_hash);
  command("reference", "The functions and units a program can use", run_reference, false);
  command("grammar", "The grammar for constrained decoding", run_grammar, false)
      ->add_flag("--gbnf", o.gbnf, "in GBNF (the only form there is)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kValid : kUsage;
  }
  return chosen(o);
}

}  // namespace gabbro::cli

int main(int argc, char** argv) { return gabbro::cli::main(argc, argv); }
