// Rates that are accepted answer with sane numbers, and travel on.
#include <cmath>
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/cluster/rate_book.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  using namespace hearth::cluster;
  const Instant now{};
  const auto json = parse_json(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!json) return 0;
  auto book = RateBook::from_json(*json, now);
  if (!book) return 0;
  const MachineModel on{"spark-1", "kimi"};
  if (const auto curve = book->prefill(on, now)) {
    if (const auto s = curve->seconds(1'000, 3'000))
      CHECK(std::isfinite(s->value) && s->value >= 0);
  }
  book->observe_prefill(on, 100, 0, 1.0, now);
  book->observe_decode(on, 0.05, now);
  CHECK(book->decode_s(on, now).has_value());
  CHECK(RateBook::from_json(book->to_json(now), now).has_value());
  return 0;
}
