# Executables: the program itself, tests, benchmarks, fuzzers.

# gabbro_add_main(name LAYER layer LINK library...): the executable made of a layer's sources, when it has any.
function(gabbro_add_main name)
  cmake_parse_arguments(arg "" "LAYER" "LINK" ${ARGN})
  set(compiled ${gabbro_sources_${arg_LAYER}})
  list(FILTER compiled INCLUDE REGEX "\\.cc$")
  if(NOT compiled)
    return()
  endif()
  add_executable(${name} ${gabbro_sources_${arg_LAYER}})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  gabbro_link_allowed(${name} ${arg_LAYER})
  target_link_libraries(${name} PRIVATE ${arg_LINK} Threads::Threads)
endfunction()

# Where the tests find the sources and the programs. No other file is compiled with a path of this checkout.
configure_file(${CMAKE_CURRENT_SOURCE_DIR}/tests/paths.cc.in ${CMAKE_BINARY_DIR}/generated/paths.cc @ONLY)
add_library(test_paths STATIC EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/generated/paths.cc)
target_include_directories(test_paths PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/tests)

# One binary test_<folder> per folder of tests/, linked with every library. ctest knows it twice: `<folder>` without
# the tests whose name contains Slow, and `<folder>_slow` (label slow) with those alone.
set(gabbro_torch_folders torch trial worker pytorch cluster)  # their tests need libtorch and the worker
function(gabbro_add_tests)
  set(root ${CMAKE_CURRENT_SOURCE_DIR}/tests)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${root} ${root}/*.cc)
  set(folders)
  foreach(file IN LISTS files)
    if(NOT file MATCHES "^([^/]+)/")
      message(FATAL_ERROR "tests/${file}: tests live in a folder per layer, as tests/<layer>/${file}")
    endif()
    if(CMAKE_MATCH_1 IN_LIST gabbro_torch_folders AND NOT GABBRO_WITH_TORCH)
      continue()
    endif()
    list(APPEND folders ${CMAKE_MATCH_1})
    list(APPEND files_of_${CMAKE_MATCH_1} ${root}/${file})
  endforeach()
  list(REMOVE_DUPLICATES folders)
  foreach(folder IN LISTS folders)
    gabbro_add_test(${folder} ${files_of_${folder}})
  endforeach()
endfunction()

function(gabbro_add_test folder)
  set(binary test_${folder})
  add_executable(${binary} ${ARGN})
  target_include_directories(${binary} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR}/tests)
  target_link_libraries(${binary} PRIVATE ${gabbro_libraries} test_paths nlohmann_json::nlohmann_json GTest::gtest_main Threads::Threads)
  if(folder IN_LIST gabbro_torch_folders)
    target_link_libraries(${binary} PRIVATE ${gabbro_torch_libraries})
    add_dependencies(${binary} gabbro-worker)
  endif()
  if(TARGET gabbro)
    add_dependencies(${binary} gabbro)
  endif()

  set(results ${CMAKE_BINARY_DIR}/test-results)
  add_test(NAME ${folder} COMMAND ${binary} --gtest_filter=-*Slow* --gtest_output=json:${results}/${folder}.json)
  set_tests_properties(${folder} PROPERTIES LABELS "fast;${folder}" TIMEOUT 1200
    FAIL_REGULAR_EXPRESSION "Running 0 tests from")  # nothing ran is a failure
  if(folder IN_LIST gabbro_torch_folders)
    set_tests_properties(${folder} PROPERTIES COST 100)  # the longest: they begin first
  endif()
  add_test(NAME ${folder}_slow COMMAND ${binary} --gtest_filter=*Slow* --gtest_output=json:${results}/${folder}_slow.json)
  set_tests_properties(${folder}_slow PROPERTIES LABELS "slow;${folder}" TIMEOUT 3600
    SKIP_REGULAR_EXPRESSION "Running 0 tests from")  # a folder need not have slow tests
  if(folder STREQUAL web AND NOT CMAKE_BUILD_TYPE STREQUAL Asan)
    # Debian's Python has Debian's Selenium. Without it or Chromium, the script says so and the test is skipped.
    find_program(GABBRO_SYSTEM_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
    if(GABBRO_SYSTEM_PYTHON)
      add_test(NAME web_browser_slow COMMAND ${GABBRO_SYSTEM_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/tests/web/browser.py
        ${CMAKE_BINARY_DIR})
      set_tests_properties(web_browser_slow PROPERTIES LABELS "slow;web" TIMEOUT 1200 SKIP_RETURN_CODE 77)
    endif()
  endif()
  if(folder STREQUAL torch)
    foreach(kernels plain avx2)  # what other processors run
      add_test(NAME torch_${kernels}_slow COMMAND ${binary} --gtest_filter=*-*Slow* --gtest_output=json:${results}/torch_${kernels}.json)
      set_tests_properties(torch_${kernels}_slow PROPERTIES LABELS "slow;torch" TIMEOUT 3600
        ENVIRONMENT "GABBRO_KERNELS=${kernels}" FAIL_REGULAR_EXPRESSION "Running 0 tests from")
    endforeach()
  endif()
endfunction()

# bench/x.cc or bench/bench_x.cc becomes bench_x; main comes from the library unless the file has one. A file that includes
# exec/torch or trial is linked with libtorch, and left out where it is not built.
function(gabbro_add_benchmarks)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/bench/*.cc)
  foreach(file IN LISTS files)
    file(STRINGS ${file} torch REGEX "^#include \"(exec/torch|trial)/")
    if(NOT torch)
      gabbro_add_tool(bench ${file} benchmark::benchmark_main benchmark::benchmark)
    elseif(GABBRO_WITH_TORCH)
      gabbro_add_tool(bench ${file} ${gabbro_torch_libraries} nlohmann_json::nlohmann_json CLI11::CLI11)
    endif()
  endforeach()
endfunction()

# fuzz/x.cc becomes fuzz_x COUNT SEED, a plain executable with its own main. A slice of a fixed seed is part of the fast tests;
# its number of cases is in the first lines of the file, as "// slice: 600". What includes exec/torch is left out where that is not built.
function(gabbro_add_fuzzers)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/*.cc)
  foreach(file IN LISTS files)
    file(STRINGS ${file} torch REGEX "^#include \"torch/")
    if(torch AND NOT GABBRO_WITH_TORCH)
      continue()
    endif()
    if(torch)
      gabbro_add_tool(fuzz ${file} ${gabbro_torch_libraries})
    else()
      gabbro_add_tool(fuzz ${file})
    endif()
    file(STRINGS ${file} slice REGEX "^// slice: [0-9]+$")
    if(NOT slice)
      message(FATAL_ERROR "${file}: no line `// slice: COUNT`")
    endif()
    string(REGEX REPLACE "^// slice: " "" count "${slice}")
    cmake_path(GET file STEM name)
    add_test(NAME ${name} COMMAND ${name} ${count} 1)
    set_tests_properties(${name} PROPERTIES LABELS "fast;fuzz" TIMEOUT 600)
  endforeach()
endfunction()

function(gabbro_add_tool kind file)
  cmake_path(GET file STEM name)
  string(REGEX REPLACE "^${kind}_|_${kind}$" "" name ${name})
  add_executable(${kind}_${name} ${file})
  target_include_directories(${kind}_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR}/tests)
  target_link_libraries(${kind}_${name} PRIVATE ${gabbro_libraries} test_paths ${ARGN} Threads::Threads)
endfunction()
