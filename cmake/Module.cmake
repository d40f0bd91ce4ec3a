# hearth_module(NAME SOURCES ... DEPENDS ... LIBRARIES ...)
#   One module = one static library hearth_NAME = one folder src/hearth/NAME.
#   DEPENDS names modules below (the arrows of ARCHITECTURE.md), LIBRARIES third parties.
# hearth_test(NAME SOURCES ... DEPENDS ... [LABELS ...])
#   A GoogleTest executable, its cases discovered by ctest. Those labelled `process` run an engine,
#   whose threads want every core: each runs alone, and does not spin while it waits for a core that
#   somebody else is using.
# hearth_fuzz(NAME SOURCE ... DEPENDS ...)
#   One source, two builds: libFuzzer under HEARTH_FUZZ, else a ctest that replays the corpus in
#   tests/corpus/NAME.
include(GoogleTest)

# Sanitizers make everything several times slower; every test's time limit is multiplied by this.
set(HEARTH_TIME_FACTOR 1)
if(HEARTH_SANITIZE)
  set(HEARTH_TIME_FACTOR 8)
endif()

function(hearth_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  add_library(hearth_${name} STATIC ${arg_SOURCES})
  target_include_directories(hearth_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  foreach(dependency ${arg_DEPENDS})
    target_link_libraries(hearth_${name} PUBLIC hearth_${dependency})
  endforeach()
  target_link_libraries(hearth_${name} PRIVATE ${arg_LIBRARIES} fmt::fmt)
  hearth_precompiled(hearth_${name} module)
endfunction()

# SLOW: gtest's pattern of the tests that take minutes; they are one test of ctest, label slow.
function(hearth_test name)
  cmake_parse_arguments(arg "" "TIMEOUT;SLOW" "SOURCES;DEPENDS;LIBRARIES;LABELS" ${ARGN})
  if(HEARTH_FUZZ)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  math(EXPR timeout "${arg_TIMEOUT} * ${HEARTH_TIME_FACTOR}")
  math(EXPR slow_timeout "7200 * ${HEARTH_TIME_FACTOR}")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} fmt::fmt GTest::gtest_main GTest::gmock)
  foreach(dependency ${arg_DEPENDS})
    target_link_libraries(${name} PRIVATE hearth_${dependency})
  endforeach()
  target_compile_definitions(${name} PRIVATE HEARTH_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_compile_options(${name} PRIVATE ${HEARTH_TEST_OPTIONS})
  hearth_precompiled(${name} test)
  set(alone FALSE)
  if("process" IN_LIST arg_LABELS)
    set(alone TRUE)
  endif()
  set(filter)
  if(arg_SLOW)
    set(filter TEST_FILTER "-${arg_SLOW}")
    add_test(NAME ${name}.slow COMMAND ${name} --gtest_filter=${arg_SLOW})
    set_tests_properties(${name}.slow PROPERTIES TIMEOUT ${slow_timeout} RUN_SERIAL TRUE
      ENVIRONMENT OMP_WAIT_POLICY=passive LABELS "${arg_LABELS};slow")
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 ${filter}
    PROPERTIES TIMEOUT ${timeout} RUN_SERIAL ${alone} ENVIRONMENT OMP_WAIT_POLICY=passive
      LABELS "${arg_LABELS}")
endfunction()

if(NOT HEARTH_FUZZ)
  add_library(hearth_fuzz_replay OBJECT ${CMAKE_SOURCE_DIR}/tests/support/fuzz_replay_main.cpp)
endif()

function(hearth_fuzz name)
  cmake_parse_arguments(arg "" "SOURCE" "DEPENDS;LIBRARIES" ${ARGN})
  add_executable(${name}_fuzz ${arg_SOURCE})
  target_link_libraries(${name}_fuzz PRIVATE ${arg_LIBRARIES} fmt::fmt)
  foreach(dependency ${arg_DEPENDS})
    target_link_libraries(${name}_fuzz PRIVATE hearth_${dependency})
  endforeach()
  hearth_precompiled(${name}_fuzz module)
  if(HEARTH_FUZZ)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
  else()
    target_link_libraries(${name}_fuzz PRIVATE hearth_fuzz_replay)
    add_test(NAME fuzz_replay.${name}
      COMMAND ${name}_fuzz ${CMAKE_SOURCE_DIR}/tests/corpus/${name})
    math(EXPR timeout "120 * ${HEARTH_TIME_FACTOR}")
    set_tests_properties(fuzz_replay.${name} PROPERTIES TIMEOUT ${timeout})
  endif()
endfunction()
