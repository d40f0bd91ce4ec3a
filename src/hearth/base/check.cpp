#include "hearth/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace hearth {

void check_failed(const char* condition, std::source_location where) {
  std::fprintf(stderr, "hearth: internal error at %s:%u in %s: CHECK(%s) failed\n",
               where.file_name(), static_cast<unsigned>(where.line()), where.function_name(),
               condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace hearth
