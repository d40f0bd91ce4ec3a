// Whatever lies beside an unfinished file: what parses says the same again, and hands out exactly the
// pieces that it lacks.
#include <cstdint>
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/fetch/download_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::fetch;
  auto state = DownloadState::parse({reinterpret_cast<const char*>(data), size});
  if (!state) return 0;
  const auto again = DownloadState::parse(hearth::dump_json(state->json()));
  CHECK(again.has_value());
  CHECK(again->bytes_done() == state->bytes_done());
  std::uint64_t left = state->version().size_bytes - state->bytes_done();
  for (int i = 0; i < 1000; ++i) {
    const auto piece = state->take();
    if (!piece) break;
    CHECK(piece->bytes > 0 && piece->bytes <= left);
    left -= piece->bytes;
    state->complete(*piece);
  }
  CHECK(state->is_complete() == (left == 0));
  return 0;
}
