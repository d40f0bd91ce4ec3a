// However a stream is cut, the same events come out; what we write from them reads back.
#include <cstdint>
#include <vector>

#include "hearth/base/check.h"
#include "hearth/net/sse.h"

namespace {

using hearth::net::SseEvent;

constexpr std::size_t event_bytes_max = 4096;

// Nothing when the parser refused.
std::optional<std::vector<SseEvent>> parse(std::string_view text, std::size_t piece_bytes) {
  hearth::net::SseParser parser(event_bytes_max);
  std::vector<SseEvent> out;
  for (std::size_t at = 0; at < text.size(); at += piece_bytes) {
    const bool accepted =
        parser.push(hearth::as_byte_span(text.substr(at, piece_bytes))).has_value();
    while (auto event = parser.next()) out.push_back(*std::move(event));
    if (!accepted) return {};
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto events = parse(text, size + 1);
  CHECK(events == parse(text, 1));
  CHECK(events == parse(text, 7));
  if (!events) return 0;
  std::string written;
  for (const SseEvent& event : *events) {
    written += hearth::net::sse_event(event.event, event.data, event.id);
  }
  const auto again = parse(written, written.size() + 1);
  if (!again) return 0;  // field names make it longer than what was read
  CHECK(again->size() == events->size());
  for (std::size_t i = 0; i < events->size(); ++i) CHECK((*again)[i].data == (*events)[i].data);
  return 0;
}
