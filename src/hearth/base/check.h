#pragma once
// CHECK: our own mistake ends the process, always. Never used on input.

#include <source_location>

namespace hearth {
[[noreturn]] void check_failed(const char* condition, std::source_location where);
}

#define CHECK(condition)                                                                  \
  do {                                                                                    \
    if (!(condition)) [[unlikely]]                                                        \
      ::hearth::check_failed(#condition, std::source_location::current());                \
  } while (false)
