// However a stream is cut, the same lines come out, and the same verdict.
#include <cstdint>
#include <string>
#include <vector>

#include "hearth/base/check.h"
#include "hearth/net/ndjson.h"

namespace {

struct Outcome {
  std::vector<std::string> lines;
  bool accepted = true;
  bool finished = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view text, std::size_t piece_bytes) {
  hearth::net::NdjsonReader reader(100);
  Outcome out;
  for (std::size_t at = 0; at < text.size() && out.accepted; at += piece_bytes) {
    out.accepted = reader.push(hearth::as_byte_span(text.substr(at, piece_bytes))).has_value();
    if (!out.accepted) return {.lines = {}, .accepted = false, .finished = false};
    while (const auto line = reader.next_line()) out.lines.emplace_back(*line);
  }
  out.finished = reader.finish().has_value();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Outcome whole = read(text, size + 1);
  CHECK(whole == read(text, 1));
  CHECK(whole == read(text, 5));
  hearth::net::NdjsonReader reader;
  if (!reader.push(hearth::as_byte_span(text))) return 0;
  for (auto value = reader.next(); value && *value; value = reader.next()) {
    CHECK(hearth::net::ndjson_line(**value).ends_with('\n'));
  }
  return 0;
}
