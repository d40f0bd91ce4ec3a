// Header parser and stream reader. The first byte chooses: repair the header checksum (so that the
// fields behind it are reached) or not, and how the stream is cut into pieces.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "hearth/base/check.h"
#include "hearth/kv/chunk_stream.h"

namespace {

using namespace hearth;
using kv::ChunkStreamReader;

void repair_checksum(Bytes& bytes) {
  const auto needed = kv::header_bytes_needed(bytes);
  if (!needed || *needed > bytes.size() || *needed < 16) return;
  const Checksum128 checksum = xxh3_128(ByteSpan(bytes).first(*needed - 16));
  std::memcpy(bytes.data() + *needed - 16, &checksum.low, 8);
  std::memcpy(bytes.data() + *needed - 8, &checksum.high, 8);
}

// Everything a stream says, in one text; independent of how it was cut.
struct Transcript {
  Bytes bytes;
  bool is_failed = false;
  bool is_whole = false;
  bool operator==(const Transcript&) const = default;
};

Transcript read_stream(ByteSpan stream, std::size_t piece_bytes) {
  ChunkStreamReader reader({.payload_bytes_max = 1 << 20});
  Transcript out;
  do {
    ByteSpan piece = stream.first(std::min(piece_bytes, stream.size()));
    stream = stream.subspan(piece.size());
    for (;;) {
      const auto event = reader.next(piece);
      if (!event) {
        out.is_failed = true;
        return out;
      }
      if (std::holds_alternative<ChunkStreamReader::NeedMore>(*event)) break;
      if (const auto* header = std::get_if<ChunkStreamReader::HeaderRead>(&*event)) {
        const Bytes again = kv::encode_header(header->header);
        out.bytes.insert(out.bytes.end(), again.begin(), again.end());
      } else if (const auto* payload = std::get_if<ChunkStreamReader::PayloadRead>(&*event)) {
        out.bytes.insert(out.bytes.end(), payload->bytes.begin(), payload->bytes.end());
      }
    }
    CHECK(piece.empty());
  } while (!stream.empty());
  out.is_whole = reader.finish().has_value();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool repairs = (data[0] & 1) != 0;
  const std::size_t piece_bytes = 1 + (data[0] >> 1);
  Bytes bytes(size - 1);
  if (size > 1) std::memcpy(bytes.data(), data + 1, size - 1);
  if (repairs) repair_checksum(bytes);

  if (const auto header = kv::parse_header(bytes)) {
    // There is one way to write a header.
    const Bytes again = kv::encode_header(*header);
    CHECK(again.size() <= bytes.size() && std::equal(again.begin(), again.end(), bytes.begin()));
    const ByteSpan payload = ByteSpan(bytes).subspan(again.size());
    (void)kv::find_fault(*header, payload, {});
  }
  const Transcript whole = read_stream(bytes, std::max<std::size_t>(bytes.size(), 1));
  CHECK(whole == read_stream(bytes, piece_bytes));
  // What came out is what went in.
  CHECK(whole.bytes.size() <= bytes.size());
  CHECK(std::equal(whole.bytes.begin(), whole.bytes.end(), bytes.begin()));
  if (whole.is_whole) CHECK(whole.bytes.size() == bytes.size());
  return 0;
}
