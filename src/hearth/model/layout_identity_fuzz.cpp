// An identity that is accepted travels on unchanged.
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/model/layout_identity.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  using namespace hearth::model;
  const auto json = parse_json(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!json) return 0;
  const auto identity = identity_from_json(*json);
  if (!identity) return 0;
  const auto printed = parse_json(dump_json(identity_json(*identity)));
  CHECK(printed.has_value());
  const auto again = identity_from_json(*printed);
  CHECK(again.has_value());
  CHECK(layout_digest(*again) == layout_digest(*identity));
  CHECK(!describe_difference(*again, *identity));
  return 0;
}
