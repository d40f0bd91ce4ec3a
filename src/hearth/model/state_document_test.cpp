// The worked example of docs/formats/state_blob.md, read back.
#include <gtest/gtest.h>

#include <sstream>

#include "hearth/base/file.h"
#include "hearth/model/state_layout.h"

namespace hearth::model {
namespace {

// The hex digits of the ```hex block; what follows the two spaces after the digits is comment.
Result<Bytes> example_bytes() {
  const auto text = TRY(read_text_file(HEARTH_SOURCE_DIR "/docs/formats/state_blob.md", 1U << 20));
  std::istringstream lines(text);
  std::string digits;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      inside = line == "```hex";
      continue;
    }
    if (!inside) continue;
    line = line.substr(0, line.find("  "));
    for (const char c : line) {
      if (c != ' ') digits += c;
    }
  }
  return from_hex(digits);
}

TEST(StateDocument, TheExampleIsAValidBlob) {
  const auto blob = example_bytes();
  ASSERT_TRUE(blob.has_value()) << blob.error().message;
  CacheLayout cache;
  cache.layers.assign(2, StateLayer{.k_type = 1, .k_row_bytes = 4});
  const StateLayout layout{{cache}};
  ASSERT_EQ(blob->size(), 96U);
  EXPECT_EQ(state_bytes(layout, 2), 96U);
  const auto valid = validate_state(layout, {5, 7}, *blob);
  EXPECT_TRUE(valid.has_value()) << valid.error().message;
  EXPECT_FALSE(validate_state(layout, {6, 8}, *blob).has_value());
}

}  // namespace
}  // namespace hearth::model
