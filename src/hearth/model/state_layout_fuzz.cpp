// First byte: which layout. Rest: a blob. What is accepted has exactly the computed size, and is
// still accepted in canonical form.
#include <algorithm>
#include <cstdint>

#include "hearth/base/check.h"
#include "hearth/model/state_layout.h"
#include "support/state_blob.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  using namespace hearth::model;
  if (size == 0) return 0;
  static const auto layouts = testing::sample_layouts();
  const StateLayout& expected = layouts[data[0] % layouts.size()];
  const ByteSpan blob = std::as_bytes(std::span(data + 1, size - 1));
  Bytes copy(blob.begin(), blob.end());
  Bytes ordered(blob.begin(), blob.end());
  const bool is_ordered = order_state(expected, ordered).has_value();
  (void)canonicalise_state(expected, copy);
  for (const TokenRange range : {TokenRange{0, 1}, TokenRange{5, 7}}) {
    const auto valid = validate_state(expected, range, blob);
    if (valid) CHECK(is_ordered && std::ranges::equal(ordered, blob));
    if (valid) CHECK(blob.size() == state_bytes(expected, range.count(), *valid));
    const auto learned = learn_state_layout(blob, expected, range);
    if (valid) CHECK(learned.has_value());
    if (!learned) continue;
    CHECK(validate_state(*learned, range, blob).has_value());
    CHECK(validate_state(*learned, range, copy).has_value());
  }
  return 0;
}
