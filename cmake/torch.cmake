# libtorch, from the first of: GABBRO_TORCH (a folder with TorchConfig.cmake below it), the wheel that `./dev setup` put into
# .venv, the torch of the python3 on the PATH, a system package.

option(GABBRO_WITH_TORCH "Build the torch backend" ON)
set(GABBRO_TORCH "$ENV{GABBRO_TORCH}" CACHE PATH "Where to find libtorch; empty: search")

function(gabbro_find_torch)
  file(GLOB wheel ${CMAKE_CURRENT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch/share/cmake)
  set(places ${GABBRO_TORCH} ${wheel})
  if(NOT places)
    find_package(Python3 QUIET COMPONENTS Interpreter)
    if(Python3_FOUND)
      execute_process(COMMAND ${Python3_EXECUTABLE} -c "import torch; print(torch.utils.cmake_prefix_path)"
        OUTPUT_VARIABLE installed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
      set(places ${installed})
    endif()
  endif()
  list(APPEND CMAKE_PREFIX_PATH ${places})
  set(CMAKE_MESSAGE_LOG_LEVEL ERROR)  # it warns of parts that this build does not have
  find_package(Torch QUIET)
  unset(CMAKE_MESSAGE_LOG_LEVEL)
  if(NOT Torch_FOUND)
    message(FATAL_ERROR "libtorch was not found. Run ./dev setup, give -DGABBRO_TORCH=FOLDER, or build without it: -DGABBRO_WITH_TORCH=OFF")
  endif()
  message(STATUS "libtorch ${Torch_VERSION} in ${TORCH_INSTALL_PREFIX}")
  # Its headers are not ours to warn about.
  add_library(gabbro_libtorch INTERFACE)
  # The wheel carries headers of another fmt than the one we link: ours are to be found first.
  find_path(fmt_headers fmt/core.h REQUIRED)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated/fmt_first)
  file(CREATE_LINK ${fmt_headers}/fmt ${CMAKE_BINARY_DIR}/generated/fmt_first/fmt SYMBOLIC)
  target_include_directories(gabbro_libtorch SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/generated/fmt_first ${TORCH_INCLUDE_DIRS})
  target_link_libraries(gabbro_libtorch INTERFACE ${TORCH_LIBRARIES})
  gabbro_share_openmp()
endfunction()

# at::parallel_for is a header: without OpenMP it runs on one thread and says nothing. The runtime must be libtorch's own, a wheel's where
# it brings one: two runtimes would each start a thread per core.
function(gabbro_share_openmp)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  target_compile_options(gabbro_libtorch INTERFACE ${OpenMP_CXX_FLAGS})
  file(GLOB runtime ${TORCH_INSTALL_PREFIX}/lib/libgomp*.so* ${TORCH_INSTALL_PREFIX}/../torch.libs/libgomp*.so*)
  if(runtime)
    list(GET runtime 0 runtime)
    target_link_libraries(gabbro_libtorch INTERFACE ${runtime})
  else()
    target_link_libraries(gabbro_libtorch INTERFACE ${OpenMP_CXX_LIBRARIES})
  endif()
endfunction()
