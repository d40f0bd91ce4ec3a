// What parses must print to something that parses to the same URL; wherever a reply sends us, it is
// http or https, and a target that the client takes.
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/net/url.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::net;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto url = parse_url(text)) {
    const auto again = parse_url(url->text());
    CHECK(again.has_value());
    CHECK(*again == *url);
    const auto name = file_name_of(*url);
    if (name && text.size() < url_bytes_max / 4) {  // encoding makes three bytes of one
      const auto same = parse_url(with_file_name(*url, *name).text());
      CHECK(same.has_value());
      CHECK(*file_name_of(*same) == *name);
    }
  }
  const auto base = parse_url("https://example.org/a/b.gguf?c=d");
  CHECK(base.has_value());
  if (const auto next = resolve_location(*base, text)) {
    CHECK(!next->address.is_unix());
    CHECK(next->target.starts_with('/'));
  }
  return 0;
}
