# One library per layer of src/, with the link edges that docs/architecture.md allows.
#
# The table in that document is the only list of layers: the build reads it here, tools/check_layers.py reads it to
# check the includes.

# Sets gabbro_layers and, for each layer, gabbro_allowed_<layer>.
function(gabbro_read_layers document)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${document})
  file(READ ${document} text)
  if(NOT text MATCHES "\n```layers\n([^`]+)```")
    message(FATAL_ERROR "${document}: expected a fenced block marked `layers`, found none")
  endif()
  string(STRIP "${CMAKE_MATCH_1}" rows)
  string(REPLACE "\n" ";" rows "${rows}")
  set(layers)
  foreach(row IN LISTS rows)
    if(NOT row MATCHES "^([a-z_/]+):([a-z_/ ]*)$")
      message(FATAL_ERROR "${document}: expected `layer: layer ...`, got `${row}`")
    endif()
    set(layer ${CMAKE_MATCH_1})
    string(REGEX MATCHALL "[a-z_/]+" allowed "${CMAKE_MATCH_2}")
    list(APPEND layers ${layer})
    set(gabbro_allowed_${layer} ${allowed} PARENT_SCOPE)
  endforeach()
  set(gabbro_layers ${layers} PARENT_SCOPE)
endfunction()

# gabbro_exec_reference for exec/reference.
function(gabbro_target_name layer out)
  string(REPLACE "/" "_" name "gabbro_${layer}")
  set(${out} ${name} PARENT_SCOPE)
endfunction()

# The layer a file belongs to: the nearest folder above it that has a row in the table.
function(gabbro_layer_of file out)
  cmake_path(GET file PARENT_PATH folder)
  while(folder AND NOT folder IN_LIST gabbro_layers)
    cmake_path(GET folder PARENT_PATH folder)
  endwhile()
  if(NOT folder)
    message(FATAL_ERROR "src/${file} belongs to no layer: add a row to the table in docs/architecture.md")
  endif()
  set(${out} ${folder} PARENT_SCOPE)
endfunction()

# gabbro_add_layers(PROGRAMS layer...): one target per layer that has files, or generated sources in
# gabbro_generated_<layer>. A layer of headers alone becomes an interface library; a layer named under PROGRAMS gets no
# library, its sources are left in gabbro_sources_<layer> for gabbro_add_main. Sets gabbro_libraries, and
# gabbro_torch_libraries for those that bring libtorch: only what needs it waits for it to load.
function(gabbro_add_layers)
  cmake_parse_arguments(arg "" "" "PROGRAMS" ${ARGN})
  set(root ${CMAKE_CURRENT_SOURCE_DIR}/src)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${root} ${root}/*.cc ${root}/*.h)
  foreach(file IN LISTS files)
    gabbro_layer_of(${file} layer)
    list(APPEND files_of_${layer} ${root}/${file})
  endforeach()

  set(needs_torch "torch|trial|worker")
  set(libraries)
  foreach(layer IN LISTS gabbro_layers)
    set(sources ${files_of_${layer}} ${gabbro_generated_${layer}})
    set(gabbro_sources_${layer} ${sources} PARENT_SCOPE)
    if(NOT sources OR layer IN_LIST arg_PROGRAMS OR (layer MATCHES "${needs_torch}" AND NOT GABBRO_WITH_TORCH))
      continue()
    endif()
    gabbro_target_name(${layer} target)
    list(APPEND libraries ${target})
    set(compiled ${sources})
    list(FILTER compiled INCLUDE REGEX "\\.cc$")
    if(compiled)
      add_library(${target} STATIC ${sources})
      target_include_directories(${target} PUBLIC ${root})
    else()
      add_library(${target} INTERFACE)
      target_include_directories(${target} INTERFACE ${root})
    endif()
  endforeach()

  foreach(layer IN LISTS gabbro_layers)
    gabbro_target_name(${layer} target)
    if(target IN_LIST libraries)
      gabbro_link_allowed(${target} ${layer})
    endif()
  endforeach()
  set(torch ${libraries})
  list(FILTER torch INCLUDE REGEX "${needs_torch}")
  list(FILTER libraries EXCLUDE REGEX "${needs_torch}")
  set(gabbro_libraries ${libraries} PARENT_SCOPE)
  set(gabbro_torch_libraries ${torch} PARENT_SCOPE)
endfunction()

# Links `target` with those layers that `layer` may include and that exist.
function(gabbro_link_allowed target layer)
  get_target_property(type ${target} TYPE)
  set(scope PUBLIC)
  if(type STREQUAL INTERFACE_LIBRARY)
    set(scope INTERFACE)
  endif()
  foreach(allowed IN LISTS gabbro_allowed_${layer})
    gabbro_target_name(${allowed} dependency)
    if(TARGET ${dependency})
      target_link_libraries(${target} ${scope} ${dependency})
    endif()
  endforeach()
endfunction()

# A C++ source that holds the text of every zoo/**/*.gab and of docs/language.md, declared by src/zoo/embedded.h. Rebuilt when a file changes,
# comes or goes.
function(gabbro_embed_zoo out)
  set(zoo ${CMAKE_CURRENT_SOURCE_DIR}/zoo)
  file(GLOB_RECURSE names CONFIGURE_DEPENDS RELATIVE ${zoo} ${zoo}/*.gab)
  list(SORT names)
  list(TRANSFORM names PREPEND ${zoo}/ OUTPUT_VARIABLE paths)
  list(JOIN names "," joined)  # a removed file changes the command line, and so rebuilds
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated/zoo/embedded.cc)
  set(script ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed.cmake)
  set(language ${CMAKE_CURRENT_SOURCE_DIR}/docs/language.md)
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -DROOT=${zoo} "-DNAMES=${joined}" -DLANGUAGE=${language} -DOUTPUT=${generated} -P ${script}
    DEPENDS ${paths} ${language} ${script}
    COMMENT "Embedding zoo/"
    VERBATIM)
  set(${out} ${generated} PARENT_SCOPE)
endfunction()

# A C++ source with the texts of FOLDER/*.toml, of which each becomes a ROW{"<stem>", "<text>"}. Made when CMake runs, which it does when one changes.
function(gabbro_embed_toml folder layer header row plural out)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.toml)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  set(rows "")
  foreach(file IN LISTS files)
    cmake_path(GET file STEM name)
    file(READ ${file} text)
    string(APPEND rows "    ${row}{\"${name}\", R\"gabbro(${text})gabbro\"},\n")
  endforeach()
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated/${layer}/${plural}.cc)
  file(CONFIGURE OUTPUT ${generated} @ONLY CONTENT
"// Generated from @folder@/.
#include \"@header@\"

namespace gabbro::@layer@ {
namespace {
constexpr @row@ kRows[] = {
@rows@};
}  // namespace

std::span<const @row@> @plural@() { return kRows; }
}  // namespace gabbro::@layer@
")
  set(${out} ${generated} PARENT_SCOPE)
endfunction()

# A C++ source with the texts of prompts/, declared by src/agents/prompts.h. Made when CMake runs, which it does when one changes.
function(gabbro_embed_prompts out)
  set(root ${CMAKE_CURRENT_SOURCE_DIR}/prompts)
  file(GLOB files CONFIGURE_DEPENDS ${root}/*.md ${root}/*.json)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  set(rows "")
  foreach(file IN LISTS files)
    cmake_path(GET file FILENAME name)
    file(READ ${file} text)
    string(APPEND rows "    PromptFile{\"${name}\", R\"gabbro(${text})gabbro\"},\n")
  endforeach()
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated/agents/prompts.cc)
  file(CONFIGURE OUTPUT ${generated} @ONLY CONTENT
"// Generated from prompts/.
#include \"agents/prompts.h\"

namespace gabbro::agents {
namespace {
constexpr PromptFile kFiles[] = {
@rows@};
}  // namespace

std::span<const PromptFile> prompt_files() { return kFiles; }
}  // namespace gabbro::agents
")
  set(${out} ${generated} PARENT_SCOPE)
endfunction()

# gabbro_embed_web(out): a C++ source with the files of web/, the pages of the dashboard. Sets out to its path.
function(gabbro_embed_web out)
  set(root ${CMAKE_CURRENT_SOURCE_DIR}/web)
  file(GLOB files CONFIGURE_DEPENDS ${root}/*.html ${root}/*.js ${root}/*.css ${root}/*.svg)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  set(rows "")
  foreach(file IN LISTS files)
    cmake_path(GET file FILENAME name)
    file(READ ${file} text)
    string(APPEND rows "    Asset{\"${name}\", R\"gabbro(${text})gabbro\"},\n")
  endforeach()
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated/web/assets.cc)
  file(CONFIGURE OUTPUT ${generated} @ONLY CONTENT
"// Generated from web/.
#include \"web/assets.h\"

namespace gabbro::web {
namespace {
constexpr Asset kFiles[] = {
@rows@};
}  // namespace

std::span<const Asset> assets() { return kFiles; }
}  // namespace gabbro::web
")
  set(${out} ${generated} PARENT_SCOPE)
endfunction()
