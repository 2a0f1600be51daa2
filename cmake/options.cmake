# Language level, build types, warnings and compiler cache, the same for every target.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(GABBRO_WERROR "Treat warnings as errors (the presets do)" OFF)
option(GABBRO_TESTS "Build the tests and fuzzers" ON)
option(GABBRO_BENCH "Build the benchmarks" ON)

# Two build types. RelWithDebInfo keeps assertions (no NDEBUG): a wrong verdict costs more than a branch.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_ASAN
    "-O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all")
set(CMAKE_EXE_LINKER_FLAGS_ASAN "-fsanitize=address,undefined")

add_compile_options(-Wall -Wextra -Wshadow=local -Wno-missing-field-initializers)
if(GABBRO_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  add_compile_options(-Wno-restrict)  # GCC bug 105651: false positives on `"literal" + std::string`
endif()
if(CMAKE_BUILD_TYPE STREQUAL Asan)
  add_compile_options(-Wno-maybe-uninitialized)  # GCC documents false positives under -fsanitize
endif()

find_program(GABBRO_CCACHE ccache)
if(GABBRO_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # With precompiled headers it asks for this sloppiness: a changed macro of theirs is not looked for in the sources. Paths
  # relative to the checkout let all checkouts share what one has compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${GABBRO_CCACHE})
  add_compile_options(-ffile-prefix-map=${CMAKE_BINARY_DIR}=.)
endif()

# gabbro_precompile(target header...): for targets whose files spend most of their compilation on these headers.
function(gabbro_precompile target)
  target_precompile_headers(${target} PRIVATE ${ARGN})
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)  # what ccache needs to see through them
endfunction()
