// An item whose files are parts of the input, separated by "\n===\n": it is read, or its problems have a file.
#include <array>
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/eval/suite/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::array names = {"a/item.toml", "a/prompt.md", "a/world.toml", "a/cases.json", "a/expected.json", "a/answers/reference.md"};
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.find("[generator]") != std::string_view::npos) return 0;  // documents take their time
  std::vector<hearth::eval::SuiteFile> files;
  for (const char* name : names) {
    const std::size_t end = text.find("\n===\n");
    files.push_back({name, std::string(text.substr(0, end))});
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 5);
  }
  const auto loaded = hearth::eval::load_suite(files, "x");
  CHECK(loaded.suite.items.size() + loaded.problems.size() > 0);
  for (const std::string& problem : loaded.problems) CHECK(problem.starts_with("x/a/"));
  return 0;
}
