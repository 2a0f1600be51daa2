// `gabbro reference`: prints the language, its functions and the units of the library, generated from the
// tables.
#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "lang/builtins.h"
#include "lang/printer.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::cli {

int run_reference(const CommonOptions& o) {
  print("{}", zoo::language_text());
  if (o.core) return kValid;
  print("\n# Functions of Gab\n\n");
  for (const lang::Builtin& b : lang::builtins()) print("- {}\n", documentation(b));
  for (const bool units : {false, true}) {
    print("\n# {}\n\n", units ? "Units of the library" : "Functions written in Gab (zoo/prelude.gab)");
    for (const zoo::EmbeddedFile& entry : zoo::embedded_files())
      for (const lang::Item& item : zoo::program(entry.file)->items) {
        const bool is_listed = units ? std::holds_alternative<lang::Unit>(item.value)
                                     : std::holds_alternative<lang::Function>(item.value);
        if (!is_listed) continue;
        lang::Item bare = item;
        bare.comments.clear();
        std::string text = lang::print(bare);  // Only the signature is printed, up to the colon that ends it.
        text.resize(text.find(":\n"));
        print("- `{}`\n", text);
      }
  }
  return kValid;
}

}  // namespace gabbro::cli
