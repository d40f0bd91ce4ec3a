#include "hearth/eval/suite/load.h"

namespace hearth::eval::shipped {  // cmake/Embed.cmake
extern const std::vector<std::pair<std::string_view, std::string_view>> files;
}

namespace hearth::eval {

std::vector<SuiteFile> shipped_suite_files() {
  std::vector<SuiteFile> out;
  for (const auto& [path, text] : shipped::files) out.push_back({std::string(path), std::string(text)});
  return out;
}

}  // namespace hearth::eval
