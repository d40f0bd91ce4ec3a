# What most sources include is parsed once: one precompiled header for the program, one for tests. They only
# save time: every source includes what it uses, which the asan preset and style.headers, without them, prove.
# For g++ alone: it lets targets of other definitions share one, clang does not.
set(HEARTH_TEST_OPTIONS $<$<CONFIG:Release>:-O1>)  # a test's own code is compiled far more often than it runs
set(shared_headers <algorithm> <array> <atomic> <charconv> <chrono> <cmath> <condition_variable> <cstdint> <cstdio>
  <cstring> <deque> <expected> <filesystem> <fstream> <functional> <map> <memory> <mutex> <optional> <random> <set> <span>
  <string> <string_view> <thread> <tuple> <unordered_map> <utility> <variant> <vector> <fmt/format.h>)

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
  foreach(user module test)
    set(empty ${CMAKE_BINARY_DIR}/precompiled_for_${user}.cpp)
    file(GENERATE OUTPUT ${empty} CONTENT "")
    add_library(hearth_precompiled_${user} OBJECT ${empty})
    target_link_libraries(hearth_precompiled_${user} PRIVATE fmt::fmt)
    target_precompile_headers(hearth_precompiled_${user} PRIVATE ${shared_headers})
  endforeach()
  target_link_libraries(hearth_precompiled_test PRIVATE GTest::gtest GTest::gmock)
  target_precompile_headers(hearth_precompiled_test PRIVATE <gtest/gtest.h> <gmock/gmock.h>)
  target_compile_options(hearth_precompiled_test PRIVATE ${HEARTH_TEST_OPTIONS})
endif()

# hearth_precompiled(TARGET module|test)
function(hearth_precompiled target user)
  if(TARGET hearth_precompiled_${user})
    target_precompile_headers(${target} REUSE_FROM hearth_precompiled_${user})
  endif()
endfunction()
