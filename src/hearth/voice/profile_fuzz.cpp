// Voice profiles: whatever the bytes, what is read is written the same again; and any text can be measured.

#include "hearth/base/bytes.h"
#include "hearth/base/check.h"
#include "hearth/voice/profile.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  const voice::Measures measured = voice::measure(text);
  CHECK(measured.variety >= 0 && measured.variety <= 1);
  CHECK(voice::find_slop(text).lone_sentences <= 1);
  if (const auto json = parse_json(text)) {
    if (const auto profile = voice::Profile::from_json(*json)) {
      CHECK(voice::Profile::from_json(profile->json()).has_value());
      (void)profile->model_for(measured.words).model.score(measured);
    }
  }
  return 0;
}
