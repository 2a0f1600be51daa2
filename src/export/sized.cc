#include "export/sized.h"

#include <vector>

#include "lang/parser.h"
#include "zoo/embedded.h"
#include "zoo/library.h"

namespace gabbro::pytorch {

Result<Module> module_of(const std::string& text, const lang::Subject& subject) {
  lang::Library library = zoo::library();
  const lang::Program program = lang::parse(text).program;
  library.add(program);
  std::vector<const lang::Program*> programs{&program};
  for (const zoo::EmbeddedFile& entry : zoo::embedded_files()) programs.push_back(zoo::program(entry.file));
  return write_module(library, *lang::last_design(program), subject.elaboration, programs);
}

}  // namespace gabbro::pytorch
