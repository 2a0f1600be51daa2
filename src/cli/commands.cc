// The subcommands on programs.
#include "cli/commands.h"
#include "base/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "base/files.h"
#include "cli/diff.h"
#include "cli/files.h"
#include "cli/record.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "lang/gbnf.h"
#include "lang/parser.h"
#include "lang/printer.h"
#include "lang/resize.h"
#include "zoo/library.h"

namespace gabbro::cli {

namespace {

void print_errors(const std::string& file, const std::vector<Error>& errors) {
  for (const Error& e : errors) print("{}\n", format_error(file, e));
}

int io_failure(const std::string& file, const Error& error) {
  print(stderr, "{}\n", format_error(file == "-" ? "standard input" : file, error));
  return kUsage;
}

// Returns the size at which the last design of the program has `params` parameters.
Result<lang::ElaborateOptions> size_for(const std::string& text, const CommonOptions& o,
                                        std::int64_t params) {
  const lang::ParseResult parsed = lang::parse(text);
  lang::Library library = zoo::library();
  const auto errors = parsed.errors.empty() ? library.add(parsed.program) : parsed.errors;
  if (!errors.empty()) return tl::unexpected(errors.front());
  const lang::Design* design = lang::last_design(parsed.program);
  if (!design)
    return fail("budget", "the program contains no design to resize", "add `design Name:` with a stack",
                {1, 1});
  GABBRO_TRY(fit, lang::resize(library, *design, params, o.vocab));
  return lang::options_at(fit, o.vocab);
}

int check_file(const std::string& file, const CommonOptions& o, std::int64_t params) {
  const auto text = read_program(file);
  lang::CheckReport report;
  if (!text) {
    report.errors.push_back(text.error());
    if (o.json) print("{}\n", check_json(file, report, o.context));
    return io_failure(file, text.error());
  }
  lang::ElaborateOptions options;
  options.width = o.width;
  options.vocab = o.vocab;
  if (params > 0) {
    const auto fit = size_for(*text, o, params);
    if (fit)
      options = *fit;
    else
      report.errors.push_back(fit.error());
  }
  if (report.errors.empty()) report = lang::check(*text, zoo::library(), options);
  if (o.json) {
    print("{}\n", check_json(file, report, o.context));
    return report.valid() ? kValid : kInvalid;
  }
  print_errors(file, report.errors);
  if (!report.valid()) return kInvalid;
  for (const lang::Subject& s : report.subjects) {
    print("{}: {} {} is valid\n{}", printable_line(file), s.is_design ? "design" : "unit", s.name,
          facts_text(s, o.context));
    if (params > 0 && s.is_design)
      print("  {:<20}D = {}, free hyperparameters x {:.4g}{}{}\n", "resized to", options.width,
            options.free_scale, options.moves.empty() ? "" : ", ", lang::text_of(options.moves));
  }
  return kValid;
}

// Calls `show` for every subject of every file; errors are printed as by `check`.
template <class Show>
int for_each_subject(const CommonOptions& o, const Show& show) {
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

}  // namespace

int failed(std::string_view command, const Error& error) {
  return failed_in(fmt::format("gabbro {}", command), error);
}

int failed_in(const std::string& subject, const Error& error) {
  print(stderr, "{}\n", format_error(subject, error));
  return kUsage;
}

int run_check(const CommonOptions& o) {
  std::int64_t params = 0;
  if (!o.params.empty()) {
    const auto amount = parse_amount(o.params);
    if (!amount) {
      print(stderr, "--params: invalid number '{}' (try 350k, 14M or 1.5M)\n", o.params);
      return kUsage;
    }
    params = *amount;
  }
  int worst = kValid;
  for (const std::string& file : o.files) worst = std::max(worst, check_file(file, o, params));
  return worst;
}

int run_fmt(const CommonOptions& o) {
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
    } else if (file == "-" || names_design(file)) {
      print("{}", canonical);
    } else if (canonical != *text && o.only_check) {
      print("{} is not in canonical form; run `gabbro fmt {}`\n", printable_line(file), printable_line(file));
      worst = std::max(worst, kInvalid);
    } else if (canonical != *text) {
      if (const auto done = replace_file(file, canonical); !done)
        worst = std::max(worst, io_failure(file, done.error()));
    }
  }
  return worst;
}

int run_hash(const CommonOptions& o) {
  return for_each_subject(o, [](const std::string& file, const lang::Subject& s) {
    print("{}  {} {}\n", to_hex(s.hash), printable_line(file), s.name);
  });
}

int run_show(const CommonOptions& o) {
  if (o.files.size() == 1 && names_design(o.files[0]))
    return run_show_design({.run = o.files[0], .out = {}, .talk = o.talk});
  for (const std::string& file : o.files)
    if (is_campaign(file))
      return failed(
          "show",
          {"usage",
           file + " is a campaign, not a program",
           fmt::format("name one of its designs, such as {0}#1; `gabbro top {0}` lists the best", file),
           {}});
  if (o.talk) return failed("show", {"usage", "--talk needs a design of a campaign (RUN#ID)", "", {}});
  return for_each_subject(o, [&](const std::string& file, const lang::Subject& s) {
    print("{}: {}\n{}", printable_line(file), s.name, tree_text(s));
    std::vector<std::string> shown;  // Lists each value of a unit once, however often the unit is used.
    for (const lang::NamedValue& v : s.elaboration.names) {
      std::string line = fmt::format("  {}.{}: {}", v.unit, v.name, v.type);
      if (std::find(shown.begin(), shown.end(), line) == shown.end()) shown.push_back(std::move(line));
    }
    for (const std::string& line : shown) print("{}\n", line);
    print("{}", facts_text(s, o.context));
  });
}

int run_grammar(const CommonOptions&) {
  print("{}", lang::gbnf());
  return kValid;
}

int run_diff(const CommonOptions& o) {
  std::array<lang::CheckReport, 2> reports;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const auto text = read_program(o.files[i]);
    if (!text) return io_failure(o.files[i], text.error());
    reports[i] = lang::check(*text, zoo::library());
    const bool unreadable = !lang::parse(*text).errors.empty();
    if (unreadable) {
      print_errors(o.files[i], reports[i].errors);
      return kUsage;
    }
  }
  const DesignDiff comparison = compare(reports[0], reports[1]);
  print("{}", o.json ? comparison_json(comparison) + "\n"
                     : comparison_text(comparison, o.files[0], o.files[1], o.context));
  return comparison.changes.empty() ? kValid : kInvalid;
}

}  // namespace gabbro::cli
