# The inference engine: the private prefix that scripts/setup.sh unpacked into .deps/engine, or, where
# the system has a llama package of its own, that one (setup.sh then makes no prefix).
#
# Defines: hearth::llama (to link), HEARTH_ENGINE_BACKEND_DIR (where backends are loaded from, may
# be empty), HEARTH_ENGINE_PREFIX (empty unless private), HEARTH_ENGINE_LOADER (private C library's loader).
set(HEARTH_ENGINE_PREFIX "")
set(HEARTH_ENGINE_LOADER "")
set(HEARTH_ENGINE_BACKEND_DIR "")

if(EXISTS ${CMAKE_SOURCE_DIR}/.deps/engine/.complete)
  set(HEARTH_ENGINE_PREFIX ${CMAKE_SOURCE_DIR}/.deps/engine)
  find_package(llama REQUIRED PATHS ${HEARTH_ENGINE_PREFIX}/usr NO_DEFAULT_PATH)
else()
  find_package(llama REQUIRED)
endif()
# Compared here: asked for a version, CMake would refuse every later major one.
if(LLAMA_VERSION VERSION_LESS 0.7)
  message(FATAL_ERROR "libllama ${LLAMA_VERSION} in ${llama_DIR} is too old: Hearth needs 0.7 or later (docs/install.md)")
endif()
message(STATUS "Engine: libllama ${LLAMA_VERSION} (build ${LLAMA_BUILD_NUMBER})")

add_library(hearth_llama INTERFACE)
add_library(hearth::llama ALIAS hearth_llama)
target_link_libraries(hearth_llama INTERFACE llama)
target_compile_definitions(hearth_llama INTERFACE
  HEARTH_ENGINE_VERSION="${LLAMA_VERSION}" HEARTH_ENGINE_BUILD="${LLAMA_BUILD_NUMBER}")

if(HEARTH_ENGINE_PREFIX)
  get_filename_component(engine_lib_dir ${LLAMA_LIB_DIR} ABSOLUTE)
  if(NOT EXISTS ${engine_lib_dir}/ggml)
    file(GLOB engine_lib_dir ${HEARTH_ENGINE_PREFIX}/usr/lib/*-linux-gnu*)
  endif()
  set(HEARTH_ENGINE_LIB_DIR ${engine_lib_dir})
  set(HEARTH_ENGINE_BACKEND_DIR ${engine_lib_dir}/ggml/backends0)
  # Debian's development suite has a newer C library than Debian 12: executables that link the
  # engine use the loader and libraries that came with it.
  file(GLOB HEARTH_ENGINE_LOADER ${engine_lib_dir}/ld-linux-*.so.*)
  target_link_options(hearth_llama INTERFACE
    -Wl,--dynamic-linker=${HEARTH_ENGINE_LOADER} -Wl,-rpath,${engine_lib_dir}
    -Wl,--allow-shlib-undefined)
endif()
target_compile_definitions(hearth_llama INTERFACE
  HEARTH_ENGINE_BACKEND_DIR="${HEARTH_ENGINE_BACKEND_DIR}")

# For libraries that link the engine privately: executables still need its loader and paths.
function(hearth_pass_engine_link_options target)
  get_target_property(options hearth_llama INTERFACE_LINK_OPTIONS)
  if(options)
    target_link_options(${target} INTERFACE ${options})
  endif()
endfunction()
