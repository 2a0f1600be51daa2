#include "zoo/sized.h"

#include "lang/resize.h"
#include "zoo/library.h"

namespace gabbro::zoo {

Result<lang::Subject> sized_design(const std::string& program, std::int64_t params, int vocab) {
  lang::ElaborateOptions options;
  options.vocab = vocab;
  lang::CheckReport report = lang::check(program, library(), options);
  if (!report.valid()) return tl::unexpected(report.errors[0]);
  const lang::Design* design = lang::last_design(report.program);
  if (!design) return fail("design", "the program contains no design");
  if (params > 0) {
    lang::Library names = library();
    names.add(report.program);
    GABBRO_TRY(fit, lang::resize(names, *design, params, vocab));
    // The program is checked again at the new width, at which its other designs may be invalid (a width that
    // their heads do not divide, for example). They are removed.
    const std::string name = design->name;
    std::erase_if(report.program.items, [&](const lang::Item& item) {
      return std::holds_alternative<lang::Design>(item.value) && lang::item_name(item) != name;
    });
    report = lang::check(std::move(report.program), library(), lang::options_at(fit, vocab));
    if (!report.valid()) return tl::unexpected(report.errors[0]);
  }
  return std::move(report.subjects.back());
}

}  // namespace gabbro::zoo
